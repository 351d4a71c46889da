#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::convert::Infallible;

use http::{Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::server::conn::http1 as server;
use hyper::service::service_fn;
use serde_json::json;

use super::*;
use crate::admin::Socket;

/// Answers each request with its method, path and body; or as its path says.
async fn echo(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.to_string();
    let body = body.collect().await.expect("a body").to_bytes();
    let (status, text) = match path.as_str() {
        "/refused" => (
            StatusCode::NOT_FOUND,
            json!({"type": "about:blank", "title": "", "status": 404, "detail": "no such", "code": "not-found"})
                .to_string(),
        ),
        "/nonsense" => (StatusCode::BAD_GATEWAY, "<html>".to_owned()),
        "/stream" => {
            (StatusCode::OK, ": hello\n\nevent: tick\ndata: {}\n\nevent: dead\ndata: {\"a\":1}\n\n".into())
        }
        _ => {
            let body = String::from_utf8_lossy(&body);
            let text = json!({"method": parts.method.as_str(), "path": path, "body": body});
            (StatusCode::OK, text.to_string())
        }
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    Ok(response)
}

/// A client, and what answers it.
fn served() -> (Client, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = Socket::bind(folder.path()).expect("a socket");
    tokio::spawn(async move {
        loop {
            let (stream, _) = socket.listener.accept().await.expect("a connection");
            let serving = server::Builder::new()
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service_fn(echo));
            tokio::spawn(serving);
        }
    });
    (Client::new(folder.path()), folder)
}

#[tokio::test]
async fn a_request_has_its_method_its_path_and_its_body() {
    let (client, _folder) = served();
    let got = client.get("/api/v1/plugins?a=b").await.expect("an answer");
    assert_eq!(got, json!({"method": "GET", "path": "/api/v1/plugins?a=b", "body": ""}));
    let posted = client.post("/p", &json!({"x": 1})).await.expect("an answer");
    assert_eq!(posted, json!({"method": "POST", "path": "/p", "body": "{\"x\":1}"}));
    let put = client.put("/p", &json!(["y"])).await.expect("an answer");
    assert_eq!(put, json!({"method": "PUT", "path": "/p", "body": "[\"y\"]"}));
}

#[tokio::test]
async fn a_refusal_has_its_code_and_nonsense_is_an_error() {
    let (client, _folder) = served();
    for answer in [client.get("/refused").await.err(), client.stream("/refused").await.err()] {
        let Some(ClientError::Request(error)) = answer else { panic!("{answer:?}") };
        assert_eq!(error, RequestError::not_found("no such"));
    }
    let answer = client.get("/nonsense").await;
    assert!(matches!(answer, Err(ClientError::Broken(_))), "{answer:?}");
}

#[tokio::test]
async fn a_stream_gives_each_event_and_its_end() {
    let (client, _folder) = served();
    let mut stream = client.stream("/stream").await.expect("a stream");
    let mut names = Vec::new();
    while let Some(event) = stream.next().await.expect("an event") {
        names.push((event.name, event.data));
    }
    assert_eq!(names, [("tick".into(), "{}".into()), ("dead".into(), "{\"a\":1}".into())]);
}

#[tokio::test]
async fn nobody_is_known_for_what_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let answer = Client::new(folder.path()).get("/").await;
    assert!(matches!(answer, Err(ClientError::Nobody { .. })), "{answer:?}");
}
