//! Trouble after the state was written, in half of the calls.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;

use hookbox_sdk::Failure;

/// Does nothing in half of the calls; else it traps, spins until a limit ends
/// the call, or asks to be tried again.
///
/// # Errors
/// [`Failure::Retry`], at random.
pub(crate) fn strike() -> Result<(), Failure> {
    // Keyed at random by the system, anew in each instance.
    match RandomState::new().hash_one(()) % 6 {
        0 => std::process::abort(),
        1 => loop {
            std::hint::spin_loop();
        },
        2 => Err(Failure::Retry("at random".to_owned())),
        _ => Ok(()),
    }
}
