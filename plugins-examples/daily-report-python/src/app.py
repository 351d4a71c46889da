"""Sums up each day: how many events of each kind came, and which videos were
changed most. The first event of a new day writes and sends the report of the
one before.

| setting | is |
|---|---|
| `url` | where reports are posted as JSON; left out: they are only logged and kept |
| `utc_offset_hours` | when a day begins, by the offset from UTC; 0 where it is left out |

It needs the grant of key-value state, and of outgoing HTTP to the origin of `url`.
"""

import json
from collections import Counter
from datetime import datetime, timedelta, timezone

import hookbox
from hookbox import Delivery, Event, Retry, config, events, http, keyvalue

# State: the day that is counted, with its counts; and `report:<day>` for each
# day that is over.
OPEN = "open"

TOP = 5


def handle(event: Event, delivery: Delivery) -> None:
    day = day_of(delivery.received_at)
    counted = json.loads(keyvalue.get_text(OPEN) or "null") or fresh(day)
    # One that was owed for long belongs to a day that is over: it is counted in
    # the one that is open.
    if day > counted["day"]:
        close(counted)
        counted = fresh(day)
    counted["events"][event.name] = counted["events"].get(event.name, 0) + 1
    for video in videos(event):
        counted["videos"][video] = counted["videos"].get(video, 0) + 1
    keyvalue.set(OPEN, json.dumps(counted))


def fresh(day: str) -> dict:
    return {"day": day, "events": {}, "videos": {}}


def day_of(received_at_ms: int) -> str:
    text = config("utc_offset_hours") or "0"
    try:
        zone = timezone(timedelta(hours=float(text)))
    except ValueError:
        raise Retry("the setting `utc_offset_hours` is no offset in hours") from None
    return datetime.fromtimestamp(received_at_ms / 1000, zone).date().isoformat()


def close(counted: dict) -> None:
    """Keeps the report of a day that is over, and sends it."""
    report = {
        "day": counted["day"],
        "total": sum(counted["events"].values()),
        "events": counted["events"],
        "top_videos": [
            {"id": video, "events": number}
            for video, number in Counter(counted["videos"]).most_common(TOP)
        ],
    }
    keyvalue.set(f"report:{report['day']}", json.dumps(report))
    if url := config("url"):
        # Fails it, nothing of this call is kept, and the next attempt sends it
        # again: the day is its key.
        key = {"idempotency-key": f"report-{report['day']}"}
        http.post_json(url, report, key).success()
    print(summary(report))


def summary(report: dict) -> str:
    kinds = sorted(report["events"].items(), key=lambda kind: (-kind[1], kind[0]))
    text = f"{report['day']}: {report['total']} events"
    text += "".join(f", {number} {name}" for name, number in kinds)
    top = " ".join(video["id"] for video in report["top_videos"])
    return f"{text}; most changed: {top}" if top else text


def videos(event: Event) -> list[str]:
    """Ids of the videos that the event is about."""
    match event.payload:
        case events.Payload_AddVideo(video) | events.Payload_EditVideo(video):
            found = [video.id]
        case events.Payload_DeleteVideo(gone):
            found = gone.ids
        case events.Payload_VideoEncoded(news) | events.Payload_SdEncoded(news):
            found = [news.video_id]
        case events.Payload_EditSnapshot(change):
            found = [change.video_id]
        case _:
            found = []
    return [video for video in found if video]


About, Handler = hookbox.plugin(
    name="daily-report",
    version="0.1.0",
    wants=[hookbox.wants_keyvalue()],
    handle=handle,
)
