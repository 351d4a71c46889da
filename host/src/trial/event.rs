//! The event of a trial: a webhook's body, verified and typed as a server does
//! it. Whatever secret it has counts as genuine.

use hookbox_core::event::Event;
use hookbox_core::ids::SourceName;
use hookbox_core::json::{JsonError, with_member};
use hookbox_core::verify::{Refusal, Secrets, SecretsError, verify};

/// The secret that a trial's body gets, and its name.
const SECRET: (&str, &str) = ("trial", "trial");

/// Why a body is no event.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// It is no JSON object.
    #[error("the body is {0}")]
    Json(#[from] JsonError),
    /// A server would refuse it.
    #[error("a server would refuse the body: {0}")]
    Refused(#[from] Refusal),
    /// The same, by a setting.
    #[error(
        "a server would refuse the body: it has {bytes} bytes, over server.body_bytes_max, which is {bytes_max}"
    )]
    TooLarge {
        /// Its length.
        bytes: usize,
        /// The setting.
        bytes_max: usize,
    },
    /// Never: the secret is a constant.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
}

/// Whether a server that takes so many bytes takes a body as long as this.
///
/// # Errors
/// [`EventError::TooLarge`]
pub fn fits(body: &str, bytes_max: usize) -> Result<(), EventError> {
    let bytes = body.len();
    if bytes > bytes_max { Err(EventError::TooLarge { bytes, bytes_max }) } else { Ok(()) }
}

/// The event of a body, with or without `secret` in it.
///
/// # Errors
/// See [`EventError`].
pub fn genuine(source: &SourceName, body: &str) -> Result<Event, EventError> {
    let (name, secret) = SECRET;
    let body = with_member(body, "secret", &format!("\"{secret}\""))?;
    let secrets = Secrets::new([(name, secret)])?;
    Ok(Event::decode(verify(source, &secrets, body.as_bytes())?)?)
}
