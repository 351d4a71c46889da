//! `hookbox events export`

mod written;

use std::collections::BTreeSet;
use std::io::{self, Write as _};

use anyhow::bail;
use hookbox_core::ids::PluginName;

use self::written::Around;
use super::event::note_reveal;
use super::exit::Mistake;
use super::journal::Place;
use super::show::{count, harmless_text, line, time};
use crate::config;
use crate::store::records::{AttemptRecord, EventDetail, EventView, Query, event_view};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Values of secrets are in no journal: the case has others in their place. State is as it is when
nothing was kept: give it where the plugin goes by it.

Example:
  hookbox events export 01a20943-4531-77b0-8623-b1608270298f --as-test > cases/harbour.toml")]
pub(super) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// The event's id
    id: String,
    /// As a case of `hookbox test`, in TOML
    #[arg(long, required = true)]
    as_test: bool,
    /// The plugin whose latest attempt is meant [default: the only one that got it]
    #[arg(long, value_name = "NAME")]
    plugin: Option<PluginName>,
    /// Hide nothing. That you looked is noted down first: `hookbox changes list`
    #[arg(long)]
    reveal: bool,
}

pub(super) fn run(arguments: Arguments) -> anyhow::Result<()> {
    let Arguments { place, id, as_test: _, plugin, reveal } = arguments;
    // What cannot be read of it only leaves the case with less.
    let plugins = config::for_plugins(place.config_file().as_deref()).ok();
    let journal = place.open()?;
    let detail: EventDetail = journal.ask(&Query::Event { id })?;
    let named = plugin.is_some();
    let plugin = chosen(&detail, plugin)?;
    let got = names(&detail);
    if named && !got.contains(plugin.as_str()) {
        // A case for a plugin that is yet to get such events is a good one.
        let got = match got.is_empty() {
            true => "no plugin did".to_owned(),
            false => format!("these did: {}", Vec::from_iter(got).join(", ")),
        };
        writeln!(io::stderr(), "hookbox: {plugin} did not get this event; {got}")?;
    }
    if reveal {
        note_reveal(&journal, &detail.summary.id, "by hookbox events export --reveal")?;
    }
    let event = event_view(detail, reveal);
    let attempt = event.attempts.iter().rfind(|attempt| attempt.plugin == plugin.as_str());
    let grants = plugins.map(|(_, plugins)| plugins.of(&plugin).grants.clone());
    let around = Around::new(attempt, grants.as_deref());
    let case = toml::to_string_pretty(&around.case(&event, attempt))?;
    let mut out = io::stdout().lock();
    for comment in comments(&event, &plugin, attempt, &around) {
        writeln!(out, "# {}", line(&comment, usize::MAX))?;
    }
    write!(out, "\n{}", harmless_text(&case))?;
    Ok(())
}

/// The plugins that got it, or are to.
fn names(event: &EventDetail) -> BTreeSet<&str> {
    let of_attempts = event.attempts.iter().map(|attempt| &attempt.plugin);
    let of_deliveries = event.summary.deliveries.iter().map(|delivery| &delivery.plugin);
    of_attempts.chain(of_deliveries).map(String::as_str).collect()
}

/// The plugin that is meant.
fn chosen(event: &EventDetail, named: Option<PluginName>) -> anyhow::Result<PluginName> {
    if let Some(name) = named {
        return Ok(name);
    }
    let names = names(event);
    let mut all = names.iter();
    match (all.next(), all.next()) {
        (Some(name), None) => Ok(name.parse()?),
        (None, _) => bail!("no plugin got this event; --plugin names the one that is to be tested"),
        (Some(_), Some(_)) => {
            let names: Vec<&str> = names.into_iter().collect();
            let names = names.join(", ");
            Err(Mistake(format!("--plugin says which: {names} got this event")).into())
        }
    }
}

fn comments(
    event: &EventView,
    plugin: &PluginName,
    attempt: Option<&AttemptRecord>,
    around: &Around,
) -> Vec<String> {
    let summary = &event.summary;
    let mut all = vec![format!("The event {} of {}.", summary.id, time(summary.received_at_ms))];
    all.push(match attempt {
        Some(attempt) => {
            format!("Attempt {} of {plugin} ended: {}.", attempt.number, attempt.outcome)
        }
        None => format!("{plugin} was not called with it yet, so what it expects is a guess."),
    });
    if event.masked > 0 {
        all.push(format!("{} hidden; --reveal shows them.", count(event.masked, "value")));
    }
    all.extend(around.notes());
    all
}
