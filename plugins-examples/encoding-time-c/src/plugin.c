/* Measures how long videos take from their SD rendition to all renditions, and
 * tells of the slow ones. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hookbox.h"

/* A video that takes longer is told as a warning, unless the setting
 * `slow_after_s` says otherwise. */
#define SLOW_AFTER_S 3600

const hookbox_description hookbox_plugin = {
    .name = "encoding-time",
    .version = "0.1.0",
    .events = (const char *const[]){"sd_encoded", "video_encoded", NULL},
    .wants = (const hookbox_want[]){{HOOKBOX_WANT_KEYVALUE}, {HOOKBOX_WANTS_END}},
};

/* Reads a whole number from 0 on, with nothing around it. */
static bool number(const char *text, int64_t *value) {
  if (*text < '0' || *text > '9') return false;
  char *end;
  *value = strtoll(text, &end, 10);
  return *end == '\0';
}

/* When the event happened, in seconds since the Unix epoch: by the sender, or
 * else by the arrival. */
static int64_t happened_s(const hookbox_event *event, const hookbox_delivery *delivery) {
  if (event->timestamp.is_some) return event->timestamp.val;
  return (int64_t)(delivery->received_at / 1000);
}

/* The first rendition is there: from now on it takes as long as it takes. */
static hookbox_outcome started(const char *key, int64_t now_s) {
  char *earlier;
  if (!hookbox_state_get(key, &earlier, NULL)) return hookbox_state_failed();
  int64_t before_s;
  /* Events can come in any order: the earliest counts. */
  if (earlier != NULL && number(earlier, &before_s) && before_s <= now_s) return hookbox_done();
  char text[32];
  int len = snprintf(text, sizeof text, "%" PRId64, now_s);
  if (!hookbox_state_set(key, text, (size_t)len)) return hookbox_state_failed();
  return hookbox_done();
}

/* Posts a text to the setting `alert_url`, if the operator gave one. */
static hookbox_outcome alerted(const char *text, const hookbox_delivery *delivery) {
  const char *url = hookbox_config("alert_url");
  if (url == NULL) return hookbox_done();
  hookbox_request request = {
      .method = "POST",
      .url = url,
      .headers = (const hookbox_header[]){{"content-type", "text/plain; charset=utf-8"},
                                          {"idempotency-key", hookbox_copy(delivery->id)},
                                          {NULL, NULL}},
      .body = text,
      .body_len = strlen(text),
  };
  hookbox_response response;
  if (!hookbox_http_send(&request, &response)) return hookbox_http_failed();
  return hookbox_http_outcome(&response);
}

/* All renditions are there. */
static hookbox_outcome ended(const char *video, const char *key, int64_t now_s,
                             const hookbox_delivery *delivery) {
  char *since;
  if (!hookbox_state_get(key, &since, NULL)) return hookbox_state_failed();
  int64_t since_s;
  if (since == NULL || !number(since, &since_s) || since_s > now_s) {
    hookbox_log(HOOKBOX_INFO, "video %s is ready; when it began is not known", video);
    return hookbox_done();
  }
  int64_t took_s = now_s - since_s;
  uint64_t videos, seconds;
  bool kept = hookbox_state_increment("videos", 1, &videos) &&
              hookbox_state_increment("seconds", (uint64_t)took_s, &seconds) &&
              hookbox_state_delete(key);
  if (!kept) return hookbox_state_failed();

  int64_t slow_after_s = SLOW_AFTER_S;
  const char *setting = hookbox_config("slow_after_s");
  if (setting != NULL && !number(setting, &slow_after_s))
    return hookbox_retry("the setting slow_after_s is no number of seconds");
  bool is_slow = took_s > slow_after_s;
  hookbox_log(is_slow ? HOOKBOX_WARN : HOOKBOX_INFO,
              "video %s took %" PRId64 " s; on average %" PRIu64 " s over %" PRIu64 " videos",
              video, took_s, seconds / videos, videos);
  if (!is_slow) return hookbox_done();
  return alerted(hookbox_format("Video %s took %" PRId64 " s to encode.", video, took_s), delivery);
}

hookbox_outcome hookbox_handle(const hookbox_event *event, const hookbox_delivery *delivery) {
  const hookbox_targetvideo_events_payload_t *payload = &event->payload;
  bool is_first = payload->tag == HOOKBOX_TARGETVIDEO_EVENTS_PAYLOAD_SD_ENCODED;
  bool is_last = payload->tag == HOOKBOX_TARGETVIDEO_EVENTS_PAYLOAD_VIDEO_ENCODED;
  if (!is_first && !is_last) return hookbox_reject("%.*s was not asked for", HOOKBOX_ARG(event->name));
  const hookbox_targetvideo_events_encoding_t *encoding =
      is_first ? &payload->val.sd_encoded : &payload->val.video_encoded;
  if (!encoding->video_id.is_some) return hookbox_reject("the event names no video");
  const char *video = hookbox_copy(encoding->video_id.val);
  const char *key = hookbox_format("began:%s", video);
  int64_t now_s = happened_s(event, delivery);
  return is_first ? started(key, now_s) : ended(video, key, now_s, delivery);
}
