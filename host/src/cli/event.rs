//! `hookbox events show`

use super::journal::{Journal, Place};
use super::paint::{self, in_style};
use super::show::{Table, count, line, lines, milliseconds, pretty_json, time};
use crate::store::records::{
    AttemptRecord, CallRecord, ChangeKind, Content, DeliverySummary, EventDetail, EventView,
    NewChange, Operation, Query, event_view,
};

/// Who reveals by the command line: whoever may use the control socket.
const ACTOR: &str = "local";

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hookbox events show 01a20943-4531-77b0-8623-b1608270298f
  hookbox events show 01a20943-4531-77b0-8623-b1608270298f --json | jq .typed.payload")]
pub(super) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// The event's id
    id: String,
    /// Hide nothing. That you looked is noted down first: `hookbox changes list`
    #[arg(long)]
    reveal: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: Arguments) -> anyhow::Result<()> {
    let Arguments { place, id, reveal, json } = arguments;
    let journal = place.open()?;
    let detail: EventDetail = journal.ask(&Query::Event { id })?;
    if reveal {
        note_reveal(&journal, &detail.summary.id, "by hookbox events show --reveal")?;
    }
    let event = event_view(detail, reveal);
    if json {
        return pretty_json(&event);
    }
    Ok(show(&event, &mut anstream::stdout().lock())?)
}

/// Notes down that somebody looks at all of an event, before it is shown.
pub(super) fn note_reveal(journal: &Journal, event: &str, text: &str) -> anyhow::Result<()> {
    let change = NewChange {
        at_ms: super::now_ms(),
        kind: ChangeKind::Revealed,
        plugin: None,
        subject: Some(event.to_owned()),
        actor: Some(ACTOR.to_owned()),
        text: text.to_owned(),
    };
    journal.operate([Operation::Note { change }])?;
    Ok(())
}

fn show(event: &EventView, out: &mut impl std::io::Write) -> std::io::Result<()> {
    let EventView { summary, secret, document, masked, attempts, .. } = event;
    writeln!(out, "event     {}", summary.id)?;
    writeln!(out, "name      {}", line(&summary.name, 200))?;
    writeln!(out, "source    {}, by the secret {secret:?}", summary.source)?;
    writeln!(out, "received  {}", time(summary.received_at_ms))?;
    if summary.repeats > 0 {
        writeln!(out, "repeated  {}", count(summary.repeats, "duplicate"))?;
    }
    writeln!(out, "\n{}", in_style("deliveries", paint::HEAD))?;
    if summary.deliveries.is_empty() {
        writeln!(out, "  none: no plugin was subscribed")?;
    } else {
        show_deliveries(&summary.deliveries, out)?;
    }
    if !attempts.is_empty() {
        writeln!(out, "\n{}", in_style("attempts", paint::HEAD))?;
        for attempt in attempts {
            show_attempt(attempt, out)?;
        }
    }
    let hidden = match masked {
        0 => String::new(),
        masked => format!("; {} hidden, --reveal shows them", count(*masked, "value")),
    };
    writeln!(out, "\n{}, {}{hidden}", in_style("body", paint::HEAD), count(summary.bytes, "byte"))?;
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
        let (plain, style) = (anstyle::Style::new(), paint::state(delivery.state));
        let row = [delivery.id.clone(), delivery.plugin.clone(), state, attempts];
        table.painted(row, [plain, plain, style, plain]);
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
