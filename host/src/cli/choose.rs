//! Which events or deliveries: ids and filters on the command line, and what is
//! done to all of them.

use std::collections::HashSet;
use std::io::Read as _;

use anyhow::Context as _;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::exit::Mistake;
use super::journal::Place;
use super::show::{self, count};
use crate::store::records::{Filter, Operation, State};

/// Bytes of ids that come in by standard input: over a million of them.
const IDS_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What both events and dead letters are chosen by.
#[derive(Debug, clap::Args)]
pub(super) struct Choice {
    /// Only of this source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Only events of this name, such as sd_encoded
    #[arg(long, value_name = "NAME")]
    event: Option<String>,
    /// Only with a delivery to this plugin
    #[arg(long, value_name = "NAME")]
    plugin: Option<String>,
    /// Only from then on: RFC 3339, or how long ago, such as 30m, 2h or 7d
    #[arg(long, value_name = "TIME", value_parser = time_ms)]
    since: Option<u64>,
    /// Only before then
    #[arg(long, value_name = "TIME", value_parser = time_ms)]
    until: Option<u64>,
}

impl Choice {
    pub(super) fn filter(self, state: Option<State>) -> Filter {
        Filter {
            ids: Vec::new(),
            source: self.source,
            event: self.event,
            plugin: self.plugin,
            state,
            since_ms: self.since,
            until_ms: self.until,
            text: None,
        }
    }
}

/// What is changed.
#[derive(Debug, clap::Args)]
pub(super) struct Change {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    choice: Choice,
    /// Their ids; -: read them from standard input
    ids: Vec<String>,
    /// Every one there is
    #[arg(long, conflicts_with = "ids")]
    all: bool,
    /// Count them only
    #[arg(long)]
    dry_run: bool,
    /// How many, as JSON
    #[arg(long)]
    json: bool,
}

impl Change {
    /// Does it. `said`: what is said of the number of `what` that it concerned,
    /// and what where they were counted only; `rest` ends the sentence.
    pub(super) fn run(
        self,
        state: Option<State>,
        said: [&str; 2],
        what: &str,
        rest: &str,
        operation: impl Fn(Filter, bool) -> Operation,
    ) -> anyhow::Result<()> {
        let Self { place, choice, ids, all, dry_run, json } = self;
        let filters = changed(ids, choice.filter(state), all)?;
        let operations = filters.into_iter().map(|filter| operation(filter, dry_run));
        let number = place.open()?.operate(operations)?;
        let [done, would] = said;
        let verb = if dry_run { would } else { done };
        show::done(json, number, &format!("{verb} {}{rest}.", count(number, what)))
    }
}

/// Reads a state by its name.
pub(super) fn state(of: &'static [State]) -> impl TypedValueParser<Value = State> {
    PossibleValuesParser::new(of.iter().map(|state| state.code()))
        .try_map(|code| State::from_code(&code).ok_or("not a state"))
}

/// The filters of what is to be changed, one for each operation. To change
/// everything must be said.
fn changed(ids: Vec<String>, filter: Filter, all: bool) -> anyhow::Result<Vec<Filter>> {
    if ids.is_empty() {
        if filter.is_everything() && !all {
            let said = "name ids, or give a filter, or --all";
            return Err(Mistake(said.to_owned()).into());
        }
        return Ok(vec![filter]);
    }
    let mut named = Vec::new();
    for id in ids {
        if id == "-" {
            let mut text = String::new();
            let mut input = std::io::stdin().lock().take(IDS_BYTES_MAX);
            input.read_to_string(&mut text).context("standard input")?;
            named.extend(text.split_whitespace().map(str::to_owned));
        } else {
            named.push(id);
        }
    }
    let mut seen = HashSet::new();
    named.retain(|id| seen.insert(id.to_lowercase()));
    let filters = named.chunks(Filter::IDS_MAX);
    Ok(filters.map(|ids| Filter { ids: ids.to_vec(), ..filter.clone() }).collect())
}

/// Milliseconds since the Unix epoch.
pub(super) fn time_ms(text: &str) -> Result<u64, String> {
    if let Some(ago_ms) = ago_ms(text) {
        return Ok(super::now_ms().saturating_sub(ago_ms));
    }
    let time = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| {
        "write a time as 2026-05-01T12:00:00Z, or how long ago it was, as 30s, 15m, 2h or 7d"
            .to_owned()
    })?;
    u64::try_from(time.unix_timestamp_nanos() / 1_000_000)
        .map_err(|_| "it is before 1970".to_owned())
}

fn ago_ms(text: &str) -> Option<u64> {
    let unit = text.chars().next_back()?;
    let unit_ms: u64 = match unit {
        's' => 1_000,
        'm' => 60 * 1_000,
        'h' => 60 * 60 * 1_000,
        'd' => 24 * 60 * 60 * 1_000,
        'w' => 7 * 24 * 60 * 60 * 1_000,
        _ => return None,
    };
    let number = text.strip_suffix(unit)?;
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| number.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(unit_ms))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_time_is_a_date_or_how_long_ago_it_was() {
        assert_eq!(time_ms("1970-01-01T00:00:01.5Z"), Ok(1_500));
        assert_eq!(time_ms("2026-05-01T14:00:00+02:00"), time_ms("2026-05-01T12:00:00Z"));
        let ago = time_ms("0s").expect("now") - time_ms("2h").expect("a time");
        assert!((7_199_000..=7_200_000).contains(&ago), "{ago}");
        assert_eq!(time_ms("99999999999999999999w"), Ok(0));
        for wrong in ["", "h", "2", "2y", "-2h", "2.5h", "+2h", "tomorrow", "1969-01-01T00:00:00Z"]
        {
            assert!(time_ms(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn to_change_everything_must_be_said() {
        let nothing = Filter::default();
        assert!(changed(Vec::new(), nothing.clone(), false).is_err());
        assert_eq!(changed(Vec::new(), nothing.clone(), true).expect("one"), [nothing]);
        let some = Filter { source: Some("main".into()), ..Filter::default() };
        assert_eq!(changed(Vec::new(), some.clone(), false).expect("one"), [some]);
    }

    #[test]
    fn many_ids_are_several_operations_and_none_is_named_twice() {
        let ids = (0..1_201).map(|id| format!("A{}", id % 1_200)).collect();
        let filters = changed(ids, Filter::default(), false).expect("filters");
        let counts: Vec<_> = filters.iter().map(|filter| filter.ids.len()).collect();
        assert_eq!(counts, [500, 500, 200]);
    }
}
