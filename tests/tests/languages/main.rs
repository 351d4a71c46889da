//! From nothing to a handled event, in each language: a new project is built,
//! checked, dropped into a running server, and gets an event. And the example in
//! each language, at its work.
//!
//! The tools come from `cargo xtask test`; where they could not be had, the test
//! says so and does nothing.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it skips and how long it took"
)]

mod c;
mod dev;
mod go;
mod js;
mod python;
mod rust;
mod ts;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hookbox_core::ids::Digest;
use hookbox_tests::{Site, program, sample, text};
use tempfile::TempDir;

/// Whether the tools of a language are not there. Said, never silent.
fn is_skipped(language: &str) -> bool {
    let skipped = std::env::var("HOOKBOX_SKIPPED_LANGUAGES").unwrap_or_default();
    let is_skipped = skipped.split(',').any(|skipped| skipped == language);
    if is_skipped {
        println!("SKIPPED: {language}: its tools could not be had");
    }
    is_skipped
}

/// Held by a test that compiles an interpreter along with its plugin: that takes
/// a processor for ten seconds and more, and waiting has an end.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The folder of the tools.
fn tools() -> PathBuf {
    let usual = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/tools");
    std::env::var_os("HOOKBOX_TOOLS").map_or_else(|| usual.into(), PathBuf::from)
}

/// The program, with the tools, and without a network.
fn author(folder: &Path, arguments: &[&str]) -> Command {
    with_tools(Command::new(program()), folder, arguments)
}

/// Any program, with the tools, and without a network.
fn with_tools(mut command: Command, folder: &Path, arguments: &[&str]) -> Command {
    let path = std::env::var_os("HOOKBOX_TOOLS_PATH").unwrap_or_else(|| {
        let usual = std::env::var_os("PATH").unwrap_or_default();
        let own = [tools().join("venv/bin"), tools().join("bin")];
        let all = own.into_iter().chain(std::env::split_paths(&usual));
        std::env::join_paths(all).expect("a PATH")
    });
    command
        .args(arguments)
        .current_dir(folder)
        .env("PATH", path)
        .env("npm_config_cache", tools().join("npm-cache"))
        .env("npm_config_offline", "true")
        .env("XDG_CACHE_HOME", cache())
        .env("ZIG_GLOBAL_CACHE_DIR", tools().join("zig-cache"))
        .env("GOCACHE", tools().join("go-cache"))
        .env("GOPROXY", "off")
        .env("CARGO_NET_OFFLINE", "true");
    command
}

/// Where the program keeps compiled code.
fn cache() -> PathBuf {
    tools().join("cache")
}

/// Gives a server the code that was compiled when the component was judged:
/// interpreters take long to compile, and that is not what is tested.
fn spare_compiling(site: &Site, bytes: &[u8]) {
    let digest = Digest::of(bytes).to_string();
    let to = site.path("data/compiled");
    fs::create_dir_all(&to).expect("a folder");
    fs::set_permissions(&to, fs::Permissions::from_mode(0o700)).expect("rights");
    // None yet: it is compiled then, and takes longer.
    let compiled = fs::read_dir(cache().join("hookbox/compiled")).into_iter().flatten();
    for file in compiled.flatten().map(|entry| entry.path()) {
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        if name.starts_with(&digest) {
            fs::copy(&file, to.join(name)).expect("copied");
        }
    }
}

/// What a command printed; it must succeed.
fn done(mut command: Command) -> String {
    let output = command.output().expect("started");
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{out}\n{err}", output.status);
    out
}

/// Where an example is, with what its build left there.
fn example(name: &str) -> PathBuf {
    repository().join("plugins-examples").join(name)
}

/// The folder of the whole source.
fn repository() -> PathBuf {
    concat!(env!("CARGO_MANIFEST_DIR"), "/..").into()
}

/// That what a tool made is what the templates have: each file, and no other.
fn assert_same(made: &Path, ours: &Path) {
    if made.is_file() {
        let read = |file: &Path| fs::read_to_string(file).expect("a text");
        assert!(read(made) == read(ours), "{}: is not as the tool makes it", ours.display());
        return;
    }
    let names = |folder: &Path| {
        let entries = fs::read_dir(folder).expect("a folder").flatten();
        let names = entries.map(|entry| entry.file_name()).filter(|name| name != "__pycache__");
        names.collect::<BTreeSet<_>>()
    };
    assert_eq!(names(made), names(ours), "{}", ours.display());
    for name in names(made) {
        assert_same(&made.join(&name), &ours.join(&name));
    }
}

/// A new project, and how long it took from nothing to a handled event.
struct Made {
    _above: TempDir,
    folder: PathBuf,
    took: Duration,
}

/// The whole way with the template of a language. `prepare` says what a build
/// needs beside the tools.
fn whole_way(language: &str, prepare: impl Fn(&mut Command)) -> Made {
    let above = tempfile::Builder::new().prefix("hookbox-new-").tempdir().expect("a folder");
    let began = Instant::now();
    done(author(above.path(), &["new", "first-plugin", "--lang", language]));
    let folder = above.path().join("first-plugin");

    let mut build = author(&folder, &["build"]);
    prepare(&mut build);
    let built = done(build);
    assert!(built.starts_with("dist/first-plugin.wasm: built"), "{built}");
    let component = folder.join("dist/first-plugin.wasm");

    let checked = done(author(&folder, &["check", "dist/first-plugin.wasm"]));
    assert!(checked.starts_with("dist/first-plugin.wasm: good"), "{checked}");

    let invoke = ["invoke", "dist/first-plugin.wasm", "--event", "add_video"];
    let invoked = done(author(&folder, &invoke));
    assert!(invoked.contains("handled") && invoked.contains("change 1"), "{invoked}");

    let settings = fs::read_to_string(folder.join("hookbox.toml")).expect("hookbox.toml");
    let of_plugin = settings.find("[plugin.first-plugin]").expect("the plugin's own section");
    let site = Site::new(&settings[of_plugin..]);
    let server = site.serve();
    let bytes = fs::read(&component).expect("the component");
    spare_compiling(&site, &bytes);
    site.install("first-plugin", &bytes);
    server.wait_live("first-plugin", &bytes);
    let event = server.post(sample("add_video")).event();
    let line = server.wait_done(&event, "first-plugin");
    assert_eq!(text(&line, "message"), "handled", "{line}");
    let took = began.elapsed();
    println!("{language}: from `hookbox new` to a handled event in {:.1} s", took.as_secs_f64());
    let tested = done(author(&folder, &["test"]));
    assert!(tested.contains("2 cases, 2 passed, 0 failed"), "{tested}");
    let said = server.said(&event, "first-plugin");
    assert!(said.iter().any(|line| line.contains("734392")), "{said:?}");
    Made { _above: above, folder, took }
}
