//! The plugins: components loaded from a directory, each call in an instance of
//! its own.
//!
//! In the order that a file takes: [`watch`] finds it and decides when it is
//! whole, [`compile`] makes machine code of it in a child process, [`load`]
//! gives the [`verdict`], [`registry`] makes it live, [`invoke`] calls it.
//!
//! Invariants:
//! - What is live is one immutable [`registry::Generation`], swapped whole.
//! - A file that will not load never displaces code that works.
//! - Guests run on threads of their own; nothing here blocks a thread that
//!   serves requests.

mod backtrace;
pub mod bindings;
mod clock;
pub mod compile;
pub mod engine;
pub mod imports;
pub mod invoke;
pub mod limits;
pub mod load;
pub mod output;
pub mod rate;
pub mod registry;
pub mod scan;
pub mod state;
pub mod symbols;
pub mod verdict;
pub mod watch;
