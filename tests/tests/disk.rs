//! A disk that is full, fails, or cannot be written: senders are told to come
//! back, nothing that was acknowledged is lost, and it goes on by itself when
//! the disk does.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::process::Command;

use hookbox_tests::{Reply, Server, Site, body, probe, text};

fn unwritable(reply: &Reply) {
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("5")), "{}", reply.body);
    assert_eq!(reply.json()["code"], "unwritable");
}

fn recovers(server: &Server) {
    server.wait(|line| text(line, "message") == "the journal can be written again");
    assert_eq!(server.get("/readyz").body, r#"{"status":"ok"}"#);
}

/// `sign`: what the log must say of the fault.
fn survives(fault: &str, sign: &str) {
    let site = Site::new(
        "[server]\nhealth_on_public = true\n[plugin.probe]\ndeadline_ms = 400\nbackoff_first_ms = 0\nbackoff_max_ms = 0\n",
    );
    site.install("probe", &probe(1));
    let server = site.serve_faulty("disk");
    let before = server.post(body("before", "")).event();
    assert_eq!(text(&server.wait_done(&before, "probe"), "message"), "handled");
    // Its call ends while nothing can be written.
    let during = server.post(body("during", r#","probe":"sleep""#)).event();
    server.wait(|line| text(line, "event") == during && line.get("stream").is_some());

    // Someone else has the journal open, so that closing it copies nothing back.
    let other = site.journal();
    let events = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
    other.query_row("SELECT count(*) FROM events", [], events).expect("a count");

    site.fault(fault);
    unwritable(&server.post(body("lost", "")));
    let told =
        server.wait(|line| text(line, "message").starts_with("the journal cannot be written"));
    assert!(text(&told, "error").contains(sign), "{told}");
    unwritable(&server.post(body("lost", "")));
    let health = server.get("/readyz");
    assert_eq!((health.status, health.body.as_str()), (503, r#"{"status":"failing"}"#));
    let failed = server.wait_done(&during, "probe");
    assert_eq!(text(&failed, "failure"), "deadline");

    site.fault("heal");
    recovers(&server);
    // The end of the call that could not be written was not lost.
    server.wait_for(2, |line| text(line, "event") == during && text(line, "message") == "failed");
    let after = server.post(body("after", "")).event();
    assert_eq!(text(&server.wait_done(&after, "probe"), "message"), "handled");

    drop(other);
    // What was answered 200 is there after a power cut, and what was not is not.
    site.fault("power-cut");
    server.wait_ended();
    let journal = site.journal();
    let mut names = journal.prepare("SELECT name FROM events ORDER BY seq").expect("a statement");
    let names: Vec<String> = names
        .query_map([], |row| row.get(0))
        .expect("rows")
        .map(|row| row.expect("a row"))
        .collect();
    let expected: Vec<&str> = match fault {
        // The commit whose sync failed may be in the file all the same.
        "sync" if names.contains(&"lost".to_owned()) => vec!["before", "during", "lost", "after"],
        _ => vec!["before", "during", "after"],
    };
    assert_eq!(names, expected);
    let outcome: String = journal
        .query_row(
            "SELECT outcome FROM attempts JOIN events ON seq = event
             WHERE name = 'during' AND number = 1",
            [],
            |row| row.get(0),
        )
        .expect("the attempt");
    assert_eq!(outcome, "deadline");
}

#[test]
fn a_full_disk_is_survived() {
    survives("full", "make room on the disk");
}

#[test]
fn a_failing_disk_is_survived() {
    survives("io", "look for the disk's errors");
}

#[test]
fn a_failing_sync_is_survived_and_not_believed_later() {
    survives("sync", "look for the disk's errors");
}

#[test]
fn a_disk_that_was_remounted_read_only_is_survived() {
    survives("read-only", "disk");
}

/// A real file system of 6 MiB, where the system lets us mount one.
#[test]
fn a_real_full_file_system_is_survived() {
    let site = Site::new("[server]\nhealth_on_public = true\n");
    let data = site.path("data");
    fs::create_dir(&data).expect("a folder");
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=14m", "hookbox-test"])
        .arg(&data)
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        println!("not run: this system does not let us mount a tmpfs");
        return;
    }
    let _unmounted = Unmount(&data);
    let filler = data.join("filler");
    // As much as what is written until then, which is copied once more on the way back.
    fs::write(&filler, vec![1; 7 << 20]).expect("7 MiB");
    site.install("probe", &probe(1));
    let server = site.serve();
    let large = "x".repeat(100_000);
    let mut accepted = Vec::new();
    let refused = loop {
        let reply = server.post(body("large", &format!(r#","x":"{large}{}""#, accepted.len())));
        if reply.status != 200 {
            break reply;
        }
        accepted.push(reply.event());
        assert!(accepted.len() < 100, "the disk never gets full");
    };
    unwritable(&refused);
    println!("full after {} events", accepted.len());
    fs::remove_file(&filler).expect("making room");
    recovers(&server);
    let after = server.post(body("after", "")).event();
    accepted.push(after);
    for event in &accepted {
        server.wait(|line| {
            text(line, "message") == "handled" && text(line, "event") == event.as_str()
        });
    }
    server.end();
}

struct Unmount<'a>(&'a std::path::Path);

impl Drop for Unmount<'_> {
    fn drop(&mut self) {
        let _left_behind = Command::new("umount").arg("--lazy").arg(self.0).status();
    }
}
