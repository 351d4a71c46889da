#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::auth::Actor;
use super::client::{Client, ClientError};
use super::views::{PartView, PluginView, StatusView};
use super::*;
use crate::shutdown::{self, End};
use crate::store::Health;
use crate::store::records::{Filter, Operation, Query, Report, RequestError};
use crate::telemetry::live::Live;
use crate::telemetry::stats::Stats;

/// Says back what it was asked. A plugin is resumed once that is allowed.
#[derive(Default)]
struct Echo {
    live: Live,
    resuming: Notify,
    resume: Notify,
    /// Codes of what was noted.
    notes: Mutex<Vec<&'static str>>,
    noted: Notify,
}

impl Backend for Echo {
    fn query(&self, query: Query) -> Answer<'_, Result<Value, RequestError>> {
        let answer = match &query {
            Query::Event { id } if id == "none" => Err(RequestError::not_found("no such event")),
            Query::Event { id } if id == "busy" => Err(RequestError::unavailable("later")),
            Query::Event { id } if id == "large" => Ok(Value::String("x".repeat(3 << 20))),
            _ => Ok(json!({ "asked": query })),
        };
        Box::pin(async { answer })
    }

    fn operate(&self, operation: Operation) -> Answer<'_, Result<Report, RequestError>> {
        Box::pin(async {
            match operation {
                Operation::Forget { plugin, .. } if plugin == "owed-nothing" => {
                    Ok(Report::default())
                }
                Operation::Forget { plugin, .. } => Ok(Report { count: 3, next: Some(plugin) }),
                Operation::Resume { .. } => {
                    self.resuming.notify_one();
                    self.resume.notified().await;
                    Ok(Report { count: 1, next: None })
                }
                Operation::Note { change } => {
                    self.notes.lock().expect("a lock").push(change.kind.code());
                    self.noted.notify_one();
                    Ok(Report::default())
                }
                _ => Err(RequestError::invalid("not that")),
            }
        })
    }

    fn health(&self) -> Health {
        Health::Failing { since_ms: 7, error: "disk full".to_owned() }
    }

    fn parts(&self) -> Answer<'_, Vec<PartView>> {
        Box::pin(async { Vec::new() })
    }

    fn plugins(&self) -> Answer<'_, Result<Vec<PluginView>, RequestError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn status(&self) -> Answer<'_, Result<StatusView, RequestError>> {
        Box::pin(async { Err(RequestError::unavailable("later")) })
    }

    fn stats(&self) -> Stats {
        Stats::default()
    }

    fn metrics(&self) -> Answer<'_, Result<String, RequestError>> {
        Box::pin(async { Ok(String::new()) })
    }

    fn live(&self) -> &Live {
        &self.live
    }

    fn log_level(&self) -> String {
        "info".to_owned()
    }

    fn set_log_level(&self, _: &str) -> Result<(), RequestError> {
        Ok(())
    }
}

struct Server {
    _folder: TempDir,
    data_dir: PathBuf,
    end: End,
    serving: JoinHandle<()>,
}

fn serve_in(folder: TempDir, data_dir: PathBuf) -> Server {
    let socket = Socket::bind(&data_dir).expect("a socket");
    let (end, ending) = shutdown::channel();
    let admin = Admin::new(Arc::new(Echo::default()), ending);
    let serving = tokio::spawn(async move { admin.on_socket(socket).await });
    Server { _folder: folder, data_dir, end, serving }
}

fn serve() -> Server {
    let folder = tempfile::tempdir().expect("a folder");
    let data_dir = folder.path().to_owned();
    serve_in(folder, data_dir)
}

/// What comes for some text, as it is.
async fn raw(data_dir: &Path, request: String) -> String {
    let path = socket::path(data_dir);
    let asking = tokio::task::spawn_blocking(move || {
        let mut stream = std::os::unix::net::UnixStream::connect(path).expect("a connection");
        // The server may have refused it before its end.
        let _closed = stream.write_all(request.as_bytes());
        let mut answer = Vec::new();
        let _reset = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    });
    asking.await.expect("an answer")
}

