//! `hookbox man`

use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hookbox man | man -l -
  hookbox man /usr/local/share/man/man1")]
pub(super) struct Arguments {
    /// Writes all pages there, one for each command, as hookbox-events-list.1;
    /// without it, the first page is printed
    directory: Option<PathBuf>,
}

pub(super) fn run(arguments: Arguments) -> anyhow::Result<()> {
    let command = super::command();
    let Some(directory) = arguments.directory else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page)?;
        return Ok(io::stdout().write_all(&page)?);
    };
    let place = || directory.display().to_string();
    fs::create_dir_all(&directory).with_context(place)?;
    clap_mangen::generate_to(command, &directory).with_context(place)
}
