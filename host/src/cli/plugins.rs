//! `hookbox plugins`

use std::collections::BTreeMap;
use std::io::{self, Write as _};

use anstyle::Style;
use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::Value;

use super::journal::{Journal, Place, Running};
use super::paint::{self, in_style};
use super::show::{self, Table, count, line, time};
use super::status::latency;
use crate::admin::views::{PluginState, PluginView, VerdictView};
use crate::store::records::{Operation, RequestError};
use crate::store::sqlite::PluginRecord;

/// Where the API has them.
const PATH: &str = "/api/v1/plugins";

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Lists plugins: what becomes of their events, and what they are owed
    #[command(after_help = "\
Without a server it lists the plugins that the journal knows, with what they are owed.

Examples:
  hookbox plugins list
  hookbox plugins list --json | jq -r 'select(.state != \"live\") | .name'")]
    List {
        #[command(flatten)]
        place: Place,
        /// One JSON object for each line
        #[arg(long)]
        json: bool,
    },
    /// Shows a plugin: its code, its grants, what was said of its file, its calls
    #[command(after_help = "\
Examples:
  hookbox plugins show catalog
  hookbox plugins show catalog --json | jq .verdict")]
    Show {
        #[command(flatten)]
        place: Place,
        /// The plugin's name
        name: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Gives a plugin no more calls, over restarts too, until it is resumed; its events wait
    #[command(after_help = "Example:\n  hookbox plugins pause catalog")]
    Pause(Named),
    /// Ends a plugin's pause
    #[command(after_help = "Example:\n  hookbox plugins resume catalog")]
    Resume(Named),
    /// Gives up and discards all that is owed to a plugin whose file was deleted
    #[command(after_help = "\
Examples:
  hookbox plugins forget catalog --dry-run
  hookbox plugins forget catalog")]
    Forget {
        #[command(flatten)]
        named: Named,
        /// Count only
        #[arg(long)]
        dry_run: bool,
    },
}

/// A plugin to change.
#[derive(Debug, Args)]
pub(super) struct Named {
    #[command(flatten)]
    place: Place,
    /// The plugin's name
    name: String,
    /// How many, as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(verb: Verb) -> anyhow::Result<()> {
    match verb {
        Verb::List { place, json } => match place.open()? {
            Journal::Server(server) => list(all(&server)?, json),
            Journal::File(offline) => list_known(&offline.plugins()?, json),
        },
        Verb::Show { place, name, json } => match place.open()? {
            Journal::Server(server) => {
                let plugin: Value = server.get(&format!("{PATH}/{}", segment(&name)))?;
                if json {
                    return show::json(&plugin);
                }
                Ok(show(&view(plugin)?, &mut anstream::stdout().lock())?)
            }
            Journal::File(offline) => {
                let mut known = offline.plugins()?;
                known.retain(|plugin| plugin.name == name);
                if known.is_empty() {
                    let error = format!("there is no plugin {name:?} in the journal");
                    return Err(RequestError::not_found(error).into());
                }
                list_known(&known, json)
            }
        },
        Verb::Pause(named) => change(named, "Paused", |plugin| Operation::Pause { plugin }),
        Verb::Resume(named) => change(named, "Resumed", |plugin| Operation::Resume { plugin }),
        Verb::Forget { named: Named { place, name, json }, dry_run } => {
            let operation = Operation::Forget { plugin: name.clone(), dry_run, after: None };
            let number = place.open()?.operate([operation])?;
            let verb = if dry_run { "Would forget" } else { "Forgot" };
            let owed = count(number, "delivery");
            show::done(json, number, &format!("{verb} {name} and {owed}."))
        }
    }
}

fn change(named: Named, done: &str, operation: impl Fn(String) -> Operation) -> anyhow::Result<()> {
    let Named { place, name, json } = named;
    let number = place.open()?.operate([operation(name.clone())])?;
    show::done(json, number, &format!("{done} {name}."))
}

/// A name as part of a path. One that is no plugin's is then not found.
fn segment(name: &str) -> String {
    url::form_urlencoded::byte_serialize(name.as_bytes()).collect()
}

fn view(plugin: Value) -> anyhow::Result<PluginView> {
    serde_json::from_value(plugin).context("the server is of another version")
}

fn list(items: Vec<Value>, json: bool) -> anyhow::Result<()> {
    if json {
        return items.iter().try_for_each(show::json);
    }
    let mut table = Table::new([
        ("PLUGIN", 30),
        ("STATE", 12),
        ("VERSION", 12),
        ("OWED", 9),
        ("RUNNING", 7),
        ("DEAD", 9),
        ("CALLS/S", 9),
    ]);
    for item in items {
        let plugin = view(item)?;
        let (state, style) = state(plugin.state);
        let plain = Style::new();
        let dead = if plugin.dead > 0 { paint::BAD } else { plain };
        table.painted(
            [
                plugin.name,
                state.to_owned(),
                plugin.version.unwrap_or_default(),
                plugin.owed.to_string(),
                plugin.running.to_string(),
                plugin.dead.to_string(),
                format!("{:.1}", plugin.stats.rate_per_s),
            ],
            [plain, style, plain, plain, plain, dead, plain],
        );
    }
    Ok(table.print()?)
}

