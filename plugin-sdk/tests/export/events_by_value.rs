//! `EVENTS` without the reference.
//~ error: mismatched types
//~ help: consider borrowing here

use hookbox_sdk::{Delivery, Event, Failure, Plugin, export};

struct Mine;

impl Plugin for Mine {
    const EVENTS: &'static [&'static str] = ["add_video"];

    fn handle(_: Event, _: Delivery) -> Result<(), Failure> {
        Ok(())
    }
}

export!(Mine);
