//! The command line: one file for each verb.

mod config;
mod serve;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::plugin::compile;

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
    /// Shows or checks the configuration
    #[command(subcommand)]
    Config(config::Verb),
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
        Verb::Config(verb) => config::run(verb).map(|()| ExitCode::SUCCESS),
        Verb::Compile { output, memory_bytes_max, seconds_max } => {
            let status = compile::child(&output, memory_bytes_max, seconds_max);
            return u8::try_from(status).map_or(ExitCode::FAILURE, ExitCode::from);
        }
    };
    match result {
        Ok(status) => status,
        Err(error) => {
            let _nobody_listens = writeln!(std::io::stderr(), "hookbox: {error:#}");
            ExitCode::FAILURE
        }
    }
}
