//! `hookbox check`

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use hookbox_core::ids::PluginName;

use super::ConfigFile;
use super::exit::REFUSED;
use super::show::{count, json_to, line};
use crate::config::{self, Plugins, Settings};
use crate::plugin::verdict::Verdict;
use crate::trial::bench::Bench;

/// Characters of a line of text that comes from a file.
pub(super) const TEXT_CHARS_MAX: usize = 2_000;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit status 5: a file is no plugin that would be made live.

Examples:
  hookbox check target/wasm32-wasip2/release/first_plugin.wasm --name first-plugin
  hookbox check plugins/*.wasm --json | jq 'select(.accepted | not)'")]
pub(super) struct Arguments {
    /// Compiled plugins; the name of each is its file's, without .wasm
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Judge a single file as the plugin of this name
    #[arg(long)]
    name: Option<PluginName>,
    /// One JSON object for each file
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigFile,
}

pub(super) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let Arguments { files, name, json, config } = arguments;
    if name.is_some() && files.len() > 1 {
        anyhow::bail!("--name goes with a single file");
    }
    let (settings, plugins) = config::for_plugins(config.path().as_deref())?;
    let checker = Checker::new(settings, plugins)?;
    let mut out = std::io::stdout();
    let mut all_accepted = true;
    for file in files {
        let verdict = checker.check(&file, name.clone())?;
        all_accepted &= verdict.accepted;
        if json {
            json_to(&mut out, &verdict)?;
        } else {
            show(&mut out, &file, &verdict)?;
        }
    }
    Ok(if all_accepted { ExitCode::SUCCESS } else { ExitCode::from(REFUSED) })
}

/// Judges plugins without a server.
pub(super) struct Checker {
    plugins: Plugins,
    bench: Bench,
}

impl Checker {
    pub(super) fn new(settings: Settings, plugins: Plugins) -> anyhow::Result<Self> {
        Ok(Self { plugins, bench: Bench::new(settings)? })
    }

    fn check(&self, file: &Path, name: Option<PluginName>) -> anyhow::Result<Verdict> {
        let shown = file.display();
        let name = match name {
            Some(name) => name,
            None => name_of(file).with_context(|| {
                format!("{shown}: a plugin's file is called <name>.wasm, of a-z, 0-9 and -; --name names it otherwise")
            })?,
        };
        let settings = self.plugins.of(&name);
        let about = fs::metadata(file).with_context(|| shown.to_string())?;
        if let Some(verdict) = self.bench.too_large(&name, about.len(), settings) {
            return Ok(verdict);
        }
        let bytes = fs::read(file).with_context(|| shown.to_string())?;
        Ok(self.bench.judge(&name, &bytes, settings).0)
    }

    /// The verdict on a file's bytes, of a server that grants nothing.
    pub(super) fn judge_ungranted(&self, name: &PluginName, bytes: &[u8]) -> Verdict {
        let settings = config::Plugin { grants: Arc::default(), ..self.plugins.of(name).clone() };
        self.bench.judge(name, bytes, &settings).0
    }
}

/// The name of a plugin by its file.
pub(super) fn name_of(file: &Path) -> Option<PluginName> {
    file.file_name()?.to_str()?.strip_suffix(".wasm")?.parse().ok()
}

pub(super) fn show(out: &mut impl Write, file: &Path, verdict: &Verdict) -> std::io::Result<()> {
    let text = |text: &str| line(text, TEXT_CHARS_MAX);
    let list = |items: &[String], none: &str| match items {
        [] => none.to_owned(),
        items => text(&items.join(", ")),
    };
    let word = if verdict.accepted { "good" } else { "refused" };
    writeln!(out, "{}: {word}", file.display())?;
    if let (Some(code), Some(message)) = (verdict.code, &verdict.message) {
        writeln!(out, "  {code}: {}", text(message))?;
    }
    if !verdict.fix.is_empty() {
        writeln!(out, "  These lines of the configuration would mend it:")?;
        for line in &verdict.fix {
            // Whole, since it is to be copied.
            writeln!(out, "    {}", self::line(line, usize::MAX))?;
        }
    }
    writeln!(out, "  plugin    {}", verdict.plugin)?;
    if let (Some(name), Some(version)) = (&verdict.name, &verdict.version) {
        writeln!(out, "  is        {} {}", text(name), text(version))?;
    }
    if let Some(digest) = &verdict.digest {
        writeln!(out, "  sha-256   {digest}")?;
    }
    match verdict.memory_bytes_min {
        Some(memory) => writeln!(
            out,
            "  size      {}; memory {} KiB at the beginning",
            count(verdict.bytes, "byte"),
            memory / 1024
        )?,
        None => writeln!(out, "  size      {}", count(verdict.bytes, "byte"))?,
    }
    if let Some(speaks) = &verdict.speaks {
        writeln!(out, "  speaks    {}", text(speaks))?;
    }
    if verdict.name.is_some() {
        writeln!(out, "  events    {}", list(&verdict.events, "all"))?;
        writeln!(out, "  wants     {}", list(&verdict.wants, "nothing"))?;
    }
    writeln!(out, "  granted   {}", list(&verdict.granted, "nothing"))?;
    if !verdict.imports.is_empty() {
        writeln!(out, "  imports   {}", list(&verdict.imports, "nothing"))?;
    }
    Ok(())
}
