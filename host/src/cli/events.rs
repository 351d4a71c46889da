//! `hookbox events`

use std::io::Write as _;

use clap::{Subcommand, value_parser};

use super::choose::{self, Choice};
use super::journal::Place;
use super::show::{Table, count, line, lines, time};
use crate::store::records::{
    AttemptRecord, CallRecord, Content, DeliverySummary, EventDetail, EventSummary, Operation,
    Query, State,
};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Lists events, newest first
    List {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        choice: Choice,
        /// Only with a delivery in this state, or unrouted
        #[arg(long, value_parser = choose::state(&State::ALL))]
        state: Option<State>,
        /// As many at most
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = value_parser!(u64).range(1..))]
        limit: u64,
        /// One JSON object for each line
        #[arg(long)]
        json: bool,
    },
    /// Shows an event, its deliveries, the calls of plugins with it, and its body
    Show {
        #[command(flatten)]
        place: Place,
        /// The event's id
        id: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Hands events over to a plugin once more, as new deliveries
    Replay {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        choice: Choice,
        /// Only with a delivery in this state, or unrouted
        #[arg(long, value_parser = choose::state(&State::ALL))]
        state: Option<State>,
        /// The events' ids; -: read them from standard input
        ids: Vec<String>,
        /// The plugin that gets them
        #[arg(long, value_name = "PLUGIN")]
        to: String,
        /// Every event there is
        #[arg(long, conflicts_with = "ids")]
        all: bool,
        /// Count them only
        #[arg(long)]
        dry_run: bool,
    },
}

pub(super) fn run(verb: Verb) -> anyhow::Result<()> {
    match verb {
        Verb::List { place, choice, state, limit, json } => list(place, choice, state, limit, json),
        Verb::Show { place, id, json } => {
            let event: EventDetail = place.open()?.ask(&Query::Event { id })?;
            let mut out = std::io::stdout().lock();
            if json {
                serde_json::to_writer_pretty(&mut out, &event).map_err(std::io::Error::from)?;
                writeln!(out)?;
            } else {
                show(&event, &mut out)?;
            }
            Ok(())
        }
        Verb::Replay { place, choice, state, ids, to, all, dry_run } => {
            let filters = choose::changed(ids, choice.filter(state), all)?;
            let plugin = to.clone();
            let operations = filters.into_iter().map(|filter| {
                let plugin = plugin.clone();
                Operation::Replay { filter, plugin, dry_run, after: None }
            });
            let done = place.open()?.operate(operations)?;
            let verb = if dry_run { "Would replay" } else { "Replayed" };
            writeln!(std::io::stdout(), "{verb} {} to {to}.", count(done, "event"))?;
            Ok(())
        }
    }
}

