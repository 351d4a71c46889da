//! `hookbox kv`

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};

use super::journal::{Journal, Place};
use super::show::{self, Table, count, lines, time};
use crate::store::records::{NewState, Operation, Query, StateEntry, StateKey, StateSummary};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Lists the keys of a plugin, or all plugins that keep any
    #[command(after_help = "\
Examples:
  hookbox kv list
  hookbox kv list view-counter --prefix video:")]
    List {
        #[command(flatten)]
        place: Place,
        /// The plugin
        plugin: Option<String>,
        /// Only keys that begin so
        #[arg(long, requires = "plugin", default_value = "", hide_default_value = true)]
        prefix: String,
        /// One JSON object for each line
        #[arg(long)]
        json: bool,
    },
    /// Prints the value of a key
    #[command(after_help = "\
Examples:
  hookbox kv get view-counter total
  hookbox kv get view-counter picture --raw > picture")]
    Get {
        #[command(flatten)]
        place: Place,
        /// The plugin
        plugin: String,
        /// The key
        key: String,
        /// Its bytes as they are, without a line's end
        #[arg(long)]
        raw: bool,
        /// Key and value as JSON
        #[arg(long, conflicts_with = "raw")]
        json: bool,
    },
    /// Gives a key a value
    #[command(after_help = "\
Examples:
  hookbox kv set view-counter total 0
  hookbox kv set view-counter picture --file picture.png")]
    Set(New),
    /// Deletes a key, or all of them
    #[command(after_help = "\
Examples:
  hookbox kv delete view-counter video:17
  hookbox kv delete view-counter --all")]
    Delete {
        #[command(flatten)]
        place: Place,
        /// The plugin
        plugin: String,
        /// The key
        #[arg(required_unless_present = "all")]
        key: Option<String>,
        /// Every key that the plugin keeps
        #[arg(long, conflicts_with = "key")]
        all: bool,
        /// How many, as JSON
        #[arg(long)]
        json: bool,
    },
    /// Prints all keys and values, one JSON object for each line
    #[command(after_help = "\
Examples:
  hookbox kv export view-counter > view-counter.jsonl")]
    Export {
        #[command(flatten)]
        place: Place,
        /// The plugin
        plugin: String,
    },
    /// Sets all keys that an export has; others stay as they are
    #[command(after_help = "\
Examples:
  hookbox kv import view-counter view-counter.jsonl")]
    Import {
        #[command(flatten)]
        place: Place,
        /// The plugin
        plugin: String,
        /// The export; -: standard input
        file: PathBuf,
        /// How many, as JSON
        #[arg(long)]
        json: bool,
    },
}

/// A value to set.
#[derive(Debug, Args)]
pub(super) struct New {
    #[command(flatten)]
    place: Place,
    /// The plugin
    plugin: String,
    /// The key
    key: String,
    /// The value, as text
    #[arg(required_unless_present = "file")]
    value: Option<String>,
    /// A file whose bytes are the value; -: standard input
    #[arg(long, value_name = "FILE", conflicts_with = "value")]
    file: Option<PathBuf>,
    /// How many, as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(verb: Verb) -> anyhow::Result<()> {
    match verb {
        Verb::List { place, plugin: None, json, .. } => list_plugins(&place.open()?, json),
        Verb::List { place, plugin: Some(plugin), prefix, json } => {
            list_keys(&place.open()?, &plugin, &prefix, json)
        }
        Verb::Get { place, plugin, key, raw, json } => {
            let entry: StateEntry = place.open()?.ask(&Query::StateEntry { plugin, key })?;
            if json { show::json(&entry) } else { get(&entry, raw) }
        }
        Verb::Set(new) => set(new),
        Verb::Delete { place, plugin, key, json, .. } => {
            let operation = Operation::DeleteState { plugin: plugin.clone(), key, after: None };
            let number = place.open()?.operate([operation])?;
            let keys = count(number, "key");
            show::done(json, number, &format!("Deleted {keys} of {plugin}."))
        }
        Verb::Export { place, plugin } => {
            let query = |limit, after| Query::StateEntries { plugin: plugin.clone(), limit, after };
            print_json::<StateEntry>(&place.open()?, query)
        }
        Verb::Import { place, plugin, file, json } => {
            let number = import(&place.open()?, &plugin, &file)?;
            show::done(json, number, &format!("Set {} of {plugin}.", count(number, "key")))
        }
    }
}

/// All items of a list as lines of JSON.
fn print_json<T: serde::Serialize + serde::de::DeserializeOwned>(
    journal: &Journal,
    query: impl Fn(u32, Option<String>) -> Query,
) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    journal.list(u64::MAX, query, |item: T| Ok(show::json_to(&mut out, &item)?))?;
    Ok(())
}

