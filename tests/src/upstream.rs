//! A server on this machine to which plugins send requests. It counts
//! connections and keeps what it got.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::PATIENCE;

/// A request that it got.
#[derive(Debug, Clone)]
pub struct Received {
    /// Method, target and version.
    pub line: String,
    /// The header fields, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, not chunked any more.
    pub body: String,
    /// The same as it came, where its length was said before.
    pub bytes: Vec<u8>,
    /// When it was there.
    pub at: Instant,
}

impl Received {
    /// A header field.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }
}

/// What a request is answered.
#[derive(Debug, Clone)]
pub enum Answer {
    /// This status, these header fields each with its line end, this body.
    Status(u16, String, String),
    /// Nothing, ever.
    Hold,
    /// A body without end.
    Endless,
}

impl Answer {
    /// A status and a body.
    pub fn status(status: u16, body: &str) -> Self {
        Self::Status(status, String::new(), body.to_owned())
    }
}

#[derive(Default)]
struct State {
    connections: usize,
    open: usize,
    received: Vec<Received>,
}

#[derive(Default)]
struct Shared {
    // Written by the thread of each connection.
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.changed.notify_all();
    }
}

/// A server that runs until the test ends.
pub struct Upstream {
    port: u16,
    shared: Arc<Shared>,
}

impl Upstream {
    /// Answers each request by what a test says of it; the number counts
    /// requests from 0.
    pub fn new(answer: impl Fn(usize, &Received) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared::default());
        let (state, answer) = (Arc::clone(&shared), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                state.change(|state| {
                    (state.connections, state.open) = (state.connections + 1, state.open + 1)
                });
                let (state, answer) = (Arc::clone(&state), Arc::clone(&answer));
                std::thread::spawn(move || {
                    serve(stream, &state, &*answer);
                    state.change(|state| state.open -= 1);
                });
            }
        });
        Self { port, shared }
    }

    /// Answers each request with 200 and a text.
    pub fn fine() -> Self {
        Self::new(|_, _| Answer::status(200, "fine"))
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `http://127.0.0.1:<port>`
    pub fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// How many connections there were.
    pub fn connections(&self) -> usize {
        self.shared.state().connections
    }

    /// What it got so far.
    pub fn received(&self) -> Vec<Received> {
        self.shared.state().received.clone()
    }

    /// Waits until it got that many requests.
    pub fn wait_received(&self, count: usize) -> Vec<Received> {
        self.wait(|state| (state.received.len() >= count).then(|| state.received.clone()))
    }

    /// Waits until that many connections are open.
    pub fn wait_open(&self, count: usize) {
        self.wait(|state| (state.open == count).then_some(()));
    }

    fn wait<T>(&self, ready: impl Fn(&State) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.shared.state();
        loop {
            if let Some(found) = ready(&state) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "{} requests came, {} connections are open",
                state.received.len(),
                state.open
            );
            let waited = self.shared.changed.wait_timeout(state, left);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn serve(
    mut stream: TcpStream,
    shared: &Shared,
    answer: &(dyn Fn(usize, &Received) -> Answer + Send + Sync),
) {
    while let Some(received) = request(&mut stream) {
        let mut number = 0;
        shared.change(|state| {
            number = state.received.len();
            state.received.push(received.clone());
        });
        let text = match answer(number, &received) {
            Answer::Status(status, headers, body) => format!(
                "HTTP/1.1 {status} Whatever\r\n{headers}content-length: {}\r\n\r\n{body}",
                body.len()
            ),
            Answer::Hold => {
                let _closed = stream.read_to_end(&mut Vec::new());
                return;
            }
            Answer::Endless => {
                let _closed = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
                while stream.write_all(&[b'y'; 1_000]).is_ok() {}
                return;
            }
        };
        if stream.write_all(text.as_bytes()).is_err() {
            break;
        }
    }
    let _closed = stream.shutdown(Shutdown::Both);
}

/// Reads a request to its end; none at the end of the connection.
fn request(stream: &mut TcpStream) -> Option<Received> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4_096];
    loop {
        const END: &[u8] = b"\r\n\r\n";
        if let Some(end) = bytes.windows(END.len()).position(|window| window == END) {
            let (head, body) = (String::from_utf8_lossy(&bytes[..end]), &bytes[end + END.len()..]);
            let mut lines = head.lines();
            let line = lines.next().unwrap_or_default().to_owned();
            let pairs = lines.filter_map(|line| line.split_once(": "));
            let headers = pairs.map(|(n, v)| (n.to_lowercase(), v.to_owned())).collect();
            let (body_text, at) = (String::from_utf8_lossy(body), Instant::now());
            let mut received =
                Received { line, headers, body: String::new(), bytes: Vec::new(), at };
            let whole = match received.header("content-length") {
                Some(length) => {
                    let length: usize = length.parse().expect("a length");
                    (body.len() >= length).then(|| {
                        received.bytes = body.to_vec();
                        body_text.into_owned()
                    })
                }
                None if received.header("transfer-encoding").is_some() => unchunked(&body_text),
                None => Some(String::new()),
            };
            if let Some(body) = whole {
                received.body = body;
                return Some(received);
            }
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
        }
    }
}

/// The pieces of a chunked body (RFC 9112, section 7.1); none before its end.
fn unchunked(mut rest: &str) -> Option<String> {
    let mut body = String::new();
    loop {
        let (length, after) = rest.split_once("\r\n")?;
        let length = usize::from_str_radix(length, 16).expect("a length");
        if length == 0 {
            return Some(body);
        }
        body.push_str(after.get(..length)?);
        rest = after.get(length + 2..)?;
    }
}
