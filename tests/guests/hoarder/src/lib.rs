//! Takes memory of the host's, not its own: header fields, which the host holds.

use hookbox_sdk::{Delivery, Event, Failure, Plugin};

#[allow(clippy::all, missing_docs, unsafe_code, reason = "generated")]
mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit/targetvideo-0.1.0",
        inline: "
            package hookbox:tests;
            world hoarder { import wasi:http/types@0.2.12; }
        ",
        world: "hookbox:tests/hoarder",
        generate_all,
    });
}

use bindings::wasi::http::types::Fields;

struct Hoarder;

impl Plugin for Hoarder {
    fn handle(_: Event, _: Delivery) -> Result<(), Failure> {
        let value = vec![b'x'; 10_000];
        let mut held = Vec::new();
        loop {
            let fields = Fields::new();
            // As much as one may hold, about.
            let _taken = fields.append("name", &value);
            held.push(fields);
        }
    }
}

hookbox_sdk::export!(Hoarder);
