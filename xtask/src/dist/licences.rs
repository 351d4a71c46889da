//! The licences of all packages that are linked into the program: one text, each
//! licence once, with the packages that came with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::{cargo, output};

/// Beginnings of the names of files that a licence asks to pass on.
const FILES: [&str; 6] = ["license", "licence", "copying", "notice", "copyright", "unlicense"];

const RULE: &str =
    "================================================================================";

/// The text.
///
/// # Errors
/// Where a package says neither by a file nor by name what its licence is.
pub(super) fn collect(system: &str) -> Result<String> {
    let metadata = output(cargo().args(["metadata", "--format-version=1", "--locked"]).args([
        "--filter-platform",
        system,
        "--manifest-path",
        "host/Cargo.toml",
    ]))?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let linked = linked(&metadata)?;
    let mut names = String::new();
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let packages = metadata
        .get("packages")
        .and_then(Value::as_array)
        .context("cargo metadata: no packages")?;
    for package in packages {
        // Those of this repository have its own licence.
        if !linked.contains(text(package, "id")?) || package["source"].is_null() {
            continue;
        }
        let name = format!("{} {}", text(package, "name")?, text(package, "version")?);
        let folder = Path::new(text(package, "manifest_path")?).parent().context("no folder")?;
        let found = read(folder)?;
        let licence = package["license"].as_str();
        if found.is_empty() && licence.is_none() {
            bail!("the package {name} does not say what its licence is");
        }
        let note = if found.is_empty() { " (comes without a text of it)" } else { "" };
        writeln!(names, "{name}: {}{note}", licence.unwrap_or("see its text"))?;
        for text in found {
            texts.entry(text).or_default().push(name.clone());
        }
    }
    let mut all = format!("Software of others in hookbox, and its licences.\n\n{names}");
    for (text, names) in texts {
        write!(all, "\n{RULE}\n{}\n{RULE}\n\n{text}\n", names.join("\n"))?;
    }
    Ok(all)
}

/// Ids of what the program is linked from: not what only builds or tests need.
fn linked(metadata: &Value) -> Result<BTreeSet<String>> {
    let nodes = metadata
        .pointer("/resolve/nodes")
        .and_then(Value::as_array)
        .context("cargo metadata: no graph")?;
    let mut graph = BTreeMap::new();
    for node in nodes {
        graph.insert(text(node, "id")?, node["deps"].as_array().context("no deps")?);
    }
    let mut found = BTreeSet::new();
    let mut open =
        vec![metadata.pointer("/resolve/root").and_then(Value::as_str).context("no root")?];
    while let Some(id) = open.pop() {
        if !found.insert(id.to_owned()) {
            continue;
        }
        for dependency in graph.get(id).context("a package that is not in the graph")?.iter() {
            let kinds = dependency["dep_kinds"].as_array().context("no kinds")?;
            if kinds.iter().any(|kind| kind["kind"].is_null()) {
                open.push(text(dependency, "pkg")?);
            }
        }
    }
    Ok(found)
}

fn text<'a>(value: &'a Value, member: &str) -> Result<&'a str> {
    value[member].as_str().with_context(|| format!("cargo metadata: no {member}"))
}

/// The licences' texts in a package's folder, in the order of their names.
fn read(folder: &Path) -> Result<Vec<String>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("{}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        if path.is_file() && FILES.iter().any(|file| name.starts_with(file)) {
            files.push(path);
        }
    }
    files.sort();
    let read = |path: &std::path::PathBuf| -> Result<String> {
        let bytes = fs::read(path).with_context(|| format!("{}", path.display()))?;
        Ok(String::from_utf8_lossy(&bytes).replace("\r\n", "\n").trim().to_owned())
    };
    files.iter().map(read).collect()
}
