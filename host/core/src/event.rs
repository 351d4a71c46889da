//! A verified body as a typed event: [`Verified`] → [`Event`].

use crate::ids::{Digest, SourceName};
use crate::targetvideo;
use crate::verify::{Refusal, Verified};

/// One event. It can be made only from a [`Verified`] body.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    source: SourceName,
    secret: String,
    content: Digest,
    typed: targetvideo::Event,
}

impl Event {
    /// Types a verified body. Never fails for the body's shape.
    ///
    /// # Errors
    /// [`Refusal::TooDeep`], and [`Refusal::NotJson`] for a lone surrogate.
    pub fn decode(verified: Verified) -> Result<Self, Refusal> {
        let typed = targetvideo::decode(verified.name(), verified.document())?;
        Ok(Self {
            source: verified.source().clone(),
            secret: verified.secret().to_owned(),
            content: verified.content(),
            typed,
        })
    }

    /// The source that it came through.
    pub fn source(&self) -> &SourceName {
        &self.source
    }

    /// The *name* of the secret that it came with.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// SHA-256 of the document, by which duplicates are known.
    pub fn content(&self) -> Digest {
        self.content
    }

    /// What the sender calls it, such as `sd_encoded`.
    pub fn name(&self) -> &str {
        &self.typed.name
    }

    /// The vendor's event.
    pub fn typed(&self) -> &targetvideo::Event {
        &self.typed
    }

    /// Bytes that it takes in memory, roughly: for the bounds of queues.
    pub fn bytes(&self) -> usize {
        // Two texts on the heap each, of which small ones take more than their
        // length.
        const MEMBER_BYTES: usize = size_of::<targetvideo::Member>() + 64;
        let extra = &self.typed.extra;
        let texts: usize = extra.iter().map(|m| m.pointer.len() + m.json.len()).sum();
        let extra = texts + extra.len() * MEMBER_BYTES;
        // The typed fields hold at most what the document does.
        2 * self.typed.document.len() + extra + 512
    }
}
