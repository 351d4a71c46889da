//! Components from core modules: what compilers without components of their own
//! make (C, Go, Rust for `wasm32-wasip1`).

use anyhow::{Context as _, bail};
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

use super::vendor;

/// The first eight bytes: `\0asm`, and the version and layer of a core module or
/// a component (WebAssembly core specification 5.5.16, component model
/// `Binary.md`).
const CORE: &[u8] = b"\0asm\x01\0\0\0";
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

/// Where a module says which world it was built for: a custom section's name.
const WORLD_SECTION: &[u8] = b"component-type";

/// Whether these are the bytes of a core module.
pub fn is_core(bytes: &[u8]) -> bool {
    bytes.starts_with(CORE)
}

/// A component of a core module; a component stays as it is.
///
/// What the module imports of WASI preview 1 is adapted. One that does not say
/// by itself which world it was built for is taken for one of
/// `hookbox:targetvideo/plugin@0.1.0`.
///
/// # Errors
/// It is neither, or has not the exports and imports of that world.
pub fn of(mut bytes: Vec<u8>) -> anyhow::Result<Vec<u8>> {
    if bytes.starts_with(COMPONENT) {
        return Ok(bytes);
    }
    if !is_core(&bytes) {
        bail!("this is no WebAssembly: neither a component nor a core module");
    }
    if !bytes.windows(WORLD_SECTION.len()).any(|part| part == WORLD_SECTION) {
        let (resolve, world) = vendor::world().context("the world of plugins")?;
        embed_component_metadata(&mut bytes, &resolve, world, StringEncoding::UTF8)?;
    }
    ComponentEncoder::default()
        .validate(true)
        .module(&bytes)
        .and_then(|encoder| {
            encoder.adapter(
                WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME,
                WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
            )
        })
        .and_then(|mut encoder| encoder.encode())
        .context("no plugin can be made of this core module")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_webassembly_is_said_to_be_none() {
        let error = of(b"#!/bin/sh".to_vec()).expect_err("no component");
        assert!(error.to_string().contains("no WebAssembly"), "{error:#}");
    }

    #[test]
    fn a_module_without_the_exports_is_refused_by_their_name() {
        let module = wat_of("(module)");
        let error = format!("{:#}", of(module).expect_err("no component"));
        assert!(error.contains("hookbox:"), "{error}");
    }

    #[test]
    fn a_component_stays_as_it_is() {
        let component = wat_of("(component)");
        assert_eq!(of(component.clone()).expect("a component"), component);
    }

    fn wat_of(text: &str) -> Vec<u8> {
        wat::parse_str(text).expect("text of WebAssembly")
    }
}
