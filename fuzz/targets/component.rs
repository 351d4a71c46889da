//! Bytes of a plugin's file.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    hookbox_checks::component::check(bytes);
});
