//! Faults on purpose, for tests of a journal: crashes at named points, and a disk under SQLite
//! that forgets what was not synced, fills up, breaks, or lies about having synced.
//!
//! A test in one process registers a [`Disk`] itself. A test of the real binary gives it a plan in
//! its environment, see [`plan`]; the binary calls [`start`] first thing, [`point`] where a crash
//! would be worst, and opens its databases with [`vfs`] and [`synchronous_off`]. Without a plan
//! nothing of this does anything.
//!
//! Not here: the names of the points, which are the host's; faults of the network and of plugins;
//! and any system that is not Unix.

mod chance;
pub mod control;
mod disk;
mod ledger;
pub mod plan;
mod points;
mod state;
mod vfs;

pub use disk::{Disk, Fault, RegisterError};
pub use plan::{disk, start, synchronous_off, vfs};
pub use points::point;
