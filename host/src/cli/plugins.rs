//! `hookbox plugins`

use std::io::Write as _;

use clap::Subcommand;

use super::journal::Place;
use super::show::count;
use crate::store::records::Operation;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Gives up and discards all that is owed to a plugin whose file was deleted
    Forget {
        #[command(flatten)]
        place: Place,
        /// The plugin's name
        name: String,
        /// Count only
        #[arg(long)]
        dry_run: bool,
    },
}

pub(super) fn run(verb: Verb) -> anyhow::Result<()> {
    let Verb::Forget { place, name, dry_run } = verb;
    let operation = Operation::Forget { plugin: name.clone(), dry_run, after: None };
    let number = place.open()?.operate([operation])?;
    let verb = if dry_run { "Would forget" } else { "Forgot" };
    writeln!(std::io::stdout(), "{verb} {name} and {}.", count(number, "delivery"))?;
    Ok(())
}
