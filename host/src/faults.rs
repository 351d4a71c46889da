//! Faults on purpose, for tests: points at which the process can be made to end.
//! Without the feature `faults` there are none.

/// Whether there are any.
pub const ON: bool = cfg!(feature = "faults");

/// The points, in the order in which an event passes them.
pub const POINTS: [&str; 8] = [
    "accept.written",
    "accept.committed",
    "claim.written",
    "claim.committed",
    "call.before",
    "call.after",
    "settle.written",
    "settle.committed",
];

/// Ends the process here where a test asked for it.
pub fn point(name: &str) {
    debug_assert!(POINTS.contains(&name), "{name}");
    #[cfg(feature = "faults")]
    hookbox_faults::point(name);
}
