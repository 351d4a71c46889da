//! Plans, crash points and the control socket, on a process of their own: this test's binary,
//! started again with a plan in its environment.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

/// Says where the child has its database; without it [`child`] is no child.
const CHILD: &str = "HOOKBOX_FAULTS_TEST_DIRECTORY";
const SIGABRT: i32 = 6;

/// Commits a row for each line of its input, passes a crash point, and only then says so: what a
/// test does next finds the point passed.
#[test]
fn child() {
    let Some(directory) = std::env::var_os(CHILD) else { return };
    hookbox_faults::start();
    let path = Path::new(&directory).join("journal.db");
    let flags = OpenFlags::default();
    let db = match hookbox_faults::vfs() {
        Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs),
        None => Connection::open(path),
    }
    .unwrap();
    let synchronous = if hookbox_faults::synchronous_off() { "OFF" } else { "FULL" };
    db.execute_batch(&format!(
        "PRAGMA synchronous = {synchronous}; PRAGMA journal_mode = WAL;
         CREATE TABLE t (id INTEGER PRIMARY KEY)"
    ))
    .unwrap();
    println!("ready");
    for _ in std::io::stdin().lines() {
        let inserted = db.execute("INSERT INTO t DEFAULT VALUES", []);
        hookbox_faults::point("row.committed");
        match inserted {
            Ok(_) => println!("row"),
            Err(error) => println!("{error}"),
        }
    }
}

fn start(directory: &Path, plan: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--quiet"])
        .env(CHILD, directory)
        .env("HOOKBOX_FAULTS", plan)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Runs a child that is to write five rows.
fn run(directory: &Path, plan: &str) -> Output {
    let mut child = start(directory, plan);
    // A child that ends early does not read them all.
    let _ = child.stdin.take().unwrap().write_all(b"\n\n\n\n\n");
    child.wait_with_output().unwrap()
}

fn rows(directory: &Path) -> i64 {
    let db = Connection::open(directory.join("journal.db")).unwrap();
    db.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap()
}

#[test]
fn a_crash_point_ends_the_process_at_the_pass_it_names() {
    let directory = TempDir::new().unwrap();
    let output = run(directory.path(), "crash=row.committed:3,crash=other:1,synchronous=off");
    assert_eq!(output.status.signal(), Some(SIGABRT), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("crash at row.committed"));
    // The system outlives the process, and has what was written.
    assert_eq!(rows(directory.path()), 3);
}

#[test]
fn with_the_power_cut_only_what_was_synced_is_left() {
    let plan = "crash=row.committed:3,mode=power,disk";
    let directory = TempDir::new().unwrap();
    let output = run(directory.path(), plan);
    assert_eq!(output.status.signal(), Some(SIGABRT), "{output:?}");
    assert_eq!(rows(directory.path()), 3);

    let directory = TempDir::new().unwrap();
    let output = run(directory.path(), &format!("{plan},synchronous=off"));
    assert_eq!(output.status.signal(), Some(SIGABRT), "{output:?}");
    let db = std::fs::metadata(directory.path().join("journal.db")).unwrap();
    assert_eq!(db.len(), 0);
}

#[test]
fn without_a_plan_nothing_happens() {
    let directory = TempDir::new().unwrap();
    let output = run(directory.path(), "");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(rows(directory.path()), 5);
}

#[test]
fn a_plan_with_a_mistake_ends_the_process() {
    let directory = TempDir::new().unwrap();
    for (plan, message) in [
        ("crash=row.committed", "`row.committed` is not <point>:<n> with n from 1"),
        ("full", "there is no entry `full`"),
        ("mode=power", "mode=power needs disk"),
        ("control=/nowhere/at/all", "No such file or directory"),
    ] {
        let output = run(directory.path(), plan);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains(&format!("HOOKBOX_FAULTS={plan}: ")), "{stderr}");
        assert!(stderr.contains(message), "{stderr}");
    }
}

/// A child with a control socket, spoken to line by line.
struct Controlled {
    child: Child,
    stdout: BufReader<std::process::ChildStdout>,
    socket: BufReader<UnixStream>,
    directory: TempDir,
}

impl Controlled {
    fn start(plan: &str) -> Controlled {
        let directory = TempDir::new().unwrap();
        let control = directory.path().join("control");
        let mut child = start(directory.path(), &format!("{plan},control={}", control.display()));
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        while read_line(&mut stdout) != "ready" {}
        let socket = BufReader::new(UnixStream::connect(control).unwrap());
        Controlled { child, stdout, socket, directory }
    }

    fn command(&mut self, command: &str) -> String {
        writeln!(self.socket.get_mut(), "{command}").unwrap();
        read_line(&mut self.socket)
    }

    fn ask_for_row(&mut self) {
        self.child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    }

    fn row(&mut self) -> String {
        self.ask_for_row();
        read_line(&mut self.stdout)
    }

    fn wait_for_signal(mut self) -> (Option<i32>, TempDir) {
        // Open until then: `wait` would close it first, and the child might end by that.
        let stdin = self.child.stdin.take();
        let status = self.child.wait().unwrap();
        drop(stdin);
        (status.signal(), self.directory)
    }
}

fn read_line(from: &mut impl BufRead) -> String {
    let mut line = String::new();
    assert_ne!(from.read_line(&mut line).unwrap(), 0, "the end");
    line.trim().to_owned()
}

#[test]
fn the_control_socket_sets_and_heals_faults() {
    let mut controlled = Controlled::start("disk");
    assert_eq!(controlled.row(), "row");
    for (fault, error) in [
        ("full", "database or disk is full"),
        ("io", "disk I/O error"),
        ("sync", "disk I/O error"),
        ("read-only", "disk I/O error"),
    ] {
        assert_eq!(controlled.command(fault), "ok");
        assert_eq!(controlled.row(), error, "{fault}");
        assert_eq!(controlled.command("heal"), "ok");
        assert_eq!(controlled.row(), "row", "{fault}");
    }
    assert_eq!(controlled.command("explode"), "error: there is no command `explode`");
    assert_eq!(controlled.command("arm x 0"), "error: passes count from 1");
    assert_eq!(controlled.command("power-cut soon"), "error: `soon` is not a number");
    assert_eq!(controlled.command("power-cut 7"), "ok");
    let (signal, directory) = controlled.wait_for_signal();
    assert_eq!(signal, Some(SIGABRT));
    assert_eq!(rows(directory.path()), 5);
}

#[test]
fn the_control_socket_arms_a_point() {
    let mut controlled = Controlled::start("disk,mode=power,synchronous=off");
    assert_eq!(controlled.row(), "row");
    assert_eq!(controlled.command("arm row.committed 2"), "ok");
    assert_eq!(controlled.row(), "row");
    controlled.ask_for_row();
    let (signal, directory) = controlled.wait_for_signal();
    assert_eq!(signal, Some(SIGABRT));
    let db = std::fs::metadata(directory.path().join("journal.db")).unwrap();
    assert_eq!(db.len(), 0);
}

#[test]
fn without_a_disk_the_control_socket_only_kills() {
    let mut controlled = Controlled::start("synchronous=off");
    assert_eq!(controlled.row(), "row");
    assert_eq!(controlled.command("full"), "error: the plan has no disk");
    assert_eq!(controlled.command("kill"), "ok");
    let (signal, directory) = controlled.wait_for_signal();
    assert_eq!(signal, Some(SIGABRT));
    assert_eq!(rows(directory.path()), 1);
}
