//! What is kept of one request: made when the plugin asks for it, filled while
//! it is under way, taken when the call ends.
//!
//! Invariants:
//! - What it ends with it ends with once: who comes first counts.
//! - Nothing that is taken from it holds a secret's value where the redactor
//!   knows it.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use hookbox_core::effects::{CalledBody, OutboundCall};
use hookbox_core::ids::Digest;
use sha2::{Digest as _, Sha256};

use super::failure::Failure;
use crate::telemetry::Redactor;

/// Bytes of a URL that are kept.
const URL_BYTES_MAX: usize = 2 * 1024;

/// Bytes of a method that are kept.
const METHOD_BYTES_MAX: usize = 64;

/// Shared by the exchange, the request's body and whoever takes it. The lock is
/// held for as long as a piece of a body takes to hash.
pub struct Record {
    redactor: Arc<Redactor>,
    inner: Mutex<Inner>,
}

struct Inner {
    started: Instant,
    started_at_ms: u64,
    method: String,
    url: String,
    address: Option<IpAddr>,
    status: Option<u16>,
    failure: Option<Failure>,
    ended: Option<Instant>,
    request: Passing,
    response: Passing,
    /// Calls that were refused after this one for the same reason.
    more: u64,
}

/// A body that passes.
struct Passing {
    bytes: u64,
    hasher: Sha256,
    whole: bool,
    kept: Vec<u8>,
    kept_max: usize,
}

/// Which of the two bodies.
#[derive(Debug, Clone, Copy)]
pub(super) enum Side {
    Request,
    Response,
}

impl Record {
    /// Of a request that begins now.
    ///
    /// `url`: without the query. `kept_bytes_max`: of each body.
    pub fn new(
        method: &str,
        url: &str,
        kept_bytes_max: usize,
        redactor: &Arc<Redactor>,
    ) -> Arc<Self> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let inner = Inner {
            started: Instant::now(),
            started_at_ms: u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
            method: short(&redactor.text(method), METHOD_BYTES_MAX),
            url: short(&redactor.text(url), URL_BYTES_MAX),
            address: None,
            status: None,
            failure: None,
            ended: None,
            request: Passing::new(kept_bytes_max, redactor.overlap()),
            response: Passing::new(kept_bytes_max, redactor.overlap()),
            more: 0,
        };
        Arc::new(Self { redactor: Arc::clone(redactor), inner: Mutex::new(inner) })
    }

    fn locked(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn connected(&self, address: IpAddr) {
        self.locked().address = Some(address);
    }

    pub(super) fn answered(&self, status: u16) {
        self.locked().status = Some(status);
    }

    /// Counts a piece of a body. How many bytes passed by now.
    pub(super) fn passed(&self, side: Side, piece: &[u8]) -> u64 {
        let mut inner = self.locked();
        if inner.ended.is_none() {
            inner.side(side).add(piece);
        }
        inner.side(side).bytes
    }

    /// Nothing more of that body will come.
    pub(super) fn whole(&self, side: Side) {
        self.locked().side(side).whole = true;
    }

    /// What it failed by. The first counts: what comes later follows from it.
    pub(super) fn fail(&self, failure: Failure) {
        let mut inner = self.locked();
        if inner.ended.is_none() && inner.failure.is_none() {
            inner.failure = Some(failure);
        }
    }

    /// Nothing more will happen. What it failed by, if it did.
    pub fn end(&self, failure: Option<Failure>) -> Option<Failure> {
        let mut inner = self.locked();
        if inner.ended.is_none() {
            inner.ended = Some(Instant::now());
            let first = inner.failure.take();
            inner.failure = first.or(failure);
        }
        inner.failure.clone()
    }

    /// What it failed by, if it did.
    pub fn failure(&self) -> Option<Failure> {
        self.locked().failure.clone()
    }

    /// Whether the head of the response came.
    pub fn is_answered(&self) -> bool {
        self.locked().status.is_some()
    }

    /// One more was refused for the same reason, and has no record of its own.
    pub fn one_more(&self) {
        self.locked().more += 1;
    }

    /// What is kept of it.
    pub fn call(&self) -> OutboundCall {
        let inner = self.locked();
        let error = inner.failure.as_ref().map(|failure| {
            let mut message = self.redactor.text(&failure.message).into_owned();
            if failure.label() != failure.code() {
                message = format!("{}: {message}", failure.label());
            }
            if inner.more > 0 {
                message += &format!(" ({} more were refused)", inner.more);
            }
            (failure.code(), message)
        });
        OutboundCall {
            started_at_ms: inner.started_at_ms,
            duration: inner.ended.unwrap_or_else(Instant::now) - inner.started,
            method: inner.method.clone(),
            url: inner.url.clone(),
            address: inner.address,
            status: inner.status,
            error,
            request: inner.request.body(&self.redactor),
            response: inner.response.body(&self.redactor),
        }
    }
}

