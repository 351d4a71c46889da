//! `handle` with a borrowed event.
//~ error: method `handle` has an incompatible type for trait
//~ expected `Event`, found `&Event`

use hookbox_sdk::{Delivery, Event, Failure, Plugin, export};

struct Mine;

impl Plugin for Mine {
    fn handle(_: &Event, _: Delivery) -> Result<(), Failure> {
        Ok(())
    }
}

export!(Mine);
