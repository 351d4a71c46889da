use hookbox_sdk::RetryLater;
use hookbox_sdk::http::ErrorKind;
use hookbox_sdk::testing::{Answer, FakeHost, delivery, event, sample};

use super::*;

const URL: &str = "https://chat.example.com/hooks/T0/hush";

fn chat(answer: Answer) -> FakeHost {
    FakeHost::new().config("url", URL).answer(answer)
}

fn notify(host: &FakeHost) -> Result<(), Failure> {
    host.deliver::<NotifyChat>(sample("video_encoded"), delivery())
}

#[test]
fn a_ready_video_is_posted_once() {
    let host = chat(Answer::status(200));
    assert_eq!(notify(&host), Ok(()));
    let sent = host.requests();
    assert_eq!(sent.len(), 1);
    assert_eq!((&*sent[0].method, &*sent[0].url), ("POST", URL));
    assert_eq!(sent[0].text(), r#"{"text":"Video 734392 is ready in all renditions."}"#);
    assert_eq!(sent[0].header("content-type"), Some("application/json"));
    assert_eq!(sent[0].header("idempotency-key"), Some(&*delivery().id));
    assert_eq!(sent[0].header("authorization"), None);
}

#[test]
fn a_token_is_sent_where_there_is_one() {
    let host = chat(Answer::status(200)).config("token", "t0ken");
    assert_eq!(notify(&host), Ok(()));
    assert_eq!(host.requests()[0].header("authorization"), Some("Bearer t0ken"));
}

#[test]
fn a_chat_that_asks_for_patience_gets_it() {
    let busy = Answer::status(429).header("Retry-After", "30").body("slow down");
    let later = RetryLater {
        reason: "https://chat.example.com answered 429: slow down".to_owned(),
        after_ms: 30_000,
    };
    assert_eq!(notify(&chat(busy)), Err(Failure::RetryAfter(later)));
}

#[test]
fn trouble_is_tried_again_and_a_refusal_is_not() {
    for answer in [Answer::status(500), Answer::status(429)] {
        assert!(matches!(notify(&chat(answer)), Err(Failure::Retry(_))));
    }
    for kind in [ErrorKind::Denied, ErrorKind::Timeout, ErrorKind::Connection] {
        let Err(Failure::Retry(reason)) = notify(&chat(Answer::fails(kind))) else {
            panic!("{kind:?} is tried again");
        };
        assert!(!reason.contains("hush"), "{reason}");
    }
    for status in [400, 403, 404] {
        assert!(matches!(notify(&chat(Answer::status(status))), Err(Failure::Reject(_))));
    }
}

#[test]
fn without_an_address_nothing_is_sent() {
    let host = FakeHost::new();
    let Err(Failure::Retry(reason)) = notify(&host) else { panic!("the operator can mend it") };
    assert!(reason.contains("`url`"), "{reason}");
    assert_eq!(host.requests(), []);
}

#[test]
fn an_event_without_a_video_is_rejected() {
    let host = chat(Answer::status(200));
    for body in [r#"{"event":"video_encoded"}"#, r#"{"event":"add_video"}"#] {
        let result = host.deliver::<NotifyChat>(event(body), delivery());
        assert!(matches!(result, Err(Failure::Reject(_))), "{body}");
    }
    assert_eq!(host.requests(), []);
}
