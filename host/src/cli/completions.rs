//! `hookbox completions`

use std::io::{self, Write as _};

use clap_complete::Shell;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hookbox completions bash > /etc/bash_completion.d/hookbox
  hookbox completions zsh > ~/.zfunc/_hookbox
  hookbox completions fish > ~/.config/fish/completions/hookbox.fish")]
pub(super) struct Arguments {
    /// Which shell
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut super::command(), "hookbox", &mut script);
    Ok(io::stdout().write_all(&script)?)
}
