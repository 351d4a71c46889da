//! `hookbox dead`

use std::io::Write as _;

use clap::{Args, Subcommand, value_parser};

use super::choose::{self, Choice};
use super::journal::Place;
use super::show::{Table, count, line, time};
use crate::store::records::{DeadLetter, Filter, Operation, Query, State};

/// Columns of the terminal that an error may take, without its indentation.
const ERROR_CHARS_MAX: usize = 94;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Lists what was given up, newest first
    List {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        choice: Choice,
        /// Dead, which is the default, or discarded
        #[arg(long, value_parser = choose::state(&[State::Dead, State::Discarded]))]
        state: Option<State>,
        /// As many at most
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = value_parser!(u64).range(1..))]
        limit: u64,
        /// One JSON object for each line
        #[arg(long)]
        json: bool,
    },
    /// Hands dead letters over again, each with all its attempts
    Redrive(Change),
    /// Marks dead letters as not wanted; a discarded one is still there for a while
    Discard(Change),
}

/// Which are changed. By a filter, only those that are not discarded.
#[derive(Debug, Args)]
pub(super) struct Change {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    choice: Choice,
    /// The deliveries' ids; -: read them from standard input
    ids: Vec<String>,
    /// Every dead letter there is
    #[arg(long, conflicts_with = "ids")]
    all: bool,
    /// Count them only
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(verb: Verb) -> anyhow::Result<()> {
    match verb {
        Verb::List { place, choice, state, limit, json } => {
            list(place, choice.filter(state), limit, json)
        }
        Verb::Redrive(change) => {
            let operation = |filter, dry_run| Operation::Redrive { filter, dry_run, after: None };
            self::change(change, ["Redrove", "Would redrive"], operation)
        }
        Verb::Discard(change) => {
            let operation = |filter, dry_run| Operation::Discard { filter, dry_run, after: None };
            self::change(change, ["Discarded", "Would discard"], operation)
        }
    }
}

fn change(
    change: Change,
    [done, would]: [&str; 2],
    operation: impl Fn(Filter, bool) -> Operation,
) -> anyhow::Result<()> {
    let Change { place, choice, ids, all, dry_run } = change;
    let filters = choose::changed(ids, choice.filter(None), all)?;
    let operations = filters.into_iter().map(|filter| operation(filter, dry_run));
    let number = place.open()?.operate(operations)?;
    let verb = if dry_run { would } else { done };
    writeln!(std::io::stdout(), "{verb} {}.", count(number, "dead letter"))?;
    Ok(())
}

fn list(place: Place, filter: Filter, limit: u64, json: bool) -> anyhow::Result<()> {
    let journal = place.open()?;
    let query = |limit, after| Query::Dead { filter: filter.clone(), limit, after };
    let mut out = std::io::stdout().lock();
    if json {
        journal.list(limit, query, |letter: DeadLetter| {
            serde_json::to_writer(&mut out, &letter).map_err(std::io::Error::from)?;
            Ok(writeln!(out)?)
        })?;
        return Ok(());
    }
    let columns = [("DELIVERY", 36), ("DIED", 20), ("PLUGIN", 16), ("REASON", 18)];
    let (mut table, mut notes) = (Table::new(columns), Vec::new());
    let more = journal.list(limit, query, |letter: DeadLetter| {
        notes.push(note(&letter));
        table.row([letter.delivery, time(letter.died_at_ms), letter.plugin, letter.reason]);
        Ok(())
    })?;
    let notes = std::iter::once(String::new()).chain(notes);
    for (row, note) in table.lines().zip(notes) {
        write!(out, "{row}\n{note}")?;
    }
    if more {
        writeln!(std::io::stderr(), "There may be more: --limit is {limit}.")?;
    }
    Ok(())
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
