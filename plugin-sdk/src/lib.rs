//! What a hookbox plugin written in Rust imports.
//!
//! A plugin is a type that implements [`Plugin`], handed to [`export!`]:
//!
//! ```
//! use hookbox_sdk::{Delivery, Event, Failure, Payload, Plugin};
//!
//! struct Greeter;
//!
//! impl Plugin for Greeter {
//!     const EVENTS: &'static [&'static str] = &["add_video"];
//!
//!     fn handle(event: Event, delivery: Delivery) -> Result<(), Failure> {
//!         if let Payload::AddVideo(video) = event.payload {
//!             println!("welcome, {:?} (attempt {})", video.name, delivery.attempt);
//!         }
//!         Ok(())
//!     }
//! }
//!
//! hookbox_sdk::export!(Greeter);
//! ```
//!
//! Build it as a `cdylib` for `wasm32-wasip2`; the file is a component that the
//! host takes as it is. `println!`, `std::time` and everything that draws
//! random numbers through the system work as usual: a line printed is a log
//! line. Each call runs in a fresh instance, so statics start anew every time.
//!
//! What the operator gives a plugin is in [`config`] (settings and secrets),
//! [`keyvalue`] (state), and [`http`] (outgoing requests); [`log`] has levels.
//! A component imports only those that its code uses. Their errors turn into a
//! [`Failure`] by `?`; every other error, and what is missing, by [`OrFail`] and
//! the word for what follows: `.or_retry("…")?`, `.or_reject("…")?`.
//!
#![cfg_attr(feature = "json", doc = "[`json`] has all that reads and writes JSON by serde.")]
//!
//! [`testing`] runs a handler in an ordinary `cargo test`, with a fake in place
//! of the host.

#![deny(missing_docs)]

#[allow(
    missing_docs,
    unsafe_code,
    clippy::all,
    reason = "generated; the WIT text documents the types, and the ABI needs unsafe code"
)]
#[doc(hidden)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../wit/targetvideo-0.1.0",
        // Only what a plugin exports. Of its imports, `wasi` has those of the
        // SDK's modules; the others std imports by itself.
        inline: "
            package hookbox:sdk;
            world guest {
                export hookbox:plugin/about@0.1.0;
                export hookbox:targetvideo/handler@0.1.0;
            }
        ",
        world: "hookbox:sdk/guest",
        generate_all,
        additional_derives: [PartialEq, Clone],
        pub_export_macro: true,
        export_macro_name: "export_guest",
    });
}

pub mod config;
mod event;
mod export;
mod failure;
pub mod http;
#[cfg(feature = "json")]
pub mod json;
pub mod keyvalue;
pub mod log;
mod subject;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
#[cfg(target_family = "wasm")]
mod wasi;

#[cfg(not(target_family = "wasm"))]
use testing::fake as host;
#[cfg(target_family = "wasm")]
use wasi as host;

pub use bindings::hookbox::plugin::types::{Delivery, Description, Failure, RetryLater, Want};
pub use bindings::hookbox::targetvideo::events::{
    Deletion, Encoding, EncodingStatus, Event, LivestreamChange, Member, Payload, PlaylistChange,
    PlaylistOrder, PlaylistVideos, Rendition, ScheduleChange, SnapshotChange, VideoChange,
};
#[doc(hidden)]
pub use export::exports;
pub use failure::OrFail;
pub use subject::{Subject, SubjectKind};

/// The code of the guide for authors, so that it is compiled and run.
#[cfg(all(doctest, feature = "json"))]
#[doc = include_str!("../../docs/plugin-authors.md")]
mod guide {}

/// A plugin: what it wants, and what it does with it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no plugin: it does not implement `hookbox_sdk::Plugin`",
    label = "not a plugin",
    note = "write `impl Plugin for {Self} {{ fn handle(event: Event, delivery: Delivery) -> Result<(), Failure> {{ … }} }}`"
)]
pub trait Plugin {
    /// Names of the events it wants, as the sender spells them, such as
    /// `sd_encoded`. Empty: every event.
    const EVENTS: &'static [&'static str] = &[];

    /// What it needs that only the operator can give. See [`Want`].
    fn wants() -> Vec<Want> {
        Vec::new()
    }

    /// Handles one event. Called once for each attempt at a delivery, in a
    /// fresh instance.
    ///
    /// The same event can arrive more than once, so make the work idempotent;
    /// [`Delivery::id`] is the same for each attempt. What the call writes to
    /// [`keyvalue`] is kept only if it returns `Ok`.
    ///
    /// # Errors
    /// What the host should do about it: [`Failure::Retry`],
    /// [`Failure::RetryAfter`], or [`Failure::Reject`]. A panic is a failure too.
    /// [`OrFail`] makes one of other errors.
    fn handle(event: Event, delivery: Delivery) -> Result<(), Failure>;
}
