//! What is true: settings that were checked, with secrets fetched.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hookbox_core::ids::{PluginName, SourceName};
use hookbox_core::verify::{Secrets, SecretsError};

use super::ConfigError;
use super::file::{
    Journal, Kind, Layer, Log, LogFormat, Outbound, OutboundLayer, Plugin, PluginLayer, Reload,
    Runtime, Server, Source, Tls, Traces,
};
use super::found::Lookup;
use super::refuse::{at_least, at_most, incomplete, value};
use super::{grants, operators, traces};

/// The whole configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// What is read once.
    pub settings: Settings,
    /// What can change while the server runs.
    pub live: Live,
    /// Files other than the configuration's own that it depends on.
    pub files: Vec<PathBuf>,
}

/// Settings that take effect at start only. Paths are complete.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each section is documented in defaults.toml")]
pub struct Settings {
    pub server: Server,
    pub journal: Journal,
    pub reload: Reload,
    pub runtime: Runtime,
    pub outbound: Outbound,
    pub traces: Traces,
    /// `[log] format`
    pub log_format: LogFormat,
}

/// Settings that are read again when they change.
#[derive(Debug, Clone, PartialEq)]
pub struct Live {
    /// Sources by name. At least one.
    pub sources: BTreeMap<SourceName, LiveSource>,
    /// What plugins may do.
    pub plugins: Plugins,
    /// Log lines. Of these settings the level alone is put in force again, and
    /// whoever does so checks it.
    pub log: Log,
}

/// A sender.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveSource {
    /// How its bodies are verified and typed.
    pub kind: Kind,
    /// What it may send.
    pub secrets: Secrets,
    duplicate_window_ms: u64,
    duplicate_window_untimed_ms: u64,
}

impl LiveSource {
    /// How long the same body counts as a duplicate, in milliseconds; 0: never.
    ///
    /// `timed`: whether the body says when it was made. Where it does not, the
    /// same edit can honestly come twice.
    pub fn duplicate_window_ms(&self, timed: bool) -> u64 {
        if timed { self.duplicate_window_ms } else { self.duplicate_window_untimed_ms }
    }
}

/// `[plugin_defaults]` and `[plugin.*]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Plugins {
    defaults: Plugin,
    named: BTreeMap<PluginName, Plugin>,
}

impl Plugins {
    /// The plugins that have a section of their own.
    pub fn names(&self) -> impl Iterator<Item = &PluginName> {
        self.named.keys()
    }

    /// The settings of that plugin.
    pub fn of(&self, name: &PluginName) -> &Plugin {
        self.named.get(name).unwrap_or(&self.defaults)
    }
}

impl Plugin {
    /// Longest time of a call.
    pub fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }

    /// The events that the operator narrows it to.
    pub fn events(&self) -> Option<BTreeSet<String>> {
        self.events.as_ref().map(|events| events.iter().cloned().collect())
    }

    /// The sources that the operator narrows it to. Their names were checked.
    pub fn sources(&self) -> Option<BTreeSet<SourceName>> {
        let parse = |sources: &Vec<String>| sources.iter().filter_map(|s| s.parse().ok()).collect();
        self.sources.as_ref().map(parse)
    }
}

impl Server {
    /// Certificate and key, where the server speaks TLS.
    pub fn tls(&self) -> Option<Tls> {
        let (certificate, key) = self.tls_certificate.clone().zip(self.tls_key.clone())?;
        Some(Tls { certificate, key })
    }
}

impl Settings {
    /// The names of the sections that differ.
    pub fn changed(&self, other: &Self) -> Vec<&'static str> {
        let sections = [
            ("[server]", self.server != other.server),
            ("[journal]", self.journal != other.journal),
            ("[reload]", self.reload != other.reload),
            ("[runtime]", self.runtime != other.runtime),
            ("[outbound]", self.outbound != other.outbound),
            ("[traces]", self.traces != other.traces),
            ("[log] format", self.log_format != other.log_format),
        ];
        sections.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
    }
}

