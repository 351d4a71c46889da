//! `hookbox status`

use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::json;

use super::exit::{NO_SERVER, NOT_READY, NoServer};
use super::journal::Place;
use super::paint::{self, in_style};
use super::plugins;
use super::show::{self, bytes, count, duration, line, milliseconds, time};
use crate::admin::views::{PartView, StatusView};
use crate::telemetry::stats::Latency;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit status 0: all parts work; 6: one does not; 3: no server runs.

Examples:
  hookbox status
  hookbox status --json | jq .owed")]
pub(super) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let Arguments { place, json } = arguments;
    let data_dir = place.data_dir()?;
    let server = match Place::of(data_dir.clone()).server() {
        Ok(server) => server,
        Err(error) if error.is::<NoServer>() => {
            let file = data_dir.join("journal.sqlite");
            let length = std::fs::metadata(&file).map(|about| about.len()).ok();
            if json {
                show::json(&json!({"running": false, "journal_bytes": length}))?;
                return Ok(ExitCode::from(NO_SERVER));
            }
            let journal = match length {
                Some(length) => format!("the journal {} has {}", file.display(), bytes(length)),
                None => format!("there is no journal in {}", data_dir.display()),
            };
            return Err(error.context(journal));
        }
        Err(error) => return Err(error),
    };
    let answer = server.wait(server.client.get("/api/v1/status"))?;
    let status: StatusView =
        serde_json::from_value(answer.clone()).context("the server is of another version")?;
    if json {
        show::json(&answer)?;
    } else {
        let plugins = plugins::by_state(&server)?;
        print(&status, &plugins, &mut anstream::stdout().lock())?;
    }
    let good = status.parts.iter().all(|part| part.good);
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::from(NOT_READY) })
}

fn print(status: &StatusView, plugins: &str, out: &mut impl std::io::Write) -> std::io::Result<()> {
    let StatusView { version, address, stats, .. } = status;
    let since = stats.started_at_ms;
    let up = duration(stats.at_ms.saturating_sub(since));
    writeln!(out, "hookbox {version} at {address}, since {} ({up})", time(since))?;
    for PartView { name, good, error } in &status.parts {
        let (word, style) = if *good { ("good", paint::GOOD) } else { ("failing", paint::BAD) };
        let error = error.as_ref().map(|error| format!(": {}", line(error, 200)));
        let word = in_style(word, style);
        writeln!(out, "  {name:10} {word}{}", error.unwrap_or_default())?;
    }
    let totals = &stats.totals;
    writeln!(out, "\nsources      {}", line(&status.sources.join(", "), 200))?;
    writeln!(out, "log level    {}", line(&status.log_level, 200))?;
    writeln!(out, "plugins      {plugins}")?;
    writeln!(out, "generation   {}", status.generation)?;
    writeln!(out, "owed         {}", count(status.owed, "delivery"))?;
    let dead = count(status.dead, "dead letter");
    let style = if status.dead > 0 { paint::BAD } else { anstyle::Style::new() };
    writeln!(out, "dead         {}", in_style(&dead, style))?;
    writeln!(out, "journal      {}", bytes(status.journal_bytes))?;
    writeln!(out, "memory       {}", bytes(stats.memory_bytes))?;
    let received = count(totals.received, "request");
    writeln!(
        out,
        "received     {received}: {} accepted, {} duplicate, {} refused",
        totals.accepted, totals.duplicate, totals.refused
    )?;
    let calls = count(totals.handled + totals.failed, "call");
    let (handled, failed, dead) = (totals.handled, totals.failed, totals.dead);
    writeln!(out, "calls        {calls}: {handled} handled, {failed} failed; {dead} given up")?;
    writeln!(out, "answered in  {}", latency(&stats.accept))?;
    writeln!(out, "commits in   {}", latency(&stats.commit))
}

/// Of the last five minutes.
pub(super) fn latency(latency: &Latency) -> String {
    if latency.count == 0 {
        return "nothing was measured in the last 5 minutes".to_owned();
    }
    let (p50, p99) = (milliseconds(latency.p50_us), milliseconds(latency.p99_us));
    format!("{p50} (half), {p99} (99 of 100), of {}", latency.count)
}
