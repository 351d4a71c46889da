#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::targetvideo::samples;

fn shown(name: &str, document: &str) -> Value {
    serde_json::from_str(Mask::of(name, document).document()).expect("JSON")
}

fn at(name: &str, document: &str, pointer: &str) -> Value {
    shown(name, document).pointer(pointer).expect("there").clone()
}

/// Of a livestream, under a name that says nothing.
fn unknown(value: &str) -> bool {
    let document = format!(r#"{{"data":{{"x":{value}}}}}"#);
    Mask::of("livestream_edit", &document).count() > 0
}

#[test]
fn a_livestreams_ingest_address_and_key_are_hidden_and_nothing_else_changes() {
    let body = samples::body("livestream_add_v2").expect("a sample");
    let mask = Mask::of("livestream_add_v2", body);
    let expected = body
        .replace("rtmp://ingest.example/live", HIDDEN)
        .replace("sk-example-only", HIDDEN)
        // It is cut out before; were it not, it would be hidden.
        .replace("your_secret_key", HIDDEN);
    assert_eq!(mask.document(), expected);
    assert_eq!(mask.count(), 3);
    assert_eq!(mask.text("got SK-example-only!"), "got [hidden]!");
    assert_eq!(mask.text(r"to rtmp:\/\/ingest.example\/live"), "to [hidden]");
    assert_eq!(mask.text("to rtmp%3A%2F%2Fingest.example%2Flive"), "to [hidden]");
    assert_eq!(mask.text("livestream 311"), "livestream 311");
}

#[test]
fn nothing_is_hidden_in_the_other_samples_but_the_secret() {
    for (name, body) in samples::ALL.into_iter().filter(|(name, _)| *name != "livestream_add_v2") {
        let mask = Mask::of(name, body);
        assert_eq!(mask.document(), body.replace(samples::SECRET, HIDDEN), "{name}");
        assert_eq!(mask.count(), 1, "{name}");
    }
}

#[test]
fn of_a_livestream_only_what_tells_nothing_is_shown() {
    for value in [
        r#""https://ingest.example/k""#,
        r#""abcd-efgh-ijkl""#,
        r#"["a1b2c3d4"]"#,
        r#"[[["k"]]]"#,
        r#""4821-8842-1123""#,
        "123456789012345678901",
        r#"{"y":{"z":"k"}}"#,
        r#"" ""#,
        r#""550e8400-e29b-41d4-a716-446655440000""#,
        r#""{\"key\":\"k\"}""#,
        r#""1280x720""#,
    ] {
        assert!(unknown(value), "{value}");
    }
    for value in [
        r#""311""#,
        "311",
        "-1.5",
        r#""29.97""#,
        "true",
        r#""yes""#,
        "null",
        r#""""#,
        "{}",
        "[]",
        r#""2021-03-06 09:00:00""#,
        r#""2021-03-06T09:00:00Z""#,
        r#"{"name":"Harbour"}"#,
        r#"{"id":"550e8400-e29b-41d4-a716-446655440000"}"#,
        r#"{"ids":"1, 2,,3"}"#,
        "1e400",
    ] {
        assert!(!unknown(value), "{value}");
    }
}

#[test]
fn what_is_in_something_sensitive_is_hidden_but_ids_and_flags() {
    let document = r#"{"Ingest":{"id":"5","primary":{"url":"x","n":7,"on":true},"name":["k"]}}"#;
    let expected = r#"{"Ingest":{"id":"5","primary":{"url":"[hidden]","n":"[hidden]","on":true},"name":["[hidden]"]}}"#;
    assert_eq!(Mask::of("edit_video", document).document(), expected);
}

#[test]
fn numbers_are_hidden_under_a_sensitive_name() {
    let mask = Mask::of("livestream_edit", r#"{"StreamKey": 48218842, "has_key": 1, "id": 3}"#);
    assert_eq!(mask.document(), r#"{"StreamKey": "[hidden]", "has_key": 1, "id": 3}"#);
    assert_eq!(mask.text("key 48218842"), "key [hidden]");
}

#[test]
fn an_address_with_a_user_or_of_a_stream_is_hidden_in_every_event() {
    for value in [
        "rtmp://a/b",
        "RTMPS://a/b",
        "srt://a:1?streamid=k",
        "rtsp://a",
        "whip://a",
        "see rtmp://a",
        "https://user:pass@host/a",
        "https://user@host",
        "user:pass@host",
        "rtmp%3A%2F%2Fa%2Fb",
        "https://a/b?token=k",
        "https://a/b?x=1&Key-Pair-Id=K1",
        "rtmp:\\/\\/a",
        "stream_key=k",
        "https://a/?u=rtmp%253A%252F%252Fb",
        "whips+rtmp://a",
    ] {
        let document = serde_json::json!({"data": {"Video": {"name": value}}}).to_string();
        assert_eq!(at("edit_video", &document, "/data/Video/name"), HIDDEN, "{value}");
    }
    for value in [
        "https://cdn.example/a.jpg?w=1",
        "Harbour at dawn",
        "ops@example.com",
        "key",
        "1:2@",
        "mailbox = full",
        "/a/b",
        "Keys: of the harbour",
        "https://a/?keywords=b",
    ] {
        let document = serde_json::json!({"data": {"Video": {"name": value}}}).to_string();
        assert_eq!(at("edit_video", &document, "/data/Video/name"), value);
    }
}

#[test]
fn parts_of_a_hidden_address_are_hidden_on_their_own() {
    let document = r#"{"x":"https://user:pa55word@host/app/key-4821-8842?a=b"}"#;
    let mask = Mask::of("edit_video", document);
    assert_eq!(mask.text("with pa55word to key-4821-8842"), "with [hidden] to [hidden]");
}

#[test]
fn json_in_a_string_is_looked_into() {
    let inner = serde_json::json!({"a": [{"stream_key": "sk-4821"}]}).to_string();
    let twice = serde_json::json!(inner).to_string();
    for value in [&inner, &twice] {
        let document = serde_json::json!({"meta": value, "b": "x sk-4821 y"}).to_string();
        let mask = Mask::of("edit_video", &document);
        assert_eq!(mask.document(), r#"{"b":"[hidden]","meta":"[hidden]"}"#);
        assert_eq!(mask.text("sk-4821"), HIDDEN);
    }
    let harmless = serde_json::json!({"meta": r#"{"keywords":"a"}"#}).to_string();
    assert_eq!(Mask::of("edit_video", &harmless).count(), 0);
    let cut = serde_json::json!({"meta": r#"{"stream_key":"sk-48"#}).to_string();
    assert_eq!(Mask::of("edit_video", &cut).count(), 1);
}

#[test]
fn unknown_events_and_objects_of_livestreams_are_taken_for_livestreams() {
    for name in ["live_started", "stream_begins", "Livestream_Edit"] {
        assert_eq!(at(name, r#"{"data":{"x":"k"}}"#, "/data/x"), HIDDEN, "{name}");
    }
    let document = r#"{"data":{"Live_Stream":{"x":"k"},"Video":{"x":"k"}}}"#;
    assert_eq!(at("edit_video", document, "/data/Live_Stream/x"), HIDDEN);
    assert_eq!(at("edit_video", document, "/data/Video/x"), "k");
}

#[test]
fn a_name_that_is_an_address_or_has_a_hidden_value_is_hidden() {
    let document = r#"{"key":"k-4821","k-4821":1,"https://u@h":2,"\u006b-4821":3}"#;
    let expected = r#"{"key":"[hidden]","[hidden]":1,"[hidden]":2,"[hidden]":3}"#;
    assert_eq!(Mask::of("edit_video", document).document(), expected);
}

#[test]
fn a_value_that_is_cut_off_at_a_lines_end_is_hidden() {
    let mask = Mask::of("edit_video", r#"{"stream_key":"k-4821-8842"}"#);
    assert_eq!(mask.text("a k-4821-8\nb k-4821…\r\nk-48"), "a [hidden]\nb [hidden]…\r\nk-48");
    assert_eq!(mask.text("k-4821-9 k-4821-88 x"), "k-4821-9 k-4821-88 x");
}

#[test]
fn what_is_hidden_for_a_name_with_key_alone_is_sought_elsewhere_only_if_it_looks_like_one() {
    let document = r#"{"probe":"2500 kept","key":"kept","keys":[2500,"123456789012"],"api_key":"k-4821-8842-a","token":"t-48","stream_key":"s-48"}"#;
    let mask = Mask::of("edit_video", document);
    assert_eq!(mask.count(), 7, "{}", mask.document());
    assert_eq!(mask.text("kept 2500 123456789012"), "kept 2500 123456789012");
    assert_eq!(mask.text("k-4821-8842-a, t-48, s-48"), "[hidden], [hidden], [hidden]");
    let document =
        r#"{"key":{"value":"rtmp://a/b","password":"pass"},"Livestream":{"key":"k-48"}}"#;
    let mask = Mask::of("other", document);
    assert_eq!(mask.text("rtmp://a/b pass k-48"), "[hidden] [hidden] [hidden]");
    let mask = Mask::of("live_started", r#"{"key":"k-48"}"#);
    assert_eq!(mask.text("k-48"), HIDDEN);
}

#[test]
fn a_long_line_of_nothing_but_beginnings_is_looked_through_once() {
    let mask = Mask::of("edit_video", r#"{"stream_key":"aaaaaaaab"}"#);
    let line = "a".repeat(2_000_000);
    // Eight may be the beginning; what is before them is none.
    let expected = format!("{}[hidden]", "a".repeat(2_000_000 - 8));
    assert_eq!(mask.text(&line), expected);
}

#[test]
fn what_cannot_be_read_or_is_too_much_is_hidden_whole() {
    let mask = Mask::of("edit_video", r#"{"key":"k"#);
    assert_eq!((mask.document(), mask.count()), (r#""[hidden]""#, 1));
    assert_eq!((mask.text("any").as_ref(), mask.text("").as_ref()), (HIDDEN, ""));
    let many: Vec<String> = (0..60_000).map(|n| format!("value-{n:08}")).collect();
    let document = serde_json::json!({"keys": many, "name": "x", "id": 7}).to_string();
    let mask = Mask::of("edit_video", &document);
    assert!(!mask.document().contains("value-"));
    assert_eq!(mask.text("value-00000001"), HIDDEN);
}

#[test]
fn its_debug_form_holds_nothing() {
    let mask = Mask::of("edit_video", r#"{"key":"k-4821"}"#);
    assert_eq!(format!("{mask:?}"), "Mask { count: 1, .. }");
}

/// JSON in which hidden values are known by their letters.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "[a-d]{0,6}".prop_map(|text| Value::from(text).to_string()),
        "[QXZ]{4,9}".prop_map(|text| format!(r#"{{"stream_key":"{text}"}}"#)),
        "[QXZ]{4,9}".prop_map(|text| format!(r#"{{"u":"rtmp:\/\/{text}/a"}}"#)),
        "[QXZ]{4,9}".prop_map(|text| format!(r#"{{"n":"about \u00e9 {text}"}}"#)),
        "[QXZ]{4,9}".prop_map(|text| format!(r#"{{"{text}":-1.50e+3}}"#)),
        "[1-9][0-9]{0,30}".prop_map(|digits| digits),
        Just("null".to_owned()),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|items| format!("[{}]", items.join(" ,"))),
            prop::collection::vec(("[a-c]{1,3}", inner), 0..4).prop_map(|members| {
                let members: Vec<String> =
                    members.iter().map(|(name, value)| format!("\"{name}\" : {value}")).collect();
                format!("{{{}}}", members.join(",\n"))
            }),
        ]
    })
}

/// The strings under `stream_key`, and those that are addresses.
fn secrets(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(text) if name == "stream_key" || text.starts_with("rtmp") => {
                        found.push(text.clone());
                    }
                    other => secrets(other, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| secrets(item, found)),
        _ => {}
    }
}

proptest! {
    #[test]
    fn no_hidden_value_is_shown_and_all_else_is_as_it_was(
        text in json(),
        name in prop::sample::select(vec!["livestream_edit", "edit_video", "other"]),
    ) {
        let mask = Mask::of(name, &text);
        let mut hidden = Vec::new();
        secrets(&serde_json::from_str(&text).expect("JSON"), &mut hidden);
        let masked: Value = serde_json::from_str(mask.document()).expect("JSON");
        let shown = [mask.document().to_owned(), masked.to_string(), mask.text(&text).into_owned()];
        for value in &hidden {
            for shown in &shown {
                prop_assert!(!shown.contains(value), "{value} in {shown} of {text}");
            }
        }
        // Each part between two hidden ones is in the text, in order.
        let marker = format!("\"{HIDDEN}\"");
        prop_assert_eq!(mask.document().matches(&marker).count() as u64, mask.count());
        let mut rest = text.as_str();
        for (index, part) in mask.document().split(&marker).enumerate() {
            let at = if index == 0 { 0 } else { rest.find(part).expect("the part") };
            prop_assert!(rest[at..].starts_with(part), "{part} in {text}");
            rest = &rest[at + part.len()..];
        }
        // What is hidden stays so, and hides no more.
        let again = Mask::of(name, mask.document());
        prop_assert_eq!(again.document().len(), mask.document().len());
    }
}
