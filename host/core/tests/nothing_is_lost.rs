//! Whatever the body's shape, each of its leaves is found again in a typed
//! field or in `extra`, and the document is the body without its secret.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod leaves;

use hookbox_core::event::Event;
use hookbox_core::targetvideo::EVENT_NAMES;
use hookbox_core::verify::{Secrets, verify};
use proptest::prelude::*;

const SECRET: &str = "property-secret";

/// Names that the decoder looks for, so that generated bodies hit its tables,
/// and some that it does not.
const NAMES: [&str; 50] = [
    "data",
    "response",
    "Video",
    "Playlist",
    "Livestream",
    "LivestreamSchedule",
    "livestream",
    "live_stream_schedule",
    "EncodingStatus",
    "encoded",
    "playlist_videos",
    "id",
    "ids",
    "video_id",
    "sort",
    "partner_id",
    "channel_id",
    "name",
    "description",
    "publish",
    "tags",
    "image",
    "thumbnail",
    "external_url",
    "track_all",
    "sd",
    "hd",
    "fhd",
    "mp3",
    "uhd",
    "av1",
    "invoked_by",
    "upload_snapshot",
    "path",
    "time_from_video",
    "title",
    "start",
    "end_time",
    "livestream_id",
    "scope",
    "method",
    "api",
    "timestamp",
    "new",
    "a/b",
    "c~d",
    "",
    "ä",
    "status",
    "snapshot",
];

/// JSON text, its members in any order and some of them twice.
fn json() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        2 => "[0-9]{4,12}".prop_map(|id| format!("\"{id}\"")),
        2 => "[1-9][0-9]{3,30}",
        2 => prop_oneof![Just("\"1\""), Just("\"0\""), Just("0"), Just("1"), Just("true"), Just("false")]
            .prop_map(str::to_owned),
        1 => prop_oneof![Just("null"), Just("1e400"), Just("-0.50"), Just("\"\""), Just("\",\"")]
            .prop_map(str::to_owned),
        1 => "[0-9]{4,6}(, ?[0-9]{4,6}){1,3},?".prop_map(|ids| format!("\"{ids}\"")),
        1 => "[a-z\u{e0}-\u{ff}]{5,12}".prop_map(|text| serde_json::to_string(&text).expect("JSON")),
        1 => Just("\"\\u00e9\\n\\ud83d\\ude00\"".to_owned()),
    ];
    scalar.prop_recursive(5, 60, 8, |inner| {
        let name = prop::sample::select(&NAMES[..]);
        prop_oneof![
            4 => prop::collection::vec((name, inner.clone()), 0..8).prop_map(|members| object(&members)),
            1 => prop::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(", "))),
        ]
    })
}

fn object(members: &[(&str, String)]) -> String {
    let member = |(name, value): &(&str, String)| format!("{}:{value}", serde_json::json!(name));
    format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(","))
}

/// A body: an envelope like the vendor's, with generated parts.
fn body() -> impl Strategy<Value = (String, String)> {
    let name = prop_oneof![
        9 => prop::sample::select(&EVENT_NAMES[..]).prop_map(str::to_owned),
        1 => Just("something_new".to_owned()),
    ];
    let model =
        prop::sample::select(&["Video", "Playlist", "Livestream", "LivestreamSchedule"][..]);
    let part =
        (model, json(), prop::collection::vec((prop::sample::select(&NAMES[..]), json()), 0..4))
            .prop_map(|(model, inner, more)| {
                let mut members = vec![(model, inner)];
                members.extend(more);
                object(&members)
            });
    let part = prop_oneof![4 => part, 1 => json()];
    let others = prop::collection::vec((prop::sample::select(&NAMES[..]), json()), 0..4);
    (name, part.clone(), part, others, any::<prop::sample::Index>()).prop_map(
        |(name, data, response, others, at)| {
            let mut members =
                vec![("event", format!("\"{name}\"")), ("data", data), ("response", response)];
            members.extend(others);
            let without = object(&members);
            members.insert(at.index(members.len() + 1), ("secret", format!("\"{SECRET}\"")));
            (object(&members), without)
        },
    )
}

/// `PROPTEST_CASES`, where it is set, for a longer run.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(3_000)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn each_leaf_is_in_a_typed_field_or_in_extra((body, without) in body()) {
        let secrets = Secrets::new([("test", SECRET)]).expect("secrets");
        let source = "main".parse().expect("a name");
        let verified = verify(&source, &secrets, body.as_bytes()).expect("verified");
        prop_assert_eq!(verified.document(), &without, "the document, digit for digit");
        let event = Event::decode(verified).expect("an event").typed().clone();
        prop_assert_eq!(&event.document, &without);
        let shown = format!("{event:?}");
        prop_assert!(!shown.contains(SECRET), "the secret is still there");

        let lost = leaves::lost(&event);
        prop_assert!(lost.is_empty(), "lost: {:?} in {:#?}", lost, event);
        let invented = leaves::invented(&event);
        prop_assert!(invented.is_empty(), "not in the body: {:?}", invented);
    }

    #[test]
    fn no_damage_to_a_body_makes_the_core_panic(
        (body, _) in body(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut bytes = body.into_bytes();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let secrets = Secrets::new([("test", SECRET)]).expect("secrets");
        if let Ok(verified) = verify(&"main".parse().expect("a name"), &secrets, &bytes) {
            let _either_is_fine = Event::decode(verified);
        }
    }
}
