//! What is written: the shape of one layer of configuration, in which every
//! key may be missing, and the settings that all layers together make.
//!
//! No defaults stand here but those of lists, which are not layered: they are in
//! `defaults.toml`, the lowest layer.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

use super::grants::Grants;
use super::operators::{AdminAddress, Operators};
use super::traces::Headers;

/// Defines a section twice: as it is written in one layer, and as it is once
/// all layers are put together. What comes after `=` is not written but made
/// of the rest when that is checked.
macro_rules! section {
    (
        $(#[$doc:meta])* $name:ident as $layer:ident {
            $($key:ident: $type:ty,)*
            $(? $optional:ident: $optional_type:ty,)*
            $(= $computed:ident: $computed_type:ty,)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        #[expect(missing_docs, reason = "each key is documented in defaults.toml")]
        pub struct $name {
            $(pub $key: $type,)*
            $(pub $optional: Option<$optional_type>,)*
            $(pub $computed: $computed_type,)*
        }

        #[derive(Debug, Default, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub(super) struct $layer {
            $(pub(super) $key: Option<$type>,)*
            $(pub(super) $optional: Option<$optional_type>,)*
        }

        impl $layer {
            /// This layer, and the upper one's keys where it has them.
            pub(super) fn under(self, upper: Self) -> Self {
                Self {
                    $($key: upper.$key.or(self.$key),)*
                    $($optional: upper.$optional.or(self.$optional),)*
                }
            }

            /// A layer that says all that these settings say.
            #[allow(dead_code, reason = "not every section is layered again")]
            pub(super) fn of(settings: $name) -> Self {
                Self {
                    $($key: Some(settings.$key),)*
                    $($optional: settings.$optional,)*
                }
            }

            /// The settings, where no key is missing.
            pub(super) fn complete(self) -> Option<$name> {
                Some($name {
                    $($key: self.$key?,)*
                    $($optional: self.$optional,)*
                    $($computed: Default::default(),)*
                })
            }
        }
    };
}

section! {
    /// `[server]`
    Server as ServerLayer {
        listen: SocketAddr,
        data_dir: PathBuf,
        plugins_dir: PathBuf,
        body_bytes_max: usize,
        bodies_bytes_max: usize,
        header_timeout_ms: u64,
        body_timeout_ms: u64,
        connections_max: usize,
        drain_ms: u64,
        admin: AdminAddress,
        health_on_public: bool,
        ? tls_certificate: PathBuf,
        ? tls_key: PathBuf,
        ? admin_tokens: Vec<Secret>,
        ? admin_hosts: Vec<String>,
        = operators: Operators,
    }
}

section! {
    /// `[journal]`
    Journal as JournalLayer {
        commits_max: usize,
        commits_bytes_max: usize,
        deliveries_max: u64,
        keep_ms: u64,
        keep_bytes_max: u64,
        refused_max: u64,
        attempt_log_bytes_max: usize,
    }
}

section! {
    /// `[reload]`
    Reload as ReloadLayer {
        settle_ms: u64,
        delete_grace_ms: u64,
        rescan_ms: u64,
        file_bytes_max: u64,
        compile_timeout_ms: u64,
        compile_memory_bytes_max: u64,
    }
}

section! {
    /// `[runtime]`
    Runtime as RuntimeLayer {
        threads: usize,
        instances_max: u32,
        pooling: bool,
    }
}

section! {
    /// `[outbound]`
    Outbound as OutboundLayer {
        connect_timeout_ms: u64,
        idle_timeout_ms: u64,
        ? certificates: PathBuf,
    }
}

section! {
    /// `[traces]`
    Traces as TracesLayer {
        sample_ratio: f64,
        timeout_ms: u64,
        service_name: String,
        propagate: bool,
        ? otlp_endpoint: String,
        ? headers: Vec<Secret>,
        = header_values: Headers,
    }
}

section! {
    /// `[log]`
    Log as LogLayer {
        format: LogFormat,
        level: String,
    }
}

