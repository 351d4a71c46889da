//! Development commands: `cargo xtask demo`, `test`, `api-check`, `guests`, `bench`,
//! `dist`, `deny` and `wit-oci`.
//!
//! Each does all the set-up that it needs on a fresh machine, says what it
//! does, and fails with a message that says what to do.

mod admin;
mod api;
mod bench;
mod chromium;
mod demo;
mod dist;
mod guests;
mod languages;
mod loads;
mod recovery;
mod server;
mod test;
mod wit;

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Development commands of hookbox")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Shows the main job on real input: webhooks in, plugins run, a plugin is swapped
    Demo {
        /// End after the show instead of staying up
        #[arg(long)]
        once: bool,
    },
    /// Runs every test
    Test,
    /// Holds a running server against docs/openapi.json
    ApiCheck,
    /// Builds the example plugins and those of the tests
    Guests,
    /// Makes the archive for operators: program, manual, documents, licences, list of packages
    Dist {
        /// Pack this program in place of a release build
        #[arg(long, value_name = "FILE")]
        program: Option<PathBuf>,
    },
    /// Checks licences, sources and versions of all packages, without the network
    Deny,
    /// Publishes the plugin interface to a registry on loopback, and fetches it as authors do
    WitOci,
    /// Measures, with ratios against a bare baseline in the same run
    #[command(subcommand)]
    Bench(Bench),
    #[command(name = bench::BARE_VERB, hide = true)]
    BareServer,
}

#[derive(Subcommand)]
enum Bench {
    /// Webhooks answered, against a server of bare hyper
    Accept {
        /// Connections at once
        #[arg(long, default_value_t = 64)]
        connections: usize,
        /// Seconds of each of the nine rounds
        #[arg(long, default_value_t = 4)]
        seconds: u64,
    },
    /// Webhooks answered while operators look on, against nobody doing so
    Admin {
        /// Connections at once
        #[arg(long, default_value_t = 64)]
        connections: usize,
        /// Seconds of each of the sixteen windows
        #[arg(long, default_value_t = 4)]
        seconds: u64,
    },
    /// A start with very many events owed from before: time, memory, rate
    Recovery {
        /// Events
        #[arg(long, default_value_t = 1_000_000)]
        events: u64,
    },
    /// Very many loads and unloads of plugins: memory, open files, rate
    Loads {
        /// Loads
        #[arg(long, default_value_t = 10_000)]
        count: usize,
    },
}

fn main() -> Result<()> {
    match Arguments::parse().verb {
        Verb::Demo { once } => demo::run(once),
        Verb::Test => test::run_all(),
        Verb::Dist { program } => dist::dist(program),
        Verb::Deny => deny(),
        Verb::WitOci => wit::oci(),
        Verb::ApiCheck => api::check(),
        Verb::Bench(Bench::Accept { connections, seconds }) => bench::accept(connections, seconds),
        Verb::Bench(Bench::Admin { connections, seconds }) => admin::admin(connections, seconds),
        Verb::Bench(Bench::Recovery { events }) => recovery::recovery(events),
        Verb::Bench(Bench::Loads { count }) => loads::loads(count),
        Verb::BareServer => bench::bare_server(),
        Verb::Guests => {
            let components = guests::build()?;
            println!("The plugins are in {}", components.display());
            Ok(())
        }
    }
}

/// By `cargo-deny`, installed below the target folder where it is missing. Not
/// advisories: their database is a repository that is fetched each time.
fn deny() -> Result<()> {
    const VERSION: &str = "0.20.2";
    let folder = target().join("tools");
    let program = folder.join("bin/cargo-deny");
    if !program.exists() {
        println!("Installing cargo-deny {VERSION} in {}", folder.display());
        run(cargo()
            .args(["install", "--locked", "--quiet", "--debug", "--version", VERSION, "--root"])
            .arg(&folder)
            .arg("cargo-deny"))?;
    }
    run(cargo().args(["fetch", "--locked", "--quiet"]))?;
    run(Command::new(program).current_dir(root()).args([
        "--offline",
        "--log-level=error",
        "check",
        "bans",
        "licenses",
        "sources",
    ]))
}

/// The project's root.
fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .canonicalize()
        .unwrap_or_else(|_| PathBuf::from("."))
}

/// Where build results go.
fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => std::path::absolute(&folder).unwrap_or_else(|_| folder.into()),
        None => root().join("target"),
    }
}

/// The cargo that runs this program.
fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Runs a command that must succeed.
fn run(command: &mut Command) -> Result<()> {
    let shown = format!("{command:?}");
    let status = command.status().with_context(|| format!("cannot start {shown}"))?;
    if !status.success() {
        bail!("{shown} failed: {status}");
    }
    Ok(())
}

/// A command's output; it must succeed.
fn output(command: &mut Command) -> Result<String> {
    let shown = format!("{command:?}");
    let output = command.output().with_context(|| format!("cannot start {shown}"))?;
    if !output.status.success() {
        bail!("{shown} failed: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// How the server is built. As a part of the whole, so that its dependencies have
/// the features that they have for the tests of all packages: else wasmtime would
/// be compiled twice.
const SERVER: [&str; 5] = ["build", "--quiet", "--workspace", "--bin", "hookbox"];

/// Builds the server with faults on purpose, for tests, and says where it is.
/// In the same target folder, so that nothing but hookbox itself is built twice.
fn build_faulty_server() -> Result<PathBuf> {
    run(cargo().args(SERVER).args(["--features", "hookbox/faults"]))?;
    let folder = target().join("faulty");
    std::fs::create_dir_all(&folder)?;
    let program = folder.join("hookbox");
    // Removed first: one that still runs cannot be written over.
    let _not_there = std::fs::remove_file(&program);
    std::fs::copy(target().join("debug/hookbox"), &program)?;
    Ok(program)
}

/// Builds the server and says where it is.
fn build_server() -> Result<PathBuf> {
    run(cargo().args(SERVER))?;
    Ok(target().join("debug/hookbox"))
}
