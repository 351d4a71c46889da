//! Nothing to export.
//~ error: export! takes the type that implements hookbox_sdk::Plugin: export!(MyPlugin)

hookbox_sdk::export!();
