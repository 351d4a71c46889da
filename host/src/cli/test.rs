//! `hookbox test`

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use hookbox_core::ids::PluginName;
use serde::Serialize;

use super::exit::{Mistake, NOT_HANDLED, REFUSED};
use super::paint::{self, in_style};
use super::show::{self, count, line, milliseconds};
use super::{ConfigFile, check, plugin_file, tried};
use crate::config;
use crate::plugin::load::Code;
use crate::plugin::verdict::{NOT_GRANTED, Verdict};
use crate::trial::bench::{Bench, Network};
use crate::trial::case::junit::{self, Ran};
use crate::trial::case::{self, Case, judge};
use crate::trial::script::Answers;
use crate::trial::view::TriedView;

/// Characters of one difference, which may have several lines.
const DIFFERENCE_CHARS_MAX: usize = 4_000;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
A case is a file in TOML or JSON: an event, what stands around it, and what is expected of the
plugin. docs/plugin-authors.md has the format; `hookbox events export ID --as-test` writes one.
Nothing is sent anywhere.

Exit status 7: a case does not hold; 5: the file is no plugin.

Examples:
  hookbox test
  hookbox test plugins/catalog --filter livestream --junit report.xml
  hookbox test cases --plugin dist/view-counter.wasm --json")]
pub(super) struct Arguments {
    /// The plugin's folder, with cases/ and dist/; or a folder of cases
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// The plugin [default: the only .wasm file in dist/]
    #[arg(long, value_name = "FILE")]
    plugin: Option<PathBuf>,
    /// The plugin's name [default: the file's]
    #[arg(long)]
    name: Option<PluginName>,
    /// Only cases with this text in their name
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Writes the results in JUnit's form too
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigFile,
}

/// A case that was run.
#[derive(Serialize)]
struct Result {
    name: String,
    file: PathBuf,
    passed: bool,
    differences: Vec<String>,
    /// None: it could not be run.
    tried: Option<TriedView>,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut files = case::files(&arguments.dir)?;
    files.retain(|path| {
        arguments.filter.as_ref().is_none_or(|text| name_of(path).contains(text.as_str()))
    });
    if files.is_empty() {
        let text = arguments.filter.as_deref().unwrap_or_default();
        let dir = arguments.dir.display();
        return Err(Mistake(format!("{dir}: no case has {text:?} in its name")).into());
    }
    let file = match &arguments.plugin {
        Some(file) => file.clone(),
        None => built(&arguments.dir)?,
    };
    let name = plugin_file::name_of(&file, arguments.name.as_ref())?;
    let (settings, limits) = config::for_trial(arguments.config.clone().path().as_deref(), &name)?;
    // Before anything is run, since only then is it of use that it cannot be
    // written. And what a former run wrote must not be taken for this one's.
    let junit = arguments.junit.as_deref().map(Junit::create).transpose()?;
    let suite = match Suite::new(&file, name, settings, limits)? {
        Ok(suite) => suite,
        Err(verdict) => {
            match arguments.json {
                true => show::json(&verdict)?,
                false => check::show(&mut io::stdout().lock(), &file, &verdict)?,
            }
            return Ok(ExitCode::from(REFUSED));
        }
    };
    suite.run(&files, junit, arguments.json)
}

