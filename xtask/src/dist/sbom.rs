//! The list of all packages in the program, as CycloneDX, by `cargo-cyclonedx`.
//!
//! The tool writes a file beside each manifest of the workspace. All are removed
//! again, also where it fails.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::{cargo, output, root, run, target};

/// Its version is in what it writes.
const VERSION: &str = "0.5.9";

/// The name of its files, without `.json`.
const NAME: &str = "hookbox-sbom";

/// The list, with nothing in it of where it was made. `time`: seconds since the
/// epoch.
pub(super) fn write(system: &str, time: &str) -> Result<String> {
    let tool = tool()?;
    let members = members()?;
    let written = run(Command::new(tool)
        .current_dir(root())
        .args(["cyclonedx", "--quiet", "--manifest-path", "host/Cargo.toml"])
        .args(["--format", "json", "--spec-version", "1.5", "--no-build-deps"])
        .args(["--target", system, "--override-filename", NAME])
        // Its time, and no random serial number.
        .env("SOURCE_DATE_EPOCH", time));
    let text = fs::read_to_string(root().join("host").join(format!("{NAME}.json")));
    for member in members {
        let _not_there = fs::remove_file(member.join(format!("{NAME}.json")));
    }
    written?;
    let here = format!("path+file://{}/", root().display());
    Ok(text.context("cargo-cyclonedx wrote nothing")?.replace(&here, "path+file:///hookbox/"))
}

/// The tool, installed below the target folder where it is missing.
fn tool() -> Result<PathBuf> {
    let folder = target().join("tools");
    let program = folder.join("bin/cargo-cyclonedx");
    if !program.exists() {
        println!("Installing cargo-cyclonedx {VERSION} in {}", folder.display());
        run(cargo()
            .args(["install", "--locked", "--quiet", "--debug", "--version", VERSION, "--root"])
            .arg(&folder)
            .arg("cargo-cyclonedx"))
        .context("the list of packages needs cargo-cyclonedx")?;
    }
    Ok(program)
}

/// Folders of all packages of the workspace.
fn members() -> Result<Vec<PathBuf>> {
    let metadata =
        output(cargo().args(["metadata", "--format-version=1", "--no-deps", "--locked"]))?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let packages = metadata
        .get("packages")
        .and_then(Value::as_array)
        .context("cargo metadata: no packages")?;
    let manifests = packages.iter().filter_map(|package| package["manifest_path"].as_str());
    Ok(manifests.filter_map(|manifest| Path::new(manifest).parent()).map(PathBuf::from).collect())
}
