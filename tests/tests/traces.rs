//! Traces of events, as a collector of OpenTelemetry's gets them, and the
//! `traceparent` that goes with requests.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hookbox_tests::upstream::{Answer, Received, Upstream};
use hookbox_tests::{PATIENCE, SECRET, Server, Site, body, plugin, text};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Tagged;
use opentelemetry_proto::tonic::trace::v1::Span as Sent;
use prost::Message as _;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::net::TcpSocket;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A span, as the collector got it.
#[derive(Debug, Clone)]
struct Span {
    name: String,
    trace: String,
    id: String,
    parent: String,
    /// Of the protocol: 2 is a server's, 3 a client's.
    kind: i32,
    /// 2 is an error.
    status: i32,
    message: String,
    attributes: BTreeMap<String, String>,
    start_ns: u64,
    end_ns: u64,
}

impl Span {
    fn of(sent: Sent) -> Self {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let attributes = sent.attributes.into_iter().map(|pair| {
            let value = match pair.value.and_then(|value| value.value) {
                Some(Tagged::StringValue(text)) => text,
                Some(Tagged::IntValue(number)) => number.to_string(),
                Some(Tagged::BoolValue(truth)) => truth.to_string(),
                other => panic!("{other:?}"),
            };
            (pair.key, value)
        });
        let status = sent.status.unwrap_or_default();
        Self {
            name: sent.name,
            trace: hex(&sent.trace_id),
            id: hex(&sent.span_id),
            parent: hex(&sent.parent_span_id),
            kind: sent.kind,
            status: status.code,
            message: status.message,
            attributes: attributes.collect(),
            start_ns: sent.start_time_unix_nano,
            end_ns: sent.end_time_unix_nano,
        }
    }

    fn has(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }
}

/// What a collector got so far.
fn spans(got: &[Received]) -> Vec<Span> {
    let mut all = Vec::new();
    for request in got {
        let export = ExportTraceServiceRequest::decode(request.bytes.as_slice()).expect("OTLP");
        let scopes = export.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
        all.extend(scopes.flat_map(|scope| scope.spans).map(Span::of));
    }
    all
}

/// Waits until a collector has that many spans of a name.
fn wait_spans(collector: &Upstream, name: &str, count: usize) -> Vec<Span> {
    let mut got = collector.received();
    loop {
        let all = spans(&got);
        if all.iter().filter(|span| span.name == name).count() >= count {
            return all;
        }
        got = collector.wait_received(got.len() + 1);
    }
}

fn named<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let found: Vec<_> = spans.iter().filter(|span| span.name == name).collect();
    let [only] = found.as_slice() else { panic!("{name}: {spans:#?}") };
    only
}

/// A server with the guest `caller`, which may send to the upstream.
fn caller(traces: &str, upstream: &Upstream) -> (Site, Server) {
    let site = Site::new(&format!(
        "[traces]\n{traces}\n[plugin.caller]\nhttp = [{{ origin = \"{}\", addresses = \
         [\"127.0.0.0/8\"] }}]\nbackoff_first_ms = 1\nbackoff_max_ms = 1\n\
         secrets = [{{ name = \"token\", value = \"hush-hush-hush\" }}]\n",
        upstream.origin()
    ));
    site.install("caller", &plugin("caller"));
    let server = site.serve();
    (site, server)
}

fn to(collector: &Upstream) -> String {
    format!("otlp_endpoint = \"{}/v1/traces\"", collector.origin())
}

fn steps(steps: &Value) -> String {
    body("steps", &format!(",\"do\":{steps}"))
}

/// Posts with header fields of its own; the event's id.
fn post(server: &Server, headers: &str, body: &str) -> String {
    let request = format!(
        "POST /hooks/main HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}content-length: \
         {}\r\n\r\n{body}",
        body.len()
    );
    let answer = server.raw(request.as_bytes());
    let (_, body) = answer.split_once("\r\n\r\n").expect(&answer);
    let body: Value = serde_json::from_str(body).expect(&answer);
    text(&body, "id").to_owned()
}

