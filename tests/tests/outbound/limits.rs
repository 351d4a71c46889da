//! Each limit of requests, with its message, and that it hurts nobody else.

use hookbox_tests::upstream::{Answer, Upstream};
use hookbox_tests::{Site, body, plugin, probe, text};
use serde_json::json;

use super::{call, caller, one, refusals, told};

fn granted(upstream: &Upstream, limits: &str) -> String {
    format!("http = [{{ origin = \"{}\" }}]\n{limits}", upstream.origin())
}

#[test]
fn a_call_sends_as_many_requests_as_it_may() {
    let upstream = Upstream::fine();
    let (_site, server) = caller(&granted(&upstream, "http_calls_max = 2"));
    let steps = json!([{ "call": { "url": upstream.origin(), "count": 500 } }]);
    let (said, refused) = told(&server, &steps);
    let fine = said.iter().filter(|line| *line == "call status=200 body=fine").count();
    let denied = said.iter().filter(|line| *line == "call error=ErrorCode::HttpRequestDenied");
    assert_eq!((fine, denied.count()), (2, 498));
    let line = format!(
        "outgoing request refused (calls-limit): GET {}: the call may send 2 requests: \
         plugin.caller.http_calls_max",
        upstream.origin()
    );
    assert_eq!(refused, [line], "said once");
    assert_eq!(upstream.received().len(), 2);
    assert_eq!(told(&server, &steps).1.len(), 1, "each call begins anew");
}

#[test]
fn requests_that_make_no_sense_fill_no_log() {
    let upstream = Upstream::fine();
    let (_site, server) = caller(&granted(&upstream, "log_bytes_max = 2000"));
    // Without a path it is refused before anything is looked at.
    let steps = json!([
        { "call": { "scheme": "http", "authority": "127.0.0.1", "count": 300 } },
        { "call": { "url": "http://other.example/", "count": 300 } },
    ]);
    let before = server.raw_log().len();
    told(&server, &steps);
    let log = server.raw_log();
    assert!(log.len() - before < 20_000, "{log}");
    assert!(log.contains("log limit met"), "{log}");
}

#[test]
fn more_requests_at_once_wait_for_their_turn() {
    let upstream = Upstream::new(|number, _| match number {
        0 => Answer::Hold,
        _ => Answer::status(200, "fine"),
    });
    let (_site, server) = caller(&granted(&upstream, "http_concurrency = 1"));
    let url = upstream.origin();
    let steps = json!([{ "at_once": true, "call": [
        { "url": url, "first_byte_timeout_ms": 2_000 },
        { "url": url, "connect_timeout_ms": 200 },
        { "url": url },
    ]}]);
    let (said, refused) = told(&server, &steps);
    assert_eq!(
        said,
        [
            "call error=ErrorCode::HttpResponseTimeout",
            "call error=ErrorCode::ConnectionLimitReached",
            "call status=200 body=fine",
        ]
    );
    let limit = format!(
        "outgoing request refused (concurrency-limit): GET {url}: 1 requests of the plugin were \
         under way, and none ended within 200 ms: plugin.caller.http_concurrency"
    );
    assert!(refused.contains(&limit), "{refused:?}");
    assert_eq!(upstream.connections(), 2);
}

#[test]
fn a_server_that_does_not_answer_meets_the_timeout() {
    let upstream = Upstream::new(|_, _| Answer::Hold);
    let (_site, server) = caller(&granted(&upstream, "http_timeout_ms = 300"));
    let (said, refused) = one(&server, json!({ "url": upstream.origin() }));
    assert_eq!(said, "call error=ErrorCode::HttpResponseTimeout");
    assert_eq!(
        refused,
        format!(
            "outgoing request failed (timeout): GET {}: the response did not begin within 300 ms: \
             plugin.caller.http_timeout_ms",
            upstream.origin()
        )
    );
    upstream.wait_open(0);
}

