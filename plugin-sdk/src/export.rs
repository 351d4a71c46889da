//! The macro that makes a [`Plugin`](crate::Plugin) the component's export.

/// Exports a type that implements [`Plugin`](crate::Plugin) as the plugin that
/// this crate is. Its name and version are the crate's own.
///
/// Call it once, in a crate whose `Cargo.toml` says
/// `crate-type = ["cdylib"]`. Outside of WebAssembly it only checks the types,
/// so that the crate's tests run natively.
///
/// ```
/// use hookbox_sdk::{Delivery, Event, Failure, Plugin};
///
/// struct Idle;
/// impl Plugin for Idle {
///     fn handle(_: Event, _: Delivery) -> Result<(), Failure> {
///         Ok(())
///     }
/// }
///
/// hookbox_sdk::export!(Idle);
/// ```
#[macro_export]
macro_rules! export {
    ($plugin:ty $(,)?) => {
        // By its name, a second call in the same module is told of here, and not by the linker.
        #[doc(hidden)]
        #[allow(dead_code)]
        const A_CRATE_EXPORTS_ONE_PLUGIN: () = ();

        const _: () = {
            struct Exported;

            impl $crate::exports::about::Guest for Exported {
                fn describe() -> $crate::Description {
                    $crate::exports::describe::<$plugin>(
                        ::core::env!("CARGO_PKG_NAME"),
                        ::core::env!("CARGO_PKG_VERSION"),
                    )
                }
            }

            impl $crate::exports::handler::Guest for Exported {
                fn handle(
                    event: $crate::Event,
                    delivery: $crate::Delivery,
                ) -> ::core::result::Result<(), $crate::Failure> {
                    <$plugin as $crate::Plugin>::handle(event, delivery)
                }
            }

            // Else a native build would warn that the plugin is never used.
            #[cfg(not(target_family = "wasm"))]
            #[used]
            static HANDLE: fn(
                $crate::Event,
                $crate::Delivery,
            ) -> ::core::result::Result<(), $crate::Failure> =
                <Exported as $crate::exports::handler::Guest>::handle;

            #[cfg(target_family = "wasm")]
    $crate::exports::export_guest!(Exported with_types_in $crate::exports::bindings);
        };
    };
    ($($other:tt)*) => {
        ::core::compile_error!(
            "export! takes the type that implements hookbox_sdk::Plugin: export!(MyPlugin)"
        );
    };
}

/// What [`export!`] expands to uses; not for direct use.
#[doc(hidden)]
#[allow(missing_docs)]
pub mod exports {
    pub use crate::bindings;
    pub use crate::bindings::export_guest;
    pub use crate::bindings::exports::hookbox::plugin::about;
    pub use crate::bindings::exports::hookbox::targetvideo::handler;

    pub fn describe<P: crate::Plugin>(name: &str, version: &str) -> crate::Description {
        crate::Description {
            name: name.to_owned(),
            version: version.to_owned(),
            events: P::EVENTS.iter().map(|event| (*event).to_owned()).collect(),
            wants: P::wants(),
        }
    }
}
