//! `hookbox config`

use std::io::Write as _;

use clap::Subcommand;

use super::ConfigFile;
use crate::config;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Prints every setting with its default and what it means
    Default,
    /// Checks a configuration file and the environment without starting anything
    Check(ConfigFile),
}

pub(super) fn run(verb: Verb) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    match verb {
        Verb::Default => out.write_all(config::DEFAULTS.as_bytes())?,
        Verb::Check(file) => {
            let config = config::read(file.path().as_deref())?;
            crate::telemetry::check(&config.live.log)?;
            if let Some(files) = &config.settings.server.tls() {
                crate::ingress::tls::read(files)?;
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
