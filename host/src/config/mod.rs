//! The configuration: what is written (`file`), from where (`layers`), and what
//! is then true ([`Config`]).
//!
//! Invariants:
//! - A [`Config`] is whole and checked; there is none with an empty secret or
//!   with no secret for a source.
//! - No error and no text form of it holds a secret.

mod checked;
mod file;
mod found;
mod grants;
mod layers;
mod operators;
mod refuse;
mod sending;
#[cfg(test)]
mod tests;
mod traces;

use std::path::{Path, PathBuf};

pub use checked::{Config, Live, LiveSource, Plugins, Settings};
pub use file::{
    Journal, Kind, Log, LogFormat, Order, Outbound, Plugin, Reload, Runtime, Server, Text, Tls,
    Traces,
};
pub use grants::{Given, Grants, HttpGrant};
use hookbox_core::ids::{NameError, PluginName};
use hookbox_core::verify::SecretsError;
pub use layers::DEFAULTS;
pub(crate) use layers::{explain, nearest};
pub use operators::{AdminAddress, Operators};
pub use sending::Sending;
pub use traces::Headers;

/// Why a configuration cannot be used: where, what, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error(
        "{path}: {error}; name another file with --config, or write one from `hookbox config default`"
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// Not TOML, an unknown key, or a value of the wrong type.
    #[error("{place}: {message}")]
    Text {
        /// File and line, or environment variable.
        place: String,
        /// What is wrong.
        message: String,
    },
    /// A value that cannot be used.
    #[error("{key}: {message}")]
    Value {
        /// The key's full name.
        key: String,
        /// What is wrong, and what to write.
        message: String,
    },
    /// A source's or a plugin's name.
    #[error("{key}: {error}")]
    Name {
        /// The key's full name.
        key: String,
        /// What is wrong.
        error: NameError,
    },
    /// A source's secrets.
    #[error("source {source_name:?}: {error}")]
    Secrets {
        /// The source.
        source_name: String,
        /// What is wrong.
        error: SecretsError,
    },
    /// The value of a secret, or of a header field, cannot be had.
    #[error("{section}, secret {secret:?}: {message}")]
    Secret {
        /// The source or the plugin.
        section: String,
        /// The secret's name.
        secret: String,
        /// What is wrong, and what to do.
        message: String,
    },
}

/// Reads the configuration: the file where one is given, and the environment.
///
/// # Errors
/// See [`ConfigError`].
pub fn read(path: Option<&Path>) -> Result<Config, ConfigError> {
    checked::check(layer(path)?, base(path), |name| std::env::var(name).ok())
}

/// The settings that plugins are judged by, from the same layers: neither
/// sources nor values of secrets need be there.
///
/// # Errors
/// As [`read`], but for these.
pub fn for_plugins(path: Option<&Path>) -> Result<(Settings, Plugins), ConfigError> {
    checked::for_plugins(layer(path)?, base(path))
}

/// The settings by which one plugin is tried out, from the same layers, with the
/// values of its own secrets and no others.
///
/// # Errors
/// As [`read`], but for sources and other plugins' secrets.
pub fn for_trial(
    path: Option<&Path>,
    plugin: &PluginName,
) -> Result<(Settings, Plugin), ConfigError> {
    checked::for_trial(layer(path)?, base(path), |name| std::env::var(name).ok(), plugin)
}

/// `server.data_dir` alone, from the same layers: the secrets need not be at
/// hand.
///
/// # Errors
/// As [`read`], but for what only a server needs.
pub fn data_dir(path: Option<&Path>) -> Result<PathBuf, ConfigError> {
    checked::data_dir(&layer(path)?, base(path))
}

/// What is needed to send a webhook to a source, from the same layers: of the
/// secrets only the one that is sent need be at hand.
///
/// # Errors
/// As [`read`], but for the rest; where there is no such source or secret.
pub fn sending(
    path: Option<&Path>,
    source: Option<&str>,
    secret: Option<&str>,
) -> Result<Sending, ConfigError> {
    let variable = |name: &str| std::env::var(name).ok();
    sending::sending(layer(path)?, base(path), variable, source, secret)
}

fn layer(path: Option<&Path>) -> Result<file::Layer, ConfigError> {
    let text = match path {
        Some(path) => Some(
            std::fs::read_to_string(path)
                .map_err(|error| ConfigError::Unreadable { path: path.to_owned(), error })?,
        ),
        None => None,
    };
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    layers::read(path.zip(text.as_deref()), variables)
}

/// Where relative paths start.
fn base(path: Option<&Path>) -> &Path {
    path.and_then(Path::parent).unwrap_or(Path::new(""))
}
