//! Rust: cargo makes the component.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::on_path;
use crate::author::project::Project;

const TARGET: &str = "wasm32-wasip2";

pub(super) fn build(project: &Project) -> anyhow::Result<PathBuf> {
    if on_path("cargo").is_none() {
        bail!(
            "cargo is not there: install Rust (https://rustup.rs), then `rustup target add {TARGET}`"
        );
    }
    let mut cargo = Command::new("cargo");
    cargo
        .args(["build", "--release", "--target", TARGET])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(&project.folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut running = cargo.spawn().context("cannot start cargo")?;
    let mut made = Vec::new();
    if let Some(messages) = running.stdout.take() {
        for line in BufReader::new(messages).lines() {
            made.extend(artifact(&line?, project));
        }
    }
    let status = running.wait()?;
    if !status.success() {
        let missing = match has_target() {
            false => format!("; plugins need the target {TARGET}: `rustup target add {TARGET}`"),
            true => String::new(),
        };
        bail!("cargo failed ({status}); its messages are above{missing}");
    }
    match made.as_slice() {
        [file] => Ok(file.clone()),
        [] => {
            bail!("cargo made no plugin: Cargo.toml needs `[lib]` with `crate-type = [\"cdylib\"]`")
        }
        several => bail!("cargo made {} WebAssembly files; a project is one plugin", several.len()),
    }
}

/// The file of the project's own cdylib, of a message of cargo's
/// (Cargo Book, "External tools").
fn artifact(message: &str, project: &Project) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(message).ok()?;
    let manifest = message.get("manifest_path")?.as_str()?;
    let is_own = PathBuf::from(manifest).parent() == Some(&project.folder);
    let kinds = message.get("target")?.get("crate_types")?.as_array()?;
    let is_library = kinds.iter().any(|kind| kind == "cdylib");
    let files = message.get("filenames")?.as_array()?.iter().filter_map(Value::as_str);
    let mut files = files.filter(|file| file.ends_with(".wasm"));
    files.next().filter(|_| is_own && is_library).map(PathBuf::from)
}

fn has_target() -> bool {
    let asked =
        Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]).output();
    asked.is_ok_and(|answer| {
        let folder = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
        std::path::Path::new(&folder).is_dir()
    })
}
