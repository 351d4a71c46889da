//! What an operator grants a plugin, checked, with secrets fetched.
//!
//! Invariants:
//! - Nothing is granted to a plugin that has no section of its own.
//! - No text form of it holds a secret's value.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use hookbox_core::grants::{AddressSet, Origin, Want};
use url::Host;

use super::ConfigError;
use super::file::{Http, Plugin, Secret};
use super::found::Lookup;
use super::refuse::value;
use crate::telemetry::{Redactor, VALUE_BYTES_MIN, is_harmful};

/// Keys of settings and secrets of one plugin, each key's bytes, and those of a
/// value.
const KEYS_MAX: usize = 1_000;
const KEY_BYTES_MAX: usize = 256;
const VALUE_BYTES_MAX: usize = 64 * 1024;

/// Origins of one plugin.
const ORIGINS_MAX: usize = 1_000;

/// Bytes of all secrets of one plugin: each is sought in all that it prints.
const SECRETS_BYTES_MAX: usize = 256 * 1024;

/// What one plugin may do beyond logs, time and randomness. By default nothing.
#[derive(Clone, Default, PartialEq)]
pub struct Grants {
    http: Vec<HttpGrant>,
    config: BTreeMap<String, String>,
    secrets: BTreeMap<String, String>,
    keyvalue: bool,
    redactor: Arc<Redactor>,
}

/// An origin that a plugin may send requests to.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpGrant {
    /// The origin.
    pub origin: Origin,
    /// The methods; none means all but `CONNECT`.
    pub methods: Option<Vec<http::Method>>,
    /// Addresses that it may have though they are not the Internet's.
    pub addresses: AddressSet,
}

impl HttpGrant {
    /// Whether it allows a method.
    pub fn allows(&self, method: &http::Method) -> bool {
        match &self.methods {
            Some(methods) => methods.contains(method),
            None => *method != http::Method::CONNECT,
        }
    }
}

/// What is granted beside the configuration, where a plugin is tried out. Values
/// are as they are, so it has no text form.
#[derive(Clone, Default)]
pub struct Given {
    /// Origins.
    pub http: Vec<String>,
    /// Settings.
    pub config: BTreeMap<String, String>,
    /// Secrets.
    pub secrets: BTreeMap<String, String>,
    /// Key-value state.
    pub keyvalue: bool,
}

impl fmt::Debug for Grants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grants")
            .field("http", &self.http)
            .field("config", &self.config.keys())
            .field("secrets", &self.secrets.keys())
            .field("keyvalue", &self.keyvalue)
            .finish()
    }
}

impl Grants {
    /// The origins that it may send requests to.
    pub fn http(&self) -> &[HttpGrant] {
        &self.http
    }

    /// Whether it has key-value state.
    pub fn keyvalue(&self) -> bool {
        self.keyvalue
    }

    /// The same and more; what was granted under the same name gives way.
    ///
    /// `section`: where it stands, for errors.
    ///
    /// # Errors
    /// As for the configuration's own.
    pub fn with(&self, section: &str, given: &Given) -> Result<Self, ConfigError> {
        let key = |name: &str| format!("{section}{name}");
        let mut all = self.clone();
        all.keyvalue |= given.keyvalue;
        for text in &given.http {
            let written = Http { origin: text.clone(), methods: None, addresses: Vec::new() };
            let grant = origin(&written).map_err(|why| value(key("http"), why))?;
            if !all.http.iter().any(|have| have.origin == grant.origin) {
                all.http.push(grant);
            }
        }
        let settings = given.config.iter().map(|(name, text)| (name, text, false));
        let secrets = given.secrets.iter().map(|(name, text)| (name, text, true));
        for (name, text, is_secret) in settings.chain(secrets) {
            let kind = if is_secret { "secrets" } else { "config" };
            let wrong = |why| value(key(&format!("{kind}.{name}")), why);
            setting(name, text).map_err(wrong)?;
            all.config.remove(name);
            all.secrets.remove(name);
            if is_secret {
                long_enough(text).map_err(wrong)?;
                all.secrets.insert(name.clone(), text.clone());
            } else {
                all.config.insert(name.clone(), text.clone());
            }
        }
        all.redactor = Arc::new(redactor(&all.secrets, || key("secrets"))?);
        Ok(all)
    }

    /// The value of a settings key, secret or not.
    pub fn setting(&self, key: &str) -> Option<&str> {
        self.config.get(key).or_else(|| self.secrets.get(key)).map(String::as_str)
    }

