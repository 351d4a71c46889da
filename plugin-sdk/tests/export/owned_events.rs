//! `EVENTS` of another type.
//~ error: implemented const `EVENTS` has an incompatible type for trait
//~ expected `&[&str]`, found `Vec<String>`

use hookbox_sdk::{Delivery, Event, Failure, Plugin, export};

struct Mine;

impl Plugin for Mine {
    const EVENTS: Vec<String> = Vec::new();

    fn handle(_: Event, _: Delivery) -> Result<(), Failure> {
        Ok(())
    }
}

export!(Mine);
