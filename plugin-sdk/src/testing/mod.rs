//! Running a handler in an ordinary `cargo test`, without WebAssembly.
//!
//! Events are made from JSON by the code that the host itself uses, so what a
//! test sees in `payload` and `extra` is what the plugin will see.
//!
//! ```
//! use hookbox_sdk::testing::{delivery, event};
//! use hookbox_sdk::{Delivery, Event, Failure, Payload, Plugin};
//!
//! struct Namer;
//! impl Plugin for Namer {
//!     fn handle(event: Event, _: Delivery) -> Result<(), Failure> {
//!         match event.payload {
//!             Payload::AddVideo(video) if video.name.is_none() => {
//!                 Err(Failure::Reject("a video without a name".into()))
//!             }
//!             _ => Ok(()),
//!         }
//!     }
//! }
//!
//! let nameless = event(r#"{"event":"add_video","data":{"Video":{}}}"#);
//! assert!(matches!(Namer::handle(nameless, delivery()), Err(Failure::Reject(_))));
//! ```
//!
//! [`FakeHost`] gives it settings, state and answers to its requests.

pub(crate) mod fake;
mod host;

pub use host::{Answer, FakeHost, LogLine, Sent};

use hookbox_core::targetvideo::{self, samples};

use crate::bindings::hookbox::targetvideo::events;
use crate::{Delivery, Event};

hookbox_core::targetvideo_0_1_0_to_wit!();

/// An event from the text of a webhook's body, with or without the member
/// `secret`.
///
/// # Panics
/// Where the host would have refused the body: it is not a JSON object, it is
/// nested too deep, or its member `event` is no string.
pub fn event(json: &str) -> Event {
    match try_event(json) {
        Ok(event) => event,
        #[expect(clippy::panic, reason = "a test with such a body is wrong")]
        Err(why) => panic!("not a webhook's body: {why}\n{json}"),
    }
}

fn try_event(json: &str) -> Result<Event, String> {
    use hookbox_core::json::{top_members, without_member};
    let members = top_members(json).map_err(|e| e.to_string())?;
    let document = match members.iter().position(|member| member.name == "secret") {
        Some(index) => without_member(json, &members, index),
        None => json.to_owned(),
    };
    let named = members.iter().find(|member| member.name == "event");
    let name =
        named.and_then(|member| string(member.json)).ok_or("no member `event` with a text")?;
    let event = targetvideo::decode(name, document).map_err(|e| e.to_string())?;
    Ok(event_to_wit(&event))
}

fn string(json: &str) -> Option<String> {
    let node = hookbox_core::json::Node::parse(json).ok()?;
    match node.value {
        hookbox_core::json::Value::String(text) => Some(text.into_owned()),
        _ => None,
    }
}

/// A sample of one of the 17 documented events, by its name.
///
/// Only that of `sd_encoded` is the vendor's own; the others show a likely
/// shape.
///
/// # Panics
/// Where there is no such sample.
pub fn sample(name: &str) -> Event {
    match samples::body(name) {
        Some(body) => event(body),
        #[expect(clippy::panic, reason = "a test with such a name is wrong")]
        None => panic!("no sample of {name:?}; there are: {}", targetvideo::EVENT_NAMES.join(", ")),
    }
}

/// A delivery as the host would make it: source `main`, first attempt.
pub fn delivery() -> Delivery {
    Delivery {
        id: "01953a5e-7d80-7000-8000-000000000002".to_owned(),
        event_id: "01953a5e-7d80-7000-8000-000000000001".to_owned(),
        source: "main".to_owned(),
        attempt: 1,
        received_at: 1_740_441_600_000,
        replay: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Payload, SubjectKind};

    #[test]
    fn each_sample_names_its_subject() {
        for name in targetvideo::EVENT_NAMES {
            let event = sample(name);
            let subject = event.subject().unwrap_or_else(|| panic!("{name} has no subject"));
            let kind = match name {
                name if name.contains("playlist") => SubjectKind::Playlist,
                name if name.contains("schedule") => SubjectKind::Schedule,
                name if name.contains("livestream") => SubjectKind::Livestream,
                _ => SubjectKind::Video,
            };
            assert_eq!(subject.kind, kind, "{name}");
        }
    }

    #[test]
    fn the_secret_does_not_reach_the_handler() {
        let event = event(r#"{"event":"new_event","secret":"hush","n":30e400}"#);
        assert_eq!(event.document, r#"{"event":"new_event","n":30e400}"#);
        assert_eq!(event.payload, Payload::Other);
        assert_eq!(event.extra.len(), 1);
    }

    #[test]
    #[should_panic(expected = "not a JSON object")]
    fn a_body_that_the_host_would_refuse_is_no_event() {
        event("[]");
    }
}
