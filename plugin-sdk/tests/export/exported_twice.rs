//! Two plugins in one crate.
//~ error: the name `A_CRATE_EXPORTS_ONE_PLUGIN` is defined multiple times

use hookbox_sdk::{Delivery, Event, Failure, Plugin, export};

struct Mine;

impl Plugin for Mine {
    fn handle(_: Event, _: Delivery) -> Result<(), Failure> {
        Ok(())
    }
}

struct Other;

impl Plugin for Other {
    fn handle(_: Event, _: Delivery) -> Result<(), Failure> {
        Ok(())
    }
}

export!(Mine);
export!(Other);
