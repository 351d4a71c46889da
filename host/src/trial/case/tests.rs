#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use super::*;

fn case(name: &str, text: &str) -> Result<Case, CaseError> {
    let path = Path::new(name);
    Case::new(path, Written::parse(path, text)?)
}

fn wrong(name: &str, text: &str) -> String {
    match case(name, text) {
        Ok(_) => panic!("accepted: {text}"),
        Err(error) => error.to_string(),
    }
}

const TOML: &str = r#"
event = "add_video"
[delivery]
source = "other"
attempt = 2
replay = true
received_at_ms = 5
[config]
limit = 5
[secrets]
token = "a-long-token"
[state]
total = 41
text = "x"
bytes = { base64 = "/w==" }
[[answer]]
method = "POST"
url = "https://a.example/x"
json = { ok = true }
[[answer]]
fails = "timeout"
[expect]
outcome = "reject"
log_contains = "one"
reason_contains = ["two", "three"]
[[expect.calls]]
json = { a = [1] }
[expect.state]
total = 42
"#;

const JSON: &str = r#"{
  "event": "add_video",
  "delivery": {"source": "other", "attempt": 2, "replay": true, "received_at_ms": 5},
  "config": {"limit": 5},
  "secrets": {"token": "a-long-token"},
  "state": {"total": 41, "text": "x", "bytes": {"base64": "/w=="}},
  "answer": [
    {"method": "POST", "url": "https://a.example/x", "json": {"ok": true}},
    {"fails": "timeout"}
  ],
  "expect": {
    "outcome": "reject", "log_contains": "one", "reason_contains": ["two", "three"],
    "calls": [{"json": {"a": [1]}}], "state": {"total": 42}
  }
}"#;

#[test]
fn a_case_is_the_same_in_toml_and_in_json() {
    let told = [("c.toml", TOML), ("c.json", JSON)].map(|(name, text)| {
        let case = case(name, text).unwrap_or_else(|error| panic!("{error}"));
        let grants = case.grants(&[]).expect("grants");
        let (trial, answers, expect) = (&case.trial, &case.answers, &case.expect);
        format!("{trial:?} {answers:?} {expect:?} {:?} {grants:?}", grants.setting("limit"))
    });
    assert_eq!(told[0], told[1]);
    assert!(told[0].contains("Some(\"5\")"), "{}", told[0]);
}

#[test]
fn what_the_plugin_wants_and_the_answers_origins_are_granted_unless_the_case_says_otherwise() {
    let wants = [Want::Keyvalue, Want::Http("https://b.example".parse().expect("an origin"))];
    let told = |text: &str| {
        let case = case("c.toml", text).unwrap_or_else(|error| panic!("{error}"));
        case.grants(&wants).expect("grants").summary()
    };
    let answers = "[[answer]]\nurl = \"https://a.example/[secret url]\"";
    assert_eq!(
        told(&format!("event = \"add_video\"\n{answers}")),
        ["http https://b.example", "http https://a.example", "keyvalue"]
    );
    let denied = "event = \"add_video\"\n[grants]\nhttp = []\nkeyvalue = false\n";
    assert!(told(&format!("{denied}{answers}")).is_empty());
}

#[test]
fn a_setting_that_the_plugin_wants_must_be_given() {
    let case = case("c.toml", "event = \"add_video\"").unwrap_or_else(|error| panic!("{error}"));
    let grants = case.grants(&[]).expect("grants");
    let wants = [Want::Keyvalue, Want::Secret("token".to_owned())];
    assert_eq!(case.missing(&grants, &wants), [Want::Secret("token".to_owned())]);
}

#[test]
fn a_mistake_is_told_with_its_file_and_line() {
    for (name, text, expected) in [
        (
            "c.toml",
            "event = \"add_video\"\n[expect]\noutcom = \"x\"",
            "c.toml, line 3: unknown key `outcom`; did you mean `outcome`?",
        ),
        (
            "c.json",
            "{\n\"evnt\": \"add_video\"}",
            "c.json, line 2: unknown key `evnt`; did you mean `event`?",
        ),
        ("c.toml", "event = \"nothing\"", "c.toml: event: there is no sample \"nothing\""),
        (
            "c.toml",
            "event = \"add_vid\"",
            "c.toml: event: there is no sample \"add_vid\"; did you mean \"add_video\"?",
        ),
        (
            "c.toml",
            "event = \"add_video\"\ndelivery.attempt = 0",
            "c.toml: delivery.attempt: attempts are counted from 1",
        ),
        ("c.toml", "", "c.toml: event: give exactly one of event, event_file and body"),
        ("c.toml", "event = \"add_video\"\nbody = \"{}\"", "c.toml: event: give exactly one"),
        ("c.toml", "body = \"[]\"", "c.toml: body: the body is not a JSON object"),
        (
            "c.toml",
            "event = \"add_video\"\nexpect.outcome = \"good\"",
            "c.toml: expect.outcome: \"good\" is none of handled, retry",
        ),
        (
            "c.toml",
            "event = \"add_video\"\nanswer = [{ fails = \"so\" }]",
            "c.toml: answer number 1: fails: \"so\" is none of timeout, denied",
        ),
        (
            "c.toml",
            "event = \"add_video\"\nanswer = [{ body = \"x\", json = 1 }]",
            "c.toml: answer number 1: give only one of body and json",
        ),
        ("c.toml", "event = \"add_video\"\nstate.total = -1", "c.toml, line 2: invalid value"),
    ] {
        let told = wrong(name, text);
        assert!(told.starts_with(expected), "{text}: {told}");
    }
}

#[test]
fn a_file_that_is_no_text_is_told_by_what_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let large = vec![b' '; usize::try_from(CASE_BYTES_MAX).expect("a length") + 1];
    let body_of = b"event_file = \"body.json\"";
    for (case, body, expected) in [
        (&b"\n"[..], &b""[..], "c.toml: empty"),
        (&large, b"", "c.toml: too large: it has over 4194304 bytes"),
        (b"# \xff", b"", "c.toml: not UTF-8: byte 2"),
        (body_of, b"", "body.json: empty"),
        (body_of, b"\xff", "body.json: not UTF-8: byte 0"),
    ] {
        fs::write(folder.path().join("c.toml"), case).expect("a file");
        fs::write(folder.path().join("body.json"), body).expect("a file");
        let read = Case::read(&folder.path().join("c.toml"));
        let told = read.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(told.contains(expected), "{expected}: {told}");
    }
}

#[test]
fn a_folder_without_cases_is_an_error_and_files_of_a_project_are_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let put = |name: &str| fs::write(folder.path().join(name), "").expect("a file");
    assert!(matches!(files(folder.path()), Err(CaseError::None { .. })));
    put("Cargo.toml");
    assert!(matches!(files(folder.path()), Err(CaseError::None { .. })));
    fs::create_dir(folder.path().join("cases")).expect("a folder");
    for name in ["b.toml", "a.json", ".c.toml", "d.txt"] {
        put(&format!("cases/{name}"));
    }
    let found = files(folder.path()).expect("cases");
    let names: Vec<_> = found.iter().map(|path| path.file_name().expect("a name")).collect();
    assert_eq!(names, ["a.json", "b.toml"]);
}
