#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use http::{HeaderMap, HeaderValue};

use super::context::{self, Arrival, TRACEPARENT, TRACESTATE};
use super::*;

const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, HeaderValue::try_from(*value).expect("a value"));
    }
    headers
}

#[test]
fn a_context_is_read_and_written_alike_and_a_malformed_one_passed_over() {
    let read = |text: &str| context::parse(text).map(|context| context::write(&context));
    assert_eq!(read(GIVEN).as_deref(), Some(GIVEN));
    // Flags and versions that are not known are left out.
    let later = GIVEN.replace("-01", "-03-more").replacen("00-", "01-", 1);
    assert_eq!(read(&later), None, "letters that are no digits");
    let later = GIVEN.replace("-01", "-03-0a").replacen("00-", "01-", 1);
    assert_eq!(read(&later).as_deref(), Some(GIVEN));
    for malformed in [
        "",
        "00",
        "00-0-0-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-00",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
    ] {
        assert_eq!(read(malformed), None, "{malformed}");
    }
}

#[test]
fn of_an_arrival_one_context_counts_with_its_state() {
    let parent = |pairs: &[(&'static str, &str)]| Arrival::now(&headers(pairs)).parent;
    let both = parent(&[(TRACEPARENT, GIVEN), (TRACESTATE, "a=1"), (TRACESTATE, "b=2")]);
    assert_eq!(both.expect("a context").trace_state().header(), "a=1,b=2");
    let long = format!("a={}", "x".repeat(600));
    let cut = parent(&[(TRACEPARENT, GIVEN), (TRACESTATE, &long)]).expect("a context");
    assert_eq!(cut.trace_state().header(), "");
    assert_eq!(parent(&[(TRACEPARENT, GIVEN), (TRACEPARENT, GIVEN)]), None);
    assert_eq!(parent(&[(TRACESTATE, "a=1")]), None);
}

#[test]
fn without_an_endpoint_the_senders_context_is_carried_on_and_nothing_else() {
    let arrival = Arrival::now(&headers(&[(TRACEPARENT, GIVEN), (TRACESTATE, "a=1")]));
    let traces = Traces::off(true);
    let received = traces.received(&arrival, "main", "add_video");
    assert_eq!((received.id(), received.trace().as_deref()), (None, Some(GIVEN)));

    let mut sent = HeaderMap::new();
    caller(&traces, received.trace()).request(1, &mut sent);
    assert_eq!(sent, headers(&[(TRACEPARENT, GIVEN)]));
    for own in [TRACEPARENT, TRACESTATE] {
        let mut sent = headers(&[(own, "the guest's own")]);
        caller(&traces, received.trace()).request(1, &mut sent);
        assert_eq!(sent, headers(&[(own, "the guest's own")]));
    }

    let traces = Traces::off(false);
    assert_eq!(traces.received(&arrival, "main", "add_video").trace(), None);
    // Kept from when it was on.
    let mut sent = HeaderMap::new();
    caller(&traces, Some(GIVEN.to_owned())).request(1, &mut sent);
    assert_eq!(sent, HeaderMap::new());
}

fn caller(traces: &Traces, trace: Option<String>) -> Caller {
    let attempted = Attempted {
        event: hookbox_core::ids::EventId::new(1, [0; 10]),
        name: "add_video",
        delivery: hookbox_core::ids::DeliveryId::new(1, [0; 10]),
        plugin: &"probe".parse().expect("a name"),
        digest: hookbox_core::ids::Digest::of(b"code"),
        generation: 1,
        attempt: 1,
    };
    traces.attempt(trace.as_deref(), &attempted).caller()
}

#[tokio::test]
async fn what_is_not_sampled_has_a_context_that_says_so() {
    let traces = on(0.0);
    let received = traces.received(&Arrival::now(&HeaderMap::new()), "main", "add_video");
    let kept = received.trace().expect("a context");
    assert!(kept.ends_with("-00"), "{kept}");
    let mut sent = HeaderMap::new();
    caller(&traces, Some(kept.clone())).request(1, &mut sent);
    let told = sent.get(TRACEPARENT).and_then(|value| value.to_str().ok()).expect("a field");
    assert_eq!((&told[..36], &told[53..]), (&kept[..36], "00"), "the same trace");

    // The sender decides for its own traces.
    let arrival = Arrival::now(&headers(&[(TRACEPARENT, GIVEN)]));
    let kept = traces.received(&arrival, "main", "add_video").trace().expect("a context");
    assert!(kept.starts_with(&GIVEN[..36]) && kept.ends_with("-01"), "{kept}");
    assert_ne!(kept, GIVEN);
    traces.end().await;
}

#[tokio::test]
async fn a_request_past_the_limit_of_a_call_belongs_to_the_call() {
    let traces = on(1.0);
    let caller = caller(&traces, None);
    let told = |number| {
        let mut sent = HeaderMap::new();
        caller.request(number, &mut sent);
        sent.remove(TRACEPARENT).expect("a field")
    };
    assert_ne!(told(1), told(2));
    assert_eq!(told(101), told(102));
    traces.end().await;
}

fn settings(endpoint: &str, sample_ratio: f64) -> config::Traces {
    config::Traces {
        sample_ratio,
        timeout_ms: 1,
        service_name: "test".to_owned(),
        propagate: true,
        otlp_endpoint: Some(endpoint.to_owned()),
        headers: None,
        header_values: config::Headers::default(),
    }
}

/// Sends to where nobody answers.
fn on(sample_ratio: f64) -> Traces {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}/v1/traces", silent.local_addr().expect("an address"));
    std::mem::forget(silent);
    let settings = settings(&endpoint, sample_ratio);
    Traces::start(&settings, Handle::current(), None).expect("traces")
}

#[tokio::test]
async fn https_without_certificates_is_refused_at_the_start() {
    let settings = settings("https://collector.example/v1/traces", 1.0);
    let refused = Traces::start(&settings, Handle::current(), None).expect_err("no certificates");
    assert!(refused.to_string().contains("SSL_CERT_FILE"), "{refused}");
}

/// Takes one request over TLS and answers it; what came.
async fn take_one(listener: tokio::net::TcpListener, tls: tokio_rustls::TlsAcceptor) -> Vec<u8> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let (stream, _) = listener.accept().await.expect("a connection");
    let mut stream = tls.accept(stream).await.expect("TLS");
    let mut got = Vec::new();
    while !got.windows(7).any(|window| window == b"receive") {
        assert_ne!(stream.read_buf(&mut got).await.expect("a request"), 0, "{got:?}");
    }
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    stream.write_all(answer).await.expect("an answer");
    stream.shutdown().await.expect("an end");
    got
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_go_by_https_to_a_collector_that_is_trusted() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der());
    let server = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.expect("a key"))
        .expect("a server");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).expect("a root");
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let taking = tokio::spawn(take_one(listener, Arc::new(server).into()));

    let mut settings = settings(&format!("https://localhost:{port}/v1/traces"), 1.0);
    settings.timeout_ms = 20_000;
    let tls = Some(TlsConnector::from(Arc::new(client)));
    let traces = Traces::start(&settings, Handle::current(), tls).expect("traces");
    drop(traces.received(&Arrival::now(&HeaderMap::new()), "main", "add_video"));
    let got = taking.await.expect("a request");
    assert!(got.starts_with(b"POST /v1/traces HTTP/1.1\r\n"), "{got:?}");
    traces.end().await;
}
