//! Where plugins are tried out: an engine, runtimes and a compiler as a server
//! has them.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hookbox_core::effects::OutboundCall;
use hookbox_core::ids::{Digest, PluginName};
use hookbox_core::outcome::Outcome;
use tokio::runtime::{Builder, Runtime};

use super::script::Answers;
use super::state::{Remembered, changed};
use super::{Sent, Trial, Tried, script};
use crate::config::{self, Settings};
use crate::outbound::Outbound;
use crate::outbound::resolve::System;
use crate::outbound::script::Asked;
use crate::outbound::trust::{Trust, TrustError};
use crate::plugin::compile::Compiler;
use crate::plugin::invoke::{Call, Runner, redactor};
use crate::plugin::load::{Code, Loader};
use crate::plugin::registry::Plugin;
use crate::plugin::verdict::{Facts, Refused, Verdict};
use crate::plugin::{engine, imports};
use crate::telemetry::traces::Caller;

/// Bytes of each body that a record of a trial keeps at least.
const BODIES_KEPT_BYTES: usize = 64 * 1024;

/// Why there can be no trials at all.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// Threads, or a folder for compiled code.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The engine.
    #[error("{0:#}")]
    Engine(#[from] wasmtime::Error),
    /// The operator's certificates.
    #[error(transparent)]
    Trust(#[from] TrustError),
}

/// Runs trials, one at a time.
pub struct Bench {
    settings: Settings,
    loader: Loader,
    runner: Runner,
    // Dropped last: the others work in them.
    _guests: Runtime,
    serve: Runtime,
    /// Where there is no cache.
    _folder: Option<tempfile::TempDir>,
}

/// What plugins' requests get.
pub enum Network {
    /// The real one.
    Real(Arc<Outbound>),
    /// A script.
    Scripted(Arc<Answers>),
}

/// The user's folder for what can be made again (XDG Base Directory
/// Specification): large components take seconds to compile, and authors try the
/// same one many times. None where there is no home, or it cannot be written to.
fn cache() -> Option<PathBuf> {
    let absolute =
        |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    let folder = caches.join("hookbox");
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).ok()?;
    Some(folder)
}

impl Bench {
    /// By a server's settings.
    ///
    /// # Errors
    /// See [`BenchError`].
    pub fn new(mut settings: Settings) -> Result<Self, BenchError> {
        // One call at a time; with the pool as it is configured, since it bounds
        // what a component may have.
        settings.runtime.instances_max = 1;
        // Apart, as in the server: a guest that spins delays no request.
        let runtime = || Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let (guests, serve) = (runtime()?, runtime()?);
        let engine = engine::start(&settings.runtime)?;
        // Not the server's own: this may run as another user.
        let keep = |folder: &Path| {
            Compiler::new(&engine, folder, settings.reload.clone(), serve.handle().clone())
        };
        let cached = cache().and_then(|folder| keep(&folder).ok());
        let (compiler, folder) = match cached {
            Some(compiler) => (compiler, None),
            None => {
                let folder = tempfile::tempdir()?;
                (keep(folder.path())?, Some(folder))
            }
        };
        let runner = Runner::new(engine.clone(), guests.handle().clone(), 1)
            .with_symbols(compiler.symbols())
            .measuring();
        let loader = Loader::new(compiler, imports::linker(&engine)?, runner.clone());
        Ok(Self { settings, loader, runner, _guests: guests, serve, _folder: folder })
    }

    /// Compiles and judges a component, as `hookbox check` does. Code that was
    /// compiled before is not compiled again.
    pub fn judge(
        &self,
        name: &PluginName,
        bytes: &[u8],
        settings: &config::Plugin,
    ) -> (Verdict, Option<Arc<Code>>) {
        let length = bytes.len() as u64;
        if let Some(verdict) = self.too_large(name, length, settings) {
            return (verdict, None);
        }
        let digest = Digest::of(bytes);
        let (facts, code) = self.loader.load(name, bytes, digest, settings);
        let (code, refused) = match code {
            Ok(code) => (Some(Arc::new(code)), None),
            Err(refused) => (None, Some(refused)),
        };
        let grants = &settings.grants;
        (Verdict::new(name, Some(digest), length, facts, refused, grants), code)
    }

