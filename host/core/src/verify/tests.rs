#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use super::*;

const SAMPLE: &str = r#"{"event":"sd_encoded","data":{"n":1},"secret":"s3cret"}"#;

fn source() -> SourceName {
    "main".parse().expect("a name")
}

fn secrets() -> Secrets {
    Secrets::new([("2026", "s3cret"), ("old", "älter")]).expect("secrets")
}

fn check(body: impl AsRef<[u8]>) -> Result<Verified, Refusal> {
    verify(&source(), &secrets(), body.as_ref())
}

fn document(body: &str) -> String {
    check(body).expect("verified").document().to_owned()
}

#[test]
fn a_matching_secret_is_named_and_cut_out() {
    let verified = check(SAMPLE).expect("verified");
    assert_eq!(verified.secret(), "2026");
    assert_eq!(verified.name(), "sd_encoded");
    assert_eq!(verified.document(), r#"{"event":"sd_encoded","data":{"n":1}}"#);
    assert_eq!(verified.content(), Digest::of(verified.document().as_bytes()));
    let other = check(r#"{"event":"e","secret":"\u00e4lter"}"#).expect("verified");
    assert_eq!(other.secret(), "old");
}

#[test]
fn nothing_but_the_secret_and_its_comma_is_cut() {
    assert_eq!(document(r#"{"secret":"s3cret","event":"e"}"#), r#"{"event":"e"}"#);
    assert_eq!(
        document("{ \"event\" : \"e\" ,\n \"secret\" : \"s3cret\" ,\t\"n\": 1e400 }"),
        "{ \"event\" : \"e\" ,\t\"n\": 1e400 }"
    );
    assert_eq!(
        document("  {\"secret\":\"s3cret\" , \"event\":\"e\", \"a\":{\"secret\":7}}\r\n"),
        "  {\"event\":\"e\", \"a\":{\"secret\":7}}\r\n"
    );
    // A name written with an escape is the same name.
    assert_eq!(document(r#"{"event":"e","s\u0065cret":"s3cret"}"#), r#"{"event":"e"}"#);
}

#[test]
fn a_secret_that_is_missing_or_no_text_is_refused() {
    for body in [
        r#"{"event":"e"}"#,
        r#"{"event":"e","secret":null}"#,
        r#"{"event":"e","secret":""}"#,
        r#"{"event":"e","secret":7}"#,
        r#"{"event":"e","secret":["s3cret"]}"#,
        r#"{"event":"e","secret":{"s3cret":"s3cret"}}"#,
        r#"{"event":"e","data":{"secret":"s3cret"}}"#,
        "{}",
    ] {
        assert_eq!(check(body), Err(Refusal::SecretMissing), "{body}");
    }
}

#[test]
fn a_wrong_secret_is_refused() {
    for secret in ["s3cre", "s3cret ", "S3CRET", "s3crets", "alter", "2026"] {
        let body = format!(r#"{{"event":"e","secret":"{secret}"}}"#);
        assert_eq!(check(body), Err(Refusal::SecretWrong), "{secret}");
    }
}

#[test]
fn two_secrets_or_two_events_are_refused() {
    let twice = r#"{"event":"e","secret":"s3cret","secret":"s3cret"}"#;
    assert_eq!(check(twice), Err(Refusal::Twice("secret")));
    let escaped = r#"{"event":"e","secret":"wrong","\u0073ecret":"s3cret"}"#;
    assert_eq!(check(escaped), Err(Refusal::Twice("secret")));
    let events = r#"{"event":"e","event":"f","secret":"s3cret"}"#;
    assert_eq!(check(events), Err(Refusal::Twice("event")));
    // Whoever does not know the secret learns nothing else about the body.
    let wrong = r#"{"event":"e","event":"f","secret":"wrong"}"#;
    assert_eq!(check(wrong), Err(Refusal::SecretWrong));
}

#[test]
fn an_event_must_be_named_by_a_string() {
    for body in [r#"{"secret":"s3cret"}"#, r#"{"event":7,"secret":"s3cret"}"#] {
        assert_eq!(check(body), Err(Refusal::NoEvent), "{body}");
    }
}

#[test]
fn what_is_not_a_json_object_in_utf8_is_refused() {
    for body in ["", "{", "nonsense", r#"{"a":1}x"#, "{'a':1}", r#"{"a":01}"#, "a=1&b=2"] {
        assert_eq!(check(body), Err(Refusal::NotJson), "{body}");
    }
    assert_eq!(check(b"{\"event\":\"\xff\",\"secret\":\"s3cret\"}"), Err(Refusal::NotJson));
    for body in ["[]", "null", r#""s3cret""#, "7"] {
        assert_eq!(check(body), Err(Refusal::NotAnObject), "{body}");
    }
    assert_eq!(
        check(format!("\u{feff}{SAMPLE}")).map(|v| v.secret().to_owned()),
        Ok("2026".into())
    );
}

#[test]
fn secrets_that_would_let_anyone_in_are_not_taken() {
    assert_eq!(Secrets::new([]), Err(SecretsError::None));
    assert_eq!(Secrets::new([("a", "")]), Err(SecretsError::Empty("a".into())));
    assert_eq!(Secrets::new([("a", "x"), ("a", "y")]), Err(SecretsError::SameName("a".into())));
    assert_eq!(
        Secrets::new([("a", "x"), ("b", "x")]),
        Err(SecretsError::SameValue("a".into(), "b".into()))
    );
}

#[test]
fn no_text_form_shows_a_secret() {
    assert_eq!(format!("{:?}", secrets()), r#"["2026", "old"]"#);
    let verified = format!("{:?}", check(SAMPLE));
    assert!(!verified.contains("s3cret"), "{verified}");
    for refusal in [Refusal::SecretMissing, Refusal::SecretWrong] {
        assert_eq!(refusal.to_string(), "the secret is missing or wrong");
        assert_eq!(refusal.code(), "secret-refused");
    }
}
