//! Whether a request is genuine: `Received` → [`Verified`].
//!
//! The vendor signs nothing; it sends a shared secret in clear as the
//! top-level member `secret` of the body. Here that member is checked and cut
//! out. What comes after sees the rest only.
//!
//! Invariants:
//! - A [`Verified`] cannot be made without a secret that matches.
//! - Configured secrets are kept as SHA-256 digests, compared in constant time,
//!   all of them whichever matches first.
//! - No [`Refusal`] holds any text of the body.

use std::borrow::Cow;
use std::collections::BTreeSet;

use subtle::ConstantTimeEq as _;

use crate::ids::{Digest, SourceName};
use crate::json::{self, JsonError, TopMember};
use crate::limits::NESTING_MAX;

/// Why configured secrets cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretsError {
    /// A source without a secret would believe everyone.
    #[error(
        "no secret is configured: add one to `secrets`, for without one nothing can be verified"
    )]
    None,
    /// An empty secret would believe everyone who leaves it out.
    #[error("the secret {0:?} is empty")]
    Empty(String),
    /// Names tell which secret is still in use, so each needs its own.
    #[error("two secrets are called {0:?}")]
    SameName(String),
    /// Then nobody could tell which of them is in use.
    #[error("the secrets {0:?} and {1:?} have the same value")]
    SameValue(String, String),
}

/// The secrets that a source accepts, each with the name that the operator
/// gave it, so that it can be seen which one a sender still uses.
#[derive(Clone, PartialEq, Eq)]
pub struct Secrets(Vec<(String, Digest)>);

impl Secrets {
    /// Takes (name, secret) pairs.
    ///
    /// # Errors
    /// See [`SecretsError`].
    pub fn new<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, SecretsError> {
        let mut secrets: Vec<(String, Digest)> = Vec::new();
        let mut names = BTreeSet::new();
        for (name, secret) in pairs {
            if secret.is_empty() {
                return Err(SecretsError::Empty(name.to_owned()));
            }
            if !names.insert(name) {
                return Err(SecretsError::SameName(name.to_owned()));
            }
            let digest = Digest::of(secret.as_bytes());
            if let Some((other, _)) = secrets.iter().find(|(_, have)| *have == digest) {
                return Err(SecretsError::SameValue(other.clone(), name.to_owned()));
            }
            secrets.push((name.to_owned(), digest));
        }
        if secrets.is_empty() { Err(SecretsError::None) } else { Ok(Self(secrets)) }
    }

    /// The name of the secret that equals the candidate.
    pub fn matching(&self, candidate: &str) -> Option<&str> {
        let candidate = Digest::of(candidate.as_bytes());
        let mut found = None;
        for (name, digest) in &self.0 {
            if bool::from(digest.as_bytes().ct_eq(candidate.as_bytes())) {
                found = Some(name.as_str());
            }
        }
        found
    }
}

impl Secrets {
    /// The secrets' names, in the order that they were given.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// Why a body was refused. None of it quotes the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not JSON text in UTF-8, or nested too deep.
    #[error("the body is not JSON text in UTF-8 (RFC 8259)")]
    NotJson,
    /// JSON, but no object.
    #[error("the body is not a JSON object")]
    NotAnObject,
    /// See [`NESTING_MAX`].
    #[error("the body is nested over {NESTING_MAX} levels")]
    TooDeep,
    /// A member that must be there once stands twice.
    #[error("the body has more than one member `{0}`")]
    Twice(&'static str),
    /// No member `event`, or one that is no string.
    #[error("the body names no event: its member `event` must be a string")]
    NoEvent,
    /// No member `secret`, or one that is no string, or an empty one.
    #[error("the secret is missing or wrong")]
    SecretMissing,
    /// A secret that is not one of the source's.
    #[error("the secret is missing or wrong")]
    SecretWrong,
}

impl Refusal {
    /// A stable code for logs and answers. It does not tell a missing secret
    /// from a wrong one: [`Refusal::log_code`] does.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotJson => "not-json",
            Self::NotAnObject => "not-an-object",
            Self::TooDeep => "too-deep",
            Self::Twice(_) => "duplicate-member",
            Self::NoEvent => "no-event",
            Self::SecretMissing | Self::SecretWrong => "secret-refused",
        }
    }

    /// Like [`Refusal::code`], finer: for the operator, never for the sender.
    pub fn log_code(self) -> &'static str {
        match self {
            Self::SecretMissing => "secret-missing",
            Self::SecretWrong => "secret-wrong",
            other => other.code(),
        }
    }
}

