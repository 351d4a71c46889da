use super::*;
use crate::testing::{Answer, FakeHost};

#[test]
fn a_request_is_sent_as_it_was_built() {
    let host = FakeHost::new()
        .answer(Answer::status(201).header("X-Id", "7").body("made"))
        .answer(Answer::status(404));
    let answer = Request::put("https://a.example/b?c")
        .header("X-One", "1")
        .header("X-One", "2")
        .body("text")
        .timeout(Duration::from_millis(50))
        .send()
        .expect("an answer");
    assert_eq!((answer.status, answer.header("x-id"), &*answer.text()), (201, Some("7"), "made"));
    assert_eq!(Request::get("http://a.example").send().map(|a| a.status), Ok(404));

    let sent = host.requests();
    assert_eq!(sent.len(), 2);
    assert_eq!((&*sent[0].method, &*sent[0].url), ("PUT", "https://a.example/b?c"));
    assert_eq!((sent[0].header("x-one"), &*sent[0].text()), (Some("1"), "text"));
    assert_eq!(sent[0].header("content-length"), Some("4"));
    assert_eq!(sent[0].timeout, Duration::from_millis(50));
    assert_eq!((&*sent[1].method, sent[1].timeout), ("GET", TIMEOUT));
    assert_eq!(sent[1].headers, []);
}

#[test]
fn each_kind_of_trouble_is_told_apart_and_tried_again() {
    use ErrorKind::{Connection, Denied, Protocol, Timeout};
    for kind in [Denied, Timeout, Connection, Protocol] {
        let _host = FakeHost::new().answer(Answer::fails(kind));
        let error = Request::get("https://a.example/hush").send().expect_err("no answer");
        assert_eq!(error.kind(), kind);
        let Failure::Retry(reason) = error.into() else { panic!("{kind:?} is tried again") };
        assert!(reason.contains("https://a.example") && !reason.contains("hush"), "{reason}");
    }
}

#[test]
fn a_body_over_the_maximum_is_no_answer() {
    let _host = FakeHost::new()
        .answer(Answer::status(200).body("12345"))
        .answer(Answer::status(200).body("123456"));
    let get = || Request::get("https://a.example").body_bytes_max(5).send();
    assert_eq!(get().map(|answer| answer.body.len()), Ok(5));
    assert_eq!(get().map_err(|e| e.kind()), Err(ErrorKind::BodyTooLarge));
}

#[test]
fn what_cannot_be_sent_is_not_sent() {
    let host = FakeHost::new();
    let base = || Request::get("https://a.example");
    for request in [
        Request::get("hush"),
        base().header("a b", "c"),
        base().header("", "c"),
        base().header("a", "hush\r\nb: c"),
    ] {
        let error = request.send().expect_err("not sent");
        assert_eq!(error.kind(), ErrorKind::Request);
        assert!(!error.to_string().contains("hush"), "{error}");
    }
    assert_eq!(host.requests(), []);
}

#[cfg(feature = "json")]
#[test]
fn a_body_of_json_says_what_it_is_unless_the_plugin_does() {
    let host = FakeHost::new()
        .answer(Answer::status(200))
        .answer(Answer::status(200))
        .answer(Answer::status(200));
    let base = || Request::post("https://a.example").json(&[1, 2]);
    let sent = |request: Request| {
        request.send().expect("an answer");
        let sent = host.requests().pop().expect("a request");
        let types = |(name, _): &&(String, String)| name.eq_ignore_ascii_case("content-type");
        let types: Vec<_> = sent.headers.iter().filter(types).map(|(_, v)| v.clone()).collect();
        (sent.text(), types)
    };
    assert_eq!(sent(base()), ("[1,2]".to_owned(), vec!["application/json".to_owned()]));
    let own = base().header("content-type", "application/problem+json");
    assert_eq!(sent(own), ("[1,2]".to_owned(), vec!["application/problem+json".to_owned()]));
    assert_eq!(sent(base().body("text")), ("text".to_owned(), vec![]));
    assert_eq!(host.requests()[0].json(), Ok(vec![1, 2]));
}

#[cfg(feature = "json")]
#[test]
fn what_cannot_be_written_as_json_is_not_sent() {
    let host = FakeHost::new().answer(Answer::status(200));
    let bad =
        || Request::post("https://a.example").json(&std::collections::BTreeMap::from([((), 1)]));
    let error = bad().send().expect_err("not sent");
    assert_eq!(error.kind(), ErrorKind::Request);
    assert!(error.to_string().contains("cannot be written as JSON"), "{error}");
    assert_eq!(host.requests(), []);
    assert_eq!(bad().json(&1).send().map(|answer| answer.status), Ok(200), "set anew");
}
