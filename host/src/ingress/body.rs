//! Reading a body, within its bounds of size and time.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use http::header::{CONTENT_LENGTH, EXPECT};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Answer, Limits};

/// Of a body that is refused before its end, this much is read and dropped before the
/// answer, in that much time: a sender that is still sending when its
/// connection is closed may never see the answer.
const DROPPED_BYTES_MAX: usize = 8 * 1024 * 1024;
const DROPPING_MAX: Duration = Duration::from_secs(1);

/// The whole body, and its share of the memory for bodies, which goes back when
/// that is dropped.
///
/// # Errors
/// The answer where it is too large, too slow, or broken off.
pub(super) async fn read(
    headers: &HeaderMap,
    mut body: Incoming,
    limits: &Limits,
) -> Result<(Vec<u8>, Share), Answer> {
    let too_large = Answer::BodyTooLarge { bytes_max: limits.body_bytes_max };
    let announced = headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|bytes| bytes > limits.body_bytes_max as u64) {
        // A sender that asked first has sent nothing yet.
        if !headers.contains_key(EXPECT) {
            drop_some(body).await;
        }
        return Err(too_large);
    }
    let mut bytes = Vec::new();
    let mut share = Share(None);
    let reading = async {
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return Err(Answer::BodyBroken) };
            let Some(data) = frame.data_ref() else { continue };
            if bytes.len() + data.len() > limits.body_bytes_max {
                return Err(too_large);
            }
            share.take(&limits.bodies_bytes, data.len())?;
            bytes.extend_from_slice(data);
        }
        Ok(())
    };
    match tokio::time::timeout(limits.body_timeout, reading).await {
        Ok(Ok(())) => Ok((bytes, share)),
        Ok(Err(answer)) => {
            if matches!(answer, Answer::BodyTooLarge { .. } | Answer::Busy) {
                drop((bytes, share));
                drop_some(body).await;
            }
            Err(answer)
        }
        Err(_) => Err(Answer::BodyTooSlow),
    }
}

/// Bytes of the memory for bodies.
pub(super) struct Share(Option<OwnedSemaphorePermit>);

impl Share {
    fn take(&mut self, all: &Arc<Semaphore>, bytes: usize) -> Result<(), Answer> {
        let bytes = u32::try_from(bytes).map_err(|_| Answer::Busy)?;
        let more = Arc::clone(all).try_acquire_many_owned(bytes).map_err(|_| Answer::Busy)?;
        match &mut self.0 {
            Some(permit) => permit.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }
}

async fn drop_some(mut body: Incoming) {
    let dropping = async {
        let mut dropped = 0;
        while let Some(Ok(frame)) = body.frame().await {
            dropped += frame.data_ref().map_or(0, bytes::Bytes::len);
            if dropped > DROPPED_BYTES_MAX {
                break;
            }
        }
    };
    let _in_time = tokio::time::timeout(DROPPING_MAX, dropping).await;
}
