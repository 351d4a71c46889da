//! `hookbox:plugin@0.1.0` and `hookbox:targetvideo@0.1.0`.
//!
//! Only the exports are bound here: what a plugin may import is put into the
//! linker by [`imports`](crate::plugin::imports), whatever world it was built
//! for.

use std::time::Duration;

use hookbox_core::outcome::{Failure, FailureKind, Outcome};

mod generated {
    #![allow(missing_docs, reason = "generated; the WIT text documents the types")]

    wasmtime::component::bindgen!({
        path: "../wit/targetvideo-0.1.0",
        inline: "
            package hookbox:host;
            world guest {
                export hookbox:plugin/about@0.1.0;
                export hookbox:targetvideo/handler@0.1.0;
            }
        ",
        world: "hookbox:host/guest",
        exports: { default: async },
    });
}

pub use generated::hookbox::plugin::types;
use generated::hookbox::targetvideo::events;
pub use generated::{Guest, GuestPre};

/// The interfaces that a plugin must export.
pub const EXPORTS: [&str; 2] = ["hookbox:plugin/about@0.1.0", "hookbox:targetvideo/handler@0.1.0"];

hookbox_core::targetvideo_0_1_0_to_wit!();

/// The delivery as the plugin sees it.
pub(crate) fn delivery_to_wit(claim: &crate::plugin::invoke::Call) -> types::Delivery {
    types::Delivery {
        id: claim.delivery.to_string(),
        event_id: claim.event_id.to_string(),
        source: claim.event.source().to_string(),
        attempt: claim.attempt,
        received_at: claim.received_at_ms,
        replay: claim.replay,
    }
}

/// What the plugin said.
pub(crate) fn outcome(answer: Result<(), types::Failure>) -> Outcome {
    let failed = |kind, message| Outcome::Failed(Failure { kind, message });
    match answer {
        Ok(()) => Outcome::Handled,
        Err(types::Failure::Retry(reason)) => failed(FailureKind::Retry, reason),
        Err(types::Failure::RetryAfter(later)) => {
            failed(FailureKind::RetryAfter(Duration::from_millis(later.after_ms)), later.reason)
        }
        Err(types::Failure::Reject(reason)) => failed(FailureKind::Rejected, reason),
    }
}
