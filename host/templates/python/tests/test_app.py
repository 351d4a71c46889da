import unittest

import app
from hookbox import events, keyvalue
from hookbox.testing import FakeHost, event, record
from wit_world.imports.hookbox_plugin_types import Failure_Reject


class Counting(unittest.TestCase):
    def test_each_change_is_counted(self) -> None:
        video = record(events.VideoChange, id="734392")
        with FakeHost() as host:
            for name, kind in [
                ("add_video", events.Payload_AddVideo),
                ("edit_video", events.Payload_EditVideo),
            ]:
                self.assertIsNone(host.deliver(app.Handler, event(name, kind(video))))
            self.assertEqual(keyvalue.get_text("changes:734392"), "2")

    def test_an_event_without_a_video_is_rejected(self) -> None:
        nameless = event("add_video", events.Payload_AddVideo(record(events.VideoChange)))
        with FakeHost() as host:
            self.assertIsInstance(host.deliver(app.Handler, nameless), Failure_Reject)


if __name__ == "__main__":
    unittest.main()
