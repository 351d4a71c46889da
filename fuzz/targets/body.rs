//! Bytes of a webhook's body.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    hookbox_checks::body::check(bytes);
});
