#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use hookbox_core::sensitive::{HIDDEN, Mask};

use super::*;

/// A value of the event's, and a shorter one that it begins with.
const VALUE: &str = "k-4711-äbcdef";
const SHORT: &str = "k-4711";
const SECRET: &str = "hush-4712";

/// The log of a call about an event in which both are hidden.
fn log() -> SharedLog {
    let document = serde_json::json!({"token": VALUE, "password": SHORT}).to_string();
    let secrets = Redactor::new([("key", SECRET)].into_iter()).unwrap();
    let redactor = Arc::new(secrets.with_mask(Mask::of("edit_video", &document)));
    let origin = Origin {
        plugin: "relay".to_owned(),
        event: String::new(),
        delivery: String::new(),
        attempt: 1,
    };
    let text = "[[source]]\nname = \"main\"\nsecrets = [{ name = \"s\", value = \"x\" }]\n";
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let config = config::read(Some(file.path())).unwrap();
    let mut settings = config.live.plugins.of(&"relay".parse().unwrap()).clone();
    settings.log_bytes_max = 1024 * 1024;
    CallLog::new(origin, &settings, &redactor, &Arc::new(LogRate::new(1)))
}

/// What is printed of a line that is written in pieces of that many bytes.
fn printed(line: &str, bytes: usize) -> String {
    let log = log();
    for piece in line.as_bytes().chunks(bytes) {
        locked(&log).write(Stream::Stdout, piece);
    }
    finish(&log).0.replace('\n', "")
}

#[test]
fn a_value_across_the_break_of_a_long_line_is_hidden_whole() {
    for value in [VALUE, SHORT, SECRET] {
        let stands_for = if value == SECRET { "[secret key]" } else { HIDDEN };
        for before in LINE_BYTES_MAX - 30..LINE_BYTES_MAX + 70 {
            let (before, after) = (".".repeat(before), ".".repeat(LINE_BYTES_MAX));
            let line = format!("{before}{value}{after}{value}");
            let expected = format!("{before}{stands_for}{after}{stands_for}");
            for bytes in [line.len(), 1_000] {
                assert_eq!(printed(&line, bytes), expected, "{value} after {}", before.len());
            }
        }
    }
}

#[test]
fn a_long_line_is_broken_between_characters() {
    for shift in 0..4 {
        let line = format!("{}{}{VALUE}", ".".repeat(shift), "\u{1f512}".repeat(5_000));
        let expected = line.replace(VALUE, HIDDEN);
        assert!(printed(&line, 999) == expected, "a character was cut in two at {shift}");
    }
}

#[test]
fn what_is_no_text_is_broken_too() {
    let log = log();
    locked(&log).write(Stream::Stdout, &[0x80; 5 * LINE_BYTES_MAX]);
    assert_eq!(finish(&log).0.matches('\u{fffd}').count(), 5 * LINE_BYTES_MAX);
}