#[test]
fn one_event_is_one_trace_from_the_sender_to_what_plugins_call() {
    let (collector, upstream) = (Upstream::fine(), Upstream::fine());
    let (_site, server) = caller(&to(&collector), &upstream);
    let todo = json!([
        { "call": { "method": "POST", "url": format!("{}/a?secret=1", upstream.origin()) } },
        { "call": { "url": "http://other.example/b" } },
        { "end": "reject:not today" },
    ]);
    let headers = format!("traceparent: {PARENT}\r\ntracestate: vendor=7\r\n");
    let event = post(&server, &headers, &steps(&todo));
    let failed = server.wait_done(&event, "caller");
    assert_eq!(text(&failed, "trace"), TRACE);
    let accepted = server.wait(|line| text(line, "message") == "accepted");
    assert_eq!(text(&accepted, "trace"), TRACE);
    let told = upstream.wait_received(1).remove(0);

    let all = wait_spans(&collector, "attempt", 1);
    assert_eq!(all.len(), 5, "{all:#?}");
    assert!(all.iter().all(|span| span.trace == TRACE && span.end_ns >= span.start_ns), "{all:#?}");
    let receive = named(&all, "receive");
    assert_eq!((receive.parent.as_str(), receive.kind, receive.status), ("00f067aa0ba902b7", 2, 0));
    assert_eq!(receive.has("hookbox.event.id"), event);
    assert_eq!(receive.has("hookbox.event.name"), "steps");
    assert_eq!(receive.has("hookbox.source"), "main");
    assert_eq!(receive.has("hookbox.duplicate"), "false");
    assert_eq!(receive.has("http.response.status_code"), "200");
    let commit = named(&all, "commit");
    assert_eq!(commit.parent, receive.id);
    assert!(commit.start_ns >= receive.start_ns && commit.end_ns <= receive.end_ns, "{all:#?}");
    let attempt = named(&all, "attempt");
    assert_eq!((&attempt.parent, attempt.status), (&receive.id, 2));
    assert_eq!(attempt.message, "not today");
    assert_eq!(attempt.has("hookbox.plugin"), "caller");
    assert_eq!(attempt.has("hookbox.plugin.digest"), text(&failed, "digest"));
    assert_eq!(attempt.has("hookbox.plugin.generation"), failed["generation"].to_string());
    assert_eq!(attempt.has("hookbox.delivery.id"), text(&failed, "delivery"));
    assert_eq!((attempt.has("hookbox.attempt"), attempt.has("hookbox.outcome")), ("1", "rejected"));

    let mut requests = all.iter().filter(|span| span.name == "outbound request");
    let (sent, refused) = (requests.next().expect("one"), requests.next().expect("two"));
    assert!([sent, refused].iter().all(|span| span.parent == attempt.id && span.kind == 3));
    assert_eq!(sent.has("http.request.method"), "POST");
    assert_eq!(sent.has("url.full"), format!("{}/a", upstream.origin()), "without the query");
    assert_eq!((sent.has("http.response.status_code"), sent.status), ("200", 0));
    assert_eq!((refused.has("error.type"), refused.status), ("not-granted", 2));
    assert_eq!(told.header("traceparent"), Some(format!("00-{TRACE}-{}-01", sent.id).as_str()));
    server.end();
}

#[test]
fn an_event_without_a_trace_begins_one_and_a_duplicate_is_told() {
    let (collector, upstream) = (Upstream::fine(), Upstream::fine());
    let (_site, server) = caller(&to(&collector), &upstream);
    let timed = body("steps", ",\"timestamp\":1790000000");
    let first = post(&server, "traceparent: 00-nonsense-01\r\n", &timed);
    server.wait_done(&first, "caller");
    let second = post(&server, "", &timed);
    assert_eq!(first, second, "the same body is a duplicate");
    let all = wait_spans(&collector, "receive", 2);
    let receive: Vec<_> = all.iter().filter(|span| span.name == "receive").collect();
    assert!(receive.iter().all(|span| span.parent.is_empty()), "{all:#?}");
    assert_ne!(receive[0].trace, receive[1].trace);
    let said = |span: &Span| span.has("hookbox.duplicate").to_owned();
    assert_eq!((said(receive[0]), said(receive[1])), ("false".to_owned(), "true".to_owned()));
    server.end();
}

