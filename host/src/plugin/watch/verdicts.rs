//! What was last said of each file that is there, for whoever asks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hookbox_core::ids::{Digest, PluginName};

use crate::plugin::registry::Moved;
use crate::plugin::verdict::{LastVerdict, Refused};
use crate::telemetry::unix_ms;

/// See the module's text. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct Verdicts(
    // Written by the reload thread, copied by operators' questions.
    Arc<Mutex<BTreeMap<PluginName, LastVerdict>>>,
);

impl Verdicts {
    fn locked(&self) -> MutexGuard<'_, BTreeMap<PluginName, LastVerdict>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn all(&self) -> BTreeMap<PluginName, LastVerdict> {
        self.locked().clone()
    }

    /// A file was judged.
    pub(super) fn note(
        &self,
        name: &PluginName,
        digest: Option<Digest>,
        refused: Option<&Refused>,
    ) {
        let verdict = LastVerdict { at_ms: unix_ms(), digest, refused: refused.cloned() };
        self.locked().insert(name.clone(), verdict);
    }

    /// New settings judged code that was accepted before. What was said of a
    /// newer file, which was refused, still stands.
    pub(super) fn moved(&self, moved: &Moved) {
        let last = self.locked().get(&moved.name).and_then(|last| last.digest);
        if last == Some(moved.digest) {
            self.note(&moved.name, last, moved.refused.as_ref());
        }
    }

    /// The file is gone.
    pub(super) fn forget(&self, name: &PluginName) {
        self.locked().remove(name);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_grant_that_is_taken_back_is_said_of_the_file_it_concerns_and_no_other() {
        let verdicts = Verdicts::default();
        let name: PluginName = "audit".parse().expect("a name");
        let (old, new) = (Digest::of(b"old"), Digest::of(b"new"));
        let lacks = Refused::new("want-not-granted", "it wants a secret");
        let moved = |digest, refused| Moved { name: name.clone(), digest, was_live: true, refused };

        verdicts.note(&name, Some(old), None);
        verdicts.moved(&moved(old, Some(lacks.clone())));
        assert_eq!(verdicts.all()[&name].refused, Some(lacks.clone()));
        verdicts.moved(&moved(old, None));
        assert_eq!(verdicts.all()[&name].refused, None);

        let broken = Refused::new("invalid", "it is no component");
        verdicts.note(&name, Some(new), Some(&broken));
        verdicts.moved(&moved(old, Some(lacks)));
        let last = &verdicts.all()[&name];
        assert_eq!((last.digest, last.refused.as_ref()), (Some(new), Some(&broken)));
        verdicts.forget(&name);
        assert_eq!(verdicts.all().len(), 0);
    }
}
