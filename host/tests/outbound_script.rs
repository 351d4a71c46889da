//! What stays the same where a script stands in for the network: grants, limits,
//! records, and HTTP itself.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use hookbox::config::HttpGrant;
use hookbox::outbound::Outbound;
use hookbox::outbound::exchange::Limits;
use hookbox::outbound::failure::{Failure, Kind, Stage};
use hookbox::outbound::record::Record;
use hookbox::outbound::script::{Asked, Script};
use hookbox_core::effects::OutboundCall;
use hookbox_core::grants::AddressSet;
use hookbox_core::ids::Digest;
use http::{Method, Response};
use http_body_util::{BodyExt as _, Full};
use tokio::runtime::Handle;

const LIMITS: Limits = Limits {
    timeout: Duration::from_secs(20),
    request_bytes_max: 1_000,
    response_bytes_max: 1_000,
    connect: None,
    first_byte: None,
    between_bytes: None,
};

/// Answers by the path, and keeps what was asked.
#[derive(Default)]
struct Server(Mutex<Vec<Asked>>);

impl Script for Server {
    fn answer(&self, asked: Asked) -> Result<Response<Bytes>, Failure> {
        let url = asked.url.clone();
        self.0.lock().unwrap().push(asked);
        match url.rsplit('/').next() {
            Some("large") => Ok(Response::new(Bytes::from(vec![b'x'; 1_001]))),
            Some("late") => Err(Failure::new(Kind::Timeout(Stage::Waiting), "by the script")),
            _ => {
                let response = Response::builder().status(201).header("x-made", "yes");
                Ok(response.body(Bytes::from_static(b"made")).unwrap())
            }
        }
    }
}

type Sent = (Result<(u16, String), Failure>, OutboundCall);

/// By a plugin that may post to `https://api.example`.
async fn send(server: &Arc<Server>, method: Method, url: &str, body: &str) -> Sent {
    let script: Arc<dyn Script> = Arc::<Server>::clone(server);
    let outbound = Outbound::scripted(Handle::current(), script);
    let grant = HttpGrant {
        origin: "https://api.example".parse().unwrap(),
        methods: Some(vec![Method::POST]),
        addresses: AddressSet::default(),
    };
    let pool = outbound.pool(&"relay".parse().unwrap(), &[grant], 4);
    let record = Record::new(method.as_str(), url, 100, &Arc::default());
    let request = http::Request::builder().method(method).uri(url).header("host", "elsewhere");
    let (head, ()) = request.body(()).unwrap().into_parts();
    let body = Full::new(Bytes::from(body.to_owned())).map_err(|e| match e {}).boxed_unsync();
    let work = async {
        let target = pool.target(&head.method, &head.uri)?;
        let exchange = pool.send(&target, head, body, LIMITS, &record);
        let response = exchange.response().await?;
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await?.to_bytes();
        Ok((status, String::from_utf8(bytes.to_vec()).unwrap()))
    };
    let result = work.await;
    (result, record.call())
}

#[tokio::test]
async fn the_script_sees_what_a_server_would_and_the_record_is_whole() {
    let server = Arc::new(Server::default());
    let (result, call) = send(&server, Method::POST, "https://api.example/a?b=c", "hello").await;
    assert_eq!(result.unwrap(), (201, "made".to_owned()));
    let asked = server.0.lock().unwrap().remove(0);
    assert_eq!((asked.method, &*asked.url), (Method::POST, "https://api.example/a?b=c"));
    assert_eq!(asked.headers["host"], "api.example");
    assert_eq!(asked.headers["content-length"], "5");
    assert_eq!(asked.body, "hello");
    assert_eq!((call.status, call.address, call.error), (Some(201), None, None));
    assert_eq!(call.request.digest, Some(Digest::of(b"hello")));
    assert_eq!(call.response.digest, Some(Digest::of(b"made")));
    assert_eq!(call.response.kept.as_deref(), Some(b"made".as_slice()));
}

#[tokio::test]
async fn what_is_not_granted_does_not_come_to_the_script() {
    let server = Arc::new(Server::default());
    for (method, url, kind) in [
        (Method::POST, "https://other.example/", Kind::NotGranted),
        (Method::POST, "http://api.example/", Kind::NotGranted),
        (Method::GET, "https://api.example/", Kind::MethodNotGranted),
    ] {
        let (result, _) = send(&server, method, url, "").await;
        assert_eq!(result.expect_err(url).kind, kind);
    }
    assert!(server.0.lock().unwrap().is_empty());
}

#[tokio::test]
async fn limits_hold() {
    let server = Arc::new(Server::default());
    let (result, call) = send(&server, Method::POST, "https://api.example/large", "").await;
    assert_eq!(result.expect_err("too large").kind, Kind::ResponseTooLarge(1_000));
    assert_eq!(call.error.expect("an error").0, "response-too-large");
    let body = "x".repeat(1_001);
    let (result, _) = send(&server, Method::POST, "https://api.example/", &body).await;
    assert_eq!(result.expect_err("too large").kind, Kind::RequestTooLarge(1_000));
    assert_eq!(server.0.lock().unwrap().len(), 1, "it came whole or not at all");
}

#[tokio::test]
async fn a_failure_of_the_scripts_is_that_of_the_request() {
    let server = Arc::new(Server::default());
    let (result, call) = send(&server, Method::POST, "https://api.example/late", "hello").await;
    let failure = result.expect_err("a failure");
    assert_eq!(failure, Failure::new(Kind::Timeout(Stage::Waiting), "by the script"));
    assert_eq!(call.error, Some(("timeout", "by the script".to_owned())));
    assert_eq!((call.status, call.request.bytes), (None, 5));
}
