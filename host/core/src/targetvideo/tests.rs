#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use super::*;
use crate::ids::SourceName;
use crate::verify::{Secrets, verify};

/// Through the whole of the core: verified, cut, typed.
fn received(body: &str) -> Result<Event, Refusal> {
    let source: SourceName = "main".parse().expect("a name");
    let secrets = Secrets::new([("test", samples::SECRET)]).expect("secrets");
    let verified = verify(&source, &secrets, body.as_bytes())?;
    crate::event::Event::decode(verified).map(|event| event.typed().clone())
}

/// A body of that name and these members.
fn event(name: &str, members: &str) -> Event {
    let secret = samples::SECRET;
    let body = format!(r#"{{"event":"{name}","secret":"{secret}",{members}}}"#);
    received(&body).expect(&body)
}

fn extra(event: &Event) -> Vec<(&str, &str)> {
    event.extra.iter().map(|m| (m.pointer.as_str(), m.json.as_str())).collect()
}

fn text(value: &str) -> Option<String> {
    Some(value.to_owned())
}

#[test]
fn the_documented_body_is_typed_to_its_last_leaf() {
    let event = received(samples::body("sd_encoded").expect("a sample")).expect("an event");
    let yes = Some(true);
    let no = Some(false);
    let status = EncodingStatus {
        track_all: yes,
        sd: yes,
        ld: no,
        hsd: no,
        hd: yes,
        fhd: yes,
        streaming: yes,
        snapshot: yes,
        thumb: yes,
        vtt: yes,
        webp: yes,
        ogg: yes,
        mp3: yes,
        more: Vec::new(),
    };
    assert_eq!(
        event.payload,
        Payload::SdEncoded(Encoding {
            video_id: text("734392"),
            status: Some(status),
            invoked_by: text("MediaConvert"),
        })
    );
    assert_eq!(event.name, "sd_encoded");
    assert_eq!(event.scope, text("Controller.Encodings"));
    assert_eq!(event.method, text("sd_encoded"));
    assert_eq!(event.api, Some(false));
    assert_eq!(event.timestamp, Some(1_614_908_944));
    assert_eq!(extra(&event), []);
}

#[test]
fn each_documented_event_ends_in_its_typed_case() {
    for ((name, body), documented) in samples::ALL.into_iter().zip(EVENT_NAMES) {
        assert_eq!(name, documented);
        let event = received(body).expect(name);
        let case = format!("{:?}", event.payload);
        let case = case.split('(').next().unwrap_or_default().to_lowercase();
        assert_eq!(case, name.replace('_', ""));
        let shown = format!("{:?}", event.payload);
        assert!(
            shown.contains("id: Some(") || shown.contains("ids: [\""),
            "about nothing: {shown}"
        );
    }
}

#[test]
fn the_samples_fill_their_fields() {
    let payload = |name| received(samples::body(name).expect("a sample")).expect(name).payload;
    let Payload::AddVideo(added) = payload("add_video") else { panic!("a video") };
    assert_eq!(added.id, text("734392"), "the new id is in the answer");
    assert_eq!(added.tags, text("harbour,morning"));
    assert_eq!(added.external_url, text(""));
    assert_eq!(
        payload("delete_video"),
        Payload::DeleteVideo(Deletion {
            ids: vec!["734392".into(), "734393".into()],
            partner_id: text("9125")
        })
    );
    let Payload::AddPlaylist(playlist) = payload("add_playlist") else { panic!("a playlist") };
    assert_eq!((playlist.id, playlist.video_ids.len()), (text("5120"), 2));
    assert_eq!(
        payload("delete_video_from_playlist"),
        Payload::DeleteVideoFromPlaylist(PlaylistVideos {
            playlist_id: text("5120"),
            video_ids: vec!["734393".into()]
        })
    );
    assert_eq!(
        payload("sort_videos_in_playlist"),
        Payload::SortVideosInPlaylist(PlaylistOrder {
            playlist_id: text("5120"),
            video_ids: vec!["734394".into(), "734392".into()]
        })
    );
    let Payload::EditSnapshot(snapshot) = payload("edit_snapshot") else { panic!("a snapshot") };
    assert_eq!(snapshot.time_from_video, text("12.5"));
    let Payload::LivestreamAddV2(stream) = payload("livestream_add_v2") else { panic!("a stream") };
    assert_eq!(stream.id, text("311"));
    let Payload::LivestreamscheduleAdd(schedule) = payload("livestreamschedule_add") else {
        panic!("a schedule")
    };
    assert_eq!((schedule.id, schedule.livestream_id), (text("77"), text("311")));
    assert_eq!(schedule.start, text("2021-03-06 09:00:00"));
    let Payload::LivestreamscheduleDelete(deleted) = payload("livestreamschedule_delete") else {
        panic!("a schedule")
    };
    assert_eq!(deleted.ids, ["77"]);
}

#[test]
fn ids_are_taken_from_numbers_and_keep_their_digits() {
    let event = event(
        "edit_video",
        r#""data":{"Video":{"id":734392,"partner_id":123456789012345678901234567890}}"#,
    );
    let Payload::EditVideo(video) = &event.payload else { panic!("a video") };
    assert_eq!(video.id, text("734392"));
    assert_eq!(video.partner_id, text("123456789012345678901234567890"));
    assert_eq!(extra(&event), []);
}

#[test]
fn flags_are_taken_from_text_numbers_and_booleans_and_from_nothing_else() {
    let event = event(
        "video_encoded",
        r#""response":{"EncodingStatus":{"sd":1,"hd":true,"fhd":"0","ld":"yes","hsd":2,"mp3":null}}"#,
    );
    let Payload::VideoEncoded(encoding) = &event.payload else { panic!("an encoding") };
    let status = encoding.status.clone().expect("a status");
    assert_eq!((status.sd, status.hd, status.fhd), (Some(true), Some(true), Some(false)));
    assert_eq!((status.ld, status.hsd, status.mp3), (None, None, None));
    assert_eq!(
        extra(&event),
        [
            ("/response/EncodingStatus/ld", r#""yes""#),
            ("/response/EncodingStatus/hsd", "2"),
            ("/response/EncodingStatus/mp3", "null"),
        ]
    );
}

#[test]
fn unknown_renditions_are_kept_by_name() {
    let event = event(
        "sd_encoded",
        r#""response":{"EncodingStatus":{"uhd":"1","sd":"1"}},"data":{"Video":{"encoded":{"av1":0,"uhd":true,"hls":"soon"}}}"#,
    );
    let Payload::SdEncoded(Encoding { status: Some(status), .. }) = &event.payload else {
        panic!("a status")
    };
    let more: Vec<_> = status.more.iter().map(|r| (r.name.as_str(), r.flag)).collect();
    assert_eq!(more, [("uhd", true), ("av1", false)]);
    assert_eq!(extra(&event), [("/data/Video/encoded/hls", r#""soon""#)]);
}

#[test]
fn lists_of_ids_are_taken_in_each_form() {
    let ids = |json: &str| {
        let event = event("delete_video", &format!(r#""data":{{"Video":{{"ids":{json}}}}}"#));
        let Payload::DeleteVideo(deletion) = &event.payload else { panic!("a deletion") };
        (deletion.ids.clone(), event.extra.len())
    };
    let some = |ids: &[&str]| (ids.iter().map(|id| (*id).to_owned()).collect(), 0);
    assert_eq!(ids(r#""1, 2,,3""#), some(&["1", "2", "3"]));
    assert_eq!(ids("5"), some(&["5"]));
    assert_eq!(ids(r#"[1,"2"]"#), some(&["1", "2"]));
    for not_ids in [r#"",""#, "[]", "null", "1.5", r#"[{}]"#] {
        assert_eq!(ids(not_ids), (Vec::new(), 1), "{not_ids}");
    }
}

#[test]
fn a_timestamp_may_be_text() {
    let timestamp = |json: &str| event("x", &format!(r#""timestamp":{json}"#)).timestamp;
    assert_eq!(timestamp(r#""1614908944""#), Some(1_614_908_944));
    assert_eq!(timestamp("1e9"), None);
    assert_eq!(timestamp("99999999999999999999"), None);
    assert_eq!(timestamp(r#""now""#), None);
    assert_eq!(timestamp(r#""007""#), None, "it keeps its digits in `extra`");
}

#[test]
fn shapes_that_php_and_chance_produce_are_survived() {
    for members in [
        r#""data":[]"#,
        r#""data":null,"response":false"#,
        r#""response":null"#,
        r#""response":"ok""#,
        r#""data":{"Video":[{"id":"1"}]}"#,
        r#""data":{"Video":"1","Playlist":7,"Livestream":[],"LivestreamSchedule":true}"#,
        r#""response":{"playlist_videos":[]}"#,
        r#""scope":7,"method":null,"api":"maybe","timestamp":{}"#,
        r#""data":{"id":{}}"#,
    ] {
        for name in EVENT_NAMES {
            let event = event(name, members);
            assert!(!event.extra.is_empty(), "{name} {members}");
        }
    }
    // No `data` at all.
    for name in EVENT_NAMES {
        assert_eq!(extra(&event(name, r#""api":true"#)), []);
    }
}

#[test]
fn an_unknown_event_is_kept_whole() {
    let event = event("thumbnail_generated", r#""data":{"Video":{"id":"1"}},"n":1e400"#);
    assert_eq!(event.payload, Payload::Other);
    assert_eq!(extra(&event), [("/data/Video/id", r#""1""#), ("/n", "1e400")]);
}

#[test]
fn a_leaf_that_says_the_same_is_not_repeated_and_one_that_differs_is() {
    let same = event("edit_video", r#""response":{"Video":{"id":"7"}},"data":{"Video":{"id":7}}"#);
    assert_eq!(extra(&same), []);
    let differs =
        event("edit_video", r#""response":{"Video":{"id":"7"}},"data":{"Video":{"id":8}}"#);
    assert_eq!(extra(&differs), [("/data/Video/id", "8")]);
}

#[test]
fn of_two_members_of_one_name_neither_is_lost() {
    let event = event("edit_video", r#""data":{"Video":{"id":"1","id":"2"}}"#);
    let Payload::EditVideo(video) = &event.payload else { panic!("a video") };
    assert_eq!(video.id, text("2"));
    assert_eq!(extra(&event), [("/data/Video/id", r#""1""#)]);
}

#[test]
fn a_text_of_a_megabyte_is_typed_beside_its_neighbours() {
    let long = "x".repeat(1_000_000);
    let event = event(
        "edit_video",
        &format!(r#""data":{{"Video":{{"id":"7","description":"{long}","new":{{"a":1}}}}}}"#),
    );
    let Payload::EditVideo(video) = &event.payload else { panic!("a video") };
    assert_eq!(video.description.as_ref().map(String::len), Some(1_000_000));
    assert_eq!(extra(&event), [("/data/Video/new/a", "1")]);
}

#[test]
fn nesting_and_surrogates_are_refused_once_the_secret_is_right() {
    let secret = samples::SECRET;
    let deep = |secret: &str, levels| {
        let nested = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        received(&format!(r#"{{"event":"e","secret":"{secret}","data":{nested}}}"#)).err()
    };
    assert_eq!(deep(secret, 127), None);
    assert_eq!(deep(secret, 128), Some(Refusal::TooDeep));
    assert_eq!(deep(secret, 10_000), Some(Refusal::TooDeep));
    assert_eq!(deep("wrong", 10_000), Some(Refusal::SecretWrong));
    let surrogate = format!(r#"{{"event":"e","secret":"{secret}","data":"\ud800"}}"#);
    assert_eq!(received(&surrogate).err(), Some(Refusal::NotJson));
    let name = format!(r#"{{"event":"\udfff","secret":"{secret}"}}"#);
    assert_eq!(received(&name).err(), Some(Refusal::NotJson));
}

#[test]
fn a_great_many_renditions_or_leaves_cost_no_more_than_their_text() {
    let flags: Vec<String> = (0..50_000).map(|n| format!("\"r{n}\":1")).collect();
    let event = event(
        "sd_encoded",
        &format!(r#""data":{{"Video":{{"encoded":{{{}}}}}}}"#, flags.join(",")),
    );
    let Payload::SdEncoded(Encoding { status: Some(status), .. }) = &event.payload else {
        panic!("a status")
    };
    assert_eq!(status.more.len(), crate::limits::RENDITIONS_MAX);
    // Too many for one each: they stand whole, those that were typed among them.
    assert_eq!(event.extra.len(), 1);
    assert_eq!(event.extra[0].pointer, "/data/Video/encoded");
    assert!(event.extra[0].json.contains("\"r49999\":1"));
}