impl From<JsonError> for Refusal {
    fn from(error: JsonError) -> Self {
        match error {
            JsonError::Syntax { .. } | JsonError::LoneSurrogate => Self::NotJson,
            JsonError::NotAnObject => Self::NotAnObject,
            JsonError::TooDeep => Self::TooDeep,
        }
    }
}

/// A body whose secret matched, without it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    source: SourceName,
    secret: String,
    document: String,
    name: String,
    content: Digest,
}

/// What a [`Verified`] is made of.
pub(crate) struct Parts {
    pub(crate) source: SourceName,
    pub(crate) secret: String,
    pub(crate) document: String,
    pub(crate) name: String,
    pub(crate) content: Digest,
}

impl Verified {
    /// Takes it apart, so that nothing has to be copied.
    pub(crate) fn into_parts(self) -> Parts {
        let Self { source, secret, document, name, content } = self;
        Parts { source, secret, document, name, content }
    }

    /// The source that it came through.
    pub fn source(&self) -> &SourceName {
        &self.source
    }

    /// The *name* of the secret that matched.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// The body's text without the secret member, otherwise unchanged.
    pub fn document(&self) -> &str {
        &self.document
    }

    /// The value of the member `event`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// SHA-256 of [`Verified::document`], by which duplicates are known.
    pub fn content(&self) -> Digest {
        self.content
    }
}

/// Checks a body as it was received.
///
/// # Errors
/// See [`Refusal`]. A body that is not JSON is refused as such whatever its
/// secret, since none can be read from it. Everything else about it is looked
/// at only once the secret is known to be right.
pub fn verify(source: &SourceName, secrets: &Secrets, body: &[u8]) -> Result<Verified, Refusal> {
    const BOM: &[u8] = "\u{feff}".as_bytes();
    let body = body.strip_prefix(BOM).unwrap_or(body);
    let text = std::str::from_utf8(body).map_err(|_| Refusal::NotJson)?;
    let members = json::top_members(text)?;

    let index = sole(&members, "secret")?.ok_or(Refusal::SecretMissing)?;
    let candidate = members.get(index).and_then(string).ok_or(Refusal::SecretMissing)?;
    if candidate.is_empty() {
        return Err(Refusal::SecretMissing);
    }
    let secret = secrets.matching(&candidate).ok_or(Refusal::SecretWrong)?;

    let event = sole(&members, "event")?.ok_or(Refusal::NoEvent)?;
    let name = members.get(event).filter(|m| m.json.starts_with('"')).ok_or(Refusal::NoEvent)?;
    let name = string(name).ok_or(Refusal::NotJson)?.into_owned();
    let document = json::without_member(text, &members, index);
    Ok(Verified {
        source: source.clone(),
        secret: secret.to_owned(),
        content: Digest::of(document.as_bytes()),
        document,
        name,
    })
}

/// Where the only member of that name stands.
fn sole(members: &[TopMember<'_>], name: &'static str) -> Result<Option<usize>, Refusal> {
    let mut found = members.iter().enumerate().filter(|(_, member)| member.name == name);
    let first = found.next().map(|(index, _)| index);
    if found.next().is_some() { Err(Refusal::Twice(name)) } else { Ok(first) }
}

/// The value, where it is a string.
fn string<'a>(member: &TopMember<'a>) -> Option<Cow<'a, str>> {
    serde_json::from_str::<String>(member.json).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests;