/// A case's name.
fn name_of(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// The component that `hookbox build` made.
fn built(dir: &Path) -> anyhow::Result<PathBuf> {
    let folder = dir.join("dist");
    let entries = fs::read_dir(&folder).with_context(|| {
        format!("{}: build the plugin first, or name it with --plugin", folder.display())
    })?;
    let files = entries.flatten().map(|entry| entry.path());
    let mut files = files.filter(|path| path.extension().is_some_and(|ending| ending == "wasm"));
    match (files.next(), files.next()) {
        (Some(file), None) => Ok(file),
        (None, _) => bail!(
            "{}: no .wasm file: build the plugin first, or name it with --plugin",
            folder.display()
        ),
        (Some(_), Some(_)) => {
            bail!("{}: several .wasm files: --plugin names the one", folder.display())
        }
    }
}

/// A plugin, to be run with cases.
struct Suite {
    name: PluginName,
    bench: Bench,
    code: Arc<Code>,
    /// By which the code was judged, with its limits. Cases have grants of their
    /// own.
    limits: config::Plugin,
}

impl Suite {
    /// A verdict where the file is no plugin.
    fn new(
        file: &Path,
        name: PluginName,
        settings: config::Settings,
        mut limits: config::Plugin,
    ) -> anyhow::Result<std::result::Result<Self, Verdict>> {
        let bytes = plugin_file::read(file)?;
        let bench = Bench::new(settings)?;
        limits.grants = Arc::default();
        let (verdict, mut code) = bench.judge(&name, &bytes, &limits);
        if verdict.code == Some(NOT_GRANTED) {
            // What it wants each case gives, or takes away.
            code = bench.judge_wanting(&name, &bytes, &limits);
        }
        Ok(match code {
            Some(code) => Ok(Self { name, bench, code, limits }),
            None => Err(verdict),
        })
    }

    /// One after the other. Of each only what is needed at the end is kept.
    fn run(
        &self,
        files: &[PathBuf],
        mut junit: Option<Junit>,
        json: bool,
    ) -> anyhow::Result<ExitCode> {
        let mut out = anstream::stdout().lock();
        let plugin = self.name.as_str();
        let (mut passed, mut failed) = (0_u64, 0_u64);
        if json {
            write!(out, "{{\n  \"plugin\": {},\n  \"cases\": [", serde_json::to_string(plugin)?)?;
        }
        for file in files {
            let (result, description) = self.one(file);
            if json {
                let before = if passed + failed == 0 { "" } else { "," };
                write!(out, "{before}\n{}", indented(&result)?)?;
            } else {
                show_result(&result, description.as_deref(), &mut out)?;
            }
            *(if result.passed { &mut passed } else { &mut failed }) += 1;
            if let Some(junit) = &mut junit {
                junit.cases.push(ran(result));
            }
        }
        if let Some(junit) = junit {
            junit.write(plugin)?;
        }
        if json {
            writeln!(out, "\n  ],\n  \"passed\": {passed},\n  \"failed\": {failed}\n}}")?;
        } else {
            let all = count(passed + failed, "case");
            let style = if failed == 0 { paint::GOOD } else { paint::BAD };
            let sum = in_style(&format!("{passed} passed, {failed} failed"), style);
            writeln!(out, "{plugin}: {all}, {sum}")?;
        }
        Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(NOT_HANDLED) })
    }

    /// The result of a file, and what its case is about. One that is no case
    /// fails by itself: the others are run.
    fn one(&self, file: &Path) -> (Result, Option<String>) {
        let case = Case::read(file).map_err(|error| error.to_string());
        let description = case.as_ref().ok().and_then(|case| case.description.clone());
        let (differences, tried) = match case.and_then(|case| self.tried(&case)) {
            Ok((differences, view)) => (differences, Some(view)),
            Err(why) => (vec![why], None),
        };
        let passed = differences.is_empty();
        let (name, file) = (name_of(file), file.to_owned());
        (Result { name, file, passed, differences, tried }, description)
    }

    fn tried(&self, case: &Case) -> std::result::Result<(Vec<String>, TriedView), String> {
        let wants = &self.code.description.wants;
        let grants = case.grants(wants).map_err(|error| error.to_string())?;
        if let Some(missing) = case.missing(&grants, wants).first() {
            return Err(format!(
                "the plugin wants {missing}, without which no server makes it live: \
                 give it in [config] or [secrets]"
            ));
        }
        let answers = Arc::new(Answers::new(case.answers.clone()));
        let settings = config::Plugin { grants: Arc::new(grants), ..self.limits.clone() };
        let network = Network::Scripted(Arc::clone(&answers));
        let trial = case.trial.clone();
        let tried = self.bench.run(&self.name, &self.code, &settings, trial, &network);
        Ok((judge::differences(&case.expect, &tried, &answers), tried.view()))
    }
}

/// As one of a list in an object, on several lines.
fn indented(result: &Result) -> serde_json::Result<String> {
    let json = serde_json::to_string_pretty(result)?;
    let lines: Vec<String> = json.lines().map(|line| format!("    {line}")).collect();
    Ok(show::escaped(&lines.join("\n")).into_owned())
}

fn show_result(result: &Result, description: Option<&str>, out: &mut impl Write) -> io::Result<()> {
    let took = result.tried.as_ref().map(|tried| milliseconds(tried.duration_us));
    let took = took.map(|took| format!(" ({took})")).unwrap_or_default();
    if result.passed {
        return writeln!(out, "{}    {}{took}", in_style("ok", paint::GOOD), result.name);
    }
    let failed = in_style("FAILED", paint::BAD);
    writeln!(out, "{failed} {}{took}, {}", result.name, result.file.display())?;
    if let Some(text) = description {
        writeln!(out, "       {}", in_style(&line(text, DIFFERENCE_CHARS_MAX), paint::DIM))?;
    }
    for text in &result.differences {
        let text: String = text.chars().take(DIFFERENCE_CHARS_MAX).collect();
        for (index, text) in show::lines(&text).enumerate() {
            // Reasons have several lines: a backtrace is one.
            let indent = if index == 0 { "       " } else { "         " };
            writeln!(out, "{indent}{text}")?;
        }
    }
    match &result.tried {
        Some(tried) => tried::show_log(&tried.log, "       | ", out),
        None => Ok(()),
    }
}

/// The file with the results in JUnit's form.
struct Junit {
    path: PathBuf,
    file: File,
    /// All of them, since the form begins with their sum.
    cases: Vec<Ran>,
}

impl Junit {
    fn create(path: &Path) -> anyhow::Result<Self> {
        let file = File::create(path).with_context(|| format!("--junit {}", path.display()))?;
        Ok(Self { path: path.to_owned(), file, cases: Vec::new() })
    }

    fn write(mut self, plugin: &str) -> anyhow::Result<()> {
        let text = junit::document(plugin, &self.cases);
        self.file
            .write_all(text.as_bytes())
            .with_context(|| format!("--junit {}", self.path.display()))
    }
}

fn ran(result: Result) -> Ran {
    let log = result.tried.iter().flat_map(|tried| &tried.log);
    let log: Vec<String> = log.map(|line| format!("{} {}", line.level, line.text)).collect();
    Ran {
        name: result.name,
        file: result.file.display().to_string(),
        took: Duration::from_micros(result.tried.as_ref().map_or(0, |tried| tried.duration_us)),
        differences: result.differences,
        log: log.join("\n"),
    }
}