    /// All settings, secret ones among them.
    pub fn settings(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.config.iter().chain(&self.secrets);
        all.map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The settings that are no secrets.
    pub fn plain_settings(&self) -> &BTreeMap<String, String> {
        &self.config
    }

    /// The names of the secrets.
    pub fn secret_names(&self) -> impl Iterator<Item = &str> {
        self.secrets.keys().map(String::as_str)
    }

    /// Replaces the secrets' values in what the plugin says.
    pub fn redactor(&self) -> &Arc<Redactor> {
        &self.redactor
    }

    /// In words, for a list of plugins: without any value.
    pub fn summary(&self) -> Vec<String> {
        let http = self.http.iter().map(|grant| match &grant.methods {
            Some(methods) => {
                let methods: Vec<&str> = methods.iter().map(http::Method::as_str).collect();
                format!("http {} {}", methods.join(","), grant.origin)
            }
            None => format!("http {}", grant.origin),
        });
        let config = self.config.keys().map(|key| format!("config {key}"));
        let secrets = self.secrets.keys().map(|key| format!("secret {key}"));
        let keyvalue = self.keyvalue.then(|| "keyvalue".to_owned());
        http.chain(config).chain(secrets).chain(keyvalue).collect()
    }

    /// Of what a plugin wants, what is not granted.
    pub fn missing(&self, wants: &[Want]) -> Vec<Want> {
        let granted = |want: &&Want| match want {
            Want::Http(origin) => self.http.iter().any(|grant| grant.origin == *origin),
            // A setting that the operator keeps secret is one all the same.
            Want::Config(key) => self.setting(key).is_some(),
            Want::Secret(key) => self.secrets.contains_key(key),
            Want::Keyvalue => self.keyvalue,
        };
        wants.iter().filter(|want| !granted(want)).cloned().collect()
    }

    /// The plugin's section of the configuration with what is missing added:
    /// lines that replace those of the same keys.
    pub fn lines_with(&self, plugin: &str, missing: &[Want]) -> Vec<String> {
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let origins = missing.iter().filter_map(|want| match want {
            Want::Http(origin) => Some(format!("{{ origin = {} }}", quoted(&origin.to_string()))),
            _ => None,
        });
        let origins: Vec<String> = origins.collect();
        let mut lines = vec![format!("[plugin.{plugin}]")];
        if !origins.is_empty() {
            let have = self.http.iter().map(written_grant);
            let all: Vec<String> = have.chain(origins).collect();
            lines.push(format!("http = [{}]", all.join(", ")));
        }
        if missing.contains(&Want::Keyvalue) {
            lines.push("keyvalue = true".to_owned());
        }
        for want in missing {
            if let Want::Config(key) = want {
                lines.push(format!("config.{} = \"…\"", toml_key(key)));
            }
        }
        let secrets = missing.iter().filter_map(|want| match want {
            Want::Secret(key) => Some(format!("{{ name = {}, env = \"…\" }}", quoted(key))),
            _ => None,
        });
        let secrets: Vec<String> = secrets.collect();
        if !secrets.is_empty() {
            let kept = if self.secrets.is_empty() { "" } else { "…, " };
            lines.push(format!("secrets = [{kept}{}]", secrets.join(", ")));
        }
        lines
    }
}

fn written_grant(grant: &HttpGrant) -> String {
    let mut text = format!("{{ origin = \"{}\"", grant.origin);
    if let Some(methods) = &grant.methods {
        let methods: Vec<String> = methods.iter().map(|method| format!("\"{method}\"")).collect();
        text += &format!(", methods = [{}]", methods.join(", "));
    }
    if grant.addresses != AddressSet::default() {
        text += &format!(", addresses = [{}]", grant.addresses);
    }
    text + " }"
}

fn toml_key(key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !key.is_empty() && key.chars().all(bare) {
        key.to_owned()
    } else {
        toml::Value::String(key.to_owned()).to_string()
    }
}

/// The first grant that a section has written, by its key.
pub(super) fn written(plugin: &Plugin) -> Option<&'static str> {
    let keys = [
        ("http", plugin.http.is_some()),
        ("config", plugin.config.is_some()),
        ("secrets", plugin.secrets.is_some()),
        ("keyvalue", plugin.keyvalue.is_some()),
    ];
    keys.into_iter().find(|(_, written)| *written).map(|(key, _)| key)
}

