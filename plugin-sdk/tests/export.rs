//! Mistakes around `export!` and what the compiler says of them: the files of
//! `tests/export`, of which all but `good.rs` are refused.
//!
//! A line `//~ error: text` says that an error has this text, and one without
//! `error: ` that the whole message has it. Not the whole messages are held
//! against files, since these change from compiler to compiler.

#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// The one that compiles.
const GOOD: &str = "good";

/// What the compiler said: of each error its first line, and as it is shown.
type Errors = Vec<(String, String)>;

#[test]
fn each_mistake_is_refused_with_a_message_that_helps() {
    let cases = cases();
    assert!(cases.len() > 10, "{cases:?}");
    let said = check(&cases);
    assert_eq!(said.get(GOOD), None, "the good one is refused");
    let mut wrong = String::new();
    for (name, file) in &cases {
        let text = fs::read_to_string(file).expect("a case");
        let expected: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("//~ ")).collect();
        assert_eq!(expected.is_empty(), name == GOOD, "{name} says what is expected");
        let said = said.get(name).map(Vec::as_slice).unwrap_or_default();
        for expected in expected.iter().filter(|expected| !is_said(said, expected)) {
            wrong += &format!("{name} lacks {expected:?}; the compiler says:\n{}\n", shown(said));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

fn is_said(said: &[(String, String)], expected: &str) -> bool {
    match expected.strip_prefix("error: ") {
        Some(error) => said.iter().any(|(first, _)| first.contains(error)),
        None => said.iter().any(|(_, all)| spaced(all).contains(&spaced(expected))),
    }
}

/// With each run of white space, and the frame of a message, as one space.
fn spaced(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c == '|');
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

fn shown(said: &[(String, String)]) -> String {
    said.iter().map(|(_, all)| all.as_str()).collect()
}

/// Name and file of each.
fn cases() -> BTreeMap<String, PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/export");
    let entries = fs::read_dir(folder).expect("the cases").flatten().map(|entry| entry.path());
    entries
        .map(|file| (file.file_stem().expect("a name").to_str().expect("UTF-8").to_owned(), file))
        .collect()
}

/// Has cargo check all of them, as plugins of one package.
fn check(cases: &BTreeMap<String, PathBuf>) -> BTreeMap<String, Errors> {
    let package = Path::new(env!("CARGO_TARGET_TMPDIR")).join("export");
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::create_dir_all(package.join("src")).expect("a folder");
    let mut manifest = format!(
        "[package]\nname = \"cases\"\nedition = \"2024\"\n[workspace]\n[dependencies]\n\
         hookbox-sdk = {{ path = {sdk:?} }}\n"
    );
    for (name, file) in cases {
        manifest +=
            &format!("[[example]]\nname = {name:?}\npath = {file:?}\ncrate-type = [\"cdylib\"]\n");
    }
    fs::write(package.join("Cargo.toml"), manifest).expect("written");
    fs::write(package.join("src/lib.rs"), "").expect("written");
    // Of the same versions, and so without the network.
    fs::copy(sdk.join("../Cargo.lock"), package.join("Cargo.lock")).expect("copied");
    let output = Command::new(std::env::var_os("CARGO").expect("run by cargo"))
        .args(["check", "--examples", "--offline", "--keep-going", "--message-format", "json"])
        .current_dir(&package)
        .env("CARGO_TARGET_DIR", package.join("target"))
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let messages = text.lines().map(|line| serde_json::from_str(line).expect("JSON"));
    let mut said: BTreeMap<String, Errors> = BTreeMap::new();
    for message in messages.filter(|message: &Value| message["message"]["level"] == "error") {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let (inner, target) = (&message["message"], text(&message["target"]["name"]));
        said.entry(target).or_default().push((text(&inner["message"]), text(&inner["rendered"])));
    }
    said
}