#[test]
fn bodies_meet_their_limits() {
    let upstream = Upstream::new(|_, _| Answer::Endless);
    let limits = "http_request_bytes_max = 20000\nhttp_response_bytes_max = 30000";
    let (_site, server) = caller(&granted(&upstream, limits));
    let url = upstream.origin();
    let (said, refused) = one(&server, json!({ "url": url, "read_max": 10_000_000 }));
    assert_eq!(said, "call error=HTTP response body size exceeds limit: 30000 bytes status=200");
    assert_eq!(
        refused,
        format!(
            "outgoing request failed (response-too-large): GET {url}: the response's body has \
             over 30000 bytes: plugin.caller.http_response_bytes_max"
        )
    );
    upstream.wait_open(0);

    let large = json!({ "method": "POST", "url": url, "body_bytes": 500_000 });
    let (said, refused) = one(&server, large);
    assert_eq!(said, "call error=ErrorCode::HttpRequestBodySize(Some(20000))");
    assert_eq!(
        refused,
        format!(
            "outgoing request failed (request-too-large): POST {url}: the request's body has \
             over 20000 bytes: plugin.caller.http_request_bytes_max"
        )
    );
    assert_eq!(upstream.received().len(), 1, "no server saw it whole");
}

#[test]
fn a_request_that_the_plugin_does_not_finish_is_broken_off() {
    let upstream = Upstream::fine();
    let (_site, server) = caller(&granted(&upstream, ""));
    let half = json!({
        "method": "POST", "url": upstream.origin(), "body": "half", "unfinished": true
    });
    let (said, refused) = one(&server, half);
    assert_eq!(said, "call error=ErrorCode::ConnectionTerminated");
    assert!(refused.starts_with("outgoing request failed (broken): POST "), "{refused}");
    assert!(refused.contains("the plugin did not finish the request's body"), "{refused}");
    upstream.wait_open(0);
    assert_eq!(upstream.received().len(), 0, "no server took it for whole");
}

#[test]
fn a_server_that_is_not_there_is_told_from_one_that_is_forbidden() {
    let port = {
        let gone = Upstream::fine();
        // Bound and let go: nobody listens there.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        drop(gone);
        listener.local_addr().expect("an address").port()
    };
    let (_site, server) = caller(&format!("http = [{{ origin = \"http://127.0.0.1:{port}\" }}]"));
    let (said, refused) = one(&server, json!({ "url": format!("http://127.0.0.1:{port}") }));
    assert_eq!(said, "call error=ErrorCode::ConnectionRefused");
    assert!(refused.starts_with("outgoing request failed (connect-failed): "), "{refused}");
}

#[test]
fn a_call_that_ends_takes_its_requests_with_it() {
    let upstream = Upstream::new(|_, _| Answer::Hold);
    let limits = "deadline_ms = 1000\nattempts_max = 1";
    let (_site, server) = caller(&granted(&upstream, limits));
    let steps = json!([{ "call": { "url": upstream.origin() } }]);
    let event = server.post(call(&steps)).event();
    upstream.wait_received(1);
    let done = server.wait_done(&event, "caller");
    assert_eq!(text(&done, "failure"), "deadline", "{done}");
    upstream.wait_open(0);
    assert_eq!(refusals(&server, &event), [""; 0]);
}

#[test]
fn who_waits_for_a_server_holds_up_nobody() {
    let upstream = Upstream::new(|_, _| Answer::Hold);
    let site = Site::new(&format!(
        "[runtime]\nthreads = 1\n[plugin.caller]\nevents = [\"call\"]\n{}\n\
         [plugin.healthy]\nevents = [\"good\"]\n",
        granted(&upstream, "concurrency = 4")
    ));
    site.install("caller", &plugin("caller"));
    site.install("healthy", &probe(1));
    let server = site.serve();
    let steps = json!([{ "call": { "url": upstream.origin() } }]);
    let waiting: Vec<_> = (0..4)
        .map(|n| server.post(body("call", &format!(",\"do\":{steps},\"n\":{n}"))).event())
        .collect();
    upstream.wait_open(4);
    for n in 0..10 {
        let good = server.post(body("good", &format!(",\"n\":{n}"))).event();
        assert_eq!(text(&server.wait_done(&good, "healthy"), "message"), "handled");
    }
    let ended = |event: &String| {
        let done = |line: &serde_json::Value| {
            text(line, "event") == event && text(line, "plugin") == "caller"
        };
        server.lines(|line| done(line) && text(line, "message") == "failed").len()
    };
    assert_eq!(waiting.iter().map(ended).sum::<usize>(), 0, "they waited all the while");
}

#[test]
fn certificates_that_cannot_be_read_stop_the_start() {
    let site = Site::new("[outbound]\ncertificates = \"missing.pem\"\n");
    let output = site.serve_in_vain();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(said.contains("outbound.certificates") && said.contains("missing.pem"), "{said}");
}
