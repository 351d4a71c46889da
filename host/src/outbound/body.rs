//! The two bodies of an exchange, counted while they pass.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::failure::{Failure, Kind};
use super::record::{Record, Side};

/// Why a plugin's own body ends too early.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What a plugin sends.
pub type PluginBody = UnsyncBoxBody<Bytes, BoxError>;

/// What a plugin sends, up to a limit.
pub(super) struct RequestBody {
    body: PluginBody,
    record: Arc<Record>,
    bytes_max: u64,
    /// The key of the limit.
    key: String,
    /// What the head says that it will be.
    length: Option<u64>,
}

impl RequestBody {
    pub(super) fn new(
        body: PluginBody,
        record: &Arc<Record>,
        (bytes_max, key): (u64, String),
        length: Option<u64>,
    ) -> Self {
        if body.is_end_stream() {
            record.whole(Side::Request);
        }
        Self { body, record: Arc::clone(record), bytes_max, key, length }
    }

    pub(super) fn too_large(bytes_max: u64, key: &str) -> Failure {
        let message = format!("the request's body has over {bytes_max} bytes: {key}");
        Failure::new(Kind::RequestTooLarge(bytes_max), message)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let frame = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => {
                let message = format!("the plugin did not finish the request's body: {error}");
                let failure = Failure::new(Kind::Broken, message);
                self.record.fail(failure.clone());
                return Poll::Ready(Some(Err(failure)));
            }
            None => {
                self.record.whole(Side::Request);
                return Poll::Ready(None);
            }
        };
        if let Some(data) = frame.data_ref() {
            let passed = self.record.passed(Side::Request, data);
            if passed > self.bytes_max {
                let failure = Self::too_large(self.bytes_max, &self.key);
                self.record.fail(failure.clone());
                return Poll::Ready(Some(Err(failure)));
            }
            if self.length == Some(passed) || self.body.is_end_stream() {
                self.record.whole(Side::Request);
            }
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Ends an exchange that nobody waits for any more.
pub(super) struct Guard {
    pub(super) record: Arc<Record>,
    pub(super) task: AbortHandle,
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Who has seen the head may have all that it wanted.
        let failure = (!self.record.is_answered()).then(|| {
            Failure::new(Kind::GivenUp, "the plugin let go of it before the response came")
        });
        self.record.end(failure);
        self.task.abort();
    }
}

/// What comes back. Ends with the failure where there is one.
pub struct ResponseBody {
    pub(super) frames: mpsc::Receiver<Frame<Bytes>>,
    pub(super) guard: Guard,
    /// Set before the end of `frames` where not all of it came through.
    pub(super) broken: Arc<OnceLock<Failure>>,
    pub(super) told: bool,
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        if let Some(frame) = ready!(self.frames.poll_recv(cx)) {
            return Poll::Ready(Some(Ok(frame)));
        }
        let told = std::mem::replace(&mut self.told, true);
        let failure = (!told).then(|| self.broken.get().cloned()).flatten();
        Poll::Ready(failure.map(Err))
    }
}