section! {
    /// `[plugin_defaults]`, `[plugin.<name>]`
    Plugin as PluginLayer {
        concurrency: usize,
        deadline_ms: u64,
        cpu_ms: u64,
        memory_bytes_max: usize,
        transfer_bytes_max: usize,
        log_bytes_max: usize,
        log_lines_per_s_max: u32,
        http_calls_max: u32,
        http_concurrency: usize,
        http_timeout_ms: u64,
        http_request_bytes_max: u64,
        http_response_bytes_max: u64,
        http_bodies_kept_bytes_max: usize,
        keyvalue_bytes_max: u64,
        keyvalue_value_bytes_max: usize,
        keyvalue_parallel: bool,
        attempts_max: u32,
        backoff_first_ms: u64,
        backoff_max_ms: u64,
        breaker_failures: u32,
        breaker_open_first_ms: u64,
        breaker_open_max_ms: u64,
        order: Order,
        backlog_max: u64,
        ? events: Vec<String>,
        ? sources: Vec<String>,
        ? http: Vec<Http>,
        ? config: BTreeMap<String, Text>,
        ? secrets: Vec<Secret>,
        ? keyvalue: bool,
        = grants: Arc<Grants>,
    }
}

/// `[server] tls_certificate` and `tls_key`, which only go together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// Certificate chain, PEM (RFC 7468), the server's own first.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For a terminal.
    Human,
    /// One JSON object for each line.
    Json,
}

/// In which order a plugin gets events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// As they come, several at once.
    None,
    /// Those of one video, playlist or channel one after another; others at once.
    Entity,
}

/// The sender's kind, which decides how its bodies are verified and typed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// TargetVideo, formerly Brid.tv.
    #[default]
    TargetVideo,
}

/// `[[source]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Source {
    pub(super) name: String,
    #[serde(default)]
    pub(super) kind: Kind,
    #[serde(default = "day_ms")]
    pub(super) duplicate_window_ms: u64,
    #[serde(default)]
    pub(super) duplicate_window_untimed_ms: u64,
    pub(super) secrets: Vec<Secret>,
}

fn day_ms() -> u64 {
    86_400_000
}

/// One of the `secrets` of a source or a plugin, of `admin_tokens`, or of the
/// `headers` of `[traces]`. Only one of `env`, `file` and
/// `value` is given.
#[derive(Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secret {
    pub(super) name: String,
    pub(super) env: Option<String>,
    pub(super) file: Option<PathBuf>,
    pub(super) value: Option<String>,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secret").field("name", &self.name).finish_non_exhaustive()
    }
}

/// One of a plugin's `http`: an origin that it may send requests to.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    pub(super) origin: String,
    pub(super) methods: Option<Vec<String>>,
    #[serde(default)]
    pub(super) addresses: Vec<String>,
}

/// A value of a plugin's `config`, which the plugin gets as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text(pub String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Scalar;
        impl Visitor<'_> for Scalar {
            type Value = Text;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a text, a number, or true or false")
            }
            fn visit_str<E: de::Error>(self, value: &str) -> Result<Text, E> {
                Ok(Text(value.to_owned()))
            }
            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Text, E> {
                Ok(Text(value.to_string()))
            }
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Text, E> {
                Ok(Text(value.to_string()))
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Text, E> {
                Ok(Text(value.to_string()))
            }
            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Text, E> {
                Ok(Text(value.to_string()))
            }
        }
        deserializer.deserialize_any(Scalar)
    }
}

/// One layer: the defaults, the file, or a variable of the environment.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Layer {
    pub(super) server: ServerLayer,
    pub(super) journal: JournalLayer,
    pub(super) reload: ReloadLayer,
    pub(super) runtime: RuntimeLayer,
    pub(super) outbound: OutboundLayer,
    pub(super) traces: TracesLayer,
    pub(super) log: LogLayer,
    pub(super) plugin_defaults: PluginLayer,
    pub(super) plugin: BTreeMap<String, PluginLayer>,
    pub(super) source: Option<Vec<Source>>,
}

impl Layer {
    /// This layer, and the upper one's keys where it has them.
    pub(super) fn under(mut self, upper: Self) -> Self {
        for (name, section) in upper.plugin {
            let lower = self.plugin.remove(&name).unwrap_or_default();
            self.plugin.insert(name, lower.under(section));
        }
        Self {
            server: self.server.under(upper.server),
            journal: self.journal.under(upper.journal),
            reload: self.reload.under(upper.reload),
            runtime: self.runtime.under(upper.runtime),
            outbound: self.outbound.under(upper.outbound),
            traces: self.traces.under(upper.traces),
            log: self.log.under(upper.log),
            plugin_defaults: self.plugin_defaults.under(upper.plugin_defaults),
            plugin: self.plugin,
            source: upper.source.or(self.source),
        }
    }
}