#[tokio::test]
async fn questions_and_operations_are_answered_over_the_socket() {
    let server = serve();
    let client = Client::new(&server.data_dir);
    let filter = Filter { source: Some("main".into()), ..Filter::default() };
    let query = Query::Events { filter, limit: 5, after: None };
    let answer = client.query(&query).await.expect("an answer");
    assert_eq!(answer["asked"]["filter"]["source"], "main");
    let forget = Operation::Forget { plugin: "mail".into(), dry_run: true, after: None };
    let report = client.operate(&forget).await.expect("a report");
    assert_eq!(report, Report { count: 3, next: Some("mail".into()) });
    let large = client.query(&Query::Event { id: "large".into() }).await.expect("an answer");
    assert_eq!(large.as_str().map(str::len), Some(3 << 20));
}

#[tokio::test]
async fn a_refusal_comes_with_its_code() {
    let server = serve();
    let client = Client::new(&server.data_dir);
    let redrive = Operation::Redrive { filter: Filter::default(), dry_run: true, after: None };
    let asked = |id: &str| Query::Event { id: id.to_owned() };
    for (answer, code) in [
        (client.query(&asked("none")).await.map(drop), "not-found"),
        (client.query(&asked("busy")).await.map(drop), "unavailable"),
        (client.operate(&redrive).await.map(drop), "invalid"),
    ] {
        let Err(ClientError::Request(error)) = answer else { panic!("{answer:?}") };
        assert_eq!(error.code, code);
    }
}

#[tokio::test]
async fn what_was_done_is_noted_though_nobody_waits_for_the_answer() {
    let echo = Arc::new(Echo::default());
    let backend: Arc<dyn Backend> = Arc::<Echo>::clone(&echo);
    let actor = Actor("ops".to_owned());
    let resume = Operation::Resume { plugin: "mail".into() };
    {
        let asking = perform::operate(&backend, &actor, resume);
        tokio::select! {
            report = asking => panic!("{report:?}"),
            () = echo.resuming.notified() => {}
        }
    }
    assert!(echo.notes.lock().expect("a lock").is_empty());
    echo.resume.notify_one();
    let patience = Duration::from_secs(30);
    tokio::time::timeout(patience, echo.noted.notified()).await.expect("a note");
    assert_eq!(*echo.notes.lock().expect("a lock"), ["resumed"]);
}

#[tokio::test]
async fn that_a_plugin_was_forgotten_is_noted_though_it_was_owed_nothing() {
    let echo = Arc::new(Echo::default());
    let backend: Arc<dyn Backend> = Arc::<Echo>::clone(&echo);
    for dry_run in [true, false] {
        let forget = Operation::Forget { plugin: "owed-nothing".into(), dry_run, after: None };
        let actor = Actor("ops".to_owned());
        perform::operate(&backend, &actor, forget).await.expect("a report");
        let notes: &[&str] = if dry_run { &[] } else { &["forgotten"] };
        assert_eq!(*echo.notes.lock().expect("a lock"), notes);
    }
}

