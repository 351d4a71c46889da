//! What happens, as it happens.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpStream;

use hookbox_tests::Site;
use serde_json::Value;

use crate::{Operator, WITH_TOKEN, bearer, head, is_problem};

/// A stream that is read.
pub(crate) struct Stream(BufReader<TcpStream>);

impl Stream {
    pub(crate) fn open(operator: &Operator, query: &str) -> Self {
        let path = format!("/api/v1/stream{query}");
        let stream = operator.send("GET", &path, &[("authorization", &bearer())], "");
        let mut stream = BufReader::new(stream);
        let (status, headers) = head(&mut stream);
        assert_eq!(status, 200);
        let is_stream = |(name, value): &(String, String)| {
            name == "content-type" && value.starts_with("text/event-stream")
        };
        assert!(headers.iter().any(is_stream), "{headers:?}");
        Self(stream)
    }

    /// The next event: its name and data. None: the stream ended.
    pub(crate) fn next(&mut self) -> Option<(String, Value)> {
        let mut name = String::new();
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).expect("a line") == 0 {
                return None;
            }
            if let Some(text) = line.trim_end().strip_prefix("event: ") {
                name = text.to_owned();
            }
            if let Some(text) = line.trim_end().strip_prefix("data: ") {
                return Some((name, serde_json::from_str(text).expect(text)));
            }
        }
    }

    /// Reads the rest, which must have the protocol's own end: the last chunk. A
    /// connection that was cut off has none.
    fn ends(mut self) {
        let mut rest = String::new();
        self.0.read_to_string(&mut rest).expect("the rest");
        assert!(rest == "0\r\n\r\n" || rest.ends_with("\r\n0\r\n\r\n"), "{rest:?}");
    }

    /// The next event of that name.
    pub(crate) fn until(&mut self, name: &str) -> Value {
        loop {
            let (have, data) = self.next().expect("an event");
            if have == name {
                return data;
            }
        }
    }
}

#[test]
fn the_state_of_the_server_is_told_each_second_until_it_ends() {
    let site = Site::new(WITH_TOKEN);
    let server = site.serve();
    let operator = Operator::of(&server);
    let mut stream = Stream::open(&operator, "");
    let silent = Stream::open(&operator, "?kinds=dead");
    let first = stream.until("tick");
    assert_eq!(first["address"], server.url());
    let second = stream.until("tick");
    assert!(second["stats"]["at_ms"].as_u64() > first["stats"]["at_ms"].as_u64());
    let begun = std::time::Instant::now();
    server.end();
    assert!(begun.elapsed() < std::time::Duration::from_secs(10), "streams hold up the end");
    stream.ends();
    silent.ends();
}

#[test]
fn there_are_only_so_many_streams() {
    let site = Site::new(WITH_TOKEN);
    let server = site.serve();
    let operator = Operator::of(&server);
    let mut open: Vec<Stream> = (0..16).map(|_| Stream::open(&operator, "")).collect();
    for stream in &mut open {
        stream.until("tick");
    }
    let headers = [("authorization", &*bearer())];
    is_problem(&operator.ask("GET", "/api/v1/stream", &headers, ""), 503, "unavailable");
    assert_eq!(operator.ask("GET", "/api/v1/status", &headers, "").status, 200);
    drop(open.pop());
    // Its place is free once the server has seen that it is gone.
    let deadline = std::time::Instant::now() + hookbox_tests::PATIENCE;
    loop {
        let mut stream = BufReader::new(operator.send("GET", "/api/v1/stream", &headers, ""));
        match head(&mut stream).0 {
            200 => return,
            status => assert_eq!(status, 503),
        }
        assert!(std::time::Instant::now() < deadline, "no place becomes free");
    }
}
