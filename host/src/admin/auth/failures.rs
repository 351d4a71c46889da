//! How often someone may try wrong tokens. The limit is by address, so that who
//! guesses locks nobody else out; sessions that are open go on anyway.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Wrong tokens of one address in [`WINDOW`].
pub(super) const TRIES_MAX: u32 = 10;

/// For which they are counted.
const WINDOW: Duration = Duration::from_secs(1);

/// Addresses that are remembered; past that the oldest is forgotten.
const ADDRESSES_MAX: usize = 256;

/// Addresses with wrong tokens of late.
#[derive(Debug, Default)]
pub(super) struct Failures(
    // Each with the beginning of its window. By that, oldest first.
    Mutex<VecDeque<(IpAddr, Instant, u32)>>,
);

impl Failures {
    /// Whether a token from there is looked at.
    pub(super) fn may_try(&self, address: IpAddr) -> bool {
        let address = block(address);
        let now = Instant::now();
        let recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut own = recent.iter().filter(|(have, ..)| *have == address);
        !own.any(|(_, since, tries)| now - *since < WINDOW && *tries >= TRIES_MAX)
    }

    /// Counts one.
    pub(super) fn note(&self, address: IpAddr) {
        let address = block(address);
        let now = Instant::now();
        let mut recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        recent.retain(|(_, since, _)| now - *since < WINDOW);
        if let Some((_, _, tries)) = recent.iter_mut().find(|(have, ..)| *have == address) {
            *tries += 1;
            return;
        }
        if recent.len() == ADDRESSES_MAX {
            recent.pop_front();
        }
        recent.push_back((address, now, 1));
    }
}

/// Who has one IPv6 address has a network of them, of 64 bits at least (RFC
/// 6177).
fn block(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(six) => match six.to_ipv4_mapped() {
            Some(four) => IpAddr::V4(four),
            None => IpAddr::V6(Ipv6Addr::from_bits(six.to_bits() >> 64 << 64)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_guesses_too_often_waits_and_nobody_else() {
        let failures = Failures::default();
        let guesser: IpAddr = IpAddr::V6(Ipv6Addr::new(1, 2, 3, 4, 5, 6, 7, 8));
        let neighbour = IpAddr::V6(Ipv6Addr::new(1, 2, 3, 4, 9, 9, 9, 9));
        let other = IpAddr::V6(Ipv6Addr::new(1, 2, 3, 5, 5, 6, 7, 8));
        for _ in 0..TRIES_MAX {
            assert!(failures.may_try(guesser));
            failures.note(guesser);
        }
        assert!(!failures.may_try(guesser));
        assert!(!failures.may_try(neighbour));
        assert!(failures.may_try(other));
    }
}
