//! What the journal keeps of requests.

use hookbox_core::ids::Digest;
use hookbox_tests::PATIENCE;
use hookbox_tests::upstream::Upstream;
use serde_json::{Value, json};
use std::time::Instant;

use super::{call, caller};

#[test]
fn what_a_call_sent_is_shown_with_its_attempt() {
    let upstream = Upstream::fine();
    let origin = upstream.origin();
    let (site, server) = caller(&format!(
        "http = [{{ origin = \"{origin}\" }}]\nhttp_bodies_kept_bytes_max = 8\n\
         secrets = [{{ name = \"token\", value = \"hush-hush-hush\" }}]"
    ));
    let event = server
        .post(call(&json!([
            { "call": {
                "method": "POST", "url": format!("{origin}/a/hush-hush-hush?q=1"),
                "body": "hello there",
            } },
            { "call": { "url": "http://other.example/" } },
        ])))
        .event();
    server.wait_done(&event, "caller");
    let deadline = Instant::now() + PATIENCE;
    let calls = loop {
        let shown = site.shown(&event);
        if let Some(calls) = shown["attempts"][0]["calls"].as_array() {
            break calls.clone();
        }
        assert!(Instant::now() < deadline, "{shown}");
    };
    let [sent, refused] = calls.as_slice() else { panic!("{calls:?}") };
    assert_eq!(sent["method"], "POST");
    assert_eq!(sent["url"], format!("{origin}/a/[secret token]"));
    assert_eq!((&sent["address"], &sent["status"]), (&json!("127.0.0.1"), &json!(200)));
    assert_eq!(sent["code"], Value::Null);
    assert_eq!(sent["request"]["bytes"], 11);
    assert_eq!(sent["request"]["sha256"], Digest::of(b"hello there").to_string());
    assert!(sent["request"]["kept"].to_string().contains("\"hello th\""), "{sent}");
    assert!(sent["response"]["kept"].to_string().contains("\"fine\""), "{sent}");
    assert_eq!((&refused["code"], &refused["address"]), (&json!("not-granted"), &Value::Null));
    let text = site.done(&["events", "show", &event]);
    assert!(text.contains("not-granted") && text.contains("/a/[secret token]"), "{text}");
    let log = server.end();
    assert!(!log.contains("hush-hush-hush"), "{log}");
}
