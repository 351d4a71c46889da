//! Counts events: `video:<id>` for each video, and `total`.
//!
//! It needs the grant of key-value state, and no settings.
//!
//! Each delivery counts once, however often it was tried: what a call writes is
//! committed with its outcome, and only when that is `Ok`. So there is nothing
//! to do here about repeated calls. The feature `chaos` is there to prove it.

#[cfg(feature = "chaos")]
mod chaos;

use hookbox_sdk::{Delivery, Event, Failure, Plugin, SubjectKind, Want, keyvalue};

struct ViewCounter;

impl Plugin for ViewCounter {
    fn wants() -> Vec<Want> {
        vec![Want::Keyvalue]
    }

    fn handle(event: Event, _: Delivery) -> Result<(), Failure> {
        let state = keyvalue::open()?;
        let total = state.increment("total", 1)?;
        match event.subject() {
            Some(subject) if subject.kind == SubjectKind::Video => {
                let events = state.increment(&format!("video:{}", subject.id), 1)?;
                println!("video {}: {events} of {total} events", subject.id);
            }
            _ => println!("{}: {total} events", event.name),
        }
        #[cfg(feature = "chaos")]
        chaos::strike()?;
        Ok(())
    }
}

hookbox_sdk::export!(ViewCounter);

#[cfg(all(test, not(feature = "chaos")))]
mod tests {
    use super::*;
    use hookbox_sdk::testing::{FakeHost, delivery, sample};

    fn counted(host: &FakeHost, name: &str) -> Result<(), Failure> {
        host.deliver::<ViewCounter>(sample(name), delivery())
    }

    #[test]
    fn each_event_counts_for_its_video_and_in_all() {
        let host = FakeHost::new();
        for name in ["edit_video", "video_encoded", "add_playlist"] {
            assert_eq!(counted(&host, name), Ok(()), "{name}");
        }
        let state = keyvalue::open().expect("granted");
        assert_eq!(state.counter("video:734392"), Ok(2));
        assert_eq!(state.counter("total"), Ok(3));
        assert_eq!(host.keyvalue().len(), 2, "a playlist counts only in all");
    }

    #[test]
    fn without_the_grant_the_event_is_tried_again() {
        let host = FakeHost::new().deny_keyvalue();
        let Err(Failure::Retry(reason)) = counted(&host, "add_video") else {
            panic!("the operator can mend it");
        };
        assert!(reason.contains("not granted"), "{reason}");
    }
}
