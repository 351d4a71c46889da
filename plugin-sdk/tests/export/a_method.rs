//! `handle` with `self`: each call is a fresh instance, so there is none.
//~ error: method `handle` has a `&self` declaration in the impl, but not in the trait

use hookbox_sdk::{Delivery, Event, Failure, Plugin, export};

struct Mine;

impl Plugin for Mine {
    fn handle(&self, _: Event, _: Delivery) -> Result<(), Failure> {
        Ok(())
    }
}

export!(Mine);
