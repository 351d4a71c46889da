//! A value in place of its type.
//~ error: export! takes the type that implements hookbox_sdk::Plugin: export!(MyPlugin)

use hookbox_sdk::export;

struct Mine {
    lines: u32,
}

export!(Mine { lines: 5 });
