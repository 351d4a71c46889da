//! What is known of one plugin's file, and what follows from it: when to look
//! again, when to read, and whether what was read is to be loaded.

use std::time::{Duration, Instant};

use hookbox_core::ids::Digest;

use crate::plugin::scan::Stamp;
use crate::plugin::verdict::Refused;

/// Where the host could not load a file, it tries again after this, then after
/// twice as long each time, up to the second.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_MOST: Duration = Duration::from_secs(60);

/// See the module's text.
#[derive(Default)]
pub(super) struct Tracked {
    /// The stamp at the last look, and since when it has been that.
    seen: Option<(Stamp, Instant)>,
    /// The stamp of what was last read, and whether any change since then would
    /// have changed it.
    taken: Option<(Stamp, bool)>,
    /// The content that was last given a verdict, or is being given one.
    judged: Option<Digest>,
    loading: bool,
    missing_since: Option<Instant>,
    /// Why the file was refused, where it was, and its content where it was read.
    refused: Option<(Refused, Option<Digest>)>,
    /// How often in a row the host was at fault, and until when that is waited
    /// out.
    host_failures: u32,
    retry_at: Option<Instant>,
}

/// What to do about a file that is there.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing, until something changes.
    Rest,
    /// Look again after that time.
    Look(Duration),
    /// Read it: it has settled.
    Read,
}

impl Tracked {
    /// The file is there and has that stamp.
    pub(super) fn found(&mut self, stamp: Stamp, settle: Duration, now: Instant) -> Next {
        self.missing_since = None;
        if let Some(left) = self.retry_at.and_then(|at| at.checked_duration_since(now)) {
            return Next::Look(left);
        }
        match self.taken {
            _ if self.loading => return Next::Rest,
            Some((taken, true)) if taken == stamp => return Next::Rest,
            Some((taken, false)) if taken == stamp => {
                // Read once more, when no change can hide behind an equal stamp.
                if let Some(left) = stamp.untrusted_for() {
                    return Next::Look(left);
                }
            }
            _ => {}
        }
        let since = match self.seen {
            Some((seen, since)) if seen == stamp => since,
            // Long unchanged by its own time stamps, as at the start.
            None if stamp.age().is_some_and(|age| age > settle) => {
                now.checked_sub(settle).unwrap_or(now)
            }
            _ => now,
        };
        self.seen = Some((stamp, since));
        match settle.checked_sub(now.duration_since(since)) {
            None | Some(Duration::ZERO) => Next::Read,
            Some(left) => Next::Look(left),
        }
    }

    /// It changed while it was read.
    pub(super) fn changed_while_read(&mut self) {
        self.seen = None;
    }

    /// It was read whole. Returns whether it is to be loaded.
    ///
    /// `trusted`: whether, when reading began, any change would have changed the
    /// stamp.
    pub(super) fn read(&mut self, stamp: Stamp, trusted: bool, digest: Digest) -> bool {
        // A file that was refused and is put there again is judged again: what it
        // was refused for may have been the host's doing.
        let put_again = self.taken.is_some_and(|(taken, _)| taken != stamp);
        if put_again && self.refused.is_some() {
            self.judged = None;
            self.refused = None;
        }
        self.taken = Some((stamp, trusted));
        if self.judged == Some(digest) {
            return false;
        }
        self.judged = Some(digest);
        self.loading = true;
        true
    }

    /// It is there and cannot be read.
    pub(super) fn unusable(&mut self) {
        self.missing_since = None;
        self.seen = None;
        self.forget_verdict();
    }

    /// It is not there. Returns how much of the grace is left; none when it is
    /// over.
    pub(super) fn missing(&mut self, grace: Duration, now: Instant) -> Option<Duration> {
        self.seen = None;
        self.taken = None;
        let since = *self.missing_since.get_or_insert(now);
        grace.checked_sub(now.duration_since(since)).filter(|left| !left.is_zero())
    }

    /// Whether it is being loaded.
    pub(super) fn is_loading(&self) -> bool {
        self.loading
    }

    /// Whether it is there, was not read yet, and will be soon.
    pub(super) fn is_settling(&self) -> bool {
        self.seen.is_some() && self.taken.is_none() && self.retry_at.is_none()
    }

    /// Loading ended, or could not begin.
    pub(super) fn loaded(&mut self) {
        self.loading = false;
    }

    /// It is live.
    pub(super) fn accepted(&mut self) {
        self.refused = None;
        self.host_failures = 0;
        self.retry_at = None;
    }

    /// It is read and judged again, as if it were new.
    pub(super) fn forget_verdict(&mut self) {
        self.taken = None;
        self.judged = None;
    }

    /// The host was at fault: it is judged again after a while, longer each time.
    pub(super) fn wait_out(&mut self, now: Instant) {
        let wait = RETRY_FIRST * 2_u32.pow(self.host_failures.min(10));
        self.host_failures += 1;
        self.retry_at = Some(now + wait.min(RETRY_MOST));
        self.forget_verdict();
    }

    /// Notes why it was refused. Returns whether that is news.
    pub(super) fn refused(&mut self, refused: &Refused, digest: Option<Digest>) -> bool {
        let refused = Some((refused.clone(), digest));
        let news = self.refused != refused;
        self.refused = refused;
        news
    }

    /// Something changed that may let in what was refused.
    pub(super) fn reconsider(&mut self) {
        if self.refused.is_some() {
            self.forget_verdict();
            self.retry_at = None;
        }
    }
}
