//! What `hookbox send` needs to send a webhook as a sender would: a source's
//! name, a secret of its, and where the server listens.

use std::net::SocketAddr;
use std::path::Path;

use super::ConfigError;
use super::file::Layer;
use super::found::Lookup;
use super::refuse::value;

/// A way to send webhooks to the server of a configuration.
pub struct Sending {
    /// The source.
    pub source: String,
    /// The secret's value.
    pub secret: String,
    /// `server.listen`; port 0: any that is free.
    pub listen: Option<SocketAddr>,
    /// Whether it speaks TLS.
    pub tls: bool,
}

/// `source`, `secret`: their names; else the first one's.
pub(super) fn sending(
    layer: Layer,
    base: &Path,
    variable: impl Fn(&str) -> Option<String>,
    source: Option<&str>,
    secret: Option<&str>,
) -> Result<Sending, ConfigError> {
    let sources = layer.source.unwrap_or_default();
    let names = |names: Vec<&str>| format!("there are {}", names.join(", "));
    let Some(chosen) = sources.iter().find(|one| source.is_none_or(|name| one.name == name)) else {
        let all = names(sources.iter().map(|one| one.name.as_str()).collect());
        let message = match source {
            Some(name) => format!("none is called {name:?}; {all}"),
            None => "none is configured: add a [[source]] with a name and its secrets".to_owned(),
        };
        return Err(value("source", message));
    };
    let section = format!("source {:?}", chosen.name);
    let found = chosen.secrets.iter().find(|one| secret.is_none_or(|name| one.name == name));
    let Some(found) = found else {
        let all = names(chosen.secrets.iter().map(|one| one.name.as_str()).collect());
        return Err(value(section, format!("no secret of that name; {all}")));
    };
    let lookup = Lookup { base, variable: &variable, values_needed: true };
    let secret = lookup.secret(found, &mut Vec::new()).map_err(|message| ConfigError::Secret {
        section,
        secret: found.name.clone(),
        message,
    })?;
    let tls = layer.server.tls_certificate.is_some();
    Ok(Sending { source: chosen.name.clone(), secret, listen: layer.server.listen, tls })
}
