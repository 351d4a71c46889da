//! Says where what the program embeds is.
//!
//! The Go code that wit-bindgen generates needs a package that comes with the
//! generator's sources, and with nothing else that could be depended on. It is
//! taken from there, so that both are always of one version.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Embedded as they are: what is new in them must be seen.
const EMBEDDED: [&str; 6] =
    ["templates", "bindings", "core/src", "core/samples", "../plugin-sdk/src", "../wit"];

/// Of the generator's package, by paths in it.
const GO_RUNTIME: [&str; 4] = ["LICENSE", "wit/async", "wit/runtime", "wit/types"];

fn main() -> Result<(), Box<dyn Error>> {
    for folder in EMBEDDED {
        println!("cargo::rerun-if-changed={folder}");
    }
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../Cargo.lock");
    let from = generator()?.join("src/pkg");
    let mut files = Vec::new();
    for part in GO_RUNTIME {
        list(&from.join(part), part.trim_start_matches("wit/"), &mut files)?;
    }
    files.sort();
    let of_file =
        |(name, file): &(String, PathBuf)| format!("({name:?}, include_bytes!({file:?}))");
    let listed: Vec<String> = files.iter().map(of_file).collect();
    let to = PathBuf::from(env::var("OUT_DIR")?).join("go_runtime.rs");
    fs::write(to, format!("&[{}]", listed.join(", ")))?;
    Ok(())
}

/// The folder of wit-bindgen-go's sources, by cargo's own word.
fn generator() -> Result<PathBuf, Box<dyn Error>> {
    let output = Command::new(env::var("CARGO")?)
        .args(["metadata", "--format-version", "1", "--locked", "--filter-platform"])
        .arg(env::var("TARGET")?)
        .arg("--manifest-path")
        .arg(PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("Cargo.toml"))
        .output()?;
    if !output.status.success() {
        return Err(format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata.get("packages").and_then(serde_json::Value::as_array);
    let text = |package: &'_ serde_json::Value, key| Some(package.get(key)?.as_str()?.to_owned());
    let mut named = packages
        .into_iter()
        .flatten()
        .filter(|package| text(package, "name").is_some_and(|name| name == "wit-bindgen-go"));
    let manifest = named.next().and_then(|package| text(package, "manifest_path"));
    let folder = manifest.as_deref().and_then(|manifest| Path::new(manifest).parent());
    Ok(folder.ok_or("cargo metadata names no wit-bindgen-go")?.to_owned())
}

/// A file, or all of a folder, by name and place.
fn list(from: &Path, name: &str, files: &mut Vec<(String, PathBuf)>) -> Result<(), Box<dyn Error>> {
    if !from.is_dir() {
        files.push((name.to_owned(), from.to_owned()));
        return Ok(());
    }
    for entry in fs::read_dir(from).map_err(|error| format!("{}: {error}", from.display()))? {
        let entry = entry?;
        let within = entry.file_name().into_string().map_err(|_| "a name that is no text")?;
        list(&entry.path(), &format!("{name}/{within}"), files)?;
    }
    Ok(())
}
