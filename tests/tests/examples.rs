//! The example plugins that send requests, against a real server.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::digest::KeyInit as _;
use hmac::{Hmac, Mac as _};
use hookbox_tests::upstream::{Answer, Received, Upstream};
use hookbox_tests::{Server, Site, plugin, sample, text};
use serde_json::Value;
use sha2::Sha256;

/// Parts of values that no output may hold.
const HUSH: &str = "hush-path-4711";
const TOKEN: &str = "t0ken-hush-4712";

fn chat(
    answer: impl Fn(usize, &Received) -> Answer + Send + Sync + 'static,
) -> (Upstream, Site, Server) {
    let upstream = Upstream::new(answer);
    let origin = upstream.origin();
    let site = Site::new(&format!(
        "[plugin.notify-chat]\n\
         http = [{{ origin = \"{origin}\", methods = [\"POST\"] }}]\n\
         secrets = [{{ name = \"url\", value = \"{origin}/hooks/{HUSH}\" }}, \
                    {{ name = \"token\", value = \"{TOKEN}\" }}]\n"
    ));
    site.install("notify-chat", &plugin("notify-chat"));
    let server = site.serve();
    (upstream, site, server)
}

fn no_secret_is_in_the_log(server: &Server) {
    let log = server.raw_log();
    assert!(!log.contains(HUSH) && !log.contains(TOKEN), "{log}");
}

#[test]
fn notify_chat_posts_when_a_video_is_ready() {
    let (upstream, _site, server) = chat(|_, _| Answer::status(200, "ok"));
    let event = server.post(sample("video_encoded")).event();
    assert_eq!(text(&server.wait_done(&event, "notify-chat"), "message"), "handled");
    let received = upstream.received();
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].line, format!("POST /hooks/{HUSH} HTTP/1.1"));
    assert_eq!(received[0].header("authorization"), Some(&*format!("Bearer {TOKEN}")));
    let body: Value = serde_json::from_str(&received[0].body).expect("JSON");
    let message = body["text"].as_str().expect("a text");
    assert!(message.ends_with("is ready in all renditions."), "{message}");

    server.post(sample("add_video"));
    no_secret_is_in_the_log(&server);
}

#[test]
fn notify_chat_waits_as_long_as_the_chat_asks() {
    let (upstream, _site, server) = chat(|number, _| match number {
        0 => Answer::Status(429, "retry-after: 2\r\n".to_owned(), "slow down".to_owned()),
        _ => Answer::status(200, "ok"),
    });
    let event = server.post(sample("video_encoded")).event();
    let failed = server.wait_done(&event, "notify-chat");
    assert_eq!(text(&failed, "failure"), "retry-after", "{failed}");
    let received = upstream.wait_received(2);
    let waited = received[1].at - received[0].at;
    assert!(waited >= Duration::from_secs(2), "{waited:?}");
    let key = |number: usize| received[number].header("idempotency-key").map(str::to_owned);
    assert!(key(0).is_some() && key(0) == key(1), "the same in each attempt");
    no_secret_is_in_the_log(&server);
}

#[test]
fn notify_chat_gives_up_where_the_chat_refuses() {
    let (upstream, site, server) = chat(|_, _| Answer::status(404, "no such hook"));
    let event = server.post(sample("video_encoded")).event();
    let failed = server.wait_done(&event, "notify-chat");
    assert_eq!(text(&failed, "failure"), "rejected", "{failed}");
    let dead = site.wait_listed(&["dead", "list"], 1);
    assert_eq!(text(&dead[0], "event"), event, "{dead:?}");
    assert_eq!(upstream.received().len(), 1);
    no_secret_is_in_the_log(&server);
}

#[test]
fn relay_signs_what_it_forwards() {
    const KEY: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let upstream = Upstream::new(|_, _| Answer::status(204, ""));
    let origin = upstream.origin();
    let site = Site::new(&format!(
        "[plugin.relay]\n\
         http = [{{ origin = \"{origin}\" }}]\n\
         config = {{ url = \"{origin}/in\" }}\n\
         secrets = [{{ name = \"signing-key\", value = \"whsec_{KEY}\" }}]\n"
    ));
    site.install("relay", &plugin("relay"));
    let server = site.serve();
    let event = server.post(sample("edit_video")).event();
    let done = server.wait_done(&event, "relay");
    assert_eq!(text(&done, "message"), "handled", "{done}");

    let received = upstream.received().remove(0);
    assert_eq!(received.line, "POST /in HTTP/1.1");
    let id = received.header("webhook-id").expect("an id");
    assert_eq!(id, text(&done, "delivery"));
    let time = received.header("webhook-timestamp").expect("a time");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_secs();
    assert!(now.abs_diff(time.parse().expect("seconds")) < 60, "{time}");
    let key = STANDARD.decode(KEY).expect("a key");
    let mac = Hmac::<Sha256>::new_from_slice(&key)
        .expect("a key")
        .chain_update(format!("{id}.{time}.{}", received.body));
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    assert_eq!(received.header("webhook-signature"), Some(&*format!("v1,{signature}")));
    assert!(!received.body.contains(hookbox_tests::SECRET), "the sender's secret is cut out");
    assert!(!server.raw_log().contains(KEY));
}
