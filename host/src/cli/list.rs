//! What all lists have in common: page by page, as a table or as JSON.

use std::io::{self, Write as _};

use anstyle::Style;
use clap::{Args, value_parser};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::journal::Place;
use super::show::{self, Table};
use crate::store::records::Query;

/// Which journal, how much of it, and how.
#[derive(Debug, Args)]
pub(super) struct Listing {
    #[command(flatten)]
    place: Place,
    /// As many at most
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = value_parser!(u64).range(1..))]
    limit: u64,
    /// One JSON object for each line
    #[arg(long)]
    json: bool,
}

/// One item for people.
pub(super) struct Row<const COLUMNS: usize> {
    pub(super) cells: [String; COLUMNS],
    pub(super) styles: [Style; COLUMNS],
    /// What is said of it below, each line ended; empty: nothing.
    pub(super) note: String,
}

impl<const COLUMNS: usize> Row<COLUMNS> {
    pub(super) fn new(cells: [String; COLUMNS]) -> Self {
        Self { cells, styles: [Style::new(); COLUMNS], note: String::new() }
    }

    /// With one cell in a style.
    pub(super) fn painted(mut self, column: usize, style: Style) -> Self {
        if let Some(cell) = self.styles.get_mut(column) {
            *cell = style;
        }
        self
    }

    pub(super) fn noted(self, note: String) -> Self {
        Self { note, ..self }
    }
}

impl Listing {
    pub(super) fn print<T: Serialize + DeserializeOwned, const COLUMNS: usize>(
        self,
        query: impl Fn(u32, Option<String>) -> Query,
        columns: [(&str, usize); COLUMNS],
        row: impl Fn(T) -> Row<COLUMNS>,
    ) -> anyhow::Result<()> {
        let Self { place, limit, json } = self;
        let journal = place.open()?;
        if json {
            let mut out = io::stdout().lock();
            journal.list(limit, query, |item: T| Ok(show::json_to(&mut out, &item)?))?;
            return Ok(());
        }
        let (mut table, mut notes) = (Table::new(columns), vec![String::new()]);
        let more = journal.list(limit, query, |item: T| {
            let Row { cells, styles, note } = row(item);
            table.painted(cells, styles);
            notes.push(note);
            Ok(())
        })?;
        let mut out = anstream::stdout().lock();
        for (row, note) in table.lines().zip(notes) {
            write!(out, "{row}\n{note}")?;
        }
        if more {
            writeln!(io::stderr(), "There may be more: --limit is {limit}.")?;
        }
        Ok(())
    }
}
