//! A verified body as a typed event: [`Verified`] → [`Event`], and back from
//! what a journal kept of one: [`Stored`] → [`Event`].

use crate::ids::{Digest, SourceName};
use crate::json;
use crate::targetvideo;
use crate::targetvideo::entity::{Entity, entity};
use crate::verify::{Parts, Refusal, Verified};

/// One event. It can be made only from a [`Verified`] body, or from what was
/// [`Stored`] of an event that was.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    source: SourceName,
    secret: String,
    content: Digest,
    typed: targetvideo::Event,
}

/// What a journal keeps of an event. It is believed as it is: only what
/// [`Event::decode`] took may be stored so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// See [`Event::source`].
    pub source: SourceName,
    /// See [`Event::secret`]: a name, no secret.
    pub secret: String,
    /// The verified text without the secret:
    /// [`document`](targetvideo::Event::document).
    pub document: String,
    /// See [`Event::name`].
    pub name: String,
}

impl Event {
    /// Types a verified body. Never fails for the body's shape.
    ///
    /// # Errors
    /// [`Refusal::TooDeep`], and [`Refusal::NotJson`] for a lone surrogate.
    pub fn decode(verified: Verified) -> Result<Self, Refusal> {
        let Parts { source, secret, document, name, content } = verified.into_parts();
        let typed = targetvideo::decode(name, document)?;
        Ok(Self { source, secret, content, typed })
    }

    /// Types a document again that was verified before it was stored. The event
    /// is equal to the one that was decoded then, as long as the same version
    /// of hookbox types it.
    ///
    /// # Errors
    /// As for [`Event::decode`]: the document is damaged, or a version with
    /// other bounds stored it. Damage that leaves it JSON shows only in
    /// [`Event::content`], which is computed anew.
    pub fn restore(stored: Stored) -> Result<Self, Refusal> {
        let Stored { source, secret, document, name } = stored;
        json::check(&document)?;
        let content = Digest::of(document.as_bytes());
        let typed = targetvideo::decode(name, document)?;
        Ok(Self { source, secret, content, typed })
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

    /// When the sender says that it happened, in seconds since the Unix epoch:
    /// the body's `timestamp`, where it has one. Any number can stand there.
    pub fn timestamp(&self) -> Option<i64> {
        self.typed.timestamp
    }

    /// What it is about, where the order of events matters.
    pub fn entity(&self) -> Option<Entity> {
        entity(&self.typed)
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

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

    use super::*;
    use crate::targetvideo::samples;
    use crate::verify::{Secrets, verify};

    fn event(body: &str) -> Event {
        let source = "main".parse().expect("a name");
        let secrets = Secrets::new([("2026", samples::SECRET)]).expect("secrets");
        let verified = verify(&source, &secrets, body.as_bytes()).expect("verified");
        Event::decode(verified).expect("an event")
    }

    fn stored(event: &Event) -> Stored {
        Stored {
            source: event.source().clone(),
            secret: event.secret().to_owned(),
            document: event.typed().document.clone(),
            name: event.name().to_owned(),
        }
    }

    #[test]
    fn what_was_stored_of_an_event_restores_it() {
        let unknown = r#"{"event":"ne\u0077","secret":"your_secret_key", "n": 1e400}"#;
        let bodies = samples::ALL.into_iter().map(|(_, body)| body).chain([unknown]);
        for body in bodies {
            let event = event(body);
            assert_eq!(Event::restore(stored(&event)), Ok(event), "{body}");
        }
    }

    #[test]
    fn a_damaged_document_is_not_restored() {
        let whole = stored(&event(samples::body("sd_encoded").expect("a sample")));
        let cut = whole.document.split_at(whole.document.len() / 2).0.to_owned();
        assert_eq!(Event::restore(Stored { document: cut, ..whole }), Err(Refusal::NotJson));
    }

    #[test]
    fn the_timestamp_is_the_senders_where_it_gives_one() {
        let dated = event(samples::body("sd_encoded").expect("a sample"));
        assert_eq!(dated.timestamp(), Some(1_614_908_944));
        assert_eq!(event(r#"{"event":"e","secret":"your_secret_key"}"#).timestamp(), None);
    }
}