fn list_known(known: &[PluginRecord], json: bool) -> anyhow::Result<()> {
    if json {
        return known.iter().try_for_each(show::json);
    }
    let mut table =
        Table::new([("PLUGIN", 30), ("STATE", 8), ("OWED", 9), ("DEAD", 9), ("CODE", 12)]);
    for plugin in known {
        let PluginRecord { name, digest, present, paused_at_ms, owed, dead } = plugin;
        let state = match (present, paused_at_ms) {
            (false, _) => "gone",
            (true, Some(_)) => "paused",
            (true, None) => "stopped",
        };
        table.row([
            name.clone(),
            state.to_owned(),
            owed.to_string(),
            dead.to_string(),
            digest.chars().take(12).collect(),
        ]);
    }
    writeln!(io::stderr(), "No server runs: this is what the journal knows.")?;
    Ok(table.print()?)
}

/// All plugins, as the API gives them.
fn all(server: &Running) -> anyhow::Result<Vec<Value>> {
    #[derive(Deserialize)]
    struct All {
        items: Vec<Value>,
    }
    let All { items } = server.get(PATH)?;
    Ok(items)
}

/// `none`, or `2 live, 1 refused`.
pub(super) fn by_state(server: &Running) -> anyhow::Result<String> {
    let mut numbers: BTreeMap<u8, (u64, String)> = BTreeMap::new();
    for plugin in all(server)? {
        let plugin = view(plugin)?;
        let (word, style) = state(plugin.state);
        // In the order of the list of states: what works first.
        let entry = numbers.entry(plugin.state as u8).or_insert((0, in_style(word, style)));
        entry.0 += 1;
    }
    let parts: Vec<String> = numbers.values().map(|(n, word)| format!("{n} {word}")).collect();
    Ok(if parts.is_empty() { "none".to_owned() } else { parts.join(", ") })
}

fn state(state: PluginState) -> (&'static str, Style) {
    match state {
        PluginState::Live => ("live", paint::GOOD),
        PluginState::Paused => ("paused", paint::CARE),
        PluginState::BreakerOpen => ("breaker-open", paint::BAD),
        PluginState::Unloadable => ("unloadable", paint::BAD),
        PluginState::Refused => ("refused", paint::BAD),
        PluginState::Gone => ("gone", paint::DIM),
    }
}

fn show(plugin: &PluginView, out: &mut impl io::Write) -> io::Result<()> {
    let (word, style) = state(plugin.state);
    writeln!(out, "plugin    {}", line(&plugin.name, 100))?;
    write!(out, "state     {}", in_style(word, style))?;
    for (what, at) in [
        ("since", plugin.live_since_ms),
        ("paused since", plugin.paused_at_ms),
        ("until", plugin.breaker_until_ms),
    ] {
        if let Some(at) = at {
            write!(out, ", {what} {}", time(at))?;
        }
    }
    writeln!(out)?;
    if let Some(reason) = &plugin.reason {
        writeln!(out, "          {}", line(reason, 1_000))?;
    }
    let title = [&plugin.title, &plugin.version].into_iter().flatten();
    let title: Vec<String> = title.map(|text| line(text, 100)).collect();
    if !title.is_empty() {
        writeln!(out, "is        {}", title.join(" "))?;
    }
    if let Some(digest) = &plugin.digest {
        let generation = plugin.generation.map(|number| format!(", generation {number}"));
        writeln!(out, "sha-256   {digest}{}", generation.unwrap_or_default())?;
    }
    let list = |items: &[String], none: &str| match items {
        [] => none.to_owned(),
        items => line(&items.join(", "), 1_000),
    };
    // What never ran has not said what it wants.
    if plugin.title.is_some() {
        writeln!(out, "events    {}", list(&plugin.events, "all"))?;
        writeln!(out, "sources   {}", list(&plugin.sources, "all"))?;
        writeln!(out, "wants     {}", list(&plugin.wants, "nothing"))?;
    }
    writeln!(out, "granted   {}", list(&plugin.granted, "nothing"))?;
    let oldest = plugin.oldest_owed_at_ms.map(|at| format!(", the oldest since {}", time(at)));
    let (owed, oldest) = (count(plugin.owed, "delivery"), oldest.unwrap_or_default());
    writeln!(out, "owed      {owed}{oldest}; {} now", count(plugin.running, "call"))?;
    writeln!(out, "dead      {}", count(plugin.dead, "dead letter"))?;
    writeln!(
        out,
        "calls     {:.1} a second; {}",
        plugin.stats.rate_per_s,
        latency(&plugin.stats.calls)
    )?;
    for (outcome, number) in &plugin.stats.outcomes {
        writeln!(out, "          {number} {outcome}")?;
    }
    if let Some(failure) = &plugin.stats.last_failure {
        writeln!(out, "failed    {} with event {}", time(failure.at_ms), failure.event)?;
        writeln!(out, "          {}: {}", failure.outcome, line(&failure.error, 1_000))?;
    }
    plugin.verdict.iter().try_for_each(|verdict| show_verdict(verdict, out))
}

fn show_verdict(verdict: &VerdictView, out: &mut impl io::Write) -> io::Result<()> {
    let (word, style) =
        if verdict.accepted { ("good", paint::GOOD) } else { ("refused", paint::BAD) };
    writeln!(out, "file      {} at {}", in_style(word, style), time(verdict.at_ms))?;
    if let (Some(code), Some(message)) = (&verdict.code, &verdict.message) {
        writeln!(out, "          {code}: {}", line(message, 2_000))?;
    }
    if !verdict.fix.is_empty() {
        writeln!(out, "          These lines of the configuration would mend it:")?;
        for fix in &verdict.fix {
            // Whole, since it is to be copied.
            writeln!(out, "            {}", line(fix, usize::MAX))?;
        }
    }
    Ok(())
}
