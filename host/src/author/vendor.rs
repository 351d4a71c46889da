//! What of ours a new project brings along: the plugin interface, and for Rust
//! the SDK, until it is on a registry.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use rust_embed::Embed;
use toml::{Table, Value};
use wit_parser::{Resolve, WorldId};

#[derive(Embed)]
#[folder = "../wit/"]
#[include = "*/*.wit"]
#[include = "*/deps/*/*.wit"]
struct Wit;

#[derive(Embed)]
#[folder = "../plugin-sdk/"]
#[include = "Cargo.toml"]
#[include = "src/*"]
struct Sdk;

#[derive(Embed)]
#[folder = "core/"]
#[include = "Cargo.toml"]
#[include = "src/*"]
#[include = "samples/*"]
struct Core;

/// The workspace's manifest: what those of its packages inherit.
const WORKSPACE: &str = include_str!("../../../Cargo.toml");

/// The newest interface.
const INTERFACE: &str = "targetvideo-0.1.0";

/// Files by their paths in the project, with `/`.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

/// The interface with all that it uses: a folder for tools, without links.
pub(super) fn wit(folder: &str) -> Files {
    let of_interface =
        |path: &str| path.strip_prefix(INTERFACE).map(|rest| format!("{folder}{rest}"));
    files::<Wit>()
        .into_iter()
        .filter_map(|(path, text)| Some((of_interface(&path)?, text)))
        .collect()
}

/// Writes the interface to a folder.
///
/// # Errors
/// It cannot be written.
pub(super) fn write_wit(folder: &Path) -> Result<()> {
    for (path, text) in wit("wit") {
        let file = folder.join(path.trim_start_matches("wit/"));
        if let Some(above) = file.parent() {
            fs::create_dir_all(above).with_context(|| above.display().to_string())?;
        }
        fs::write(&file, text).with_context(|| file.display().to_string())?;
    }
    Ok(())
}

/// The world that plugins are built for.
pub(super) fn world() -> Result<(Resolve, WorldId)> {
    let folder = tempfile::tempdir()?;
    write_wit(folder.path())?;
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(folder.path())?;
    let world = resolve.select_world(&[package], Some("plugin"))?;
    Ok((resolve, world))
}

/// The SDK for Rust and what it needs of ours, below `folder`.
///
/// # Errors
/// Never with the texts that are in the program: a test sees to that.
pub(super) fn sdk(folder: &str) -> Result<Files> {
    let workspace: Table = WORKSPACE.parse()?;
    let mut all: Files = wit(&format!("{folder}/wit/{INTERFACE}"));
    for (name, files) in [("hookbox-sdk", files::<Sdk>()), ("hookbox-core", files::<Core>())] {
        for (path, bytes) in files {
            let bytes = match path.as_str() {
                "Cargo.toml" => {
                    let text = String::from_utf8(bytes)?;
                    standalone(&text, &workspace).context(name)?.into_bytes()
                }
                _ => bytes,
            };
            all.insert(format!("{folder}/{name}/{path}"), bytes);
        }
    }
    Ok(all)
}

fn files<E: Embed>() -> Files {
    let file = |path: std::borrow::Cow<'static, str>| {
        let bytes = E::get(&path)?.data.into_owned();
        Some((path.into_owned(), bytes))
    };
    E::iter().filter_map(file).collect()
}

/// A manifest that inherits nothing from a workspace: packages of ours stand
/// beside each other, lints and what only tests need are left out.
fn standalone(manifest: &str, workspace: &Table) -> Result<String> {
    let mut manifest: Table = manifest.parse()?;
    let inherited = |table: &str| {
        let workspace = workspace.get("workspace")?.get(table)?;
        workspace.as_table()
    };
    let package = inherited("package").context("workspace.package")?;
    let dependencies = inherited("dependencies").context("workspace.dependencies")?;
    manifest.remove("lints");
    manifest.remove("dev-dependencies");
    if let Some(own) = manifest.get_mut("package").and_then(Value::as_table_mut) {
        for (key, value) in own {
            if is_inherited(value) {
                *value = package.get(key).with_context(|| format!("package.{key}"))?.clone();
            }
        }
    }
    let for_all = manifest.get_mut("dependencies").and_then(Value::as_table_mut);
    for_all.map_or(Ok(()), |own| resolve(own, dependencies))?;
    let targets = manifest.get_mut("target").and_then(Value::as_table_mut);
    for (_, target) in targets.into_iter().flatten() {
        let own = target.get_mut("dependencies").and_then(Value::as_table_mut);
        own.map_or(Ok(()), |own| resolve(own, dependencies))?;
    }
    Ok(manifest.to_string())
}

fn is_inherited(value: &Value) -> bool {
    value.get("workspace").and_then(Value::as_bool) == Some(true)
}

/// Puts the workspace's dependencies in place of references to them.
fn resolve(own: &mut Table, workspace: &Table) -> Result<()> {
    for (name, value) in own {
        if !is_inherited(value) {
            continue;
        }
        let found = workspace.get(name).with_context(|| format!("the dependency {name}"))?;
        let mut whole = match found {
            Value::Table(table) => table.clone(),
            version => Table::from_iter([("version".to_owned(), version.clone())]),
        };
        if whole.contains_key("path") {
            whole.insert("path".to_owned(), Value::String(format!("../{name}")));
        }
        let added = value.as_table().cloned().unwrap_or_default();
        for (key, value) in added.into_iter().filter(|(key, _)| key != "workspace") {
            let old = whole.remove(&key);
            let value = match (old, value) {
                (Some(Value::Array(mut all)), Value::Array(more)) => {
                    all.extend(more);
                    Value::Array(all)
                }
                (_, value) => value,
            };
            whole.insert(key, value);
        }
        *value = Value::Table(whole);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interface_comes_whole_and_without_links() {
        let files = wit("wit");
        for file in ["wit/events.wit", "wit/deps/hookbox-plugin/world.wit"] {
            assert!(files.contains_key(file), "{file} of {:?}", files.keys());
        }
        let (resolve, world) = world().expect("a world");
        assert_eq!(resolve.worlds[world].name, "plugin");
    }

    #[test]
    fn the_sdk_inherits_nothing_from_a_workspace() {
        let files = sdk("vendor").expect("the SDK");
        for name in ["hookbox-sdk", "hookbox-core"] {
            let manifest = files.get(&format!("vendor/{name}/Cargo.toml")).expect("a manifest");
            let manifest = String::from_utf8_lossy(manifest);
            assert!(!manifest.contains("workspace"), "{manifest}");
            assert!(files.contains_key(&format!("vendor/{name}/src/lib.rs")));
        }
        assert!(files.contains_key("vendor/hookbox-core/samples/sd_encoded.json"));
        assert!(files.contains_key("vendor/wit/targetvideo-0.1.0/events.wit"));
    }
}
