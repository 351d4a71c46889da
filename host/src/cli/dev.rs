//! `hookbox dev`

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use hookbox_core::ids::{Digest, PluginName};
use hookbox_core::targetvideo::samples;

use super::exit::NoServer;
use super::journal::Place;
use super::{ConfigFile, paint, send, serve};
use crate::admin::views::PluginView;
use crate::author::build;
use crate::author::project::Project;
use crate::author::sources::Sources;
use crate::config;

/// Between two looks whether the server has taken what was built.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A large component compiles for as long as `reload.compile_timeout_ms` lets it.
const LIVE_AFTER_MAX: Duration = Duration::from_secs(180);

#[derive(Debug, clap::Args)]
#[command(after_help = "\
hookbox.toml in the folder says where the server listens and what the plugin may do. Log lines of
server and plugin are printed as they come. Ctrl-C ends it.

Examples:
  hookbox dev
  hookbox dev ../first-plugin --send add_video")]
pub(super) struct Arguments {
    /// The project's folder
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// After each build send this sample, and print what becomes of it
    #[arg(long, value_name = "SAMPLE")]
    send: Option<String>,
}

pub(super) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let Arguments { folder, send } = arguments;
    let project = Project::open(&folder)?;
    if let Some(sample) = &send
        && samples::body(sample).is_none()
    {
        bail!("there is no sample {sample:?}; `hookbox send --list` names them");
    }
    let settings = project.folder.join("hookbox.toml");
    if !settings.exists() {
        bail!("{}: a server needs it; `hookbox new` writes one", settings.display());
    }
    let component = project.component();
    let above = component.parent().context("a folder for the component")?;
    std::fs::create_dir_all(above).with_context(|| above.display().to_string())?;
    // Before the first build: what is saved while it runs is not missed.
    let sources = Sources::new(&project.folder);
    let data_dir = config::data_dir(Some(&settings))?;
    let sender = send.map(|sample| Sender {
        sample,
        plugin: project.name.clone(),
        settings: settings.clone(),
        data_dir,
        newest: Arc::default(),
    });
    let mut developer = Developer { project, component, sender };
    let built = developer.build();
    std::thread::Builder::new()
        .name("build".to_owned())
        .spawn(move || developer.work(sources, built))?;
    serve::run(Some(settings))
}

/// Builds, and has the server take what was built.
struct Developer {
    project: Project,
    component: PathBuf,
    /// Hands the sample to what was built. None: nothing is sent.
    sender: Option<Sender>,
}

impl Developer {
    /// At each save, until the process ends.
    fn work(mut self, mut sources: Sources, first: Option<Digest>) {
        let mut built = first;
        loop {
            if let Some((sender, digest)) = self.sender.as_ref().zip(built) {
                sender.send_beside(digest);
            }
            let changed = sources.changed();
            say(&format!("{} changed", changed.display()));
            built = self.build();
        }
    }

    /// What was built, where that went well.
    fn build(&mut self) -> Option<Digest> {
        let name = &self.project.name;
        say(&format!("building {name} ({})", self.project.language.title()));
        let began = Instant::now();
        let built = build::build(&self.project).and_then(|bytes| {
            build::put(&bytes, &self.component)?;
            Ok(Digest::of(&bytes))
        });
        match built {
            Ok(digest) => {
                say(&format!("{name} is built, in {:.1} s", began.elapsed().as_secs_f64()));
                Some(digest)
            }
            Err(error) => {
                say(&format!("not built: {error:#}"));
                None
            }
        }
    }
}

/// Sends a sample and tells what became of it.
#[derive(Clone)]
struct Sender {
    sample: String,
    plugin: PluginName,
    settings: PathBuf,
    data_dir: PathBuf,
    /// What was built last: older code gets no sample any more.
    newest: Arc<Mutex<Option<Digest>>>,
}

impl Sender {
    /// On a thread of its own: a sample that is tried again and again must not
    /// keep the next save from being built.
    fn send_beside(&self, digest: Digest) {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(digest);
        let sender = self.clone();
        let spawned = std::thread::Builder::new().name("send".to_owned()).spawn(move || {
            sender.send(digest);
        });
        if let Err(error) = spawned {
            say(&format!("{} was not sent: {error}", self.sample));
        }
    }

    fn send(&self, digest: Digest) {
        let sample = &self.sample;
        match self.live(digest) {
            Live::Yes => {}
            Live::Superseded => return,
            Live::No(why) => {
                say(&format!("{sample} was not sent: {} is not live: {why}", self.plugin));
                return;
            }
        }
        let config = ConfigFile { config: Some(self.settings.clone()) };
        match send::run(send::Arguments::sample(sample, config)) {
            Ok(_) => {}
            // It ends.
            Err(error) if error.is::<NoServer>() => {}
            Err(error) => say(&format!("{sample}: {error:#}")),
        }
    }

    /// Waits until the server has judged what was built.
    fn live(&self, digest: Digest) -> Live {
        let began = Instant::now();
        let path = format!("/api/v1/plugins/{}", self.plugin);
        let text = digest.to_string();
        while began.elapsed() < LIVE_AFTER_MAX {
            if *self.newest.lock().unwrap_or_else(PoisonError::into_inner) != Some(digest) {
                return Live::Superseded;
            }
            let server = Place::of(self.data_dir.clone()).server();
            let plugin = server.and_then(|server| server.get::<PluginView>(&path));
            if let Ok(PluginView { digest, verdict: Some(verdict), .. }) = plugin
                && verdict.digest.as_ref() == Some(&text)
            {
                if digest == Some(text) {
                    return Live::Yes;
                }
                let mut why = verdict.message.unwrap_or_default();
                for line in verdict.fix {
                    why.push_str("\n  ");
                    why.push_str(&line);
                }
                return Live::No(why);
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Live::No("the server has not said anything of it".to_owned())
    }
}

/// What the server makes of what was built.
enum Live {
    Yes,
    No(String),
    /// Something newer was built.
    Superseded,
}

/// Apart from the server's lines.
fn say(text: &str) {
    let mut out = anstream::stderr().lock();
    for text in super::show::lines(text) {
        let _nobody_listens = writeln!(out, "{} {text}", paint::in_style("dev:", paint::HEAD));
    }
}
