//! Each released version of the plugin interface, for ever: its texts are as
//! they were released, and a component that was built for it then runs now.
//!
//! `tests/fixtures/wit-<version>` has what that takes; its README says how it
//! was made. Nothing there is ever made again.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use hookbox_core::ids::Digest;
use hookbox_tests::upstream::{Answer, Upstream};
use hookbox_tests::{Server, Site, body, text};
use serde_json::Value;

const TOKEN: &str = "t0ken-hush-4713";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The folders of fixtures, one for each version.
fn versions() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("tests/fixtures")).expect("the fixtures");
    let is_version = |path: &PathBuf| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("wit-"))
    };
    let versions: Vec<_> = entries.flatten().map(|entry| entry.path()).filter(is_version).collect();
    assert!(!versions.is_empty());
    versions
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Digest by file, from lines as `sha256sum` writes them.
fn released(version: &Path) -> BTreeMap<String, String> {
    let line = |line: &str| {
        let (digest, file) = line.split_once("  ").expect("a digest and a file");
        (file.to_owned(), digest.to_owned())
    };
    read(&version.join("released.sha256")).lines().map(line).collect()
}

/// The texts of packages below a folder of `wit`, as paths from the root. Links
/// are other packages.
fn texts(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(root().join(folder)).unwrap_or_else(|e| panic!("{folder}: {e}"));
    let mut all = BTreeSet::new();
    for entry in entries.map(|entry| entry.expect("an entry")) {
        let path = format!("{folder}/{}", entry.file_name().to_str().expect("UTF-8"));
        let kind = entry.file_type().expect("a type");
        if kind.is_dir() {
            all.extend(texts(&path));
        } else if kind.is_file() && path.ends_with(".wit") {
            all.insert(path);
        }
    }
    all
}

#[test]
fn a_released_text_is_never_edited() {
    for version in versions() {
        let released = released(&version);
        for (file, digest) in &released {
            let now = fs::read(root().join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
            assert_eq!(
                Digest::of(&now).to_string(),
                *digest,
                "{file} is released and must stay as it is: a change needs a new version of its \
                 package, in a folder of its own; see wit/PENDING.md"
            );
        }
        // A file beside them would be part of the package.
        let folders: BTreeSet<&str> =
            released.keys().filter_map(|file| Some(file.rsplit_once('/')?.0)).collect();
        let there: BTreeSet<String> = folders.iter().flat_map(|folder| texts(folder)).collect();
        assert_eq!(there, released.into_keys().collect(), "the texts of {}", version.display());
    }
}

#[test]
fn each_package_of_ours_is_released() {
    let released: BTreeSet<String> =
        versions().iter().flat_map(|version| released(version).into_keys()).collect();
    for file in texts("wit") {
        assert!(released.contains(&file), "{file} has no digest in tests/fixtures/wit-*");
    }
}

/// A server that runs the component of a version, and what that posts to.
struct Running {
    upstream: Upstream,
    site: Site,
    server: Server,
}

impl Running {
    fn new(version: &Path) -> Self {
        let upstream = Upstream::new(|_, _| {
            Answer::Status(201, "x-seen: yes\r\n".to_owned(), "noted".to_owned())
        });
        let origin = upstream.origin();
        let site = Site::new(&format!(
            "[log]\nlevel = \"debug\"\n[plugin.witness]\n\
             keyvalue = true\n\
             http = [{{ origin = \"{origin}\" }}, \
                     {{ origin = \"https://witness.example\" }}]\n\
             config = {{ url = \"{origin}/in\" }}\n\
             secrets = [{{ name = \"token\", value = \"{TOKEN}\" }}]\n\
             backoff_first_ms = 10\nbackoff_max_ms = 10\n"
        ));
        let server = site.serve();
        // Into a server that runs.
        let component = fs::read(version.join("witness.wasm")).expect("the component");
        site.install("witness", &component);
        server.wait_live("witness", &component);
        Self { upstream, site, server }
    }

    /// What it logged of an event, each line with its level.
    fn said(&self, event: &str) -> Vec<String> {
        let is_its =
            |line: &Value| text(line, "plugin") == "witness" && text(line, "event") == event;
        let is_told = |line: &Value| line.get("stream").is_some() || line.get("context").is_some();
        let own = |line: &Value| is_its(line) && is_told(line);
        let shown = |line: &Value| {
            let [level, context, message] = ["level", "context", "message"].map(|m| text(line, m));
            format!("{level} [{context}] {message}")
        };
        self.server.lines(own).iter().map(shown).collect()
    }

    fn failed(&self, how: &str) -> String {
        let event = self.server.post(body("fail", &format!(r#","fail":"{how}""#))).event();
        let line = self.server.wait_done(&event, "witness");
        assert_eq!(text(&line, "message"), "failed", "{line}");
        format!("{} {}", text(&line, "failure"), text(&line, "error"))
    }
}

#[test]
fn a_component_of_each_version_handles_each_kind_of_event() {
    for version in versions() {
        let running = Running::new(&version);
        let mut said = Vec::new();
        let events = read(&version.join("events.jsonl"));
        assert!(events.lines().count() > 17, "each documented event and another one");
        for body in events.lines() {
            let event = running.server.post(body).event();
            let line = running.server.wait_done(&event, "witness");
            assert_eq!(text(&line, "message"), "handled", "{line}");
            said.extend(running.said(&event));
        }
        let expected = read(&version.join("said.txt"));
        for (number, (said, expected)) in said.iter().zip(expected.lines()).enumerate() {
            assert_eq!(said, expected, "line {} of {}/said.txt", number + 1, version.display());
        }
        assert_eq!(said.len(), expected.lines().count());

        let json = |text: &str| serde_json::from_str::<Value>(text).expect(text);
        let received = running.upstream.received();
        assert_eq!(received.len(), events.lines().count());
        for (received, sent) in received.iter().zip(events.lines()) {
            let mut sent = json(sent);
            sent.as_object_mut().expect("an object").remove("secret");
            assert_eq!(json(&received.body), sent);
            assert_eq!(received.header("authorization"), Some(&*format!("Bearer {TOKEN}")));
        }
        let succeeded = ["events", "list", "--state", "succeeded"];
        running.site.wait_listed(&succeeded, events.lines().count());
        let kept = running.site.done(&["kv", "get", "witness", "last"]);
        let last = json(events.lines().last().expect("events"));
        assert!(kept.contains(text(&last, "event")), "{kept}");
    }
}

#[test]
fn each_failure_of_a_component_of_each_version_is_understood() {
    for version in versions() {
        let running = Running::new(&version);
        for (how, expected) in [
            ("retry", "retry asked to retry"),
            ("retry-after", "retry-after asked to retry later"),
            ("reject", "rejected asked to reject"),
            ("trap", "trap "),
        ] {
            let failed = running.failed(how);
            assert!(failed.starts_with(expected), "{}: {how}: {failed}", version.display());
        }
        assert_eq!(running.upstream.received().len(), 0, "it failed before");
    }
}
