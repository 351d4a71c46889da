//! Guests and files that try to harm the host or other plugins: each beside a
//! healthy plugin that gets a steady load, whose events must all be handled as
//! if nothing were there.
//!
//! With `--nocapture` there is a line for each, with the healthy plugin's latency
//! without and with it.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod beside;
mod calls;
mod describes;
mod files;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hostile")
}

/// The component of one of the texts in `fixtures/hostile`.
fn guest(name: &str) -> Vec<u8> {
    let file = fixtures().join(format!("{name}.wat"));
    let text = fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    hookbox_checks::skeleton::component_of(&text)
}

/// A component from the text of one.
fn component(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("a valid text")
}

#[test]
fn each_fixture_is_used() {
    let used: BTreeSet<String> = [include_str!("calls.rs"), include_str!("describes.rs")]
        .iter()
        .flat_map(|code| code.split('"').map(str::to_owned))
        .collect();
    for entry in fs::read_dir(fixtures()).expect("a folder") {
        let file = entry.expect("an entry").path();
        let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
        assert!(used.contains(&name), "no test uses {}", file.display());
    }
}
