//! `hookbox build`

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use hookbox_core::ids::PluginName;

use super::check::{self, Checker, TEXT_CHARS_MAX};
use super::exit::REFUSED;
use super::show::{bytes, json_to, line};
use crate::author::build;
use crate::author::project::Project;
use crate::config;
use crate::plugin::verdict::{NOT_GRANTED, Verdict};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
The language is known by the files: Cargo.toml, go.mod, pyproject.toml, package.json (with
tsconfig.json: TypeScript), a .c file. Its own tool is run. A core module becomes a component.

Exit status 5: what was made is no plugin; the file that was there before stays.

Examples:
  hookbox build
  hookbox build ../first-plugin --out /tmp/plugins/first-plugin.wasm
  hookbox build module.wasm --out first-plugin.wasm")]
pub(super) struct Arguments {
    /// The project's folder; or a file that a compiler made
    #[arg(default_value = ".")]
    what: PathBuf,
    /// The file to write [default: dist/<name>.wasm in the project's folder]
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// What was made, as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let Arguments { what, out, json } = arguments;
    let (name, bytes, file, settings) = if what.is_file() {
        let file = out.context("--out says where the component of this file goes")?;
        (named(&file)?, build::read(&what)?, file, None)
    } else {
        let project = Project::open(&what)?;
        let bytes = build::build(&project)?;
        let settings = project.folder.join("hookbox.toml");
        let file = out.unwrap_or_else(|| shown(&what, &project));
        (project.name, bytes, file, settings.exists().then_some(settings))
    };
    let verdict = judge(&name, &bytes, settings.as_deref())?;
    let is_good = verdict.accepted || verdict.code == Some(NOT_GRANTED);
    let mut stdout = io::stdout().lock();
    if is_good {
        build::put(&bytes, &file)?;
    }
    if json {
        json_to(&mut stdout, &verdict)?;
    } else if is_good {
        show(&mut stdout, &file, &verdict)?;
    } else {
        check::show(&mut stdout, &file, &verdict)?;
    }
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::from(REFUSED) })
}

/// The component's place, as near to what was typed as can be.
fn shown(what: &Path, project: &Project) -> PathBuf {
    let file = project.component();
    let within = file.strip_prefix(&project.folder).unwrap_or(&file);
    if what == Path::new(".") { within.to_owned() } else { what.join(within) }
}

/// The name of a plugin by its file.
fn named(file: &Path) -> anyhow::Result<PluginName> {
    check::name_of(file).with_context(|| {
        format!("{}: a plugin's file is called <name>.wasm, of a-z, 0-9 and -", file.display())
    })
}

/// What a server would say that grants nothing.
fn judge(name: &PluginName, bytes: &[u8], settings: Option<&Path>) -> anyhow::Result<Verdict> {
    let (settings, plugins) = config::for_plugins(settings)?;
    Ok(Checker::new(settings, plugins)?.judge_ungranted(name, bytes))
}

fn show(out: &mut impl Write, file: &Path, verdict: &Verdict) -> io::Result<()> {
    let list = |items: &[String], none: &str| match items {
        [] => none.to_owned(),
        items => line(&items.join(", "), TEXT_CHARS_MAX),
    };
    writeln!(out, "{}: built", file.display())?;
    writeln!(out, "  size      {}", bytes(verdict.bytes))?;
    writeln!(out, "  events    {}", list(&verdict.events, "all"))?;
    for (index, line) in imports(&verdict.imports).iter().enumerate() {
        let head = if index == 0 { "imports" } else { "" };
        writeln!(out, "  {head:8}  {}", self::line(line, TEXT_CHARS_MAX))?;
    }
    writeln!(out, "  needs     {}", list(&verdict.wants, "no grant"))?;
    if !verdict.fix.is_empty() {
        writeln!(out, "  By these lines an operator grants it:")?;
        for line in &verdict.fix {
            writeln!(out, "    {}", self::line(line, usize::MAX))?;
        }
    }
    Ok(())
}

/// A line for each package: `wasi:io@0.2.12: error, poll, streams`.
fn imports(names: &[String]) -> Vec<String> {
    let mut packages: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for name in names {
        let (package, rest) = name.split_once('/').unwrap_or((name, ""));
        let (interface, version) = rest.split_once('@').unwrap_or((rest, ""));
        let at = if version.is_empty() { "" } else { "@" };
        packages.entry(format!("{package}{at}{version}")).or_default().push(interface);
    }
    match packages.is_empty() {
        true => vec!["nothing".to_owned()],
        false => packages.iter().map(|(name, of)| format!("{name}: {}", of.join(", "))).collect(),
    }
}
