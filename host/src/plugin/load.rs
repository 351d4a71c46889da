//! From a file's bytes to a verdict: code that can be made live, or why not.

use hookbox_core::grants::Want;
use hookbox_core::ids::{Digest, PluginName};
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};

use super::bindings::v0_1_0::{EXPORTS, GuestPre, types};
use super::compile::Compiler;
use super::imports::CallState;
use super::invoke::Runner;
use super::verdict::{Description, Facts, Refused};
use crate::config;
use crate::telemetry::is_harmful;

/// Code that passed every check.
pub struct Code {
    /// SHA-256 of the file.
    pub digest: Digest,
    /// What the plugin says of itself.
    pub description: Description,
    pub(super) pre: GuestPre<CallState>,
}

/// Names of events that one plugin may ask for, and the length of each and of
/// its own name and version.
const EVENTS_MAX: usize = 1_000;
const TEXT_BYTES_MAX: usize = 256;

/// What one plugin may want.
const WANTS_MAX: usize = 1_000;

/// Exports that a refusal names.
const EXPORTS_SHOWN_MAX: usize = 8;

/// WebAssembly core specification, section 4.2.8.
const PAGE_BYTES: u64 = 65_536;

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

    /// Checks and prepares a file, and says what was found out about it as far
    /// as that came. Takes as long as compiling does, so it is never called on a
    /// thread that serves.
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn load(
        &self,
        name: &PluginName,
        bytes: &[u8],
        digest: Digest,
        settings: &config::Plugin,
    ) -> (Facts, Result<Code, Refused>) {
        self.load_by(name, bytes, digest, settings, || self.compiler.compiled(bytes, digest))
    }

    /// The same for a plugin that is only tried out: what it wants need not be
    /// granted.
    ///
    /// # Errors
    /// As [`Loader::load`], but for that.
    pub fn load_wanting(
        &self,
        name: &PluginName,
        bytes: &[u8],
        digest: Digest,
        settings: &config::Plugin,
    ) -> Result<Code, Refused> {
        kind(bytes)?;
        let component = self.compiler.compiled(bytes, digest)?;
        self.prepare(name, &component, digest, settings, &mut Facts::default())
    }

    /// The same with another way to compile: the fuzz target has no child
    /// processes.
    ///
    /// # Errors
    /// As [`Loader::load`].
    pub fn load_by(
        &self,
        name: &PluginName,
        bytes: &[u8],
        digest: Digest,
        settings: &config::Plugin,
        compile: impl FnOnce() -> Result<Component, Refused>,
    ) -> (Facts, Result<Code, Refused>) {
        let mut facts = Facts::default();
        let component = kind(bytes).and_then(|()| compile());
        let code = component
            .and_then(|component| self.judge(name, &component, digest, settings, &mut facts));
        (facts, code)
    }

    fn judge(
        &self,
        name: &PluginName,
        component: &Component,
        digest: Digest,
        settings: &config::Plugin,
        facts: &mut Facts,
    ) -> Result<Code, Refused> {
        let code = self.prepare(name, component, digest, settings, facts)?;
        let missing = settings.grants.missing(&code.description.wants);
        if !missing.is_empty() {
            return Err(Refused::not_granted(name, &settings.grants, &missing));
        }
        Ok(code)
    }

    /// All but whether what it wants is granted.
    fn prepare(
        &self,
        name: &PluginName,
        component: &Component,
        digest: Digest,
        settings: &config::Plugin,
        facts: &mut Facts,
    ) -> Result<Code, Refused> {
        let engine = self.linker.engine();
        facts.set_imports(component.component_type().imports(engine).map(|(name, _)| name));
        exports(component, engine, facts)?;
        let pre = self.linker.instantiate_pre(component).map_err(|error| {
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
        let resources = component.resources_required();
        let pages = resources.and_then(|resources| resources.max_initial_memory_size);
        facts.memory_bytes_min = pages.map(|pages| pages.saturating_mul(PAGE_BYTES));
        if let Some(bytes) = facts.memory_bytes_min
            && bytes > settings.memory_bytes_max as u64
        {
            return Err(Refused::memory_minimum(name, bytes, settings.memory_bytes_max));
        }
        let said = self.runner.describe(&pre, name, settings).map_err(|failure| {
            Refused::new("describe-failed", format!("describe() failed: {}", failure.message))
        })?;
        let description = description(said)?;
        facts.description = Some(description.clone());
        Ok(Code { digest, description, pre })
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
            "this is a core module, not a component: `hookbox build FILE --out PLUGIN.wasm` makes a \
             component of it",
        )),
        _ => Err(Refused::new(
            "not-wasm",
            "this is no WebAssembly file: a component starts with the bytes 00 61 73 6d",
        )),
    }
}

