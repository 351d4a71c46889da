//! `hookbox invoke`

mod grant;
mod watch;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::value_parser;
use hookbox_core::event::Event;
use hookbox_core::ids::{DeliveryId, EventId, PluginName, SourceName};
use hookbox_core::outcome::Outcome;
use hookbox_core::routing::Subscription;
use serde::Serialize;

use self::grant::Grant;
use self::watch::{Busy, Watch};
use super::exit::{Mistake, NOT_HANDLED, REFUSED};
use super::paint::{self, in_style};
use super::{ConfigFile, check, plugin_file, send, show, tried};
use crate::config;
use crate::plugin::verdict::{NOT_GRANTED, Verdict};
use crate::trial::bench::{Bench, Network};
use crate::trial::view::TriedView;
use crate::trial::{Trial, event, state, text};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
What the plugin may do is what the configuration grants it and what --grant adds. Requests
are really sent. State is that of --state and is not kept.

Exit status 7: the plugin did not handle the event; 5: the file is no plugin that would be
made live.

Examples:
  hookbox invoke dist/view-counter.wasm --event add_video --grant keyvalue
  hookbox invoke dist/notify-chat.wasm --event video_encoded --watch \\
    --grant http=https://chat.example --grant secret.url=https://chat.example/hooks/1
  hookbox invoke dist/catalog.wasm --event captured.json --attempt 2 --json")]
pub(super) struct Arguments {
    /// A component, or a core module, of which one is made
    file: PathBuf,
    /// The name of a sample (`hookbox send --list`), or a file with a webhook's body; -: standard
    /// input
    #[arg(long, value_name = "SAMPLE|FILE")]
    event: String,
    /// Grants more: keyvalue, http=ORIGIN, config.KEY=VALUE or secret.KEY=VALUE; can be given
    /// several times
    #[arg(long, value_name = "GRANT")]
    grant: Vec<Grant>,
    /// The plugin's state before: a JSON object from keys to values, or what `hookbox kv export`
    /// prints
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// The source that the event came through
    #[arg(long, value_name = "NAME", default_value = "main")]
    source: SourceName,
    /// Which attempt it is
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u32).range(1..))]
    attempt: u32,
    /// As a replay
    #[arg(long)]
    replay: bool,
    #[command(flatten)]
    config: ConfigFile,
    /// The plugin's name [default: the file's]
    #[arg(long)]
    name: Option<PluginName>,
    /// As JSON
    #[arg(long)]
    json: bool,
    /// Again each time that the file is replaced, until Ctrl-C
    #[arg(long)]
    watch: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Printed<'a> {
    plugin: &'a str,
    digest: Option<&'a str>,
    event: &'a str,
    /// Whether a server would hand it over.
    subscribed: bool,
    #[serde(flatten)]
    tried: TriedView,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let name = plugin_file::name_of(&arguments.file, arguments.name.as_ref())?;
    let path = arguments.config.clone().path();
    let (settings, mut plugin) = config::for_trial(path.as_deref(), &name)?;
    let grants = plugin.grants.with("--grant ", &grant::given(&arguments.grant));
    plugin.grants = Arc::new(grants.map_err(|error| Mistake(error.to_string()))?);
    let text = send::read_body(&arguments.event)?;
    let event = event::fits(&text, settings.server.body_bytes_max)
        .and_then(|()| event::genuine(&arguments.source, &text))
        // As a text: it tells its source itself.
        .map_err(|error| anyhow::anyhow!("--event {}: {error}", arguments.event))?;
    let state = match &arguments.state {
        Some(file) => read_state(file)?,
        None => BTreeMap::new(),
    };
    let bench = Bench::new(settings)?;
    let network = bench.network()?;
    let busy = Busy::new();
    let event = Arc::new(event);
    let one = One { arguments, name, plugin, event, state, bench, network, busy: busy.clone() };
    if !arguments.watch {
        return one.invoke();
    }
    let mut watch = Watch::new(&arguments.file, one.bench.runtime(), busy)?;
    loop {
        // A file that is no good is what its author is about to mend.
        if let Err(error) = one.invoke() {
            writeln!(io::stderr(), "hookbox: {error:#}")?;
        }
        if !watch.changed() {
            return Ok(ExitCode::SUCCESS);
        }
        if !arguments.json {
            let rule = format!("─── {} ", show::time(super::now_ms()));
            writeln!(anstream::stdout().lock(), "\n{}", in_style(&rule, paint::DIM))?;
        }
    }
}

fn read_state(file: &Path) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
    let open = File::open(file).with_context(|| file.display().to_string())?;
    let text = text::read(open, text::STATE_BYTES_MAX)
        .with_context(|| format!("--state {}", file.display()))?;
    state::read(&text).map_err(|why| anyhow::anyhow!("{}: {why}", file.display()))
}

/// All that stays the same from one time to the next.
struct One<'a> {
    arguments: &'a Arguments,
    name: PluginName,
    plugin: config::Plugin,
    event: Arc<Event>,
    state: BTreeMap<String, Vec<u8>>,
    bench: Bench,
    network: Network,
    busy: Busy,
}

impl One<'_> {
    fn invoke(&self) -> anyhow::Result<ExitCode> {
        let Arguments { file, attempt, replay, json, .. } = self.arguments;
        let busy = self.busy.begin();
        let bytes = plugin_file::read(file)?;
        let (verdict, code) = self.bench.judge(&self.name, &bytes, &self.plugin);
        let Some(code) = code else {
            if *json {
                show::json(&verdict)?;
            } else {
                check::show(&mut io::stdout().lock(), file, &verdict)?;
                if verdict.code == Some(NOT_GRANTED) {
                    writeln!(io::stdout(), "--grant grants it for this trial.")?;
                }
            }
            return Ok(ExitCode::from(REFUSED));
        };
        let now_ms = super::now_ms();
        let trial = Trial {
            event: Arc::clone(&self.event),
            event_id: EventId::new(now_ms, random()?),
            delivery: DeliveryId::new(now_ms, random()?),
            attempt: *attempt,
            replay: *replay,
            received_at_ms: now_ms,
            state: self.state.clone(),
        };
        let tried = self.bench.run(&self.name, &code, &self.plugin, trial, &self.network);
        // From here on the signal waits for what is printed.
        drop(busy);
        let handled = tried.attempt.outcome == Outcome::Handled;
        self.print(&verdict, tried.view())?;
        Ok(if handled { ExitCode::SUCCESS } else { ExitCode::from(NOT_HANDLED) })
    }

    fn print(&self, verdict: &Verdict, tried: TriedView) -> anyhow::Result<()> {
        let asked = verdict.events.iter().cloned();
        let subscription = Subscription::new(asked, self.plugin.events(), self.plugin.sources());
        let subscribed = subscription.takes(&self.event);
        let event = self.event.name();
        if self.arguments.json {
            let digest = verdict.digest.as_deref();
            let printed = Printed { plugin: &verdict.plugin, digest, event, subscribed, tried };
            return show::json(&printed);
        }
        let mut out = anstream::stdout().lock();
        write!(out, "{}, {}: ", verdict.plugin, show::line(event, 200))?;
        tried::show(&tried, &mut out)?;
        if !subscribed {
            let note = "a server would not hand this event to it, by what it asks for or is given";
            writeln!(out, "{}", in_style(note, paint::CARE))?;
        }
        // With --watch somebody waits for it.
        Ok(out.flush()?)
    }
}

fn random() -> anyhow::Result<[u8; 10]> {
    let mut bytes = [0; 10];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no random bytes: {error}"))?;
    Ok(bytes)
}
