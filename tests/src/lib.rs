//! What the tests share: a real server in a folder of its own, its log, and
//! real components.
//!
//! Nothing here sleeps: whoever waits, waits for a log line or for a process,
//! and gives up with what it saw after [`PATIENCE`].

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

pub mod upstream;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// Nothing that a test waits for takes this long, on the slowest machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The secret of the source `main` in each test.
pub const SECRET: &str = hookbox_core::targetvideo::samples::SECRET;

/// The source that each test's server has.
pub const SOURCE: &str =
    "[[source]]\nname = \"main\"\nsecrets = [{ name = \"test\", value = \"your_secret_key\" }]\n";

fn built(variable: &str, usual: &str) -> PathBuf {
    let usual = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/").to_owned() + usual;
    let path = std::env::var_os(variable).map_or_else(|| PathBuf::from(usual), PathBuf::from);
    assert!(path.exists(), "{} is missing: run `cargo xtask test`", path.display());
    path
}

/// The real binary.
pub fn program() -> PathBuf {
    built("HOOKBOX_PROGRAM", "debug/hookbox")
}

/// The binary with faults on purpose.
pub fn faulty_program() -> PathBuf {
    built("HOOKBOX_FAULTY_PROGRAM", "faulty/hookbox")
}

/// The bytes of a compiled plugin.
pub fn plugin(name: &str) -> Vec<u8> {
    let file = built("HOOKBOX_GUESTS", "guests/components").join(format!("{name}.wasm"));
    fs::read(&file).unwrap_or_else(|e| panic!("{}: {e}: run `cargo xtask test`", file.display()))
}

/// A build of the guest `probe` of its own, which says `probe-build-<number>`.
pub fn probe(number: usize) -> Vec<u8> {
    const MARK: &[u8] = b"probe-build-000000";
    let mut bytes = plugin("probe");
    let found: Vec<usize> =
        bytes.windows(MARK.len()).enumerate().filter(|(_, w)| *w == MARK).map(|(i, _)| i).collect();
    let [at] = found.as_slice() else { panic!("the mark is there {} times", found.len()) };
    let mark = format!("probe-build-{number:06}");
    bytes[*at..*at + MARK.len()].copy_from_slice(mark.as_bytes());
    bytes
}

/// Puts a file in place whole, as an operator should.
pub fn put(path: &Path, bytes: &[u8]) {
    let coming = path.with_file_name(format!(
        ".{}.coming",
        path.file_name().expect("a file name").to_string_lossy()
    ));
    fs::write(&coming, bytes).expect("writing a file");
    fs::rename(&coming, path).expect("renaming a file");
}

/// A folder with a configuration and a plugins directory.
pub struct Site {
    folder: TempDir,
}

impl Site {
    /// With the usual source, quick to reload, and `more` configuration.
    pub fn new(more: &str) -> Self {
        Self::with_sources(SOURCE, more)
    }

    /// With sources of its own.
    pub fn with_sources(sources: &str, more: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("hookbox-test-").tempdir().expect("a folder");
        fs::create_dir(folder.path().join("plugins")).expect("a folder");
        let site = Self { folder };
        site.configure(sources, more);
        site
    }

    /// Writes the configuration anew.
    pub fn configure(&self, sources: &str, more: &str) {
        let mut text = format!("{sources}\n{more}\n");
        let mut server = "listen = \"127.0.0.1:0\"\n".to_owned();
        if !text.contains("\nadmin = ") {
            server.push_str("admin = \"127.0.0.1:0\"\n");
        }
        for (section, keys) in [
            ("server", server.as_str()),
            ("reload", "settle_ms = 50\ndelete_grace_ms = 300\nrescan_ms = 300\n"),
        ] {
            let header = format!("[{section}]\n");
            match text.find(&header) {
                Some(at) => text.insert_str(at + header.len(), keys),
                None => text.push_str(&format!("{header}{keys}")),
            }
        }
        put(&self.path("hookbox.toml"), text.as_bytes());
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The file of a plugin.
    pub fn plugin_file(&self, name: &str) -> PathBuf {
        self.path("plugins").join(format!("{name}.wasm"))
    }

    /// Drops a plugin into the directory.
    pub fn install(&self, name: &str, bytes: &[u8]) {
        put(&self.plugin_file(name), bytes);
    }

    /// The program with this site's configuration, log lines as JSON.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.command_of(&program(), arguments)
    }

