//! `hookbox build`

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use hookbox_core::ids::PluginName;
use serde::Serialize;

use super::check::{self, Checker, TEXT_CHARS_MAX};
use super::exit::{Mistake, NoPlugin, REFUSED};
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

/// What `--json` prints.
#[derive(Serialize)]
struct Built<'a> {
    /// Whether there is a plugin in `file` now.
    built: bool,
    /// The plugin's name, which is the file's.
    name: &'a str,
    /// None: nothing was written.
    file: Option<&'a Path>,
    /// SHA-256 of the component.
    digest: Option<&'a str>,
    bytes: u64,
    /// Events that it asks for; none: all.
    events: &'a [String],
    imports: &'a [String],
    wants: &'a [String],
    /// Lines of the configuration by which an operator grants what it wants.
    grants: &'a [String],
    /// Why it is no plugin.
    code: Option<&'a str>,
    message: Option<&'a str>,
}

impl<'a> Built<'a> {
    fn new(file: &'a Path, verdict: &'a Verdict) -> Self {
        let built = is_good(verdict);
        // That nothing was granted is no fault of what was built, and of what was
        // refused for another reason no grant makes a plugin.
        let grants: &[String] = if built { &verdict.fix } else { &[] };
        let (code, message) = match built {
            true => (None, None),
            false => (verdict.code, verdict.message.as_deref()),
        };
        Self {
            built,
            name: &verdict.plugin,
            file: built.then_some(file),
            digest: verdict.digest.as_deref(),
            bytes: verdict.bytes,
            events: &verdict.events,
            imports: &verdict.imports,
            wants: &verdict.wants,
            grants,
            code,
            message,
        }
    }
}

pub(super) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let Arguments { what, out, json } = arguments;
    // Before anything is built, which takes its time.
    let out_name = out.as_deref().map(named).transpose()?;
    let (name, bytes, file, settings) = if what.is_file() {
        // First, since where it goes is no question for a file that is no plugin.
        let bytes = build::read(&what).map_err(|error| NoPlugin(format!("{error:#}")))?;
        let (file, name) = out.zip(out_name).ok_or_else(|| {
            Mistake(format!(
                "{}: give --out FILE, which says where its component goes",
                what.display()
            ))
        })?;
        (name, bytes, file, None)
    } else {
        let project = Project::open(&what)?;
        let bytes = build::build(&project)?;
        let settings = project.folder.join("hookbox.toml");
        let file = out.unwrap_or_else(|| shown(&what, &project));
        // A server knows it by its file.
        let name = out_name.unwrap_or(project.name);
        (name, bytes, file, settings.exists().then_some(settings))
    };
    let verdict = judge(&name, &bytes, settings.as_deref())?;
    let is_good = is_good(&verdict);
    let mut stdout = io::stdout().lock();
    if is_good {
        build::put(&bytes, &file)?;
    }
    if json {
        json_to(&mut stdout, &Built::new(&file, &verdict))?;
    } else if is_good {
        show(&mut stdout, &file, &verdict)?;
    } else {
        check::show(&mut stdout, &file, &verdict)?;
    }
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::from(REFUSED) })
}

/// Whether it is a plugin, for a server that grants what it wants.
fn is_good(verdict: &Verdict) -> bool {
    verdict.accepted || verdict.code == Some(NOT_GRANTED)
}

/// The component's place, as near to what was typed as can be.
fn shown(what: &Path, project: &Project) -> PathBuf {
    let file = project.component();
    let within = file.strip_prefix(&project.folder).unwrap_or(&file);
    if what == Path::new(".") { within.to_owned() } else { what.join(within) }
}

/// The name of a plugin by the file that it is to be.
fn named(file: &Path) -> Result<PluginName, Mistake> {
    let shown = file.display();
    if file.is_dir() || file.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return Err(Mistake(format!("--out {shown}: it is a folder; give a file in it")));
    }
    check::name_of(file).ok_or_else(|| {
        let rule = "a plugin's file is called <name>.wasm, of a-z, 0-9 and -";
        Mistake(format!("--out {shown}: {rule}"))
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