/// Checks all layers together.
///
/// `base`: where relative paths start. `variable`: looks up the environment.
pub(super) fn check(
    layer: Layer,
    base: &Path,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Config, ConfigError> {
    let mut files = Vec::new();
    let found = Lookup { base, variable: &variable, values_needed: true };
    let (mut settings, sections) = settings(layer, base)?;
    operators::tokens(&mut settings.server, &found, &mut files)?;
    traces::fetch(&mut settings.traces, &found, &mut files)?;
    if let Some(pair) = settings.server.tls() {
        files.extend([pair.certificate, pair.key]);
    }
    let sources = sources(sections.sources, &found, &mut files)?;
    let names = sources.keys().cloned().collect();
    let plugins = plugins(sections.defaults, sections.named, &names, &settings, &found)?;
    files.extend(plugins.1);
    let live = Live { sources, plugins: plugins.0, log: sections.log };
    Ok(Config { settings, live, files })
}

/// Settings that plugins are judged by, of layers that are not checked
/// otherwise: values of secrets need not be at hand.
pub(super) fn for_plugins(layer: Layer, base: &Path) -> Result<(Settings, Plugins), ConfigError> {
    let (settings, sections) = settings(layer, base)?;
    let names = sections.sources.iter().filter_map(|source| source.name.parse().ok()).collect();
    let found = Lookup { base, variable: &|_| None, values_needed: false };
    let (plugins, _) = plugins(sections.defaults, sections.named, &names, &settings, &found)?;
    Ok((settings, plugins))
}

/// Settings of one plugin with the values of its secrets, of layers that are not
/// checked otherwise.
pub(super) fn for_trial(
    layer: Layer,
    base: &Path,
    variable: impl Fn(&str) -> Option<String>,
    plugin: &PluginName,
) -> Result<(Settings, Plugin), ConfigError> {
    let (settings, mut sections) = settings(layer, base)?;
    let names = sections.sources.iter().filter_map(|source| source.name.parse().ok()).collect();
    sections.named.retain(|name, _| name == plugin.as_str());
    let found = Lookup { base, variable: &variable, values_needed: true };
    let (plugins, _) = plugins(sections.defaults, sections.named, &names, &settings, &found)?;
    let plugin = plugins.of(plugin).clone();
    Ok((settings, plugin))
}

/// Sections that are checked after the settings.
struct Sections {
    sources: Vec<Source>,
    defaults: PluginLayer,
    named: BTreeMap<String, PluginLayer>,
    log: Log,
}

fn settings(layer: Layer, base: &Path) -> Result<(Settings, Sections), ConfigError> {
    let mut server = layer.server.complete().ok_or_else(|| incomplete("server"))?;
    server.data_dir = base.join(&server.data_dir);
    server.plugins_dir = base.join(&server.plugins_dir);
    for path in [&mut server.tls_certificate, &mut server.tls_key].into_iter().flatten() {
        *path = base.join(&*path);
    }
    if server.tls_certificate.is_some() != server.tls_key.is_some() {
        let message = "tls_certificate and tls_key only go together: give both or none";
        return Err(value("server", message));
    }
    if server.data_dir == server.plugins_dir || server.data_dir.starts_with(&server.plugins_dir) {
        let message = "must not be the plugins directory or in it: what is in it is executed";
        return Err(value("server.data_dir", message));
    }
    let log = layer.log.complete().ok_or_else(|| incomplete("log"))?;
    operators::check(&mut server)?;
    let settings = Settings {
        server,
        journal: layer.journal.complete().ok_or_else(|| incomplete("journal"))?,
        reload: layer.reload.complete().ok_or_else(|| incomplete("reload"))?,
        runtime: layer.runtime.complete().ok_or_else(|| incomplete("runtime"))?,
        outbound: outbound(layer.outbound, base)?,
        traces: traces::check(layer.traces)?,
        log_format: log.format,
    };
    ranges(&settings)?;
    let sections = Sections {
        sources: layer.source.unwrap_or_default(),
        defaults: layer.plugin_defaults,
        named: layer.plugin,
        log,
    };
    Ok((settings, sections))
}

fn sources(
    written: Vec<Source>,
    found: &Lookup<'_>,
    files: &mut Vec<PathBuf>,
) -> Result<BTreeMap<SourceName, LiveSource>, ConfigError> {
    let mut sources = BTreeMap::new();
    for source in written {
        let key = format!("source {:?}", source.name);
        let name = source.name.parse().map_err(|error| ConfigError::Name { key, error })?;
        let window = |name: &str| format!("source {:?}, {name}", source.name);
        at_most(&window("duplicate_window_ms"), source.duplicate_window_ms, WINDOW_MAX_MS)?;
        let untimed = source.duplicate_window_untimed_ms;
        at_most(&window("duplicate_window_untimed_ms"), untimed, WINDOW_MAX_MS)?;
        let live = LiveSource {
            kind: source.kind,
            secrets: secrets(&source, found, files)?,
            duplicate_window_ms: source.duplicate_window_ms,
            duplicate_window_untimed_ms: untimed,
        };
        if sources.insert(name, live).is_some() {
            return Err(value("source", format!("two are called {:?}", source.name)));
        }
    }
    if sources.is_empty() {
        let message = "none is configured, so nothing could be received: add a [[source]] with \
                       a name and its secrets; `hookbox config default` shows one";
        return Err(value("source", message));
    }

    Ok(sources)
}

/// Where the server keeps its files, of layers that are not checked otherwise.
pub(super) fn data_dir(layer: &Layer, base: &Path) -> Result<PathBuf, ConfigError> {
    let path = layer.server.data_dir.as_ref().ok_or_else(|| incomplete("server"))?;
    Ok(base.join(path))
}

fn ranges(settings: &Settings) -> Result<(), ConfigError> {
    let Settings { server, journal, reload, runtime, .. } = settings;
    at_least("server.body_bytes_max", server.body_bytes_max as u64, 1_024)?;
    at_most("server.body_bytes_max", server.body_bytes_max as u64, 64 << 20)?;
    at_least("server.header_timeout_ms", server.header_timeout_ms, 10)?;
    at_least("server.body_timeout_ms", server.body_timeout_ms, 10)?;
    at_least("server.connections_max", server.connections_max as u64, 1)?;
    at_least("journal.commits_max", journal.commits_max as u64, 1)?;
    let bytes = journal.commits_bytes_max as u64;
    at_least("journal.commits_bytes_max", bytes, event_bytes_max(server))?;
    at_least("journal.deliveries_max", journal.deliveries_max, 1)?;
    at_least("journal.keep_bytes_max", journal.keep_bytes_max, 1 << 20)?;
    at_most("journal.attempt_log_bytes_max", journal.attempt_log_bytes_max as u64, 1 << 20)?;
    at_least(
        "server.bodies_bytes_max",
        server.bodies_bytes_max as u64,
        server.body_bytes_max as u64,
    )?;
    at_least("reload.rescan_ms", reload.rescan_ms, 100)?;
    at_least("reload.file_bytes_max", reload.file_bytes_max, 1_024)?;
    at_least("reload.compile_timeout_ms", reload.compile_timeout_ms, 1)?;
    at_least("reload.compile_memory_bytes_max", reload.compile_memory_bytes_max, 1 << 28)?;
    at_most("runtime.threads", runtime.threads as u64, 1_024)?;
    at_least("runtime.instances_max", runtime.instances_max.into(), 1)?;
    at_most("runtime.instances_max", runtime.instances_max.into(), 1_000)
}

/// Longest window in which the same body counts as a duplicate: 30 days.
const WINDOW_MAX_MS: u64 = 30 * 86_400_000;

/// Longest wait between attempts: 30 days.
const WAIT_MAX_MS: u64 = 30 * 86_400_000;

/// What an event can take in memory at the most: see [`hookbox_core::event::Event::bytes`].
fn event_bytes_max(server: &Server) -> u64 {
    8 * server.body_bytes_max as u64 + 2 * 1024 * 1024
}

fn outbound(layer: OutboundLayer, base: &Path) -> Result<Outbound, ConfigError> {
    let mut outbound = layer.complete().ok_or_else(|| incomplete("outbound"))?;
    outbound.certificates = outbound.certificates.map(|path| base.join(path));
    at_least("outbound.connect_timeout_ms", outbound.connect_timeout_ms, 1)?;
    Ok(outbound)
}

fn secrets(
    source: &Source,
    found: &Lookup<'_>,
    files: &mut Vec<PathBuf>,
) -> Result<Secrets, ConfigError> {
    let mut pairs = Vec::new();
    for secret in &source.secrets {
        let fail = |message: String| ConfigError::Secret {
            section: format!("source {:?}", source.name),
            secret: secret.name.clone(),
            message,
        };
        let text = found.secret(secret, files).map_err(fail)?;
        if text.is_empty() {
            let error = SecretsError::Empty(secret.name.clone());
            return Err(ConfigError::Secrets { source_name: source.name.clone(), error });
        }
        pairs.push((secret.name.as_str(), text));
    }
    Secrets::new(pairs.iter().map(|(name, text)| (*name, text.as_str())))
        .map_err(|error| ConfigError::Secrets { source_name: source.name.clone(), error })
}

fn plugins(
    defaults: PluginLayer,
    named: BTreeMap<String, PluginLayer>,
    sources: &BTreeSet<SourceName>,
    settings: &Settings,
    found: &Lookup<'_>,
) -> Result<(Plugins, Vec<PathBuf>), ConfigError> {
    let complete =
        |layer: PluginLayer| layer.complete().ok_or_else(|| incomplete("plugin_defaults"));
    let defaults = complete(defaults)?;
    if let Some(key) = grants::written(&defaults) {
        let message = "would be granted to any file that is dropped into the directory: write it \
                       under [plugin.<name>]";
        return Err(value(format!("plugin_defaults.{key}"), message));
    }
    limits("plugin_defaults", &defaults, sources, settings)?;
    let mut files = Vec::new();
    let mut all = BTreeMap::new();
    for (name, section) in named {
        let key = format!("plugin.{name}");
        let mut plugin = complete(PluginLayer::of(defaults.clone()).under(section))?;
        limits(&key, &plugin, sources, settings)?;
        plugin.grants = Arc::new(grants::check(&key, &mut plugin, found, &mut files)?);
        let name = name.parse().map_err(|error| ConfigError::Name { key, error })?;
        all.insert(name, plugin);
    }
    Ok((Plugins { defaults, named: all }, files))
}

fn limits(
    section: &str,
    plugin: &Plugin,
    sources: &BTreeSet<SourceName>,
    settings: &Settings,
) -> Result<(), ConfigError> {
    let key = |name: &str| format!("{section}.{name}");
    at_least(&key("concurrency"), plugin.concurrency as u64, 1)?;
    at_least(&key("deadline_ms"), plugin.deadline_ms, 1)?;
    at_least(&key("cpu_ms"), plugin.cpu_ms, 10)?;
    at_least(&key("memory_bytes_max"), plugin.memory_bytes_max as u64, 65_536)?;
    at_most(&key("memory_bytes_max"), plugin.memory_bytes_max as u64, 1 << 32)?;
    at_least(&key("transfer_bytes_max"), plugin.transfer_bytes_max as u64, 65_536)?;
    at_most(&key("concurrency"), plugin.concurrency as u64, settings.runtime.instances_max.into())?;
    at_least(&key("log_lines_per_s_max"), plugin.log_lines_per_s_max.into(), 1)?;
    at_least(&key("http_concurrency"), plugin.http_concurrency as u64, 1)?;
    at_most(&key("http_concurrency"), plugin.http_concurrency as u64, 10_000)?;
    at_most(&key("http_calls_max"), plugin.http_calls_max.into(), 10_000)?;
    at_least(&key("http_timeout_ms"), plugin.http_timeout_ms, 1)?;
    let kept = plugin.http_bodies_kept_bytes_max as u64;
    at_most(&key("http_bodies_kept_bytes_max"), kept, 1 << 20)?;
    let value_max = plugin.keyvalue_value_bytes_max as u64;
    at_most(&key("keyvalue_value_bytes_max"), value_max, 64 << 20)?;
    at_most(&key("keyvalue_bytes_max"), plugin.keyvalue_bytes_max, 1 << 40)?;
    at_least(&key("attempts_max"), plugin.attempts_max.into(), 1)?;
    at_most(&key("backoff_first_ms"), plugin.backoff_first_ms, WAIT_MAX_MS)?;
    at_most(&key("backoff_max_ms"), plugin.backoff_max_ms, WAIT_MAX_MS)?;
    at_least(&key("backoff_max_ms"), plugin.backoff_max_ms, plugin.backoff_first_ms)?;
    at_most(&key("breaker_open_max_ms"), plugin.breaker_open_max_ms, WAIT_MAX_MS)?;
    let open_first_ms = plugin.breaker_open_first_ms;
    at_least(&key("breaker_open_first_ms"), open_first_ms, 1)?;
    at_least(&key("breaker_open_max_ms"), plugin.breaker_open_max_ms, open_first_ms)?;
    at_least(&key("backlog_max"), plugin.backlog_max, 1)?;
    for source in plugin.sources.iter().flatten() {
        let known = source.parse().is_ok_and(|name: SourceName| sources.contains(&name));
        if !known {
            return Err(value(key("sources"), format!("there is no source {source:?}")));
        }
    }
    Ok(())
}
