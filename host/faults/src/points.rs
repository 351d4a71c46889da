//! Crash points: places in the host's code where a plan can end the process.
//!
//! The names are the host's. A point costs one relaxed load while nothing is armed.

use std::collections::BTreeMap;
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::disk::Disk;

/// Whether [`PLANNED`] has anything: it is looked at on every pass of every point.
static ARMED: AtomicBool = AtomicBool::new(false);
/// Any thread may pass a point, and each pass counts.
static PLANNED: Mutex<BTreeMap<String, Planned>> = Mutex::new(BTreeMap::new());

/// How a process ends.
#[derive(Debug, Clone)]
pub(crate) enum Crash {
    /// At once, without unwinding or flushing: the system keeps what was written.
    Kill,
    /// The same, with the power of this disk cut.
    Power(Disk),
}

#[derive(Debug)]
struct Planned {
    passes_left: u64,
    crash: Crash,
}

/// Passes a crash point. If that is the pass which a plan names, this does not return.
pub fn point(name: &str) {
    if ARMED.load(Ordering::Relaxed) {
        pass(name);
    }
}

/// Plans a crash at the n-th pass of a point from now. It replaces the plan for that point.
pub(crate) fn arm(name: &str, pass: u64, crash: Crash) {
    let mut planned = PLANNED.lock().unwrap_or_else(PoisonError::into_inner);
    planned.insert(name.to_owned(), Planned { passes_left: pass, crash });
    ARMED.store(true, Ordering::Relaxed);
}

#[cold]
fn pass(name: &str) {
    // Held to the end of the process: one point crashes, no matter how many are reached.
    let mut all = PLANNED.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(planned) = all.get_mut(name) else { return };
    planned.passes_left = planned.passes_left.saturating_sub(1);
    if planned.passes_left == 0 {
        eprintln!("hookbox-faults: crash at {name}");
        planned.crash.now();
    }
}

impl Crash {
    pub(crate) fn now(&self) -> ! {
        match self {
            Crash::Kill => process::abort(),
            Crash::Power(disk) => disk.power_cut_and_abort(),
        }
    }
}