#[test]
fn a_refused_request_is_a_span_that_takes_nothing_of_the_stranger() {
    let (collector, upstream) = (Upstream::fine(), Upstream::fine());
    let (_site, server) = caller(&to(&collector), &upstream);
    let wrong = body("steps", "").replace(SECRET, "wrong-and-hidden");
    post(&server, &format!("traceparent: {PARENT}\r\n"), &wrong);
    assert_eq!(server.post_to("/hooks/none", "{}").status, 404);
    let all = wait_spans(&collector, "receive", 2);
    for (span, status, code) in
        [(&all[0], "401", "secret-wrong"), (&all[1], "404", "unknown-source")]
    {
        assert_eq!((span.status, span.message.as_str()), (2, code), "{span:?}");
        assert_eq!(span.has("http.response.status_code"), status);
        assert!(span.trace != TRACE && span.parent.is_empty(), "{span:?}");
    }
    server.end();
}

#[test]
fn nothing_secret_goes_to_the_collector_but_the_header_that_it_wants() {
    let (collector, upstream) = (Upstream::fine(), Upstream::fine());
    let headers = "headers = [{ name = \"authorization\", value = \"Bearer collectors-own\" }]";
    let (_site, server) = caller(&format!("{}\n{headers}", to(&collector)), &upstream);
    let todo = json!([
        { "call": { "url": format!("{}/hush-hush-hush", upstream.origin()) } },
        { "end": "retry:with ${token}", "on_attempts": [1] },
    ]);
    let stream = body(
        "livestream_started",
        &format!(
            ",\"do\":{todo},\"stream\":{{\"key\":\"live-9f3c2\",\"rtmp\":\"rtmp://in.example/live-9f3c2\"}}"
        ),
    );
    let event = server.post(&stream).event();
    server.wait_for(1, |line| text(line, "message") == "handled" && text(line, "event") == event);
    assert_eq!(server.post(stream.replace(SECRET, "wrong-and-hidden")).status, 401);
    let all = wait_spans(&collector, "receive", 2);
    let attempts: Vec<_> = all.iter().filter(|span| span.name == "attempt").collect();
    assert_eq!(attempts[0].message, "with [secret token]");
    let log = server.end();

    let got = collector.received();
    assert!(got.iter().all(|got| got.header("authorization") == Some("Bearer collectors-own")));
    for secret in [SECRET, "live-9f3c2", "hush-hush-hush", "wrong-and-hidden", "collectors-own"] {
        let bytes = secret.as_bytes();
        let held = |got: &Received| got.bytes.windows(bytes.len()).any(|window| window == bytes);
        assert!(!got.iter().any(held), "{secret}");
    }
    assert!(!log.contains("collectors-own"), "{log}");
}

#[test]
fn without_traces_the_senders_context_is_passed_on_as_it_came() {
    let upstream = Upstream::fine();
    let (_site, server) = caller("", &upstream);
    let url = format!("{}/", upstream.origin());
    let own = "00-11111111111111111111111111111111-2222222222222222-00";
    let todo = steps(&json!([
        { "call": { "url": url } },
        { "call": { "url": url, "headers": { "traceparent": own } } },
    ]));
    let event = post(&server, &format!("traceparent: {PARENT}\r\n"), &todo);
    let handled = server.wait_done(&event, "caller");
    assert_eq!(handled.get("trace"), None, "{handled}");
    let event = post(&server, "traceparent: malformed\r\n", &todo);
    server.wait_done(&event, "caller");
    let got = upstream.wait_received(4);
    let told: Vec<_> = got.iter().map(|got| got.header("traceparent")).collect();
    assert_eq!(told, [Some(PARENT), Some(own), None, Some(own)]);
    server.end();
}

