//! `hookbox config`

use std::io::Write as _;
use std::path::PathBuf;

use clap::Subcommand;
use hookbox_core::ids::SourceName;
use serde::Serialize;

use super::{ConfigFile, show};
use crate::config::{self, Config, LiveSource};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Prints every setting with its default and what it means
    #[command(after_help = "Example:\n  hookbox config default > hookbox.toml")]
    Default,
    /// Checks a configuration file and the environment without starting anything
    #[command(after_help = "\
Examples:
  hookbox config check
  hookbox config check --config /etc/hookbox.toml --json")]
    Check {
        #[command(flatten)]
        file: ConfigFile,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(verb: Verb) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    match verb {
        Verb::Default => out.write_all(config::DEFAULTS.as_bytes())?,
        Verb::Check { file, json } => {
            let config = config::read(file.path().as_deref())?;
            crate::telemetry::check(&config.live.log)?;
            if let Some(files) = &config.settings.server.tls() {
                crate::ingress::tls::read(files)?;
            }
            if json {
                return show::json(&Good::of(&config));
            }
            writeln!(out, "The configuration is good.")?;
            for (name, source) in &config.live.sources {
                let secrets = &source.secrets;
                writeln!(out, "  source {name}: POST /hooks/{name}, secrets {secrets:?}")?;
            }
            writeln!(out, "  plugins: {}", config.settings.server.plugins_dir.display())?;
            writeln!(out, "  data: {}", config.settings.server.data_dir.display())?;
        }
    }
    Ok(())
}

/// What is true by a good configuration.
#[derive(Serialize)]
struct Good {
    sources: Vec<SourceView>,
    listen: String,
    plugins_dir: PathBuf,
    data_dir: PathBuf,
}

#[derive(Serialize)]
struct SourceView {
    name: String,
    path: String,
    /// Their names.
    secrets: Vec<String>,
}

impl Good {
    fn of(config: &Config) -> Self {
        let server = &config.settings.server;
        let source = |(name, source): (&SourceName, &LiveSource)| SourceView {
            name: name.to_string(),
            path: format!("/hooks/{name}"),
            secrets: source.secrets.names().map(str::to_owned).collect(),
        };
        Self {
            sources: config.live.sources.iter().map(source).collect(),
            listen: server.listen.to_string(),
            plugins_dir: server.plugins_dir.clone(),
            data_dir: server.data_dir.clone(),
        }
    }
}
