//! What `--grant` gives.

use std::fmt;
use std::str::FromStr;

use crate::config::Given;

/// One `--grant`.
#[derive(Clone)]
pub(super) enum Grant {
    Keyvalue,
    Http(String),
    Config(String, String),
    Secret(String, String),
}

/// Without values.
impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keyvalue => f.write_str("keyvalue"),
            Self::Http(origin) => write!(f, "http={origin}"),
            Self::Config(key, _) => write!(f, "config.{key}=…"),
            Self::Secret(key, _) => write!(f, "secret.{key}=…"),
        }
    }
}

impl FromStr for Grant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let pair = text.split_once('=');
        match pair {
            None if text == "keyvalue" => return Ok(Self::Keyvalue),
            Some(("http", origin)) => return Ok(Self::Http(origin.to_owned())),
            Some((name, value)) => match name.split_once('.') {
                Some(("config", key)) => {
                    return Ok(Self::Config(key.to_owned(), value.to_owned()));
                }
                Some(("secret", key)) => {
                    return Ok(Self::Secret(key.to_owned(), value.to_owned()));
                }
                _ => {}
            },
            None => {}
        }
        Err("write it as keyvalue, http=https://example.com, config.KEY=VALUE or secret.KEY=VALUE"
            .to_owned())
    }
}

/// All of them together.
pub(super) fn given(grants: &[Grant]) -> Given {
    let mut given = Given::default();
    for grant in grants {
        match grant.clone() {
            Grant::Keyvalue => given.keyvalue = true,
            Grant::Http(origin) => given.http.push(origin),
            Grant::Config(key, value) => {
                given.config.insert(key, value);
            }
            Grant::Secret(key, value) => {
                given.secrets.insert(key, value);
            }
        }
    }
    given
}
