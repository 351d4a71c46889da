//! `hookbox log-level`

use std::io::{self, Write as _};

use serde::{Deserialize, Serialize};

use super::exit::Mistake;
use super::journal::Place;
use super::show;
use crate::store::records::RequestError;

/// Where the API has it.
const PATH: &str = "/api/v1/log-level";

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hookbox log-level
  hookbox log-level debug
  hookbox log-level info,hookbox::ingress=debug")]
pub(super) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// error, warn, info, debug or trace, or a filter as in log.level; it holds
    /// until the server ends. Without it, the one in force is printed
    level: Option<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct Level {
    level: String,
}

pub(super) fn run(arguments: Arguments) -> anyhow::Result<()> {
    let Arguments { place, level, json } = arguments;
    let server = place.server()?;
    let level: Level = match level {
        None => server.get(PATH)?,
        Some(level) => {
            let answer = server.wait(server.client.put(PATH, &Level { level })).map_err(mistake)?;
            serde_json::from_value(answer)?
        }
    };
    if json {
        return show::json(&level);
    }
    Ok(writeln!(io::stdout(), "{}", show::line(&level.level, usize::MAX))?)
}

/// A filter that is none is a mistake on the command line.
fn mistake(error: anyhow::Error) -> anyhow::Error {
    match error.downcast::<RequestError>() {
        Ok(error) if error.code == RequestError::INVALID => Mistake(error.message).into(),
        Ok(error) => error.into(),
        Err(error) => error,
    }
}
