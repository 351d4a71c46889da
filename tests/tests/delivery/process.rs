//! One process for each data directory, and a journal that it may open.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use hookbox_tests::{Site, body, probe};
use rusqlite::Connection;

use super::wait_handled;

#[test]
fn a_second_server_on_the_same_data_is_refused_and_told_of_the_first() {
    let site = Site::new("");
    site.install("probe", &probe(1));
    let server = site.serve();
    let output = site.serve_in_vain();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let other = format!("is in use by another hookbox (process {})", server.pid());
    assert!(said.contains(&other), "{said}");
    assert!(said.contains("server.data_dir"), "{said}");
    // The first goes on, and can be asked.
    let event = server.post(body("e", "")).event();
    wait_handled(&server, &event, "probe");
    assert_eq!(site.listed(&["events", "list"]).len(), 1);

    server.killed();
    let server = site.serve();
    assert_eq!(site.listed(&["events", "list"]).len(), 1);
    let event = server.post(body("e", "")).event();
    wait_handled(&server, &event, "probe");
}

#[test]
fn what_is_in_the_data_directory_is_for_its_owner_alone() {
    let site = Site::new("");
    site.install("probe", &probe(1));
    let server = site.serve();
    server.post(body("e", "")).event();
    let mode = |name: &str| {
        let path = site.path("data").join(name);
        fs::metadata(&path).expect(name).permissions().mode() & 0o777
    };
    for name in
        ["journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm", "control.sock", "lock"]
    {
        assert_eq!(mode(name), 0o600, "{name}: {:o}", mode(name));
    }
    assert_eq!(mode(""), 0o700);
}

/// A server does not start on this journal, says so, and leaves it as it was.
/// Nor do the operators' verbs.
fn refused(make: impl FnOnce(&Path), expected: &[&str]) {
    let site = Site::new("");
    fs::create_dir(site.path("data")).expect("a folder");
    let file = site.path("data/journal.sqlite");
    make(&file);
    let before = fs::read(&file).expect("the file");
    let output = site.serve_in_vain();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let (status, listed) = site.run(&["events", "list"]);
    assert_eq!(status, 1, "{listed}");
    for said in [said, listed] {
        println!("{}", said.trim_end());
        for part in expected.iter().chain([&"journal.sqlite"]) {
            assert!(said.contains(part), "{part:?} is not in: {said}");
        }
    }
    assert!(fs::read(&file).expect("the file") == before, "the file was changed");
    let left: Vec<String> = fs::read_dir(site.path("data"))
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with("journal.sqlite-"))
        .collect();
    assert_eq!(left, [""; 0]);
}

#[test]
fn a_journal_of_a_later_version_is_left_alone() {
    let made = Site::new("");
    made.serve().end();
    made.journal().pragma_update(None, "user_version", 99).expect("a version");
    let later = fs::read(made.path("data/journal.sqlite")).expect("the journal");
    refused(
        |file| fs::write(file, later).expect("a file"),
        &["written by a later version of hookbox (schema 99", "use that version"],
    );
}

#[test]
fn a_database_of_something_else_is_left_alone() {
    refused(
        |file| {
            let other = Connection::open(file).expect("a database");
            other.execute_batch("CREATE TABLE notes (text TEXT)").expect("a table");
        },
        &["no journal of hookbox", "move it away"],
    );
}

#[test]
fn a_file_that_is_no_database_is_left_alone() {
    refused(
        |file| fs::write(file, "garbage ".repeat(1_000)).expect("a file"),
        &["it is damaged (file is not a database)", "move it away"],
    );
}

#[test]
fn a_journal_that_was_cut_off_is_left_alone() {
    let made = Site::new("");
    let server = made.serve();
    for _ in 0..20 {
        server.post(body("e", "")).event();
    }
    server.end();
    let whole = fs::read(made.path("data/journal.sqlite")).expect("the journal");
    refused(
        |file| fs::write(file, &whole[..whole.len() / 2]).expect("a file"),
        &["damaged", "restore it from a backup"],
    );
}
