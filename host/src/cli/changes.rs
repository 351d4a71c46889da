//! `hookbox changes`

use clap::Subcommand;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::list::{Listing, Row};
use super::show::{line, time};
use crate::store::records::{ChangeKind, ChangeRecord, Query};

/// Columns of the terminal that a change's text may take, without its indentation.
const TEXT_CHARS_MAX: usize = 94;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Lists what changed, newest first: what runs, and what operators did
    #[command(after_help = "\
Examples:
  hookbox changes list --plugin catalog
  hookbox changes list --kind revealed --json")]
    List {
        #[command(flatten)]
        listing: Listing,
        /// Only about this plugin
        #[arg(long, value_name = "NAME")]
        plugin: Option<String>,
        /// Only of this kind
        #[arg(long, value_parser = kind())]
        kind: Option<ChangeKind>,
    },
}

/// Reads a kind by its name.
fn kind() -> impl TypedValueParser<Value = ChangeKind> {
    PossibleValuesParser::new(ChangeKind::ALL.iter().map(|kind| kind.code()))
        .try_map(|code| ChangeKind::from_code(&code).ok_or("not a kind"))
}

pub(super) fn run(verb: Verb) -> anyhow::Result<()> {
    let Verb::List { listing, plugin, kind } = verb;
    let query = |limit, after| Query::Changes { plugin: plugin.clone(), kind, limit, after };
    let columns = [("AT", 20), ("KIND", 21), ("BY", 16), ("ABOUT", 60)];
    listing.print(query, columns, |change: ChangeRecord| {
        let ChangeRecord { at_ms, kind, plugin, subject, actor, text, .. } = change;
        let about = [plugin, subject].into_iter().flatten().collect::<Vec<_>>().join(", ");
        let actor = actor.unwrap_or_else(|| "hookbox".to_owned());
        let note = match text.as_str() {
            "" => String::new(),
            text => format!("    {}\n", line(text, TEXT_CHARS_MAX)),
        };
        Row::new([time(at_ms), kind.code().to_owned(), actor, about]).noted(note)
    })
}
