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
//! [`testing`] runs a handler in an ordinary `cargo test`.

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
        // Only what a plugin exports: what it imports, std imports by itself.
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

mod export;
mod subject;
#[cfg(not(target_family = "wasm"))]
pub mod testing;

pub use bindings::hookbox::plugin::types::{Delivery, Description, Failure, RetryLater, Want};
pub use bindings::hookbox::targetvideo::events::{
    Deletion, Encoding, EncodingStatus, Event, LivestreamChange, Member, Payload, PlaylistChange,
    PlaylistOrder, PlaylistVideos, Rendition, ScheduleChange, SnapshotChange, VideoChange,
};
#[doc(hidden)]
pub use export::exports;
pub use subject::{Subject, SubjectKind};

/// A plugin: what it wants, and what it does with it.
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
    /// [`Delivery::id`] is the same for each attempt.
    ///
    /// # Errors
    /// What the host should do about it: [`Failure::Retry`],
    /// [`Failure::RetryAfter`], or [`Failure::Reject`]. A panic is a failure too.
    fn handle(event: Event, delivery: Delivery) -> Result<(), Failure>;
}
