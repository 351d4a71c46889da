//! From a file's bytes to a verdict: code that can be made live, or why not.

use hookbox_core::ids::{Digest, PluginName};
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};

use super::bindings::v0_1_0::{EXPORTS, GuestPre, types, want_text};
use super::compile::Compiler;
use super::imports::CallState;
use super::invoke::Runner;
use crate::config;

/// Code that passed every check.
pub struct Code {
    /// SHA-256 of the file.
    pub digest: Digest,
    /// What the plugin says of itself.
    pub description: Description,
    pub(super) pre: GuestPre<CallState>,
}

/// What a plugin says of itself, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// For display only.
    pub name: String,
    /// For display only.
    pub version: String,
    /// The events that it wants; none means all.
    pub events: Vec<String>,
}

/// Why a file was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    /// For programs; stable.
    pub code: &'static str,
    /// For people: what is wrong, and what to do.
    pub message: String,
}

impl Refused {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        let mut message = message.into();
        // Parts of it may come from the file.
        message.truncate(message.floor_char_boundary(MESSAGE_BYTES_MAX));
        Self { code, message }
    }
}

/// Bytes of a refusal's message.
const MESSAGE_BYTES_MAX: usize = 4_096;

/// Names of events that one plugin may ask for, and the length of each and of
/// its own name and version.
const EVENTS_MAX: usize = 1_000;
const TEXT_BYTES_MAX: usize = 256;

/// Loads files.
pub struct Loader {
    compiler: Compiler,
    linker: Linker<CallState>,
    runner: Runner,
}

impl Loader {
    /// A loader for plugins that will run with `runner`.
    pub fn new(compiler: Compiler, linker: Linker<CallState>, runner: Runner) -> Self {
        Self { compiler, linker, runner }
    }

    /// Checks and prepares a file. Takes as long as compiling does, so it is
    /// never called on a thread that serves.
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn load(
        &self,
        name: &PluginName,
        bytes: &[u8],
        digest: Digest,
        settings: &config::Plugin,
    ) -> Result<Code, Refused> {
        kind(bytes)?;
        let component = self.compiler.compiled(bytes, digest)?;
        let engine = self.linker.engine();
        exports(&component, engine)?;
        let pre = self.linker.instantiate_pre(&component).map_err(|error| {
            Refused::new(
                "import-unknown",
                format!("imports what this host does not have: {error:#}"),
            )
        })?;
        let pre = GuestPre::new(pre).map_err(|error| {
            Refused::new(
                "export-type",
                format!(
                    "its exports do not have the types of {}: {error:#}",
                    EXPORTS.join(" and ")
                ),
            )
        })?;
        let said = self.runner.describe(&pre, name, settings).map_err(|failure| {
            Refused::new("describe-failed", format!("describe() failed: {}", failure.message))
        })?;
        Ok(Code { digest, description: description(said)?, pre })
    }
}

/// What the first bytes say (component model binary format; WebAssembly core
/// specification, section 5.5.16).
fn kind(bytes: &[u8]) -> Result<(), Refused> {
    match bytes {
        [] => Err(Refused::new("empty", "the file is empty")),
        [0, b'a', b's', b'm', _, _, 1, 0, ..] => Ok(()),
        [0, b'a', b's', b'm', _, _, 0, 0, ..] => Err(Refused::new(
            "core-module",
            "this is a core module, not a component: build it for wasm32-wasip2, or turn it into \
             one with `wasm-tools component new FILE --adapt wasi_snapshot_preview1.reactor.wasm`",
        )),
        _ => Err(Refused::new(
            "not-wasm",
            "this is no WebAssembly file: a component starts with the bytes 00 61 73 6d",
        )),
    }
}

fn exports(component: &Component, engine: &Engine) -> Result<(), Refused> {
    let ty = component.component_type();
    let missing: Vec<&str> =
        EXPORTS.into_iter().filter(|name| ty.get_export(engine, name).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut have: Vec<&str> = ty.exports(engine).map(|(name, _)| name).take(8).collect();
    if have.is_empty() {
        have.push("nothing");
    }
    Err(Refused::new(
        "export-missing",
        format!(
            "does not export {}, which the world hookbox:targetvideo/plugin@0.1.0 asks for; it exports {}",
            missing.join(" and "),
            have.join(", ")
        ),
    ))
}

fn description(said: types::Description) -> Result<Description, Refused> {
    let long = |text: &String| text.len() > TEXT_BYTES_MAX;
    if said.events.len() > EVENTS_MAX || said.events.iter().any(long) {
        return Err(Refused::new(
            "describe-events",
            format!(
                "describe() names over {EVENTS_MAX} events, or one of over {TEXT_BYTES_MAX} bytes"
            ),
        ));
    }
    if !said.wants.is_empty() {
        let wants: Vec<String> = said.wants.iter().take(20).map(want_text).collect();
        return Err(Refused::new(
            "want-not-granted",
            format!("it wants {}, which this version of hookbox cannot grant", wants.join(", ")),
        ));
    }
    let short = |text: String| text.chars().filter(|c| !c.is_control()).take(64).collect();
    Ok(Description { name: short(said.name), version: short(said.version), events: said.events })
}
