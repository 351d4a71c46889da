"""Counts how often each video was added or edited."""

import hookbox
from hookbox import Delivery, Event, Reject, events, keyvalue


def handle(event: Event, delivery: Delivery) -> None:
    match event.payload:
        case events.Payload_AddVideo(video) | events.Payload_EditVideo(video):
            pass
        case _:
            raise Reject(f"{event.name} was not asked for")
    if not video.id:
        raise Reject("the event names no video")
    # Kept only if this returns: each delivery counts once.
    changes = keyvalue.increment(f"changes:{video.id}")
    print(f"video {video.id}, {video.name or '(no title)'}: change {changes}")


About, Handler = hookbox.plugin(
    name="{{name}}",
    version="0.1.0",
    events=["add_video", "edit_video"],
    wants=[hookbox.wants_keyvalue()],
    handle=handle,
)