fn list(
    place: Place,
    choice: Choice,
    state: Option<State>,
    limit: u64,
    json: bool,
) -> anyhow::Result<()> {
    let filter = choice.filter(state);
    let journal = place.open()?;
    let query = |limit, after| Query::Events { filter: filter.clone(), limit, after };
    let mut out = std::io::stdout().lock();
    if json {
        journal.list(limit, query, |event: EventSummary| {
            serde_json::to_writer(&mut out, &event).map_err(std::io::Error::from)?;
            Ok(writeln!(out)?)
        })?;
        return Ok(());
    }
    let mut table = Table::new([
        ("EVENT", 36),
        ("RECEIVED", 20),
        ("SOURCE", 12),
        ("NAME", 20),
        ("DELIVERIES", 200),
    ]);
    let more = journal.list(limit, query, |event: EventSummary| {
        let deliveries = by_state(&event.deliveries);
        table.row([event.id, time(event.received_at_ms), event.source, event.name, deliveries]);
        Ok(())
    })?;
    for row in table.lines() {
        writeln!(out, "{row}")?;
    }
    if more {
        writeln!(std::io::stderr(), "There may be more: --limit is {limit}.")?;
    }
    Ok(())
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

fn show(event: &EventDetail, out: &mut impl std::io::Write) -> std::io::Result<()> {
    let EventDetail { summary, secret, document, attempts } = event;
    writeln!(out, "event     {}", summary.id)?;
    writeln!(out, "name      {}", line(&summary.name, 200))?;
    writeln!(out, "source    {}, by the secret {secret:?}", summary.source)?;
    writeln!(out, "received  {}", time(summary.received_at_ms))?;
    if summary.repeats > 0 {
        writeln!(out, "repeated  {}", count(summary.repeats, "duplicate"))?;
    }
    writeln!(out, "\ndeliveries")?;
    if summary.deliveries.is_empty() {
        writeln!(out, "  none: no plugin was subscribed")?;
    } else {
        show_deliveries(&summary.deliveries, out)?;
    }
    if !attempts.is_empty() {
        writeln!(out, "\nattempts")?;
        for attempt in attempts {
            show_attempt(attempt, out)?;
        }
    }
    writeln!(out, "\nbody, {}", count(summary.bytes, "byte"))?;
    for text in lines(document) {
        writeln!(out, "  {text}")?;
    }
    Ok(())
}

fn show_deliveries(
    deliveries: &[DeliverySummary],
    out: &mut impl std::io::Write,
) -> std::io::Result<()> {
    let columns = [("DELIVERY", 36), ("PLUGIN", 30), ("STATE", 9), ("ATTEMPTS", 8)];
    let mut table = Table::new(columns);
    for delivery in deliveries {
        let state = delivery.state.code().to_owned();
        let attempts = delivery.attempts.to_string();
        table.row([delivery.id.clone(), delivery.plugin.clone(), state, attempts]);
    }
    let notes = std::iter::once(Vec::new()).chain(deliveries.iter().map(notes));
    for (row, notes) in table.lines().zip(notes) {
        writeln!(out, "  {row}")?;
        if !notes.is_empty() {
            writeln!(out, "    {}", notes.join(", "))?;
        }
    }
    Ok(())
}

/// What is said of a delivery below its row.
fn notes(delivery: &DeliverySummary) -> Vec<String> {
    let mut notes = Vec::new();
    notes.extend(delivery.reason.clone());
    notes.extend(delivery.due_at_ms.map(|due| format!("due {}", time(due))));
    notes.extend(delivery.waits_for.as_ref().map(|other| format!("waits for {other}")));
    notes.extend(delivery.replay.then(|| "a replay".to_owned()));
    notes
}

fn show_attempt(attempt: &AttemptRecord, out: &mut impl std::io::Write) -> std::io::Result<()> {
    let AttemptRecord { plugin, number, outcome, became, digest, generation, .. } = attempt;
    write!(out, "  {}  {plugin} #{number}: {outcome}", time(attempt.started_at_ms))?;
    // Of one that was cut off with the process no more is known.
    if digest.is_empty() {
        writeln!(out, ", then {became}\n    delivery {}", attempt.delivery)?;
    } else {
        let digest: String = digest.chars().take(12).collect();
        writeln!(out, " after {}, then {became}", milliseconds(attempt.duration_us))?;
        writeln!(out, "    delivery {}, code {digest}, generation {generation}", attempt.delivery)?;
    }
    if let Some(error) = &attempt.error {
        let blame = attempt.blame.as_ref().map(|blame| format!(" ({blame})")).unwrap_or_default();
        for (index, text) in lines(error).enumerate() {
            let label = if index == 0 { format!("error{blame}: ") } else { String::new() };
            writeln!(out, "    {label}{text}")?;
        }
    }
    for text in attempt.log.iter().flat_map(|log| lines(log)) {
        writeln!(out, "    | {text}")?;
    }
    attempt.calls.iter().try_for_each(|call| show_call(call, out))
}

/// A request that the plugin sent.
fn show_call(call: &CallRecord, out: &mut impl std::io::Write) -> std::io::Result<()> {
    let CallRecord { method, url, request, response, .. } = call;
    let answer = match (call.status, &call.code) {
        (Some(status), _) => status.to_string(),
        (None, Some(code)) => line(code, 60),
        (None, None) => "no answer".to_owned(),
    };
    let (method, url) = (line(method, 20), line(url, 200));
    writeln!(out, "    {method} {url}: {answer} after {}", milliseconds(call.duration_us))?;
    let address = call.address.as_ref().map(|address| format!(", {address}")).unwrap_or_default();
    let (sent, got) = (count(request.bytes, "byte"), count(response.bytes, "byte"));
    writeln!(out, "      sent {sent}, got {got}{address}")?;
    for text in call.error.iter().flat_map(|error| lines(error)) {
        writeln!(out, "      {text}")?;
    }
    for (mark, body) in [('>', request), ('<', response)] {
        match &body.kept {
            Some(Content::Text(kept)) => {
                lines(kept).try_for_each(|text| writeln!(out, "      {mark} {text}"))?;
            }
            Some(Content::Base64(_)) => writeln!(out, "      {mark} (not text; see --json)")?,
            None => {}
        }
    }
    Ok(())
}

fn milliseconds(us: u64) -> String {
    format!("{}.{:03} ms", us / 1_000, us % 1_000)
}