    fn command_of(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .arg("--config")
            .arg(self.path("hookbox.toml"))
            .env_clear()
            .env("HOOKBOX_LOG__FORMAT", "json")
            .stdin(Stdio::null());
        command
    }

    /// Starts the server and waits until it listens.
    pub fn serve(&self) -> Server {
        self.serve_with(&[])
    }

    /// The same with variables in its environment.
    pub fn serve_with(&self, variables: &[(&str, &str)]) -> Server {
        let mut command = self.command(&["serve"]);
        command.envs(variables.iter().copied());
        Server::of(command)
    }

    /// Starts the server with faults on purpose; see `hookbox_faults::plan`.
    pub fn serve_faulty(&self, plan: &str) -> Server {
        let mut command = self.command_of(&faulty_program(), &["serve"]);
        let control = self.path("faults.sock");
        command.env("HOOKBOX_FAULTS", format!("{plan},control={}", control.display()));
        // Where something is owed from before, it may crash before it listens.
        Server::of_fragile(command)
    }

    /// The journal, opened as any tool would.
    pub fn journal(&self) -> rusqlite::Connection {
        let file = self.path("data/journal.sqlite");
        rusqlite::Connection::open(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
    }

    /// What a command prints, and its exit status.
    pub fn run(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.command(arguments).output().expect("running the program");
        let text = [output.stdout, output.stderr].concat();
        (output.status.code().expect("a status"), String::from_utf8(text).expect("text"))
    }

    /// What a command prints that must succeed.
    pub fn done(&self, arguments: &[&str]) -> String {
        let (status, output) = self.run(arguments);
        assert_eq!(status, 0, "{arguments:?}: {output}");
        output
    }

    /// The lines of a list as JSON.
    pub fn listed(&self, arguments: &[&str]) -> Vec<Value> {
        let output = self.done(&[arguments, &["--json"]].concat());
        output.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    /// Asks for a list until it has that many lines: a call's log line comes
    /// before its end is in the journal.
    pub fn wait_listed(&self, arguments: &[&str], count: usize) -> Vec<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let items = self.listed(arguments);
            if items.len() == count {
                return items;
            }
            assert!(Instant::now() < deadline, "{arguments:?}: not {count}: {items:?}");
        }
    }

    /// All that is known of an event.
    pub fn shown(&self, event: &str) -> Value {
        let output = self.done(&["events", "show", event, "--json"]);
        serde_json::from_str(&output).expect("JSON")
    }

    /// Tells a server that was started by [`Site::serve_faulty`] with
    /// `control=faults.sock` what goes wrong from now on.
    pub fn fault(&self, command: &str) {
        let mut stream = UnixStream::connect(self.path("faults.sock")).expect("the faults' socket");
        stream.write_all(format!("{command}\n").as_bytes()).expect("a command");
        let mut answer = String::new();
        // It may end before it answers.
        let _ended = BufReader::new(stream).read_line(&mut answer);
    }

    /// Runs the server where it is expected to end by itself.
    pub fn serve_in_vain(&self) -> Output {
        self.command(&["serve"]).output().expect("running the server")
    }
}

/// A running server. Killed when dropped.
pub struct Server {
    child: Child,
    url: String,
    log: Arc<Log>,
}

#[derive(Default)]
struct Log {
    // Written by the thread that reads the server's standard error.
    state: Mutex<LogState>,
    grown: Condvar,
}

#[derive(Default)]
struct LogState {
    lines: Vec<Value>,
    raw: String,
    ended: bool,
}

impl Log {
    fn state(&self) -> MutexGuard<'_, LogState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a request was answered.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The header fields, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Reply {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }

    /// A header field.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }

    /// The id that an accepted event got.
    pub fn event(&self) -> String {
        assert_eq!(self.status, 200, "{}", self.body);
        self.json()["id"].as_str().expect("an id").to_owned()
    }
}

impl Server {
    /// Starts one and waits until it listens.
    pub fn of(command: Command) -> Self {
        let mut server = Self::start(command);
        let line = server.wait(|line| text(line, "message").starts_with("listening for webhooks"));
        server.url = text(&line, "address").to_owned();
        server
    }

