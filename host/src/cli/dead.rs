//! `hookbox dead`

use clap::Subcommand;

use super::choose::{self, Change, Choice};
use super::list::{Listing, Row};
use super::paint;
use super::show::{count, line, time};
use crate::store::records::{DeadLetter, Operation, Query, State};

/// Columns of the terminal that an error may take, without its indentation.
const ERROR_CHARS_MAX: usize = 94;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Lists what was given up, newest first
    #[command(after_help = "\
Examples:
  hookbox dead list --plugin catalog --since 1d
  hookbox dead list --json | jq -r .delivery")]
    List {
        #[command(flatten)]
        listing: Listing,
        #[command(flatten)]
        choice: Choice,
        /// Dead, which is the default, or discarded
        #[arg(long, value_parser = choose::state(&[State::Dead, State::Discarded]))]
        state: Option<State>,
    },
    /// Hands dead letters over again, each with all its attempts
    ///
    /// By a filter, only those that are not discarded.
    #[command(after_help = "\
Examples:
  hookbox dead redrive --plugin catalog --dry-run
  hookbox dead redrive --plugin catalog --since 2h
  hookbox dead redrive 01a20943-4531-75b1-8f96-5047af5e8751")]
    Redrive(Change),
    /// Marks dead letters as not wanted; a discarded one is still there for a while
    #[command(after_help = "\
Examples:
  hookbox dead discard --plugin catalog --event add_playlist
  hookbox dead list --json | jq -r .delivery | hookbox dead discard -")]
    Discard(Change),
}

pub(super) fn run(verb: Verb) -> anyhow::Result<()> {
    match verb {
        Verb::List { listing, choice, state } => {
            let filter = choice.filter(state);
            let query = |limit, after| Query::Dead { filter: filter.clone(), limit, after };
            let columns = [("DELIVERY", 36), ("DIED", 20), ("PLUGIN", 16), ("REASON", 18)];
            listing.print(query, columns, |letter: DeadLetter| {
                let note = note(&letter);
                Row::new([letter.delivery, time(letter.died_at_ms), letter.plugin, letter.reason])
                    .painted(3, paint::BAD)
                    .noted(note)
            })
        }
        Verb::Redrive(change) => {
            let said = ["Redrove", "Would redrive"];
            change.run(None, said, "dead letter", "", |filter, dry_run| Operation::Redrive {
                filter,
                dry_run,
                after: None,
            })
        }
        Verb::Discard(change) => {
            let said = ["Discarded", "Would discard"];
            change.run(None, said, "dead letter", "", |filter, dry_run| Operation::Discard {
                filter,
                dry_run,
                after: None,
            })
        }
    }
}

/// What is said of a dead letter below its row.
fn note(letter: &DeadLetter) -> String {
    let DeadLetter { event, name, source, .. } = letter;
    let attempts = count(letter.attempts.into(), "attempt");
    let mut note = format!("    {} of {source}, event {event}, {attempts}\n", line(name, 28));
    if let Some(error) = &letter.error {
        note.push_str(&format!("    {}\n", line(error, ERROR_CHARS_MAX)));
    }
    if let Some(at) = letter.discarded_at_ms {
        note.push_str(&format!("    discarded {}\n", time(at)));
    }
    note
}
