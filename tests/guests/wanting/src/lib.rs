//! Wants what nobody granted.

use hookbox_sdk::{Delivery, Event, Failure, Plugin, Want};

struct Wanting;

impl Plugin for Wanting {
    fn wants() -> Vec<Want> {
        vec![Want::Http("https://example.com".to_owned()), Want::Keyvalue]
    }

    fn handle(_: Event, _: Delivery) -> Result<(), Failure> {
        Ok(())
    }
}

hookbox_sdk::export!(Wanting);
