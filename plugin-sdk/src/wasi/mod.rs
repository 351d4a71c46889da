//! What the host gives, over WebAssembly. Its counterpart of the same shape for
//! tests is [`crate::testing`]'s `fake`.
//!
//! A component imports of this only what its code uses: the linker drops the
//! rest.

#[allow(
    missing_docs,
    unreachable_pub,
    unsafe_code,
    clippy::all,
    reason = "generated; the WIT text documents the types, and the ABI needs unsafe code"
)]
mod bindings {
    wit_bindgen::generate!({
        path: "../wit/targetvideo-0.1.0",
        inline: "
            package hookbox:sdk;
            world uses {
                import wasi:clocks/monotonic-clock@0.2.12;
                import wasi:config/store@0.2.0-rc.1;
                import wasi:http/outgoing-handler@0.2.12;
                import wasi:http/types@0.2.12;
                import wasi:io/poll@0.2.12;
                import wasi:keyvalue/atomics@0.2.0-draft;
                import wasi:keyvalue/batch@0.2.0-draft;
                import wasi:keyvalue/store@0.2.0-draft;
                import wasi:logging/logging@0.1.0-draft;
            }
        ",
        world: "hookbox:sdk/uses",
        generate_all,
    });
}

pub(crate) mod http;

pub(crate) mod config {
    pub(crate) use super::bindings::wasi::config::store::{get, get_all};
}

pub(crate) mod keyvalue {
    pub(crate) use super::bindings::wasi::keyvalue::atomics::increment;
    pub(crate) use super::bindings::wasi::keyvalue::batch::{delete_many, get_many, set_many};
    pub(crate) use super::bindings::wasi::keyvalue::store::{Bucket, Error, open};
}

pub(crate) mod log {
    use super::bindings::wasi::logging::logging;
    use crate::log::Level;

    pub(crate) fn log(level: Level, context: &str, message: &str) {
        let level = match level {
            Level::Debug => logging::Level::Debug,
            Level::Info => logging::Level::Info,
            Level::Warn => logging::Level::Warn,
            Level::Error => logging::Level::Error,
        };
        logging::log(level, context, message);
    }
}
