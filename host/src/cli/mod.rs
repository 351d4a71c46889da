//! The command line: one file for each verb.
//!
//! Beside them: `choose` (filters), `journal` (the server or the file), `list`
//! (pages as tables), `show` and `paint` (text for people), `exit` (statuses),
//! `plugin_file` and `tried` (what `invoke` and `test` share).

mod build;
mod changes;
mod check;
mod choose;
mod completions;
mod config;
mod dead;
mod deliveries;
mod dev;
mod event;
mod events;
mod exit;
mod export;
mod invoke;
mod journal;
mod kv;
mod list;
mod log_level;
mod man;
mod new;
mod paint;
mod plugin_file;
mod plugins;
mod refusals;
mod send;
mod serve;
mod show;
mod status;
mod tail;
mod test;
mod tried;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::plugin::{compile, symbols};

/// Routes webhooks to WebAssembly plugins.
///
/// hookbox receives webhooks over HTTP, verifies and types them, and hands each
/// to every plugin that asked for it. Plugins are dropped into a directory while
/// it runs.
#[derive(Debug, Parser)]
#[command(name = "hookbox", version, max_term_width = 100, after_help = exit::HELP)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Serves webhooks until SIGTERM or SIGINT
    #[command(after_help = "\
Examples:
  hookbox serve
  HOOKBOX_LOG__FORMAT=json hookbox serve --config /etc/hookbox.toml")]
    Serve(ConfigFile),
    /// Says whether a running server works, and what it does
    Status(status::Arguments),
    /// Shows what happens, as it happens
    Tail(tail::Arguments),
    /// Lists, shows and replays events
    #[command(subcommand)]
    Events(events::Verb),
    /// Lists deliveries: events on their way to plugins
    #[command(subcommand)]
    Deliveries(deliveries::Verb),
    /// Lists, redrives and discards what was given up
    #[command(subcommand)]
    Dead(dead::Verb),
    /// Lists requests that were refused
    #[command(subcommand)]
    Refusals(refusals::Verb),
    /// Lists, shows, pauses, resumes and forgets plugins
    #[command(subcommand)]
    Plugins(plugins::Verb),
    /// Shows and changes what plugins keep in their key-value state
    #[command(subcommand)]
    Kv(kv::Verb),
    /// Lists what changed: plugins, settings, and what operators did
    #[command(subcommand)]
    Changes(changes::Verb),
    /// Writes a new plugin's project
    New(new::Arguments),
    /// Builds a plugin from its project
    Build(build::Arguments),
    /// Serves a plugin while it is written: builds it at each save
    Dev(dev::Arguments),
    /// Judges plugin files as a server would, without one
    Check(check::Arguments),
    /// Hands one event to a plugin, without a server
    Invoke(invoke::Arguments),
    /// Runs the recorded cases of a plugin, without a server
    Test(test::Arguments),
    /// Sends a sample webhook to the server
    Send(send::Arguments),
    /// Shows or checks the configuration
    #[command(subcommand)]
    Config(config::Verb),
    /// Shows or changes which log lines a running server writes
    LogLevel(log_level::Arguments),
    /// Prints a script by which a shell completes commands
    Completions(completions::Arguments),
    /// Prints or writes manual pages
    Man(man::Arguments),
    #[command(name = compile::VERB, hide = true)]
    Compile { output: PathBuf, memory_bytes_max: u64, seconds_max: u64 },
    #[command(name = symbols::VERB, hide = true)]
    ResolveFrames { component: PathBuf },
}

/// Which configuration file.
#[derive(Debug, Clone, clap::Args)]
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

/// The whole command line, for help, completions and manual pages.
pub fn command() -> clap::Command {
    Arguments::command()
}

/// Runs the program.
pub fn main() -> ExitCode {
    let done = |()| ExitCode::SUCCESS;
    let result = match Arguments::parse().verb {
        Verb::Serve(file) => serve::run(file.path()),
        Verb::Status(arguments) => status::run(arguments),
        Verb::Tail(arguments) => tail::run(arguments).map(done),
        Verb::Events(verb) => events::run(verb).map(done),
        Verb::Deliveries(verb) => deliveries::run(verb).map(done),
        Verb::Dead(verb) => dead::run(verb).map(done),
        Verb::Refusals(verb) => refusals::run(verb).map(done),
        Verb::Plugins(verb) => plugins::run(verb).map(done),
        Verb::Kv(verb) => kv::run(verb).map(done),
        Verb::Changes(verb) => changes::run(verb).map(done),
        Verb::New(arguments) => new::run(arguments).map(done),
        Verb::Build(arguments) => build::run(arguments),
        Verb::Dev(arguments) => dev::run(arguments),
        Verb::Check(arguments) => check::run(arguments),
        Verb::Invoke(arguments) => invoke::run(&arguments),
        Verb::Test(arguments) => test::run(&arguments),
        Verb::Send(arguments) => send::run(arguments),
        Verb::Config(verb) => config::run(verb).map(done),
        Verb::LogLevel(arguments) => log_level::run(arguments).map(done),
        Verb::Completions(arguments) => completions::run(&arguments).map(done),
        Verb::Man(arguments) => man::run(arguments).map(done),
        Verb::Compile { output, memory_bytes_max, seconds_max } => {
            let status = compile::child(&output, memory_bytes_max, seconds_max);
            return u8::try_from(status).map_or(ExitCode::FAILURE, ExitCode::from);
        }
        Verb::ResolveFrames { component } => {
            let status = symbols::child(&component);
            return u8::try_from(status).map_or(ExitCode::FAILURE, ExitCode::from);
        }
    };
    match result {
        Ok(status) => status,
        Err(error) if nobody_reads(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let _nobody_listens = writeln!(io::stderr(), "hookbox: {error:#}");
            exit::of(&error)
        }
    }
}

/// Milliseconds since the Unix epoch.
fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// Whoever read the output has seen enough, such as `head`.
fn nobody_reads(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