#[tokio::test]
async fn what_is_no_request_is_refused() {
    let server = serve();
    let post = |path: &str, body: &str| {
        let length = body.len();
        format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{body}")
    };
    for (request, status, code) in [
        (post("/nowhere", ""), 404, "not-found"),
        (post(QUERY, "{"), 400, "invalid"),
        (post(QUERY, r#"{"query":"event"}"#), 400, "invalid"),
        (post(OPERATE, &" ".repeat(REQUEST_BYTES_MAX + 1)), 413, "too-large"),
        ("GET /v1/query HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(), 405, "method-not-allowed"),
        (post(HEALTH, ""), 405, "method-not-allowed"),
    ] {
        let answer = raw(&server.data_dir, request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(answer.contains("content-type: application/problem+json"), "{answer}");
        assert!(answer.contains(&format!(r#""code":"{code}""#)), "{answer}");
    }
}

#[tokio::test]
async fn the_api_is_on_the_socket_too_and_asks_for_no_token() {
    let server = serve();
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: hookbox\r\n\r\n");
    let answer = raw(&server.data_dir, get("/api/v1/plugins")).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.ends_with(r#"{"items":[]}"#), "{answer}");
    let answer = raw(&server.data_dir, get("/api/v1/plugins?x=1")).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let answer = raw(&server.data_dir, get("/api/v1/events?sinec_ms=1")).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("unknown field `sinec_ms`"), "{answer}");
    let answer = raw(&server.data_dir, get("/api/v1/events?since_ms=x")).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("since_ms"), "{answer}");
    let answer = raw(&server.data_dir, get("/api/v1/events?state=x")).await;
    assert!(answer.contains("unknown variant `x`"), "{answer}");
}

#[tokio::test]
async fn health_is_told() {
    let server = serve();
    let request = "GET /v1/health HTTP/1.1\r\nhost: x\r\n\r\n".to_owned();
    let answer = raw(&server.data_dir, request).await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.ends_with(r#"{"health":"failing","since_ms":7,"error":"disk full"}"#));
}

#[tokio::test]
async fn the_socket_is_for_its_user_alone_and_gone_at_the_end() {
    let server = serve();
    let path = socket::path(&server.data_dir);
    let file = fs::metadata(&path).expect("the socket");
    assert!(file.file_type().is_socket());
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
    let left: Vec<_> = fs::read_dir(&server.data_dir).expect("the folder").collect();
    assert_eq!(left.len(), 1, "{left:?}");
    server.end.begin();
    server.serving.await.expect("an end");
    assert!(!path.exists());
    let client = Client::new(&server.data_dir);
    let nobody = client.check().await.expect_err("nobody");
    assert!(matches!(nobody, ClientError::Nobody { .. }), "{nobody}");
}

#[tokio::test]
async fn what_an_earlier_server_left_is_replaced() {
    let folder = tempfile::tempdir().expect("a folder");
    let data_dir = folder.path().to_owned();
    drop(UnixListener::bind(socket::path(&data_dir)).expect("a stale socket"));
    fs::create_dir(data_dir.join(".control")).expect("a folder");
    fs::write(data_dir.join(".control/control.sock"), "").expect("a file");
    let client = Client::new(&data_dir);
    assert!(client.check().await.is_err());
    let _server = serve_in(folder, data_dir);
    client.check().await.expect("a server");
}

#[tokio::test]
async fn a_path_that_no_address_holds_is_reached_all_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let data_dir = folder.path().join("d".repeat(120));
    fs::create_dir(&data_dir).expect("a folder");
    let server = serve_in(folder, data_dir);
    Client::new(&server.data_dir).check().await.expect("a server");
}

#[tokio::test]
async fn connections_that_say_nothing_do_not_hold_up_the_end() {
    let server = serve();
    let mut silent = Vec::new();
    for _ in 0..control::CONNECTIONS_MAX + 4 {
        silent.push(socket::connect(&server.data_dir).await.expect("a connection"));
    }
    server.end.begin();
    server.serving.await.expect("an end");
}

/// The description as it is kept in the repository.
const GOLDEN: &str = "../docs/openapi.json";

#[test]
fn the_description_in_the_repository_is_that_of_the_program() {
    let now = document().to_pretty_json().expect("JSON") + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(GOLDEN);
    if std::env::var_os("HOOKBOX_WRITE_OPENAPI").is_some() {
        fs::write(&path, &now).expect("writing docs/openapi.json");
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == now,
        "docs/openapi.json is not what the program says; run this test with \
         HOOKBOX_WRITE_OPENAPI=1 and look at what changed"
    );
}
