import json
import unittest

import app
from hookbox import events, keyvalue
from hookbox.testing import FakeHost, delivery, event, record
from wit_world.imports.hookbox_plugin_types import Failure_RetryAfter

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def edit(video: str) -> events.Event:
    return event("edit_video", events.Payload_EditVideo(record(events.VideoChange, id=video)))


class Reports(unittest.TestCase):
    def deliver(self, host: FakeHost, what: events.Event, at_ms: int) -> object:
        return host.deliver(app.Handler, what, delivery(received_at=at_ms))

    def test_the_first_event_of_a_day_reports_the_day_before(self) -> None:
        with FakeHost() as host:
            host.config["url"] = "https://reports.example/in"
            host.answer(200)
            for video in ["5", "5", "6"]:
                self.assertIsNone(self.deliver(host, edit(video), HOUR_MS))
            self.assertEqual(host.requests, [])
            self.assertIsNone(self.deliver(host, event("add_playlist"), DAY_MS))
            report = json.loads(keyvalue.get_text("report:1970-01-01"))
            self.assertEqual(report["events"], {"edit_video": 3})
            self.assertEqual(report["top_videos"][0], {"id": "5", "events": 2})
            [(method, url, headers, body)] = host.requests
            self.assertEqual((method, json.loads(body)), ("POST", report))
            self.assertEqual(headers["idempotency-key"], "report-1970-01-01")

    def test_a_report_that_was_not_taken_is_not_lost(self) -> None:
        with FakeHost() as host:
            host.config["url"] = "https://reports.example/in"
            host.answer(503, retry_after="60")
            self.deliver(host, edit("5"), HOUR_MS)
            failure = self.deliver(host, edit("5"), DAY_MS)
            self.assertIsInstance(failure, Failure_RetryAfter)
            self.assertEqual(list(host.keyvalue), ["open"])
            host.answer(200)
            self.assertIsNone(self.deliver(host, edit("5"), DAY_MS))
            self.assertEqual(len(host.requests), 2)

    def test_a_day_begins_by_the_setting(self) -> None:
        with FakeHost() as host:
            host.config["utc_offset_hours"] = "-5.5"
            self.assertEqual(app.day_of(DAY_MS + HOUR_MS), "1970-01-01")


if __name__ == "__main__":
    unittest.main()
