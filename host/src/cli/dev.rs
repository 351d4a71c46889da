//! `hookbox dev`

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use hookbox_core::ids::Digest;
use hookbox_core::targetvideo::samples;

use super::journal::Place;
use super::{ConfigFile, paint, send, serve};
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
    let mut developer =
        Developer { project, component, settings: settings.clone(), data_dir, send };
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
    settings: PathBuf,
    data_dir: PathBuf,
    send: Option<String>,
}

impl Developer {
    /// At each save, until the process ends.
    fn work(mut self, mut sources: Sources, first: Option<Digest>) {
        let mut built = first;
        loop {
            if let Some(digest) = built {
                self.sent(digest);
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

    /// Sends the sample to what was built, once it is live.
    fn sent(&self, digest: Digest) {
        let Some(sample) = &self.send else { return };
        if !self.is_live(digest) {
            // The server's own log line says why.
            return;
        }
        let config = ConfigFile { config: Some(self.settings.clone()) };
        if let Err(error) = send::run(send::Arguments::sample(sample, config)) {
            say(&format!("{sample} was not sent: {error:#}"));
        }
    }

    fn is_live(&self, digest: Digest) -> bool {
        let began = Instant::now();
        let path = format!("/api/v1/plugins/{}", self.project.name);
        let digest = digest.to_string();
        while began.elapsed() < LIVE_AFTER_MAX {
            let server = Place::of(self.data_dir.clone()).server();
            let plugin = server.and_then(|server| server.get::<serde_json::Value>(&path));
            if let Ok(plugin) = plugin {
                let of = |pointer| plugin.pointer(pointer).and_then(serde_json::Value::as_str);
                if of("/verdict/digest") == Some(&digest) {
                    return of("/digest") == Some(&digest);
                }
            }
            std::thread::sleep(LOOK_EVERY);
        }
        false
    }
}

/// Apart from the server's lines.
fn say(text: &str) {
    let mut out = anstream::stderr().lock();
    let text = super::show::line(text, 2_000);
    let _nobody_listens = writeln!(out, "{} {text}", paint::in_style("dev:", paint::HEAD));
}
