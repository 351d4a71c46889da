//! What a process is to do wrong, as its environment says.
//!
//! `HOOKBOX_FAULTS` is a list of entries with commas between them:
//!
//! - `crash=<point>:<n>`: end at the n-th pass of that point, counted from 1; may be repeated.
//! - `mode=kill` (the default) or `mode=power`: whether such an end is also a power cut, for which
//!   there must be a `disk`.
//! - `disk`: put a [`Disk`] under the database.
//! - `synchronous=off`: open the database with `PRAGMA synchronous = OFF`. This is the host's part.
//! - `control=<path>`: listen on a Unix socket at that path for the commands of [`crate::control`].

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::process;
use std::str::FromStr;
use std::sync::OnceLock;

use crate::control;
use crate::disk::Disk;
use crate::points::{self, Crash};

/// The variable that has the plan.
pub const VARIABLE: &str = "HOOKBOX_FAULTS";
/// The VFS of the plan's disk.
pub const VFS: &str = "hookbox-faults";

/// The plan that [`start`] found. Set once, and read by whoever opens a database.
static STARTED: OnceLock<Started> = OnceLock::new();

#[derive(Debug)]
struct Started {
    synchronous_off: bool,
    disk: Option<Disk>,
}

/// A plan as it is written.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    crashes: Vec<Pass>,
    power: bool,
    disk: bool,
    synchronous_off: bool,
    control: Option<PathBuf>,
}

/// The n-th pass of a point.
#[derive(Debug, PartialEq, Eq)]
struct Pass {
    point: String,
    number: u64,
}

/// Why a plan cannot be followed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PlanError {
    Unknown(String),
    Crash(String),
    PowerWithoutDisk,
}

/// Follows the plan in `HOOKBOX_FAULTS`, if there is one. To be called once, before the first
/// database is opened.
///
/// A plan that cannot be followed ends the process with status 2 and a message on standard error:
/// a test whose fault does not happen would pass for the wrong reason.
pub fn start() {
    let Some(text) = std::env::var_os(VARIABLE) else { return };
    let text = text.to_string_lossy();
    if let Err(error) = text.parse::<Plan>().map_err(Into::into).and_then(follow) {
        eprintln!("{VARIABLE}={text}: {error}");
        process::exit(2);
    }
}

/// The VFS to open databases with: none unless the plan has a disk.
#[must_use]
pub fn vfs() -> Option<&'static str> {
    disk().map(Disk::vfs)
}

/// The plan's disk.
#[must_use]
pub fn disk() -> Option<&'static Disk> {
    STARTED.get()?.disk.as_ref()
}

/// Whether databases are to be opened with `PRAGMA synchronous = OFF`.
#[must_use]
pub fn synchronous_off() -> bool {
    STARTED.get().is_some_and(|started| started.synchronous_off)
}

fn follow(plan: Plan) -> Result<(), Box<dyn Error>> {
    let disk = if plan.disk { Some(Disk::register(VFS)?) } else { None };
    let crash = match &disk {
        Some(disk) if plan.power => Crash::Power(disk.clone()),
        _ => Crash::Kill,
    };
    for pass in plan.crashes {
        points::arm(&pass.point, pass.number, crash.clone());
    }
    if let Some(path) = plan.control {
        control::listen(&path, disk.clone(), crash)?;
    }
    let started = Started { synchronous_off: plan.synchronous_off, disk };
    STARTED.set(started).map_err(|_| "the plan is followed already".into())
}

impl FromStr for Plan {
    type Err = PlanError;

    fn from_str(text: &str) -> Result<Plan, PlanError> {
        let mut plan = Plan::default();
        for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            match entry.split_once('=').unwrap_or((entry, "")) {
                ("crash", pass) => plan.crashes.push(pass.parse()?),
                ("mode", "kill") => plan.power = false,
                ("mode", "power") => plan.power = true,
                ("disk", "") => plan.disk = true,
                ("synchronous", "off") => plan.synchronous_off = true,
                ("control", path) if !path.is_empty() => plan.control = Some(path.into()),
                _ => return Err(PlanError::Unknown(entry.to_owned())),
            }
        }
        if plan.power && !plan.disk {
            return Err(PlanError::PowerWithoutDisk);
        }
        Ok(plan)
    }
}

impl FromStr for Pass {
    type Err = PlanError;

    fn from_str(text: &str) -> Result<Pass, PlanError> {
        let invalid = || PlanError::Crash(text.to_owned());
        let (point, number) = text.split_once(':').ok_or_else(invalid)?;
        match number.parse() {
            Ok(number @ 1..) if !point.is_empty() => Ok(Pass { point: point.to_owned(), number }),
            _ => Err(invalid()),
        }
    }
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PlanError::Unknown(entry) => write!(
                f,
                "there is no entry `{entry}`: there are crash=<point>:<n>, mode=kill, mode=power, \
                 disk, synchronous=off and control=<path>"
            ),
            PlanError::Crash(pass) => {
                write!(f, "`{pass}` is not <point>:<n> with n from 1")
            }
            PlanError::PowerWithoutDisk => write!(f, "mode=power needs disk"),
        }
    }
}

impl Error for PlanError {}

#[cfg(test)]
mod tests;
