//! `hookbox events`

use clap::Subcommand;

use super::choose::{self, Change, Choice};
use super::list::{Listing, Row};
use super::paint;
use super::show::time;
use super::{event, export};
use crate::store::records::{DeliverySummary, EventSummary, Operation, Query, State};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Lists events, newest first
    #[command(after_help = "\
Examples:
  hookbox events list --event edit_video --since 1d
  hookbox events list --search 734392
  hookbox events list --state unrouted --json")]
    List {
        #[command(flatten)]
        listing: Listing,
        #[command(flatten)]
        choice: Choice,
        /// Only with a delivery in this state, or unrouted
        #[arg(long, value_parser = choose::state(&State::ALL))]
        state: Option<State>,
        /// Only with this text in their name, id or body
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
    },
    /// Shows an event, its deliveries, the calls of plugins with it, and its body
    ///
    /// Keys and addresses by which somebody could get in are hidden.
    Show(event::Arguments),
    /// Prints an event as a case of `hookbox test`
    ///
    /// What became of its latest attempt is what the case expects. Keys and
    /// addresses by which somebody could get in are hidden.
    Export(export::Arguments),
    /// Hands events over to a plugin once more, as new deliveries
    #[command(after_help = "\
Examples:
  hookbox events replay --since 1d --to catalog --dry-run
  hookbox events replay --state unrouted --to audit-log
  hookbox events replay 01a20943-4531-77b0-8623-b1608270298f --to catalog")]
    Replay {
        #[command(flatten)]
        change: Change,
        /// Only with a delivery in this state, or unrouted
        #[arg(long, value_parser = choose::state(&State::ALL))]
        state: Option<State>,
        /// The plugin that gets them
        #[arg(long, value_name = "PLUGIN")]
        to: String,
    },
}

pub(super) fn run(verb: Verb) -> anyhow::Result<()> {
    match verb {
        Verb::List { listing, choice, state, search } => {
            let mut filter = choice.filter(state);
            filter.text = search;
            let query = |limit, after| Query::Events { filter: filter.clone(), limit, after };
            let columns = [
                ("EVENT", 36),
                ("RECEIVED", 20),
                ("SOURCE", 12),
                ("NAME", 20),
                ("DELIVERIES", 200),
            ];
            listing.print(query, columns, |event: EventSummary| {
                let deliveries = by_state(&event.deliveries);
                let dead = event.deliveries.iter().any(|one| one.state == State::Dead);
                let style = if dead { paint::BAD } else { anstyle::Style::new() };
                let received = time(event.received_at_ms);
                Row::new([event.id, received, event.source, event.name, deliveries])
                    .painted(4, style)
            })
        }
        Verb::Show(arguments) => event::run(arguments),
        Verb::Export(arguments) => export::run(arguments),
        Verb::Replay { change, state, to } => {
            let said = ["Replayed", "Would replay"];
            change.run(state, said, "event", &format!(" to {to}"), |filter, dry_run| {
                Operation::Replay { filter, plugin: to.clone(), dry_run, after: None }
            })
        }
    }
}

/// `2 succeeded, 1 dead`
fn by_state(deliveries: &[DeliverySummary]) -> String {
    if deliveries.is_empty() {
        return State::Unrouted.code().to_owned();
    }
    let counts: Vec<String> = State::ALL
        .into_iter()
        .map(|state| (state, deliveries.iter().filter(|one| one.state == state).count()))
        .filter(|(_, count)| *count > 0)
        .map(|(state, count)| format!("{count} {}", state.code()))
        .collect();
    counts.join(", ")
}
