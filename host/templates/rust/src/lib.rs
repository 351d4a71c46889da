//! Counts how often each video was added or edited.

use hookbox_sdk::{Delivery, Event, Failure, OrFail, Payload, Plugin, Want, keyvalue};

struct {{TypeName}};

impl Plugin for {{TypeName}} {
    const EVENTS: &'static [&'static str] = &["add_video", "edit_video"];

    fn wants() -> Vec<Want> {
        vec![Want::Keyvalue]
    }

    fn handle(event: Event, _delivery: Delivery) -> Result<(), Failure> {
        let (Payload::AddVideo(video) | Payload::EditVideo(video)) = event.payload else {
            return Err(Failure::reject(format_args!("{} was not asked for", event.name)));
        };
        let id = video.id.or_reject("the event names no video")?;
        // Kept only if this returns Ok: each delivery counts once.
        let changes = keyvalue::open()?.increment(&format!("changes:{id}"), 1)?;
        let title = video.name.as_deref().unwrap_or("(no title)");
        println!("video {id}, {title}: change {changes}");
        Ok(())
    }
}

hookbox_sdk::export!({{TypeName}});

#[cfg(test)]
mod tests {
    use super::*;
    use hookbox_sdk::testing::{FakeHost, delivery, event, sample};

    #[test]
    fn each_change_is_counted() {
        let host = FakeHost::new();
        for name in ["add_video", "edit_video"] {
            assert_eq!(host.deliver::<{{TypeName}}>(sample(name), delivery()), Ok(()));
        }
        let state = keyvalue::open().expect("state");
        assert_eq!(state.counter("changes:734392"), Ok(2));
    }

    #[test]
    fn an_event_without_a_video_is_rejected() {
        let nameless = event(r#"{"event":"add_video"}"#);
        let answer = {{TypeName}}::handle(nameless, delivery());
        assert!(matches!(answer, Err(Failure::Reject(_))), "{answer:?}");
    }
}
