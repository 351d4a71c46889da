//! `hookbox new`

use std::io::{self, Write as _};
use std::path::PathBuf;

use hookbox_core::ids::PluginName;

use crate::author::project::Language;
use crate::author::template;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hookbox new first-plugin
  hookbox new first-plugin --lang ts --dir ../plugins/first-plugin")]
pub(super) struct Arguments {
    /// The plugin's name, of a-z, 0-9 and -
    name: PluginName,
    /// What to write it in
    #[arg(long, value_enum, default_value_t = Language::Rust)]
    lang: Language,
    /// The folder to write [default: one of the plugin's name]
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

pub(super) fn run(arguments: Arguments) -> anyhow::Result<()> {
    let Arguments { name, lang, dir } = arguments;
    let folder = dir.unwrap_or_else(|| PathBuf::from(name.as_str()));
    template::write(&folder, &name, lang)?;
    let mut out = io::stdout().lock();
    writeln!(out, "{} has a plugin in {}. Next:", folder.display(), lang.title())?;
    writeln!(out, "  cd {}", for_shell(&folder.to_string_lossy()))?;
    writeln!(out, "  hookbox dev       a server with it, which builds again at each save")?;
    writeln!(out, "README.md there says what else there is.")?;
    Ok(())
}

/// A path as one word of a shell, and none of its options.
fn for_shell(path: &str) -> String {
    let path = if path.starts_with('-') { format!("./{path}") } else { path.to_owned() };
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+,:@%".contains(c);
    if !path.is_empty() && path.chars().all(is_plain) {
        return path;
    }
    format!("'{}'", path.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folders_path_is_one_word_of_a_shell() {
        for (path, word) in [
            ("../plugins/first-plugin", "../plugins/first-plugin"),
            ("my ordner ü/x y", "'my ordner ü/x y'"),
            ("it's", r"'it'\''s'"),
            ("$HOME;ls", "'$HOME;ls'"),
            ("-x", "./-x"),
        ] {
            assert_eq!(for_shell(path), word);
        }
    }
}
