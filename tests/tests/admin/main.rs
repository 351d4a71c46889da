//! The operators' API of a running server, as a program or a browser uses it.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod access;
mod health;
mod journal;
mod stream;
mod whole;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use hookbox_tests::{PATIENCE, Reply, Server};
use serde_json::Value;

/// The token of an operator called `ops`.
const TOKEN: &str = "a-token-of-an-operator";

/// Settings with that token.
const WITH_TOKEN: &str = "[server]\nadmin_hosts = [\"hooks.example.com\"]\n\
    admin_tokens = [{ name = \"ops\", value = \"a-token-of-an-operator\" }]\n";

/// An operator at some server.
struct Operator {
    /// `127.0.0.1:<port>`
    address: String,
}

impl Operator {
    fn of(server: &Server) -> Self {
        let url = server.admin();
        let (_, address) = url.split_once("://").expect("a URL");
        Self { address: address.to_owned() }
    }

    /// Sends a request as it is and leaves its answer to be read.
    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let mut request = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
        if !headers.iter().any(|(name, _)| *name == "host") {
            request += &format!("host: {}\r\n", self.address);
        }
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() {
            request += &format!("content-length: {}\r\n", body.len());
        }
        request += &format!("\r\n{body}");
        stream.write_all(request.as_bytes()).expect("a request");
        stream
    }

    /// The same with its answer.
    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let mut stream = BufReader::new(self.send(method, path, headers, body));
        let (status, headers) = head(&mut stream);
        let mut body = String::new();
        stream.read_to_string(&mut body).expect("a body");
        Reply { status, headers, body }
    }

    /// Asks as an operator, and must be answered.
    fn get(&self, path: &str) -> Value {
        let reply = self.ask("GET", path, &[("authorization", &bearer())], "");
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        reply.json()
    }

    /// Changes something as an operator.
    fn post(&self, path: &str, body: &str) -> Reply {
        let headers = [("authorization", &*bearer()), ("content-type", "application/json")];
        self.ask("POST", path, &headers, body)
    }

    /// Asks until the answer is as a test wants it: what a call did is in the
    /// journal a little after its log line.
    fn wait(&self, path: &str, done: impl Fn(&Value) -> bool) -> Value {
        let deadline = std::time::Instant::now() + PATIENCE;
        loop {
            let answer = self.get(path);
            if done(&answer) {
                return answer;
            }
            assert!(std::time::Instant::now() < deadline, "{path}: {answer}");
        }
    }
}

fn bearer() -> String {
    format!("Bearer {TOKEN}")
}

/// Status and header fields, names in lower case.
fn head(stream: &mut BufReader<TcpStream>) -> (u16, Vec<(String, String)>) {
    let mut line = String::new();
    stream.read_line(&mut line).expect("a status line");
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).expect("a header field");
        match line.trim_end().split_once(": ") {
            Some((name, value)) => headers.push((name.to_lowercase(), value.to_owned())),
            None => return (status.expect("a status"), headers),
        }
    }
}

/// That it is a problem document with that code.
fn is_problem(reply: &Reply, status: u16, code: &str) {
    assert_eq!(reply.status, status, "{}", reply.body);
    assert_eq!(reply.header("content-type"), Some("application/problem+json"));
    assert_eq!(reply.json()["code"], code, "{}", reply.body);
    assert_eq!(reply.json()["status"], status);
}