fn exports(component: &Component, engine: &Engine, facts: &mut Facts) -> Result<(), Refused> {
    let ty = component.component_type();
    let [_, handler] = EXPORTS;
    let missing: Vec<&str> =
        EXPORTS.into_iter().filter(|name| ty.get_export(engine, name).is_none()).collect();
    let handler_of = |name: &str| name.split_once('@').map(|(handler, _)| handler.to_owned());
    let have: Vec<&str> =
        ty.exports(engine).map(|(name, _)| name).take(EXPORTS_SHOWN_MAX).collect();
    let other = have.iter().find(|name| handler_of(name) == handler_of(handler));
    facts.speaks = other.map(|name| name.replacen("/handler@", "@", 1));
    if missing.is_empty() {
        return Ok(());
    }
    if let Some(speaks) = &facts.speaks
        && missing.contains(&handler)
    {
        return Err(Refused::new(
            "world-version",
            format!(
                "it speaks {speaks}, and this version of hookbox hookbox:targetvideo@0.1.0: build \
                 it against that, or use a version of hookbox that knows it"
            ),
        ));
    }
    let have = if have.is_empty() { "nothing".to_owned() } else { have.join(", ") };
    Err(Refused::new(
        "export-missing",
        format!(
            "does not export {}, which the world hookbox:targetvideo/plugin@0.1.0 asks for; it exports {have}",
            missing.join(" and "),
        ),
    ))
}

fn description(said: types::Description) -> Result<Description, Refused> {
    let long = |text: &str| text.len() > TEXT_BYTES_MAX;
    if said.events.len() > EVENTS_MAX || said.events.iter().any(|event| long(event)) {
        return Err(Refused::new(
            "describe-events",
            format!(
                "describe() names over {EVENTS_MAX} events, or one of over {TEXT_BYTES_MAX} bytes"
            ),
        ));
    }
    if said.wants.len() > WANTS_MAX {
        let message = format!("describe() names over {WANTS_MAX} wants");
        return Err(Refused::new("describe-wants", message));
    }
    let wants = said.wants.into_iter().map(|asked| {
        want(asked).map_err(|why| Refused::new("describe-wants", format!("describe(): {why}")))
    });
    let wants = wants.collect::<Result<Vec<Want>, Refused>>()?;
    let short = |text: String| text.chars().filter(|c| !c.is_control()).take(64).collect();
    Ok(Description {
        name: short(said.name),
        version: short(said.version),
        events: said.events,
        wants,
    })
}

fn want(asked: types::Want) -> Result<Want, String> {
    let key = |key: String| match key.len() {
        // It goes into lines of configuration that an operator copies.
        _ if key.contains(is_harmful) => {
            Err("a key that it wants has control characters".to_owned())
        }
        1..=TEXT_BYTES_MAX => Ok(key),
        _ => Err(format!("a key that it wants has none or over {TEXT_BYTES_MAX} bytes")),
    };
    match asked {
        types::Want::Http(text) => {
            let shown: String = text.chars().take(100).collect();
            text.parse()
                .map(Want::Http)
                .map_err(|error| format!("it wants HTTP to {shown:?}: {error}"))
        }
        types::Want::Config(text) => key(text).map(Want::Config),
        types::Want::Secret(text) => key(text).map(Want::Secret),
        types::Want::Keyvalue => Ok(Want::Keyvalue),
    }
}
