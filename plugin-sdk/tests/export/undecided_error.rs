//! `?` on an error of which nobody said what should follow.
//~ error: `?` couldn't convert the error to `Failure`

use hookbox_sdk::{Delivery, Event, Failure, Plugin, export};

struct Mine;

impl Plugin for Mine {
    fn handle(event: Event, _: Delivery) -> Result<(), Failure> {
        let _number: u8 = event.name.parse()?;
        Ok(())
    }
}

export!(Mine);
