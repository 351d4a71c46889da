/* Counts how often each video was added or edited. */
#include <inttypes.h>
#include <stdio.h>

#include "hookbox.h"

const hookbox_description hookbox_plugin = {
    .name = "{{name}}",
    .version = "0.1.0",
    .events = (const char *const[]){"add_video", "edit_video", NULL},
    .wants = (const hookbox_want[]){{HOOKBOX_WANT_KEYVALUE}, {HOOKBOX_WANTS_END}},
};

/* The event's video, or NULL where it is about none. */
static const hookbox_targetvideo_events_video_change_t *video_of(const hookbox_event *event) {
  switch (event->payload.tag) {
    case HOOKBOX_TARGETVIDEO_EVENTS_PAYLOAD_ADD_VIDEO:
      return &event->payload.val.add_video;
    case HOOKBOX_TARGETVIDEO_EVENTS_PAYLOAD_EDIT_VIDEO:
      return &event->payload.val.edit_video;
    default:
      return NULL;
  }
}

hookbox_outcome hookbox_handle(const hookbox_event *event, const hookbox_delivery *delivery) {
  (void)delivery;
  const hookbox_targetvideo_events_video_change_t *video = video_of(event);
  if (video == NULL) return hookbox_reject("%.*s was not asked for", HOOKBOX_ARG(event->name));
  if (!video->id.is_some) return hookbox_reject("the event names no video");
  const char *id = hookbox_copy(video->id.val);

  /* Kept only if this is done: each delivery counts once. */
  uint64_t changes;
  if (!hookbox_state_increment(hookbox_format("changes:%s", id), 1, &changes))
    return hookbox_state_failed();
  printf("video %s, %s: change %" PRIu64 "\n", id, hookbox_or(video->name, "(no title)"), changes);
  return hookbox_done();
}
