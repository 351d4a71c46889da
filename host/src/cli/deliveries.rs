//! `hookbox deliveries`

use clap::Subcommand;

use super::choose::{self, Choice};
use super::list::{Listing, Row};
use super::paint;
use super::show::{count, line, time};
use crate::store::records::{DeliveryRecord, Query, State};

/// Columns of the terminal that an error may take, without its indentation.
const ERROR_CHARS_MAX: usize = 94;

/// The states that a delivery can be in.
const STATES: [State; 8] = [
    State::Pending,
    State::Running,
    State::Waiting,
    State::Blocked,
    State::Parked,
    State::Succeeded,
    State::Dead,
    State::Discarded,
];

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Lists deliveries over all events, newest event first
    #[command(after_help = "\
Examples:
  hookbox deliveries list --plugin catalog --state waiting
  hookbox deliveries list --since 1h --json | jq -r .plugin | sort | uniq -c")]
    List {
        #[command(flatten)]
        listing: Listing,
        #[command(flatten)]
        choice: Choice,
        /// Only in this state
        #[arg(long, value_parser = choose::state(&STATES))]
        state: Option<State>,
    },
}

pub(super) fn run(verb: Verb) -> anyhow::Result<()> {
    let Verb::List { listing, choice, state } = verb;
    let filter = choice.filter(state);
    let query = |limit, after| Query::Deliveries { filter: filter.clone(), limit, after };
    let columns = [("DELIVERY", 36), ("RECEIVED", 20), ("PLUGIN", 16), ("STATE", 10), ("TRIES", 5)];
    listing.print(query, columns, |delivery: DeliveryRecord| {
        let note = note(&delivery);
        let DeliveryRecord { id, received_at_ms, plugin, state, attempts, .. } = delivery;
        let state_name = state.code().to_owned();
        Row::new([id, time(received_at_ms), plugin, state_name, attempts.to_string()])
            .painted(3, paint::state(state))
            .noted(note)
    })
}

fn note(delivery: &DeliveryRecord) -> String {
    let DeliveryRecord { event, name, source, .. } = delivery;
    let mut facts = vec![format!("{} of {source}, event {event}", line(name, 28))];
    facts.extend(delivery.reason.clone());
    facts.extend(delivery.due_at_ms.map(|due| format!("due {}", time(due))));
    facts.extend(delivery.replay.then(|| "a replay".to_owned()));
    let mut note = format!("    {}\n", facts.join(", "));
    if let Some(other) = &delivery.waits_for {
        note.push_str(&format!("    waits for {other}\n"));
    }
    if let Some(error) = &delivery.error {
        let after = count(delivery.attempts.into(), "attempt");
        let error = line(error, ERROR_CHARS_MAX.saturating_sub(after.len() + 8));
        note.push_str(&format!("    after {after}: {error}\n"));
    }
    note
}