#[test]
fn nothing_is_passed_on_where_that_is_turned_off() {
    let (collector, upstream) = (Upstream::fine(), Upstream::fine());
    let todo = steps(&json!([{ "call": { "url": format!("{}/", upstream.origin()) } }]));
    for traces in ["propagate = false".to_owned(), format!("propagate = false\n{}", to(&collector))]
    {
        let (_site, server) = caller(&traces, &upstream);
        let event = post(&server, &format!("traceparent: {PARENT}\r\n"), &todo);
        server.wait_done(&event, "caller");
        server.end();
    }
    assert!(upstream.wait_received(2).iter().all(|got| got.header("traceparent").is_none()));
    assert_eq!(named(&spans(&collector.received()), "receive").trace, TRACE, "it is taken");
}

#[test]
fn a_collector_that_does_not_answer_holds_up_nothing() {
    let (collector, upstream) = (Upstream::new(|_, _| Answer::Hold), Upstream::fine());
    let slow = format!("{}\ntimeout_ms = 60000", to(&collector));
    let (_site, server) = caller(&slow, &upstream);
    for number in 0..20 {
        let event = server.post(body("steps", &format!(",\"n\":{number}"))).event();
        assert_eq!(text(&server.wait_done(&event, "caller"), "message"), "handled");
    }
    collector.wait_received(1);
    let event = server.post(body("steps", ",\"n\":20")).event();
    server.wait_done(&event, "caller");
    let began = Instant::now();
    server.end();
    assert!(began.elapsed() < PATIENCE / 2, "{:?}", began.elapsed());
}

#[test]
fn a_collector_that_is_down_is_said_once_and_delays_nothing() {
    let upstream = Upstream::fine();
    // Bound, so that nobody else gets the port; without listening it refuses.
    let silent = TcpSocket::new_v4().expect("a socket");
    silent.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let endpoint = format!("otlp_endpoint = \"http://{}/\"", silent.local_addr().expect("one"));
    let (_site, server) = caller(&endpoint, &upstream);
    let lost = |line: &Value| text(line, "message").starts_with("traces do not reach");
    let began = Instant::now();
    while server.lines(lost).is_empty() || began.elapsed() < Duration::from_secs(4) {
        let event = server.post(body("steps", "")).event();
        assert_eq!(text(&server.wait_done(&event, "caller"), "message"), "handled");
        assert!(began.elapsed() < PATIENCE, "nothing is said");
    }
    let said = server.lines(lost);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(text(&said[0], "error").contains("refused"), "{said:?}");
    server.end();
}

#[test]
fn attempts_after_a_kill_and_a_restart_belong_to_the_same_trace() {
    let (collector, upstream) = (
        Upstream::fine(),
        Upstream::new(|number, _| match number {
            0 => Answer::Hold,
            _ => Answer::status(200, "fine"),
        }),
    );
    let (site, server) = caller(&to(&collector), &upstream);
    let url = format!("{}/", upstream.origin());
    let todo = steps(&json!([
        { "call": { "url": url } },
        { "end": "retry", "on_attempts": [2] },
    ]));
    let event = post(&server, &format!("traceparent: {PARENT}\r\n"), &todo);
    upstream.wait_received(1);
    let receive = named(&wait_spans(&collector, "receive", 1), "receive").clone();
    server.signal(Signal::KILL);
    server.wait_ended();

    let server = site.serve();
    server.wait(|line| text(line, "message") == "handled" && text(line, "event") == event);
    let all = wait_spans(&collector, "attempt", 2);
    let attempts: Vec<_> = all.iter().filter(|span| span.name == "attempt").collect();
    let numbers: Vec<_> = attempts.iter().map(|span| span.has("hookbox.attempt")).collect();
    assert_eq!(numbers, ["2", "3"], "the first one ended with the process");
    for attempt in attempts {
        assert_eq!((attempt.trace.as_str(), &attempt.parent), (TRACE, &receive.id), "{attempt:?}");
    }
    server.end();
}
