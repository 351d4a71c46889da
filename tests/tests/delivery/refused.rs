//! Requests that were refused leave a note, and nothing of what they carried.

use std::fs;
use std::path::Path;

use hookbox_core::ids::Digest;
use hookbox_tests::{SECRET, Site, body};

use super::number;

/// A note: source, code, status, bytes and digest of the body.
type Note = (String, String, u16, Option<u32>, Option<String>);

fn notes(site: &Site) -> Vec<Note> {
    let journal = site.journal();
    let mut statement = journal
        .prepare("SELECT source, code, status, bytes, sha256 FROM refused ORDER BY seq")
        .expect("a statement");
    let rows = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)));
    rows.expect("rows").map(|row| row.expect("a row")).collect()
}

/// Looks through every file in a folder.
fn holds(folder: &Path, what: &str) -> bool {
    fs::read_dir(folder).expect("the folder").any(|entry| {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            return holds(&path, what);
        }
        // A socket cannot be read.
        fs::read(&path)
            .is_ok_and(|bytes| bytes.windows(what.len()).any(|part| part == what.as_bytes()))
    })
}

#[test]
fn a_refused_request_leaves_a_note_without_its_body_or_any_secret() {
    let site = Site::new("[server]\nbody_bytes_max = 4096\n");
    let server = site.serve();
    let marker = "a-marker-in-what-was-refused";
    let wrong = format!(r#"{{"event":"e","secret":"a_wrong_secret","x":"{marker}"}}"#);
    let missing = format!(r#"{{"event":"e","x":"{marker}"}}"#);
    let not_json = format!("{marker} {SECRET}");
    let large = body("e", &format!(r#","x":"{marker}{}""#, "x".repeat(5_000)));
    assert_eq!(server.post(&wrong).status, 401);
    assert_eq!(server.post(&missing).status, 401);
    assert_eq!(server.post(&not_json).status, 400);
    assert_eq!(server.post(&large).status, 413);
    assert_eq!(server.post_to("/hooks/nobody", &wrong).status, 404);
    // Notes are committed with the next event.
    server.post(body("e", r#","x":"a-marker-in-what-was-accepted""#)).event();

    let bytes = |body: &str| u32::try_from(body.len()).ok();
    let digest = |body: &str| Some(Digest::of(body.as_bytes()).to_string());
    let expected = [
        ("main", "secret-wrong", 401, bytes(&wrong), digest(&wrong)),
        ("main", "secret-missing", 401, bytes(&missing), digest(&missing)),
        // It holds the secret, which could be guessed from its digest.
        ("main", "not-json", 400, bytes(&not_json), None),
        ("main", "body-too-large", 413, None, None),
        ("nobody", "unknown-source", 404, None, None),
    ];
    let expected = expected.map(|(source, code, status, bytes, digest)| {
        (source.to_owned(), code.to_owned(), status, bytes, digest)
    });
    assert_eq!(notes(&site), expected);
    assert_eq!(number(&site, "SELECT count(*) FROM refused WHERE peer <> '127.0.0.1'"), 0);
    let data = site.path("data");
    let look = || {
        assert!(holds(&data, "a-marker-in-what-was-accepted"), "the search finds nothing");
        for secret in [marker, "a_wrong_secret", SECRET] {
            assert!(!holds(&data, secret), "{secret} is in the data directory");
        }
    };
    look();
    server.end();
    look();
}

#[test]
fn a_request_that_is_refused_while_nothing_else_comes_is_noted_too() {
    let site = Site::new("");
    let server = site.serve();
    assert_eq!(server.post("x").status, 400);
    server.end();
    assert_eq!(notes(&site).len(), 1);
}

#[test]
fn there_are_no_more_notes_than_are_wanted_and_the_newest_are_kept() {
    let site = Site::new("[journal]\nrefused_max = 5\n");
    let server = site.serve();
    for number in 0..20 {
        assert_eq!(server.post("x".repeat(number)).status, 400);
    }
    server.end();
    // It is cut at the start.
    let server = site.serve();
    let deadline = std::time::Instant::now() + hookbox_tests::PATIENCE;
    while number(&site, "SELECT count(*) FROM refused") != 5 {
        assert!(std::time::Instant::now() < deadline, "{:?}", notes(&site));
    }
    let bytes: Vec<Option<u32>> = notes(&site).into_iter().map(|note| note.3).collect();
    assert_eq!(bytes, [Some(15), Some(16), Some(17), Some(18), Some(19)]);
    server.end();
}