fn list_plugins(journal: &Journal, json: bool) -> anyhow::Result<()> {
    let query = |limit, after| Query::StatePlugins { limit, after };
    if json {
        return print_json::<StateSummary>(journal, query);
    }
    let mut table = Table::new([("PLUGIN", 40), ("KEYS", 12), ("BYTES", 20)]);
    journal.list(u64::MAX, query, |item: StateSummary| {
        table.row([item.plugin, item.keys.to_string(), item.bytes.to_string()]);
        Ok(())
    })?;
    Ok(table.print()?)
}

fn list_keys(journal: &Journal, plugin: &str, prefix: &str, json: bool) -> anyhow::Result<()> {
    let query = |limit, after| Query::StateKeys {
        plugin: plugin.to_owned(),
        prefix: prefix.to_owned(),
        limit,
        after,
    };
    if json {
        return print_json::<StateKey>(journal, query);
    }
    let mut table = Table::new([("CHANGED", 20), ("BYTES", 12), ("KEY", 200)]);
    journal.list(u64::MAX, query, |item: StateKey| {
        table.row([time(item.changed_at_ms), item.bytes.to_string(), item.key]);
        Ok(())
    })?;
    Ok(table.print()?)
}

fn get(entry: &StateEntry, raw: bool) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    if raw {
        out.write_all(&value(entry)?)?;
        return Ok(out.flush()?);
    }
    let Some(text) = &entry.value else {
        bail!("the value of {:?} is no text: --raw prints its bytes", entry.key);
    };
    for line in lines(text) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// The bytes of a value.
fn value(entry: &StateEntry) -> anyhow::Result<Vec<u8>> {
    match (&entry.value, &entry.value_base64) {
        (Some(text), None) => Ok(text.clone().into_bytes()),
        (None, Some(text)) => {
            STANDARD.decode(text).with_context(|| format!("value_base64 of {:?}", entry.key))
        }
        _ => bail!("{:?} must have `value` or `value_base64`", entry.key),
    }
}

fn set(new: New) -> anyhow::Result<()> {
    let New { place, plugin, key, value, file, json } = new;
    let value = match (value, file) {
        (Some(value), _) => value.into_bytes(),
        (None, Some(file)) => {
            let mut bytes = Vec::new();
            // One more, so that it is refused below.
            open(&file)?.take(NewState::BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
            bytes
        }
        (None, None) => bail!("a value is missing"),
    };
    let entry = new_state(key, &value)?;
    let shown = format!("{:?} of {plugin}", entry.key);
    place.open()?.operate([Operation::SetState { plugin, entries: vec![entry] }])?;
    show::done(json, 1, &format!("Set {shown}."))
}

fn new_state(key: String, value: &[u8]) -> anyhow::Result<NewState> {
    if value.len() > NewState::BYTES_MAX {
        bail!(
            "the value of {key:?} has over {} bytes, the most that can be set",
            NewState::BYTES_MAX
        );
    }
    Ok(NewState { key, value_base64: STANDARD.encode(value) })
}

fn open(file: &Path) -> anyhow::Result<Box<dyn Read>> {
    if file.as_os_str() == "-" {
        return Ok(Box::new(io::stdin()));
    }
    Ok(Box::new(File::open(file).with_context(|| file.display().to_string())?))
}

/// How many keys it set.
fn import(journal: &Journal, plugin: &str, file: &Path) -> anyhow::Result<u64> {
    let (mut entries, mut bytes, mut number) = (Vec::new(), 0, 0);
    let send = |entries: Vec<NewState>| {
        if entries.is_empty() {
            return Ok(0);
        }
        journal.operate([Operation::SetState { plugin: plugin.to_owned(), entries }])
    };
    for (index, line) in BufReader::new(open(file)?).lines().enumerate() {
        let done = count(number, "key");
        let place = || format!("{}, line {}, after {done}", file.display(), index + 1);
        let line = line.with_context(place)?;
        if line.trim().is_empty() {
            continue;
        }
        let entry: StateEntry = serde_json::from_str(&line).with_context(place)?;
        let value = value(&entry).with_context(place)?;
        if bytes + value.len() > NewState::BYTES_MAX || entries.len() == NewState::KEYS_MAX {
            number += send(std::mem::take(&mut entries)).with_context(place)?;
            bytes = 0;
        }
        bytes += value.len();
        entries.push(new_state(entry.key, &value).with_context(place)?);
    }
    Ok(number + send(entries)?)
}
