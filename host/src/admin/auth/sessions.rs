//! Sessions of browsers. They are in memory only: a restart ends them.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hookbox_core::ids::Digest;

use super::Actor;

/// At once; past that the oldest ends.
const SESSIONS_MAX: usize = 100;

/// Bytes of an id: it cannot be guessed.
const ID_BYTES: usize = 32;

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct Sessions(
    // By their beginning, oldest first. Ids are kept as digests.
    Mutex<VecDeque<(Digest, Actor, Instant)>>,
);

impl Sessions {
    /// How long one lasts.
    pub(super) const AGE_MAX: Duration = Duration::from_secs(12 * 60 * 60);

    /// A new one's id. None: the system has no random bytes.
    pub(super) fn open(&self, actor: &Actor) -> Option<String> {
        let mut random = [0; ID_BYTES];
        getrandom::fill(&mut random).ok()?;
        let mut id = String::with_capacity(2 * ID_BYTES);
        for byte in random {
            let _a_string_takes_all = write!(id, "{byte:02x}");
        }
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sessions.len() == SESSIONS_MAX {
            sessions.pop_front();
        }
        sessions.push_back((Digest::of(id.as_bytes()), actor.clone(), Instant::now()));
        Some(id)
    }

    /// Whose it is.
    pub(super) fn find(&self, id: &str) -> Option<Actor> {
        // Comparing digests tells nothing of an id that is not known.
        let digest = Digest::of(id.as_bytes());
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|(_, _, since)| since.elapsed() < Self::AGE_MAX);
        let found = sessions.iter().find(|(have, ..)| *have == digest);
        found.map(|(_, actor, _)| actor.clone())
    }

    /// Ends one.
    pub(super) fn close(&self, id: &str) {
        let digest = Digest::of(id.as_bytes());
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|(have, ..)| *have != digest);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn the_oldest_session_gives_way_and_a_closed_one_is_over() {
        let sessions = Sessions::default();
        let actor = Actor("ops".to_owned());
        let first = sessions.open(&actor).expect("a session");
        assert_eq!(sessions.find(&first), Some(actor.clone()));
        let rest: Vec<String> =
            (0..SESSIONS_MAX).map(|_| sessions.open(&actor).expect("a session")).collect();
        assert_eq!(sessions.find(&first), None);
        for id in &rest {
            assert_eq!(id.len(), 64);
            assert!(sessions.find(id).is_some());
            sessions.close(id);
            assert_eq!(sessions.find(id), None);
        }
        assert_eq!(sessions.find(""), None);
    }
}
