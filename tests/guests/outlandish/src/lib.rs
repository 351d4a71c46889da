//! Imports what no host has.

use hookbox_sdk::{Delivery, Event, Failure, Plugin};

mod bindings {
    wit_bindgen::generate!({
        inline: "
            package nowhere:to-be-found@1.0.0;
            interface thing { do-it: func(); }
            world outlandish { import thing; }
        ",
    });
}

struct Outlandish;

impl Plugin for Outlandish {
    fn handle(_: Event, _: Delivery) -> Result<(), Failure> {
        bindings::nowhere::to_be_found::thing::do_it();
        Ok(())
    }
}

hookbox_sdk::export!(Outlandish);
