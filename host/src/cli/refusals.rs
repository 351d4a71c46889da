//! `hookbox refusals`

use clap::Subcommand;

use super::choose;
use super::list::{Listing, Row};
use super::paint;
use super::show::time;
use crate::store::records::{Query, RefusalRecord};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Lists requests that were refused, newest first, without their bodies
    #[command(after_help = "\
Examples:
  hookbox refusals list --since 1h
  hookbox refusals list --source main --code secret-wrong --json")]
    List {
        #[command(flatten)]
        listing: Listing,
        /// Only of this source
        #[arg(long, value_name = "NAME")]
        source: Option<String>,
        /// Only with this code, such as secret-wrong
        #[arg(long)]
        code: Option<String>,
        /// Only from then on: RFC 3339, or how long ago, such as 30m, 2h or 7d
        #[arg(long, value_name = "TIME", value_parser = choose::time_ms)]
        since: Option<u64>,
        /// Only before then
        #[arg(long, value_name = "TIME", value_parser = choose::time_ms)]
        until: Option<u64>,
    },
}

pub(super) fn run(verb: Verb) -> anyhow::Result<()> {
    let Verb::List { listing, source, code, since, until } = verb;
    let query = |limit, after| Query::Refusals {
        source: source.clone(),
        code: code.clone(),
        since_ms: since,
        until_ms: until,
        limit,
        after,
    };
    let columns =
        [("AT", 20), ("SOURCE", 20), ("STATUS", 6), ("CODE", 20), ("BYTES", 9), ("PEER", 60)];
    listing.print(query, columns, |refusal: RefusalRecord| {
        let RefusalRecord { at_ms, source, status, code, bytes, peer, .. } = refusal;
        let bytes = bytes.map(|bytes| bytes.to_string()).unwrap_or_default();
        Row::new([time(at_ms), source, status.to_string(), code, bytes, peer])
            .painted(3, paint::CARE)
    })
}