/// Takes the grants out of a section, checked.
///
/// `section`: its name, such as `plugin.relay`. `files` gets those that secrets
/// are in.
pub(super) fn check(
    section: &str,
    plugin: &mut Plugin,
    found: &Lookup<'_>,
    files: &mut Vec<PathBuf>,
) -> Result<Grants, ConfigError> {
    let origins = plugin.http.take().unwrap_or_default();
    let config = plugin.config.take().unwrap_or_default();
    let secrets = plugin.secrets.take().unwrap_or_default();
    let key = |name: &str| format!("{section}.{name}");
    if origins.len() > ORIGINS_MAX {
        return Err(value(key("http"), format!("has over {ORIGINS_MAX} origins")));
    }
    if config.len() + secrets.len() > KEYS_MAX {
        return Err(value(section, format!("has over {KEYS_MAX} settings and secrets")));
    }
    let mut grants =
        Grants { keyvalue: plugin.keyvalue.take().unwrap_or_default(), ..Grants::default() };
    for (index, written) in origins.iter().enumerate() {
        // Nothing of it is quoted: the address of a chat's webhook, or one with
        // a password, may stand there by mistake.
        let wrong = |why: String| value(key("http"), format!("number {}: {why}", index + 1));
        let grant = origin(written).map_err(wrong)?;
        if grants.http.iter().any(|have| have.origin == grant.origin) {
            return Err(wrong("its origin is there twice".to_owned()));
        }
        grants.http.push(grant);
    }
    for (name, text) in config {
        setting(&name, &text.0).map_err(|why| value(key(&format!("config.{name}")), why))?;
        grants.config.insert(name, text.0);
    }
    let mut bytes = 0;
    for written in &secrets {
        let fail = |message| ConfigError::Secret {
            section: section.to_owned(),
            secret: written.name.clone(),
            message,
        };
        let text = secret(written, &grants, found, files).map_err(fail)?;
        bytes += text.len();
        if bytes > SECRETS_BYTES_MAX {
            let message = format!("they have over {SECRETS_BYTES_MAX} bytes in all");
            return Err(value(key("secrets"), message));
        }
        grants.secrets.insert(written.name.clone(), text);
    }
    grants.redactor = Arc::new(redactor(&grants.secrets, || key("secrets"))?);
    Ok(grants)
}

fn redactor(
    secrets: &BTreeMap<String, String>,
    key: impl Fn() -> String,
) -> Result<Redactor, ConfigError> {
    let pairs = secrets.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    Redactor::new(pairs).map_err(|error| value(key(), error.to_string()))
}

fn origin(written: &Http) -> Result<HttpGrant, String> {
    let origin: Origin = written.origin.parse().map_err(|error| format!("origin: {error}"))?;
    let mut addresses = AddressSet::default();
    for (index, text) in written.addresses.iter().enumerate() {
        let add = addresses.add(text);
        add.map_err(|error| format!("address number {}: {error}", index + 1))?;
    }
    // Who writes an address means it.
    match origin.host() {
        Host::Ipv4(address) => addresses.insert((*address).into()),
        Host::Ipv6(address) => addresses.insert((*address).into()),
        Host::Domain(_) => {}
    }
    let methods = written.methods.as_ref().map(|methods| {
        let parse = |text: &String| match http::Method::from_bytes(text.as_bytes()) {
            Ok(method) if *text == text.to_uppercase() => Ok(method),
            _ => Err("a method is none such as GET or POST, in capitals".to_owned()),
        };
        methods.iter().map(parse).collect()
    });
    Ok(HttpGrant { origin, methods: methods.transpose()?, addresses })
}

fn setting(key: &str, text: &str) -> Result<(), String> {
    if key.is_empty() || key.len() > KEY_BYTES_MAX {
        return Err(format!("a key has 1 to {KEY_BYTES_MAX} bytes"));
    }
    if key.contains(is_harmful) {
        return Err("a key has no control characters".to_owned());
    }
    if text.len() > VALUE_BYTES_MAX {
        return Err(format!("its value has over {VALUE_BYTES_MAX} bytes"));
    }
    Ok(())
}

fn secret(
    written: &Secret,
    grants: &Grants,
    found: &Lookup<'_>,
    files: &mut Vec<PathBuf>,
) -> Result<String, String> {
    if grants.setting(&written.name).is_some() {
        return Err("there is another setting or secret of this name".to_owned());
    }
    let text = found.secret(written, files)?;
    setting(&written.name, &text)?;
    long_enough(&text)?;
    Ok(text)
}

fn long_enough(text: &str) -> Result<(), String> {
    if text.len() < VALUE_BYTES_MIN {
        return Err(format!(
            "it has under {VALUE_BYTES_MIN} bytes, too few to be kept out of logs: make it longer"
        ));
    }
    Ok(())
}
