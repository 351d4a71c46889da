//! `handle` with an error of its own.
//~ error: method `handle` has an incompatible type for trait
//~ help: change the output type to match the trait

use hookbox_sdk::{Delivery, Event, Plugin, export};

struct Mine;

impl Plugin for Mine {
    fn handle(_: Event, _: Delivery) -> Result<(), String> {
        Ok(())
    }
}

export!(Mine);
