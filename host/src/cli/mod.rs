//! The command line: one file for each verb.

mod check;
mod choose;
mod config;
mod dead;
mod events;
mod journal;
mod kv;
mod plugins;
mod serve;
mod show;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::plugin::compile;

/// Exit status where there is no such event, delivery, plugin or key.
const NOT_FOUND: u8 = 4;

/// Exit status where a file is no plugin that would be made live.
const REFUSED: u8 = 5;

/// Routes webhooks to WebAssembly plugins.
///
/// hookbox receives webhooks over HTTP, verifies and types them, and hands each
/// to every plugin that asked for it. Plugins are dropped into a directory while
/// it runs.
#[derive(Debug, Parser)]
#[command(name = "hookbox", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Serves webhooks until SIGTERM or SIGINT
    Serve(ConfigFile),
    /// Judges plugin files as a server would, without one
    Check(check::Arguments),
    /// Shows or checks the configuration
    #[command(subcommand)]
    Config(config::Verb),
    /// Lists, shows and replays events
    #[command(subcommand)]
    Events(events::Verb),
    /// Lists, redrives and discards what was given up
    #[command(subcommand)]
    Dead(dead::Verb),
    /// Forgets plugins that are gone
    #[command(subcommand)]
    Plugins(plugins::Verb),
    /// Shows and changes what plugins keep in their key-value state
    #[command(subcommand)]
    Kv(kv::Verb),
    #[command(name = compile::VERB, hide = true)]
    Compile { output: PathBuf, memory_bytes_max: u64, seconds_max: u64 },
}

/// Which configuration file.
#[derive(Debug, clap::Args)]
struct ConfigFile {
    /// The configuration file [default: hookbox.toml, if there is one]
    #[arg(long, short, env = "HOOKBOX_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

impl ConfigFile {
    fn path(self) -> Option<PathBuf> {
        let usual = PathBuf::from("hookbox.toml");
        self.config.or_else(|| usual.exists().then_some(usual))
    }
}

/// Runs the program.
pub fn main() -> ExitCode {
    let result = match Arguments::parse().verb {
        Verb::Serve(file) => serve::run(file.path()),
        Verb::Check(arguments) => check::run(arguments),
        Verb::Config(verb) => config::run(verb).map(|()| ExitCode::SUCCESS),
        Verb::Events(verb) => events::run(verb).map(|()| ExitCode::SUCCESS),
        Verb::Dead(verb) => dead::run(verb).map(|()| ExitCode::SUCCESS),
        Verb::Plugins(verb) => plugins::run(verb).map(|()| ExitCode::SUCCESS),
        Verb::Kv(verb) => kv::run(verb).map(|()| ExitCode::SUCCESS),
        Verb::Compile { output, memory_bytes_max, seconds_max } => {
            let status = compile::child(&output, memory_bytes_max, seconds_max);
            return u8::try_from(status).map_or(ExitCode::FAILURE, ExitCode::from);
        }
    };
    match result {
        Ok(status) => status,
        Err(error) if nobody_reads(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let _nobody_listens = writeln!(io::stderr(), "hookbox: {error:#}");
            if journal::is_not_found(&error) {
                ExitCode::from(NOT_FOUND)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

/// Whoever read the output has seen enough, such as `head`.
fn nobody_reads(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
