#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use http_body_util::Empty;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::runtime::Handle;

use super::*;
use crate::outbound::resolve::System;
use crate::outbound::trust::Trust;
use crate::plugin::output::{CallLog, Origin};
use crate::plugin::rate::LogRate;

/// The requests of a call of a plugin whose section has these lines.
fn requests(section: &str) -> Arc<Requests> {
    let text = format!(
        "[[source]]\nname = \"main\"\nsecrets = [{{ name = \"s\", value = \"x\" }}]\n\
         [plugin.relay]\nsecrets = [{{ name = \"key\", value = \"hush-4711\" }}]\n{section}\n"
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let config = config::read(Some(file.path())).unwrap();
    let name: PluginName = "relay".parse().unwrap();
    let settings = config.live.plugins.of(&name);
    let origin = Origin {
        plugin: name.to_string(),
        event: String::new(),
        delivery: String::new(),
        attempt: 1,
    };
    let log =
        CallLog::new(origin, settings, settings.grants.redactor(), &Arc::new(LogRate::new(1_000)));
    let second = Duration::from_secs(1);
    let trust = Trust::only(None).unwrap();
    let outbound = Outbound::new(Handle::current(), Arc::new(System), trust, second, second);
    let redactor = settings.grants.redactor();
    Requests::new(&outbound, &name, settings, redactor, &Caller::default(), &log)
}

async fn send(requests: &Arc<Requests>, url: &str, body: &str) -> Result<u16> {
    let body = http_body_util::Full::from(body.to_owned()).map_err(|e| match e {}).boxed_unsync();
    let request = http::Request::post(url).body(body).unwrap();
    let sent = Hooks::sending(requests).send_request(request, None, Box::new(async { Ok(()) }));
    let (response, _) = Box::into_pin(sent).await?;
    let status = response.status().as_u16();
    response.into_body().collect().await?;
    Ok(status)
}

fn code(call: &OutboundCall) -> &str {
    call.error.as_ref().map_or("", |(code, _)| code)
}

/// A server that answers one request after another on each connection with this
/// text, or never, and the number of its port.
async fn server(answer: Option<&'static str>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut bytes = [0; 4_096];
                while matches!(stream.read(&mut bytes).await, Ok(1..)) {
                    if let Some(text) = answer {
                        stream.write_all(text.as_bytes()).await.unwrap();
                    }
                }
            });
        }
    });
    port
}

#[tokio::test]
async fn each_request_leaves_a_record_without_secrets() {
    let port = server(Some("HTTP/1.1 201 Made\r\ncontent-length: 14\r\n\r\nyour hush-4711")).await;
    let requests = requests(&format!(
        "http = [{{ origin = \"http://127.0.0.1:{port}\" }}]\nhttp_bodies_kept_bytes_max = 20"
    ));
    let url = format!("http://127.0.0.1:{port}/hush-4711/in?token=hush-4711");
    assert_eq!(send(&requests, &url, "my hush-4711, and more than is kept").await.unwrap(), 201);
    requests.end(true);
    let call = requests.calls().remove(0);
    assert_eq!((&*call.method, code(&call)), ("POST", ""));
    assert_eq!(call.url, format!("http://127.0.0.1:{port}/[secret key]/in"));
    assert_eq!((call.status, call.address), (Some(201), Some("127.0.0.1".parse().unwrap())));
    assert_eq!((call.request.bytes, call.response.bytes), (35, 14));
    assert!(call.request.digest.is_some() && call.response.digest.is_some());
    assert_eq!(call.request.kept.as_deref(), Some(&b"my [secret key], and"[..]));
    assert_eq!(call.response.kept.as_deref(), Some(&b"your [secret key]"[..]));
}

#[tokio::test]
async fn refused_requests_are_recorded_and_past_a_bound_counted() {
    let requests = requests("http_calls_max = 2");
    for n in 0..1_000 {
        let answer = send(&requests, &format!("http://10.0.0.{}/", n % 200), "").await;
        assert!(matches!(answer, Err(Error::HttpRequestDenied)), "{answer:?}");
    }
    requests.end(true);
    let calls = requests.calls();
    let codes: Vec<&str> = calls.iter().map(code).collect();
    assert_eq!(codes, ["not-granted", "not-granted", "calls-limit"]);
    let (_, message) = calls[2].error.clone().unwrap();
    assert_eq!(
        message,
        "the call may send 2 requests: plugin.relay.http_calls_max (997 more were refused)"
    );
    assert_eq!((calls[0].address, calls[0].status), (None, None));
}

#[tokio::test]
async fn the_end_of_a_call_ends_its_requests_and_their_records_say_so() {
    let port = server(None).await;
    let requests = requests(&format!("http = [{{ origin = \"http://127.0.0.1:{port}\" }}]"));
    let sending = {
        let requests = Arc::clone(&requests);
        let url = format!("http://127.0.0.1:{port}/");
        tokio::spawn(async move { send(&requests, &url, "").await })
    };
    while requests.calls().is_empty() {
        tokio::task::yield_now().await;
    }
    requests.end(false);
    assert!(matches!(sending.await.unwrap(), Err(Error::ConnectionTerminated)));
    assert_eq!(code(&requests.calls()[0]), "call-ended");
    let late = send(&requests, "http://127.0.0.1/", "").await;
    assert!(matches!(late, Err(Error::ConnectionTerminated)), "{late:?}");
}

#[tokio::test]
async fn a_plugin_that_describes_itself_sends_nothing() {
    let granted = requests("http = [{ origin = \"http://127.0.0.1:1\" }]");
    let mut hooks = Hooks::describing(&granted.log);
    let body = Empty::new().map_err(|e| match e {}).boxed_unsync();
    let request = http::Request::get("http://127.0.0.1:1/").body(body).unwrap();
    let sent = hooks.send_request(request, None, Box::new(async { Ok(()) }));
    assert!(matches!(Box::into_pin(sent).await, Err(Error::HttpRequestDenied)));
    assert!(output::finish(&granted.log).0.contains("while the plugin describes itself"));
}
