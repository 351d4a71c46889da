#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use super::*;
use crate::targetvideo::{decode, samples};

fn about(name: &str, body: &str) -> Option<String> {
    entity(&decode(name.to_owned(), body.to_owned()).expect(body)).map(|entity| entity.to_string())
}

#[test]
fn each_sample_is_about_what_its_event_is_ordered_by() {
    let expected = [
        ("add_video", "video:734392"),
        ("edit_video", "video:734392"),
        ("delete_video", "video:734392"),
        ("video_encoded", "video:734392"),
        ("sd_encoded", "video:734392"),
        ("add_playlist", "playlist:5120"),
        ("edit_playlist", "playlist:5120"),
        ("add_videos_to_playlist", "playlist:5120"),
        ("delete_video_from_playlist", "playlist:5120"),
        ("sort_videos_in_playlist", "playlist:5120"),
        ("edit_snapshot", "video:734392"),
        ("livestream_add_v2", "channel:311"),
        ("livestream_edit", "channel:311"),
        ("livestream_delete", "channel:311"),
        ("livestreamschedule_add", "channel:311"),
        ("livestreamschedule_edit", "channel:311"),
        ("livestreamschedule_delete", "schedule:77"),
    ];
    for ((name, body), (documented, entity)) in samples::ALL.into_iter().zip(expected) {
        assert_eq!(name, documented);
        assert_eq!(about(name, body).as_deref(), Some(entity), "{name}");
    }
}

#[test]
fn an_event_that_names_nothing_is_not_ordered() {
    for (name, _) in samples::ALL {
        assert_eq!(about(name, "{}"), None, "{name}");
        assert_eq!(about(name, r#"{"data":{"Video":{"id":""}}}"#), None, "{name}");
    }
}

#[test]
fn an_event_of_another_name_is_not_ordered() {
    assert_eq!(about("new_thing", r#"{"data":{"Video":{"id":"5"}}}"#), None);
}

#[test]
fn an_event_that_names_several_is_ordered_by_the_first() {
    let ids = r#"{"data":{"Video":{"ids":["9","8"]}}}"#;
    assert_eq!(about("delete_video", ids).as_deref(), Some("video:9"));
}

#[test]
fn an_id_is_the_same_as_a_number_and_as_text() {
    for id in ["5", "\"5\""] {
        let body = format!(r#"{{"data":{{"Video":{{"id":{id}}}}}}}"#);
        assert_eq!(about("edit_video", &body).as_deref(), Some("video:5"));
    }
}

#[test]
fn a_schedule_without_a_channel_is_ordered_by_itself() {
    let alone = r#"{"data":{"LivestreamSchedule":{"id":"9"}}}"#;
    assert_eq!(about("livestreamschedule_add", alone).as_deref(), Some("schedule:9"));
    let channel = r#"{"data":{"LivestreamSchedule":{"title":"Regatta"},"Livestream":{"id":7}}}"#;
    assert_eq!(about("livestreamschedule_edit", channel).as_deref(), Some("channel:7"));
}

#[test]
fn an_id_that_is_too_long_is_known_by_its_digest() {
    let body = |id: &str| format!(r#"{{"data":{{"Video":{{"id":"{id}"}}}}}}"#);
    let longest = "7".repeat(ID_BYTES_MAX);
    assert_eq!(about("edit_video", &body(&longest)), Some(format!("video:{longest}")));

    let long = "7".repeat(ID_BYTES_MAX + 1);
    let digest = Digest::of(long.as_bytes());
    assert_eq!(about("edit_video", &body(&long)), Some(format!("video:{digest}")));
    // Bytes are counted, not characters.
    let umlauts = "ä".repeat(ID_BYTES_MAX / 2 + 1);
    let digest = Digest::of(umlauts.as_bytes());
    assert_eq!(about("edit_video", &body(&umlauts)), Some(format!("video:{digest}")));
}

#[test]
fn a_kind_and_an_id_can_be_told_apart() {
    let event =
        decode("edit_playlist".to_owned(), r#"{"data":{"Playlist":{"id":"a:b"}}}"#.to_owned())
            .expect("JSON");
    let entity = entity(&event).expect("an entity");
    assert_eq!((entity.kind(), entity.id()), (EntityKind::Playlist, "a:b"));
}
