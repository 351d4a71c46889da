//! Rust.

use std::collections::BTreeMap;
use std::process::Command;

use super::{done, tools, whole_way, with_tools};

/// Cargo as it can build plugins here, with a target folder that lasts: what is
/// compiled once is warm.
pub(super) fn prepare(command: &mut Command) {
    let told = std::env::var("HOOKBOX_RUST_ENVIRONMENT").unwrap_or_else(|_| "{}".to_owned());
    let told: BTreeMap<String, String> = serde_json::from_str(&told).expect("JSON");
    if !told.is_empty() {
        // Another compiler than the toolchain's own.
        command.env_remove("RUSTUP_TOOLCHAIN");
    }
    command.envs(told).env("CARGO_TARGET_DIR", tools().join("rust-target"));
}

#[test]
fn a_new_plugin_in_rust_handles_an_event() {
    let cold = whole_way("rust", prepare);
    let warm = whole_way("rust", prepare);
    println!("rust: {:.1} s on a warm cache", warm.took.as_secs_f64());

    let mut tests = with_tools(Command::new("cargo"), &cold.folder, &["test", "--quiet"]);
    tests.env("CARGO_TARGET_DIR", tools().join("rust-target"));
    let tested = done(tests);
    assert!(tested.contains("2 passed"), "{tested}");
}
