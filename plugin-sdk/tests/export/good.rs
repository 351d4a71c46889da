//! Compiles: else the other cases would prove nothing.

use hookbox_sdk::{Delivery, Event, Failure, OrFail, Plugin, Want, export};

struct Mine;

impl Plugin for Mine {
    const EVENTS: &'static [&'static str] = &["add_video"];

    fn wants() -> Vec<Want> {
        vec![Want::Keyvalue]
    }

    fn handle(event: Event, _: Delivery) -> Result<(), Failure> {
        let _number: u8 = event.name.parse().or_reject("the name")?;
        Ok(())
    }
}

export!(Mine,);