    /// The same where it may end before that: then it answers nothing.
    fn of_fragile(command: Command) -> Self {
        let mut server = Self::start(command);
        let mut state = server.log.state();
        loop {
            let listens =
                |line: &&Value| text(line, "message").starts_with("listening for webhooks");
            let line = state.lines.iter().find(listens);
            let url = line.map(|line| text(line, "address").to_owned());
            if url.is_some() || state.ended {
                drop(state);
                server.url = url.unwrap_or_default();
                return server;
            }
            state = server.log.grown.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn start(mut command: Command) -> Self {
        let mut child = command
            .stderr(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("starting hookbox");
        let log = Arc::new(Log::default());
        let stderr = child.stderr.take().expect("standard error");
        let reader = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let value = serde_json::from_str(&line).unwrap_or(Value::String(line.clone()));
                let mut state = reader.state();
                state.raw.push_str(&line);
                state.raw.push('\n');
                state.lines.push(value);
                drop(state);
                reader.grown.notify_all();
            }
            reader.state().ended = true;
            reader.grown.notify_all();
        });
        Self { child, url: String::new(), log }
    }

    /// `http://127.0.0.1:<port>`
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The address alone.
    pub fn address(&self) -> SocketAddr {
        let (_, address) = self.url.split_once("://").expect("a URL");
        address.parse().expect("an address")
    }

    /// `http://127.0.0.1:<port>`, where operators are listened to.
    pub fn admin(&self) -> String {
        let line = self.wait(|line| text(line, "message") == "listening for operators");
        text(&line, "address").to_owned()
    }

    /// The process.
    pub fn pid(&self) -> Pid {
        let id = i32::try_from(self.child.id()).expect("a process id");
        Pid::from_raw(id).expect("a process id")
    }

    /// Posts a body to the source `main`.
    pub fn post(&self, body: impl AsRef<[u8]>) -> Reply {
        self.post_to("/hooks/main", body)
    }

    /// Posts a body to a path.
    pub fn post_to(&self, path: &str, body: impl AsRef<[u8]>) -> Reply {
        self.try_post_to(path, body).expect("a response")
    }

