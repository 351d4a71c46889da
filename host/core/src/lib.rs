//! The pure part of hookbox: what a webhook must be to be believed, what it
//! means, and who gets it.
//!
//! Data flows through the modules in this order:
//! [`verify`] (`Received` → [`Verified`](verify::Verified)) →
//! [`event`] (→ [`Event`](event::Event)) → [`routing`] (→ who is subscribed) →
//! [`outcome`] (how an attempt ended) → [`retry`] (what becomes of the
//! delivery) and [`breaker`] (what becomes of its plugin). Beside them,
//! [`grants`] has what a plugin may do, and [`effects`] what it did.
//!
//! Invariants:
//! - Nothing here does I/O, reads a clock or draws random numbers; time and
//!   randomness are arguments.
//! - The shared secret ends in [`verify`]: no type that comes after it holds it.
//! - An [`Event`](event::Event) can be made only from a
//!   [`Verified`](verify::Verified), and that only by checking a secret; or
//!   from what a journal kept of such an event ([`Stored`](event::Stored)).

pub mod breaker;
pub mod effects;
pub mod event;
pub mod grants;
pub mod ids;
pub mod json;
pub mod limits;
pub mod outcome;
pub mod retry;
pub mod routing;
pub mod sensitive;
pub mod targetvideo;
pub mod verify;
