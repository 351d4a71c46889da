//! A plugin that handles nothing.
//~ error: not all trait items implemented, missing: `handle`

use hookbox_sdk::{Plugin, export};

struct Mine;

impl Plugin for Mine {
    const EVENTS: &'static [&'static str] = &["add_video"];
}

export!(Mine);