    /// The code of a component, whatever it wants: for trials whose grants are
    /// their own. None: it is no plugin.
    pub fn judge_wanting(
        &self,
        name: &PluginName,
        bytes: &[u8],
        settings: &config::Plugin,
    ) -> Option<Arc<Code>> {
        let code = self.loader.load_wanting(name, bytes, Digest::of(bytes), settings);
        code.ok().map(Arc::new)
    }

    /// The verdict on a file that need not be read, since it is too large.
    pub fn too_large(
        &self,
        name: &PluginName,
        length: u64,
        settings: &config::Plugin,
    ) -> Option<Verdict> {
        let bytes_max = self.settings.reload.file_bytes_max;
        let refused = (length > bytes_max).then(|| Refused::too_large(length, bytes_max))?;
        let facts = Facts::default();
        Some(Verdict::new(name, None, length, facts, Some(refused), &settings.grants))
    }

    /// The network, for [`Bench::run`].
    ///
    /// # Errors
    /// Where the operator's certificates cannot be used.
    pub fn network(&self) -> Result<Network, BenchError> {
        let outbound = &self.settings.outbound;
        Ok(Network::Real(Outbound::new(
            self.serve.handle().clone(),
            Arc::new(System),
            Trust::read(outbound.certificates.as_deref())?,
            Duration::from_millis(outbound.connect_timeout_ms),
            Duration::from_millis(outbound.idle_timeout_ms),
        )))
    }

    /// Hands an event to a plugin. Its section of the settings says what it may
    /// do, whatever it wants.
    pub fn run(
        &self,
        name: &PluginName,
        code: &Arc<Code>,
        settings: &config::Plugin,
        trial: Trial,
        network: &Network,
    ) -> Tried {
        let mut settings = settings.clone();
        let kept = &mut settings.http_bodies_kept_bytes_max;
        *kept = (*kept).max(BODIES_KEPT_BYTES);
        let plugin = Plugin::new(name, Arc::clone(code), &settings, 0, trial.received_at_ms);
        let redactor = redactor(&plugin, &trial.event);
        let Trial { event, event_id, delivery, attempt, replay, received_at_ms, state } = trial;
        let state = Arc::new(state);
        let outbound = match network {
            Network::Real(outbound) => Arc::clone(outbound),
            Network::Scripted(answers) => {
                answers.hide(&redactor);
                let script = Arc::clone(answers);
                Outbound::scripted(self.serve.handle().clone(), script)
            }
        };
        let runner = self
            .runner
            .clone()
            .with_state(Arc::new(Remembered(Arc::clone(&state))))
            .with_outbound(outbound);
        let caller = Caller::default();
        let call = Call { delivery, event_id, event, received_at_ms, attempt, replay, caller };
        let mut attempt = self.serve.block_on(runner.handle(plugin, call));
        let state: BTreeMap<_, _> = match attempt.outcome {
            Outcome::Handled => changed(&state, &attempt.changes),
            Outcome::Failed(_) => Arc::unwrap_or_clone(state),
        };
        let (asked, unanswered) = match network {
            Network::Real(_) => Default::default(),
            Network::Scripted(answers) => answers.take(),
        };
        let sent = joined(std::mem::take(&mut attempt.calls), asked, |url| {
            redactor.text(url).into_owned()
        });
        Tried { attempt, sent, state, unanswered, redactor }
    }

    /// The runtime that waits for things.
    pub fn runtime(&self) -> &Runtime {
        &self.serve
    }
}

/// Records with what came to the script. They are in the order in which the plugin
/// began them, and requests that go at once may come in another.
fn joined(
    calls: Vec<OutboundCall>,
    asked: Vec<Asked>,
    redacted: impl Fn(&str) -> String,
) -> Vec<Sent> {
    let mut asked: Vec<Option<Asked>> = asked.into_iter().map(Some).collect();
    let sent = calls.into_iter().map(|call| {
        let found = asked.iter_mut().find(|one| {
            one.as_ref().is_some_and(|asked| {
                // A record has no query.
                let url = asked.url.split('?').next().unwrap_or_default();
                asked.method.as_str() == call.method && script::same_url(&call.url, &redacted(url))
            })
        });
        let asked = found.and_then(Option::take);
        Sent { call, asked }
    });
    sent.collect()
}