    /// The same where the server may end before it answers.
    pub fn try_post_to(&self, path: &str, body: impl AsRef<[u8]>) -> Option<Reply> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .build()
            .into();
        if self.url.is_empty() {
            return None;
        }
        let url = format!("{}{path}", self.url);
        let mut response = agent.post(url).send(body.as_ref()).ok()?;
        Some(Reply {
            status: response.status().as_u16(),
            headers: response
                .headers()
                .iter()
                .map(|(n, v)| (n.to_string(), v.to_str().unwrap_or_default().to_owned()))
                .collect(),
            body: response.body_mut().read_to_string().ok()?,
        })
    }

    /// Gets a path.
    pub fn get(&self, path: &str) -> Reply {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .build()
            .into();
        let mut response = agent.get(format!("{}{path}", self.url)).call().expect("a response");
        Reply {
            status: response.status().as_u16(),
            headers: Vec::new(),
            body: response.body_mut().read_to_string().expect("a body"),
        }
    }

    /// Sends text as it is on a connection of its own, and reads what comes
    /// until the server closes it.
    pub fn raw(&self, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address()).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        // The server may have answered and closed before all is sent.
        let _closed = stream.write_all(request);
        let mut answer = Vec::new();
        let _reset = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Log lines so far that a test chooses.
    pub fn lines(&self, choose: impl Fn(&Value) -> bool) -> Vec<Value> {
        self.log.state().lines.iter().filter(|line| choose(line)).cloned().collect()
    }

    /// All that the server wrote to its log.
    pub fn raw_log(&self) -> String {
        self.log.state().raw.clone()
    }

    /// Waits for the first log line that a test chooses.
    pub fn wait(&self, choose: impl Fn(&Value) -> bool) -> Value {
        self.wait_for(1, choose).remove(0)
    }

    /// Waits until there are that many such lines.
    pub fn wait_for(&self, count: usize, choose: impl Fn(&Value) -> bool) -> Vec<Value> {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.log.state();
        let (mut seen, mut found) = (0, Vec::new());
        loop {
            found.extend(state.lines[seen..].iter().filter(|line| choose(line)).cloned());
            seen = state.lines.len();
            if found.len() >= count {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || state.ended {
                let tail: Vec<String> =
                    state.lines.iter().rev().take(30).rev().map(ToString::to_string).collect();
                let found = found.len();
                panic!("{found} of {count} lines came; the log's end:\n{}", tail.join("\n"));
            }
            (state, _) =
                self.log.grown.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until that build of a plugin is live.
    pub fn wait_live(&self, plugin: &str, bytes: &[u8]) -> Value {
        let digest = hookbox_core::ids::Digest::of(bytes).short();
        self.wait(|line| {
            text(line, "message") == "plugin is live"
                && text(line, "plugin") == plugin
                && text(line, "digest") == digest
        })
    }

    /// Waits until an event was handled or failed by a plugin, and returns that line.
    pub fn wait_done(&self, event: &str, plugin: &str) -> Value {
        self.wait(|line| {
            matches!(text(line, "message"), "handled" | "failed")
                && text(line, "event") == event
                && text(line, "plugin") == plugin
        })
    }

    /// What a plugin logged while it handled an event.
    pub fn said(&self, event: &str, plugin: &str) -> Vec<String> {
        let own = |line: &Value| {
            line.get("stream").is_some()
                && text(line, "event") == event
                && text(line, "plugin") == plugin
        };
        self.lines(own).iter().map(|line| text(line, "message").to_owned()).collect()
    }

    /// Resident memory, in bytes.
    pub fn resident_bytes(&self) -> u64 {
        self.status_bytes("VmRSS:")
    }

    /// The most resident memory there ever was, in bytes.
    pub fn peak_resident_bytes(&self) -> u64 {
        self.status_bytes("VmHWM:")
    }

    fn status_bytes(&self, name: &str) -> u64 {
        let file = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(file).expect("the process's status");
        let line = status.lines().find(|line| line.starts_with(name)).expect(name);
        let kib: String = line.chars().filter(char::is_ascii_digit).collect();
        kib.parse::<u64>().expect("a number") * 1024
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("sending a signal");
    }

    /// How many events it has accepted, by its log.
    pub fn acknowledged(&self) -> usize {
        self.lines(|line| text(line, "message") == "accepted").len()
    }

    /// Waits until it has accepted that many events, or has ended.
    pub fn wait_acknowledged(&self, count: usize) {
        let mut state = self.log.state();
        let (mut seen, mut found) = (0, 0);
        loop {
            let new = &state.lines[seen..];
            found += new.iter().filter(|line| text(line, "message") == "accepted").count();
            seen = state.lines.len();
            if found >= count || state.ended {
                return;
            }
            state = self.log.grown.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Kills it as soon as it has accepted that many events.
    pub fn kill_when_acknowledged(&self, count: usize) {
        self.wait_acknowledged(count);
        self.signal(Signal::KILL);
    }

    /// Waits until it has ended, however.
    pub fn wait_ended(&self) {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.log.state();
        while !state.ended {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "the server does not end:\n{}", state.raw);
            (state, _) =
                self.log.grown.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until it has ended.
    pub fn ended(&mut self) -> ExitStatus {
        self.wait_ended();
        self.child.wait().expect("the server's status")
    }

    /// Kills it, if it still lives, and returns all lines that it logged.
    pub fn killed(mut self) -> Vec<Value> {
        let _ended_already = self.child.kill();
        self.ended();
        self.lines(|_| true)
    }

    /// Ends it in order, and returns all that it logged.
    pub fn end(mut self) -> String {
        self.signal(Signal::TERM);
        let status = self.ended();
        assert!(status.success(), "{status}:\n{}", self.raw_log());
        self.raw_log()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _ended_already = self.child.wait();
    }
}

/// A member of a log line as text; empty where there is none.
pub fn text<'a>(line: &'a Value, member: &str) -> &'a str {
    line.get(member).and_then(Value::as_str).unwrap_or_default()
}

/// A sample body of one of the documented events.
pub fn sample(event: &str) -> &'static str {
    hookbox_core::targetvideo::samples::body(event).expect("a sample")
}

/// A body of an event with members of its own, and the right secret.
pub fn body(event: &str, members: &str) -> String {
    format!(r#"{{"event":"{event}","secret":"{SECRET}"{members}}}"#)
}
