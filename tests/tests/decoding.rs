//! Bodies that a decoder must survive, and what is refused, over HTTP.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use hookbox_core::targetvideo::EVENT_NAMES;
use hookbox_tests::{Server, Site, body, probe, sample, text};

/// A server with a probe that says what it was handed.
fn probed() -> (Site, Server) {
    let site = Site::new("");
    site.install("probe", &probe(1));
    let server = site.serve();
    (site, server)
}

/// Posts a body that must be taken, and returns what the probe says of it.
fn handed(server: &Server, body: &str) -> String {
    let event = server.post(body).event();
    let done = server.wait_done(&event, "probe");
    assert_eq!(text(&done, "message"), "handled", "{done}");
    server.said(&event, "probe").first().expect("a line").clone()
}

#[test]
fn each_of_the_17_events_arrives_in_its_typed_case() {
    let (_site, server) = probed();
    for name in EVENT_NAMES {
        let said = handed(&server, sample(name));
        let case: String =
            name.split('_').map(|word| word[..1].to_uppercase() + &word[1..]).collect();
        assert!(said.contains(&format!("event={name} payload={case} ")), "{said}");
    }
}

#[test]
fn bodies_that_a_decoder_must_survive_are_handed_over() {
    let (_site, server) = probed();
    let long = "x".repeat(1_000_000);
    for (event, members, says) in [
        ("edit_video", r#","data":{"Video":{"id":734392}}"#, "payload=EditVideo extra=0"),
        (
            "sd_encoded",
            r#","response":{"EncodingStatus":{"sd":1,"hd":true,"ld":"yes"}}"#,
            "extra=1",
        ),
        ("sd_encoded", r#","response":{"EncodingStatus":{"uhd":"1"}}"#, "extra=0"),
        ("edit_video", r#","data":[]"#, "extra=1"),
        ("edit_video", r#","response":false"#, "extra=1"),
        ("edit_video", r#","response":null"#, "extra=1"),
        ("edit_video", r#","response":"done""#, "extra=1"),
        ("edit_video", r#","data":{"Video":[{"id":"1"}]}"#, "extra=1"),
        ("edit_video", "", "extra=0"),
        ("delete_video", r#","data":{"Video":{"ids":"1, 2,,3"}}"#, "extra=0"),
        ("delete_video", r#","data":{"Video":{"ids":5}}"#, "extra=0"),
        ("delete_video", r#","data":{"Video":{"ids":[1,"2"]}}"#, "extra=0"),
        ("add_video", r#","timestamp":"1614908944""#, "extra=0"),
        ("thumbnail_generated", r#","data":{"a":1}"#, "payload=Other extra=1"),
        ("edit_video", r#","data":{"Video":{"id":"1","id":"2"}}"#, "extra=1"),
        ("edit_video", r#","n":1e400"#, "extra=1"),
        ("edit_video", r#","data":{"Video":{"id":123456789012345678901234567890}}"#, "extra=0"),
        ("edit_video", &format!(r#","data":{{"Video":{{"name":"{long}"}}}}"#), "extra=0"),
    ] {
        let said = handed(&server, &body(event, members));
        let what: String = members.chars().take(100).collect();
        assert!(said.contains(says), "{event} {what}: {said}");
    }
}

#[test]
fn the_content_type_and_a_byte_order_mark_do_not_matter() {
    let (_site, server) = probed();
    let said = handed(&server, &format!("\u{feff}{}", sample("sd_encoded")));
    let document = sample("sd_encoded").len() - r#","secret":"your_secret_key""#.len();
    let expected = format!("payload=SdEncoded extra=0 document={document} ");
    assert!(said.contains(&expected), "{said}");
    let text = body("edit_video", "");
    let answer = server.raw(
        format!(
            "POST /hooks/main HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{text}",
            text.len()
        )
        .as_bytes(),
    );
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

#[test]
fn what_cannot_be_read_is_refused_with_400_and_a_problem_document() {
    let (_site, server) = probed();
    let nested =
        |levels| body("e", &format!(",\"a\":{}{}", "[".repeat(levels), "]".repeat(levels)));
    let invalid_utf8 = [body("e", "").as_bytes(), b"\xff"].concat();
    let twice = body("e", "").replacen('{', "{\"secret\":\"your_secret_key\",", 1);
    for (bytes, code) in [
        (Vec::new(), "not-json"),
        (b"event=sd_encoded&secret=your_secret_key".to_vec(), "not-json"),
        (b"[]".to_vec(), "not-an-object"),
        (br#""your_secret_key""#.to_vec(), "not-an-object"),
        (invalid_utf8, "not-json"),
        (body("e", r#","a":"\ud800""#).into_bytes(), "not-json"),
        (nested(128).into_bytes(), "too-deep"),
        (nested(10_000).into_bytes(), "too-deep"),
        (twice.into_bytes(), "duplicate-member"),
        (body("e", r#","event":"f""#).into_bytes(), "duplicate-member"),
        (br#"{"secret":"your_secret_key"}"#.to_vec(), "no-event"),
        (br#"{"secret":"your_secret_key","event":7}"#.to_vec(), "no-event"),
    ] {
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(80)]).into_owned();
        let reply = server.post(&bytes);
        assert_eq!(reply.status, 400, "{shown}: {}", reply.body);
        assert_eq!(reply.header("content-type"), Some("application/problem+json"));
        let problem = reply.json();
        assert_eq!(problem["code"], code, "{shown}");
        assert_eq!(problem["status"], 400);
        assert_eq!(problem["title"], "Bad Request");
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
    }
    assert_eq!(server.post(nested(127)).status, 200, "as deep as may be");
}
