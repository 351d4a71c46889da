//! A type that does not implement the trait.
//~ error: `Mine` is no plugin: it does not implement `hookbox_sdk::Plugin`
//~ note: write `impl Plugin for Mine { fn handle(event: Event, delivery: Delivery)

use hookbox_sdk::export;

struct Mine;

export!(Mine);
