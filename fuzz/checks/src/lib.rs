//! What must hold for any bytes that come from outside: one function for each
//! fuzz target. The corpus is replayed through the same functions by an ordinary
//! test.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a check fails by panicking"
)]

pub mod body;
#[cfg(feature = "component")]
pub mod component;
#[cfg(feature = "component")]
pub mod skeleton;