impl Inner {
    fn side(&mut self, side: Side) -> &mut Passing {
        match side {
            Side::Request => &mut self.request,
            Side::Response => &mut self.response,
        }
    }
}

impl Passing {
    fn new(kept_max: usize, overlap: usize) -> Self {
        // A secret that begins in what is kept may end after it.
        let kept_max = if kept_max == 0 { 0 } else { kept_max + overlap };
        Self { bytes: 0, hasher: Sha256::new(), whole: false, kept: Vec::new(), kept_max }
    }

    fn add(&mut self, piece: &[u8]) {
        self.bytes += piece.len() as u64;
        self.hasher.update(piece);
        let room = piece.len().min(self.kept_max - self.kept.len());
        self.kept.extend_from_slice(piece.get(..room).unwrap_or_default());
    }

    fn body(&self, redactor: &Redactor) -> CalledBody {
        let digest =
            self.whole.then(|| Digest::from(<[u8; 32]>::from(self.hasher.clone().finalize())));
        let kept = (self.kept_max > 0 && self.bytes > 0).then(|| {
            let mut text = redactor.bytes(&self.kept).into_owned();
            let cut = self.bytes > self.kept.len() as u64 || !self.whole;
            let secure =
                if cut { text.len().saturating_sub(redactor.overlap()) } else { text.len() };
            text.truncate(secure.min(self.kept_max - redactor.overlap()));
            text
        });
        CalledBody { bytes: self.bytes, digest, kept }
    }
}

fn short(text: &str, bytes_max: usize) -> String {
    text.get(..text.floor_char_boundary(bytes_max)).unwrap_or(text).to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::super::failure::Kind;
    use super::*;

    fn kept(body: &str, bytes_max: usize) -> String {
        let secrets = Arc::new(Redactor::new([("token", "0123456789")].into_iter()).expect("few"));
        let record = Record::new("POST", "https://example.com/", bytes_max, &secrets);
        for piece in body.as_bytes().chunks(3) {
            record.passed(Side::Request, piece);
        }
        record.whole(Side::Request);
        String::from_utf8(record.call().request.kept.unwrap_or_default()).unwrap()
    }

    #[test]
    fn no_part_of_a_secret_is_kept_wherever_a_body_is_cut() {
        assert_eq!(kept("a 0123456789 b", 100), "a [secret token] b");
        let body = "x".repeat(20) + "0123456789" + &"y".repeat(20) + "0123456789" + "zz";
        for bytes_max in 0..80 {
            let kept = kept(&body, bytes_max);
            assert!(!kept.contains('0') && !kept.contains('9'), "{bytes_max}: {kept}");
            assert!(kept.len() <= bytes_max, "{bytes_max}: {kept}");
        }
    }

    #[test]
    fn what_ended_first_counts_and_a_body_that_is_not_whole_has_no_digest() {
        let record = Record::new("GET", "https://example.com/", 0, &Arc::default());
        record.passed(Side::Response, b"half");
        record.end(Some(Failure::new(Kind::GivenUp, "first")));
        record.end(Some(Failure::new(Kind::CallEnded, "second")));
        record.passed(Side::Response, b"late");
        let call = record.call();
        assert_eq!(call.error.as_ref().unwrap().0, "given-up");
        assert_eq!((call.response.bytes, call.response.digest), (4, None));
        assert_eq!(call.response.kept, None);
    }
}
