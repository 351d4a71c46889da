//! What the server tells the service manager that started it, by `sd_notify(3)`.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::Write as _;
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::process::Command;

use hookbox_tests::{PATIENCE, SOURCE, Server, Site, body, faulty_program, text};
use rustix::process::Signal;

/// The service manager's side: a socket for messages.
struct Manager(UnixDatagram);

impl Manager {
    fn new(site: &Site) -> Self {
        let socket = UnixDatagram::bind(site.path("notify.sock")).expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        Self(socket)
    }

    /// The next message's lines.
    fn told(&self) -> Vec<String> {
        let mut buffer = [0; 4_096];
        let length = self.0.recv(&mut buffer).expect("a message");
        let bytes = buffer.get(..length).expect("a message");
        String::from_utf8(bytes.to_owned()).expect("text").lines().map(str::to_owned).collect()
    }

    /// The status of the next message, which must begin with `first`.
    fn status(&self, first: &str) -> String {
        let told = self.told();
        let [begin, status] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!(begin, first);
        status.strip_prefix("STATUS=").unwrap_or_else(|| panic!("{told:?}")).to_owned()
    }

    /// All messages that are there already.
    fn drain(&self) -> Vec<String> {
        self.0.set_nonblocking(true).expect("no waiting");
        let mut buffer = [0; 4_096];
        let mut all = Vec::new();
        while let Ok(length) = self.0.recv(&mut buffer) {
            all.push(String::from_utf8_lossy(buffer.get(..length).expect("a message")).into());
        }
        self.0.set_nonblocking(false).expect("waiting");
        all
    }
}

fn managed(site: &Site, mut command: Command, watchdog_usec: Option<&str>) -> Server {
    command.env("NOTIFY_SOCKET", site.path("notify.sock"));
    if let Some(usec) = watchdog_usec {
        command.env("WATCHDOG_USEC", usec);
    }
    Server::of(command)
}

#[test]
fn the_start_a_reload_and_the_end_are_told_in_order() {
    let site = Site::new("");
    let manager = Manager::new(&site);
    let mut server = managed(&site, site.command(&["serve"]), None);
    assert_eq!(manager.told(), ["STATUS=opening the journal"]);
    assert_eq!(manager.told(), ["STATUS=loading plugins"]);
    let status = manager.status("READY=1");
    assert_eq!(status, format!("listening at {}, plugins: 0", server.url()));
    assert_eq!(server.post(body("any", "")).status, 200);

    server.signal(Signal::HUP);
    let begin = manager.told();
    let [reloading, monotonic] = begin.as_slice() else { panic!("{begin:?}") };
    assert_eq!(reloading, "RELOADING=1");
    let usec = monotonic.strip_prefix("MONOTONIC_USEC=").expect("a time");
    assert!(usec.parse::<u64>().expect("a number") > 0);
    assert_eq!(manager.status("READY=1"), "the configuration was read again");

    site.configure(SOURCE, "[serve]\n");
    server.wait(|line| text(line, "message").starts_with("the new configuration is refused"));
    server.signal(Signal::HUP);
    assert_eq!(manager.told().first().map(String::as_str), Some("RELOADING=1"));
    let status = manager.status("READY=1");
    assert!(status.starts_with("the new configuration is refused"), "{status}");

    server.signal(Signal::TERM);
    assert_eq!(manager.status("STOPPING=1"), "ending: calls that run may end");
    assert!(server.ended().success());
    assert_eq!(manager.drain(), [""; 0]);
}

#[test]
fn a_reload_that_nobody_asked_for_is_not_told() {
    let site = Site::new("");
    let manager = Manager::new(&site);
    let server = managed(&site, site.command(&["serve"]), None);
    site.configure(SOURCE, "[plugin_defaults]\ncpu_ms = 900\n[serve]\n");
    server.wait(|line| text(line, "message").starts_with("the new configuration is refused"));
    server.end();
    let told = manager.drain();
    assert!(told.iter().any(|message| message.starts_with("STOPPING=1")), "{told:?}");
    assert!(!told.iter().any(|message| message.contains("RELOADING")), "{told:?}");
}

#[test]
fn a_server_that_cannot_start_is_never_ready() {
    let site = Site::new("[serve]\n");
    let manager = Manager::new(&site);
    let mut command = site.command(&["serve"]);
    let output = command.env("NOTIFY_SOCKET", site.path("notify.sock")).output().expect("an end");
    assert!(!output.status.success());
    let told = manager.drain();
    assert!(!told.iter().any(|message| message.contains("READY")), "{told:?}");
}

#[test]
fn signs_of_life_end_when_the_journal_stands_still() {
    const SILENT: &str = "the journal's thread does not answer: no sign of life is sent";
    let site = Site::new("");
    let manager = Manager::new(&site);
    let mut command = site.command(&["serve"]);
    let mut faulty = Command::new(faulty_program());
    faulty.args(command.get_args()).env_clear();
    faulty.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let control = site.path("faults.sock");
    faulty.env("HOOKBOX_FAULTS", format!("disk,control={}", control.display()));
    command = faulty;
    let server = managed(&site, command, Some("1500000"));
    let mut signs = 0;
    while signs < 3 {
        signs += usize::from(manager.told() == ["WATCHDOG=1"]);
    }
    // A disk that fails is no reason for a restart.
    site.fault("full");
    assert_eq!(server.post(body("first", "")).status, 503);
    manager.drain();
    assert_eq!(manager.told(), ["WATCHDOG=1"]);
    site.fault("heal");
    server.wait(|line| text(line, "message") == "the journal can be written again");

    site.fault("hang");
    let mut sender = TcpStream::connect(server.address()).expect("a connection");
    let event = body("second", "");
    let length = event.len();
    write!(
        sender,
        "POST /hooks/main HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{event}"
    )
    .expect("a request");
    server.wait(|line| text(line, "message") == SILENT);
    manager.drain();
    server.wait_for(4, |line| text(line, "message") == SILENT);
    assert_eq!(manager.drain(), [""; 0]);
}
