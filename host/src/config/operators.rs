//! The part of `[server]` that is about operators: where they are listened to,
//! and what they show.
//!
//! Invariants:
//! - Whoever can be reached from another machine has a token.
//! - Tokens are kept as digests, and no text form of them holds one.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use hookbox_core::verify::{Secrets, SecretsError};
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};
use url::Host;

use super::ConfigError;
use super::file::{Secret, Server};
use super::found::Lookup;
use super::refuse::value;

/// Bytes of a token at least. A shorter one can be guessed.
const TOKEN_BYTES_MIN: usize = 16;

/// Tokens, and names of the server: each request is compared with all.
const TOKENS_MAX: usize = 100;
const HOSTS_MAX: usize = 100;

/// `admin`: an address, or none where it is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdminAddress(pub Option<SocketAddr>);

impl<'de> Deserialize<'de> for AdminAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;
        impl Visitor<'_> for Written {
            type Value = AdminAddress;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an address such as \"127.0.0.1:8081\", or \"\" for none")
            }
            fn visit_str<E: de::Error>(self, value: &str) -> Result<AdminAddress, E> {
                if value.is_empty() {
                    return Ok(AdminAddress(None));
                }
                let address = value
                    .parse()
                    .map_err(|_| E::invalid_value(de::Unexpected::Str(value), &self))?;
                Ok(AdminAddress(Some(address)))
            }
        }
        deserializer.deserialize_str(Written)
    }
}

impl AdminAddress {
    /// Whether only this machine reaches it.
    pub fn is_local(self) -> bool {
        self.0.is_none_or(|address| address.ip().is_loopback())
    }
}

/// What operators show, checked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Operators {
    /// None: nothing is asked of them.
    pub tokens: Option<Secrets>,
    /// Names that the server is called by, in lower case.
    pub hosts: Vec<String>,
}

/// Checks what needs no value of a token.
///
/// # Errors
/// An address that others reach without tokens, or a name that is none.
pub(super) fn check(server: &mut Server) -> Result<(), ConfigError> {
    let tokens = server.admin_tokens.as_deref().unwrap_or_default();
    if let Some(address) = server.admin.0
        && !server.admin.is_local()
        && tokens.is_empty()
    {
        let message = format!(
            "{address} can be reached from other machines, so that a token is needed: set admin = \
             \"127.0.0.1:{}\", or add under [server]\n\
             admin_tokens = [{{ name = \"ops\", env = \"HOOKBOX_ADMIN_TOKEN\" }}]",
            address.port()
        );
        return Err(value("server.admin", message));
    }
    if tokens.len() > TOKENS_MAX {
        return Err(value("server.admin_tokens", format!("there are over {TOKENS_MAX}")));
    }
    let hosts = server.admin_hosts.as_deref().unwrap_or_default();
    if hosts.len() > HOSTS_MAX {
        return Err(value("server.admin_hosts", format!("there are over {HOSTS_MAX}")));
    }
    server.operators.hosts = hosts.iter().map(|name| host(name)).collect::<Result<_, _>>()?;
    Ok(())
}

fn host(name: &str) -> Result<String, ConfigError> {
    match Host::parse(name) {
        Ok(Host::Domain(name)) => Ok(name),
        Ok(_) => Err(value(
            "server.admin_hosts",
            format!("{name:?} is an address; these are accepted anyway: remove it"),
        )),
        Err(_) => Err(value(
            "server.admin_hosts",
            format!(
                "{name:?} is no name of a host: write it without scheme, port and path, such as \
                 \"hookbox.example.com\""
            ),
        )),
    }
}

/// Fetches the tokens.
///
/// # Errors
/// One that cannot be had, or is none.
pub(super) fn tokens(
    server: &mut Server,
    found: &Lookup<'_>,
    files: &mut Vec<PathBuf>,
) -> Result<(), ConfigError> {
    const SECTION: &str = "server.admin_tokens";
    let mut pairs = Vec::new();
    for token in server.admin_tokens.as_deref().unwrap_or_default() {
        let fail = |message: String| ConfigError::Secret {
            section: SECTION.to_owned(),
            secret: token.name.clone(),
            message,
        };
        let text = found.secret(token, files).map_err(fail)?;
        check_token(token, &text).map_err(fail)?;
        pairs.push((token.name.as_str(), text));
    }
    if pairs.is_empty() {
        return Ok(());
    }
    let secrets = Secrets::new(pairs.iter().map(|(name, text)| (*name, text.as_str())));
    server.operators.tokens =
        Some(secrets.map_err(|error: SecretsError| value(SECTION, error.to_string()))?);
    Ok(())
}

fn check_token(token: &Secret, text: &str) -> Result<(), String> {
    if token.name.is_empty() || token.name == LOCAL || token.name.chars().any(char::is_control) {
        return Err(format!(
            "it needs a name of its own, such as that of who has it, other than {LOCAL:?}"
        ));
    }
    if text.len() < TOKEN_BYTES_MIN {
        return Err(format!(
            "it has {} bytes, must have at least {TOKEN_BYTES_MIN}: make one with `openssl rand -hex 32`",
            text.len()
        ));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("it must be of printable ASCII without spaces, since it travels in a header: \
                    make one with `openssl rand -hex 32`"
            .to_owned());
    }
    Ok(())
}

/// Who needs no token, as changes name them.
const LOCAL: &str = "local";
