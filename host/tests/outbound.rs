//! The sender of plugins' requests against real servers on this machine, with
//! a resolver that the test tells what to answer.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod server;

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use hookbox::config::HttpGrant;
use hookbox::outbound::Outbound;
use hookbox::outbound::body::PluginBody;
use hookbox::outbound::exchange::Limits;
use hookbox::outbound::failure::{Failure, Kind, Stage};
use hookbox::outbound::pool::Pool;
use hookbox::outbound::record::Record;
use hookbox::outbound::resolve::{Found, Resolve};
use hookbox::outbound::trust::Trust;
use hookbox_core::effects::OutboundCall;
use hookbox_core::grants::{AddressRule, AddressSet};
use hookbox_core::ids::Digest;
use http_body_util::{BodyExt as _, Empty, Full};
use server::{Answer, Served};
use tokio::runtime::Handle;

/// Answers by a script, and counts.
#[derive(Default)]
struct Script {
    answers: Mutex<VecDeque<Vec<IpAddr>>>,
    asked: Mutex<Vec<String>>,
}

impl Script {
    fn new(answers: &[&[&str]]) -> Arc<Self> {
        let parse = |list: &&[&str]| list.iter().map(|a| a.parse().expect(a)).collect();
        let answers = answers.iter().map(parse).collect();
        Arc::new(Self { answers: Mutex::new(answers), asked: Mutex::default() })
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

impl Resolve for Script {
    fn resolve(&self, name: &str) -> Found {
        self.asked.lock().unwrap().push(name.to_owned());
        let answer = self.answers.lock().unwrap().pop_front();
        Box::pin(async move { answer.ok_or_else(|| io::Error::other("no such name")) })
    }
}

const LIMITS: Limits = Limits {
    timeout: Duration::from_secs(20),
    request_bytes_max: 1_000,
    response_bytes_max: 1_000,
    connect: None,
    first_byte: None,
    between_bytes: None,
};

fn outbound(script: &Arc<Script>, trust: Trust) -> Arc<Outbound> {
    let resolver: Arc<dyn Resolve> = Arc::<Script>::clone(script);
    let second = Duration::from_secs(1);
    Outbound::new(Handle::current(), resolver, trust, 5 * second, 30 * second)
}

fn untrusting(script: &Arc<Script>) -> Arc<Outbound> {
    outbound(script, Trust::only(None).unwrap())
}

fn grant(origin: &str, addresses: &[&str]) -> HttpGrant {
    let mut set = AddressSet::default();
    addresses.iter().for_each(|text| set.add(text).expect(text));
    HttpGrant { origin: origin.parse().expect(origin), methods: None, addresses: set }
}

fn pool(outbound: &Outbound, plugin: &str, grants: &[HttpGrant]) -> Arc<Pool> {
    outbound.pool(&plugin.parse().unwrap(), grants, 4)
}

/// What came of a request: status and body, or the failure, and its record.
type Sent = (Result<(u16, String), Failure>, OutboundCall);

async fn send_with(pool: &Arc<Pool>, url: &str, body: Option<&str>, limits: Limits) -> Sent {
    let body = match body {
        Some(text) => {
            Full::new(Bytes::from(text.to_owned())).map_err(|e| match e {}).boxed_unsync()
        }
        None => Empty::new().map_err(|e| match e {}).boxed_unsync(),
    };
    send_body(pool, url, body, limits).await
}

async fn send_body(pool: &Arc<Pool>, url: &str, body: PluginBody, limits: Limits) -> Sent {
    let record = Record::new("POST", url, 0, &Arc::default());
    let request = http::Request::post(url).header("host", "elsewhere").body(()).unwrap();
    let (head, ()) = request.into_parts();
    let work = async {
        let target = pool.target(&head.method, &head.uri)?;
        let exchange = pool.send(&target, head, body, limits, &record);
        let response = exchange.response().await?;
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await?.to_bytes();
        Ok((status, String::from_utf8(bytes.to_vec()).unwrap()))
    };
    let result = work.await;
    (result, record.call())
}

async fn send(pool: &Arc<Pool>, url: &str) -> Sent {
    send_with(pool, url, Some("hello"), LIMITS).await
}

fn kind(sent: &Sent) -> Kind {
    sent.0.as_ref().expect_err("a failure").kind
}

fn url(server: &Served, host: &str) -> String {
    format!("http://{host}:{}", server.port())
}

#[tokio::test]
async fn a_name_that_is_bound_anew_is_judged_at_each_connection() {
    let server = Served::closing(Answer::ok("here")).await;
    let url = url(&server, "api.test");
    let script = Script::new(&[&["127.0.0.2"], &["127.0.0.1"]]);
    let outbound = untrusting(&script);
    let pool = pool(&outbound, "relay", &[grant(&url, &["127.0.0.2"])]);

    let first = send(&pool, &url).await;
    assert_eq!(first.0, Ok((200, "here".to_owned())));
    assert_eq!(first.1.address, Some("127.0.0.2".parse().unwrap()));
    assert_eq!((script.asked(), server.connections()), (1, 1), "one lookup, one connection");

    let second = send(&pool, &url).await;
    assert_eq!(kind(&second), Kind::AddressForbidden(AddressRule::Loopback));
    assert_eq!((script.asked(), server.connections()), (2, 1), "nothing was sent");
    let (code, message) = second.1.error.expect("a failure");
    assert_eq!(code, "address-forbidden");
    assert_eq!(
        message,
        "address-forbidden, loopback: api.test leads to 127.0.0.1; plugin.relay.http addresses"
    );
    assert_eq!(second.1.address, None);
}

#[tokio::test]
async fn of_several_addresses_only_allowed_ones_are_tried() {
    let server = Served::new(Answer::ok("here")).await;
    let url = url(&server, "api.test");
    // It listens on the first as well.
    let mixed: &[&str] = &["127.0.0.1", "169.254.169.254", "127.0.0.2"];
    let script = Script::new(&[mixed]);
    let pool = pool(&untrusting(&script), "relay", &[grant(&url, &["127.0.0.2"])]);
    let sent = send(&pool, &url).await;
    assert_eq!(sent.0, Ok((200, "here".to_owned())));
    assert_eq!(sent.1.address, Some("127.0.0.2".parse().unwrap()));
}

#[tokio::test]
async fn a_dead_address_is_passed_over() {
    let server = Served::new(Answer::ok("here")).await;
    let url = url(&server, "api.test");
    // The server listens on addresses of IPv4 only.
    let script = Script::new(&[&["::1", "127.0.0.2"]]);
    let grants = [grant(&url, &["::1", "127.0.0.2"])];
    let sent = send(&pool(&untrusting(&script), "relay", &grants), &url).await;
    assert_eq!(sent.1.address, Some("127.0.0.2".parse().unwrap()));
}

#[tokio::test]
async fn a_connection_is_used_again_and_only_by_its_plugin_and_its_grants() {
    let server = Served::new(Answer::ok("here")).await;
    let url = url(&server, "api.test");
    let one: &[&str] = &["127.0.0.1"];
    let script = Script::new(&[one; 9]);
    let outbound = untrusting(&script);
    let grants = [grant(&url, &["127.0.0.1"])];

    let first = pool(&outbound, "first", &grants);
    send(&first, &url).await.0.expect("a response");
    send(&first, &url).await.0.expect("a response");
    assert_eq!((server.connections(), script.asked()), (1, 1), "used again");
    assert!(Arc::ptr_eq(&first, &pool(&outbound, "first", &grants)), "kept over a swap");

    let second = pool(&outbound, "second", &grants);
    send(&second, &url).await.0.expect("a response");
    assert_eq!(server.connections(), 2, "another plugin, another connection");

    let more = [grants[0].clone(), grant("https://other.test", &[])];
    let changed = pool(&outbound, "first", &more);
    send(&changed, &url).await.0.expect("a response");
    assert_eq!(server.connections(), 3, "other grants, another connection");
}

#[tokio::test]
async fn a_server_that_never_answers_meets_the_timeout() {
    let server = Served::new(Answer::Hold).await;
    let url = url(&server, "127.0.0.1");
    let pool = pool(&untrusting(&Script::new(&[])), "relay", &[grant(&url, &["127.0.0.1"])]);
    let limits = Limits { timeout: Duration::from_millis(200), ..LIMITS };
    let sent = send_with(&pool, &url, None, limits).await;
    assert_eq!(kind(&sent), Kind::Timeout(Stage::Waiting));
    let (code, message) = sent.1.error.expect("a failure");
    assert_eq!(code, "timeout");
    assert_eq!(message, "the response did not begin within 200 ms: plugin.relay.http_timeout_ms");
    assert_eq!(sent.1.address, Some("127.0.0.1".parse().unwrap()));
    server.wait_open(0).await;

    let own = Limits { first_byte: Some(Duration::from_millis(100)), ..LIMITS };
    let sent = send_with(&pool, &url, None, own).await;
    let message = sent.0.expect_err("a failure").message;
    assert_eq!(message, "the response did not begin within the 100 ms that the plugin gave it");
}

#[tokio::test]
async fn a_body_that_drips_meets_the_timeout_whether_or_not_it_is_read() {
    let server = Served::new(Answer::Drip).await;
    let url = url(&server, "127.0.0.1");
    let pool = pool(&untrusting(&Script::new(&[])), "relay", &[grant(&url, &["127.0.0.1"])]);
    let limits =
        Limits { timeout: Duration::from_millis(300), response_bytes_max: u64::MAX, ..LIMITS };
    let sent = send_with(&pool, &url, None, limits).await;
    assert_eq!(kind(&sent), Kind::Timeout(Stage::Reading));
    assert_eq!((sent.1.status, sent.1.response.digest), (Some(200), None));

    let record = Record::new("POST", &url, 0, &Arc::default());
    let (head, ()) = http::Request::post(&url).body(()).unwrap().into_parts();
    let target = pool.target(&head.method, &head.uri).expect("it is granted");
    let body = Empty::new().map_err(|e| match e {}).boxed_unsync();
    let response = pool.send(&target, head, body, limits, &record).response().await;
    let response = response.expect("a head");
    server.wait_open(0).await;
    assert_eq!(record.call().error.expect("a failure").0, "timeout");
    drop(response);
}

#[tokio::test]
async fn a_response_that_is_read_too_late_does_not_look_whole() {
    let server = Served::new(Answer::ok(&"y".repeat(300_000))).await;
    let url = url(&server, "127.0.0.1");
    let pool = pool(&untrusting(&Script::new(&[])), "relay", &[grant(&url, &["127.0.0.1"])]);
    let limits =
        Limits { timeout: Duration::from_millis(300), response_bytes_max: u64::MAX, ..LIMITS };
    let record = Record::new("POST", &url, 0, &Arc::default());
    let (head, ()) = http::Request::post(&url).body(()).unwrap().into_parts();
    let target = pool.target(&head.method, &head.uri).expect("it is granted");
    let body = Empty::new().map_err(|e| match e {}).boxed_unsync();
    let response = pool.send(&target, head, body, limits, &record).response().await;
    let response = response.expect("a head");
    server.wait_open(0).await;
    let failure = response.into_body().collect().await.expect_err("it is not whole");
    assert_eq!(failure.kind, Kind::Timeout(Stage::Reading));
}

#[tokio::test]
async fn what_nobody_waits_for_any_more_is_ended() {
    let server = Served::new(Answer::Hold).await;
    let url = url(&server, "127.0.0.1");
    let pool = pool(&untrusting(&Script::new(&[])), "relay", &[grant(&url, &["127.0.0.1"])]);
    let record = Record::new("POST", &url, 0, &Arc::default());
    let (head, ()) = http::Request::post(&url).body(()).unwrap().into_parts();
    let target = pool.target(&head.method, &head.uri).expect("it is granted");
    let body = Empty::new().map_err(|e| match e {}).boxed_unsync();
    let exchange = pool.send(&target, head, body, LIMITS, &record);
    server.wait_open(1).await;
    drop(exchange);
    server.wait_open(0).await;
    assert_eq!(record.call().error.expect("a failure").0, "given-up");
}

#[tokio::test]
async fn as_many_requests_as_allowed_are_under_way_at_once() {
    let server = Served::new(Answer::Hold).await;
    let url = url(&server, "127.0.0.1");
    let outbound = untrusting(&Script::new(&[]));
    let grants = [grant(&url, &["127.0.0.1"])];
    let pool = outbound.pool(&"relay".parse().unwrap(), &grants, 2);
    let limits = Limits { timeout: Duration::from_millis(300), ..LIMITS };
    let one = || send_with(&pool, &url, None, limits);
    let (first, second, third) = tokio::join!(one(), one(), one());
    assert_eq!(kind(&first), Kind::Timeout(Stage::Waiting));
    assert_eq!(kind(&second), Kind::Timeout(Stage::Waiting));
    // Either its own time was up first, or a turn came with none left.
    assert!(matches!(kind(&third), Kind::ConcurrencyLimit | Kind::Timeout(_)), "{third:?}");
    assert!(server.connections() <= 3);
    assert_eq!(server.peak(), 2);
}

#[tokio::test]
async fn bodies_over_the_limit_are_cut_off() {
    let server = Served::new(Answer::ok(&"y".repeat(2_000))).await;
    let url = url(&server, "127.0.0.1");
    let pool = pool(&untrusting(&Script::new(&[])), "relay", &[grant(&url, &["127.0.0.1"])]);

    let sent = send(&pool, &url).await;
    assert_eq!(kind(&sent), Kind::ResponseTooLarge(1_000));
    assert_eq!(
        sent.0.unwrap_err().message,
        "the response's body has over 1000 bytes: plugin.relay.http_response_bytes_max"
    );
    assert_eq!(sent.1.request.digest, Some(Digest::of(b"hello")));
    assert_eq!((sent.1.request.bytes, sent.1.response.digest), (5, None));

    let long = "x".repeat(2_000);
    let sent = send_with(&pool, &url, Some(&long), LIMITS).await;
    assert_eq!(kind(&sent), Kind::RequestTooLarge(1_000));
    assert_eq!(
        sent.0.unwrap_err().message,
        "the request's body has over 1000 bytes: plugin.relay.http_request_bytes_max"
    );
    assert_eq!(sent.1.request.digest, None);
}

#[tokio::test]
async fn a_head_without_end_is_cut_off() {
    let server = Served::new(Answer::LongHead).await;
    let url = url(&server, "127.0.0.1");
    let pool = pool(&untrusting(&Script::new(&[])), "relay", &[grant(&url, &["127.0.0.1"])]);
    assert!(matches!(kind(&send(&pool, &url).await), Kind::HeadTooLarge(_)));
}

#[tokio::test]
async fn a_server_that_closes_halfway_breaks_the_exchange() {
    let server = Served::new(Answer::Half).await;
    let url = url(&server, "127.0.0.1");
    let pool = pool(&untrusting(&Script::new(&[])), "relay", &[grant(&url, &["127.0.0.1"])]);
    let sent = send(&pool, &url).await;
    assert_eq!(kind(&sent), Kind::Broken);
    assert_eq!((sent.1.status, sent.1.response.digest), (Some(200), None));
}

#[tokio::test]
async fn the_host_field_and_the_line_are_of_what_was_granted() {
    let server = Served::new(Answer::ok("here")).await;
    let name = url(&server, "api.test");
    let script = Script::new(&[&["127.0.0.1"]]);
    let pool = pool(&untrusting(&script), "relay", &[grant(&name, &["127.0.0.1"])]);
    let spelled = format!("http://API.Test:{}//evil/?q=1", server.port());
    send(&pool, &spelled).await.0.expect("a response");
    let head = server.heads().remove(0);
    assert!(head.starts_with("POST //evil/?q=1 HTTP/1.1\r\n"), "{head}");
    let host = format!("host: api.test:{}\r\n", server.port());
    assert_eq!(head.to_lowercase().matches("host: ").count(), 1, "{head}");
    assert!(head.contains(&host), "{head}");
}

#[tokio::test]
async fn a_redirect_is_an_answer_like_any_other() {
    let other = Served::new(Answer::ok("there")).await;
    let to = url(&other, "127.0.0.1");
    let server = Served::new(Answer::Redirect(to.clone())).await;
    let url = url(&server, "127.0.0.1");
    let grants = [grant(&url, &["127.0.0.1"]), grant(&to, &["127.0.0.1"])];
    let sent = send(&pool(&untrusting(&Script::new(&[])), "relay", &grants), &url).await;
    assert_eq!(sent.0.expect("a response").0, 302);
    assert_eq!(other.connections(), 0);
}

#[tokio::test]
async fn a_name_that_is_not_found_says_so() {
    let url = "http://nowhere.test";
    let pool = pool(&untrusting(&Script::new(&[])), "relay", &[grant(url, &[])]);
    let sent = send(&pool, url).await;
    assert_eq!(kind(&sent), Kind::DnsFailed);
    assert_eq!(sent.0.unwrap_err().message, "nowhere.test: no such name");
}

#[tokio::test]
async fn certificates_of_the_operator_are_trusted_and_no_others() {
    let authority = server::Authority::new();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, authority.pem()).unwrap();
    let server = Served::secure(Answer::ok("secret"), &authority, "api.test").await;
    let url = format!("https://api.test:{}", server.port());
    let other = format!("https://other.test:{}", server.port());
    let grants = [grant(&url, &["127.0.0.1"]), grant(&other, &["127.0.0.1"])];
    let one: &[&str] = &["127.0.0.1"];
    let script = Script::new(&[one; 9]);

    let trusting = outbound(&script, Trust::only(Some(&file)).unwrap());
    let trusting = pool(&trusting, "relay", &grants);
    assert_eq!(send(&trusting, &url).await.0, Ok((200, "secret".to_owned())));
    let wrong_name = send(&trusting, &other).await;
    assert_eq!(kind(&wrong_name), Kind::TlsFailed { certificate: true });

    let stranger = server::Authority::new();
    std::fs::write(&file, stranger.pem()).unwrap();
    let wary = outbound(&script, Trust::only(Some(&file)).unwrap());
    let sent = send(&pool(&wary, "relay", &grants), &url).await;
    assert_eq!(kind(&sent), Kind::TlsFailed { certificate: true });
    let message = sent.0.unwrap_err().message;
    assert!(message.contains("the server's certificate is not accepted"), "{message}");
    assert!(message.contains("outbound.certificates"), "{message}");

    let blind = send(&pool(&untrusting(&script), "relay", &grants), &url).await;
    let message = blind.0.expect_err("nothing to trust").message;
    assert!(message.starts_with("there is no certificate to trust"), "{message}");
    assert_eq!(server.heads().len(), 1, "only to whom is trusted is anything sent");

    std::fs::write(&file, "no PEM").unwrap();
    assert!(Trust::only(Some(&file)).is_err());
}
