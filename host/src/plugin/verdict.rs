//! What is to be said of a component file before it gets any event: the same
//! for the server that loads it and for `hookbox check`.

use hookbox_core::grants::Want;
use hookbox_core::ids::{Digest, PluginName};
use serde::Serialize;

use crate::config::Grants;

/// Code of a refusal for what is wanted and not granted.
pub const NOT_GRANTED: &str = "want-not-granted";

/// Bytes of a refusal's message.
const MESSAGE_BYTES_MAX: usize = 4_096;

/// Imports that a verdict lists.
const IMPORTS_MAX: usize = 200;

/// Why a file was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    /// For programs; stable.
    pub code: &'static str,
    /// For people: what is wrong, and what to do.
    pub message: String,
    /// Lines of the configuration that would mend it, where such can.
    pub fix: Vec<String>,
}

impl Refused {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        let mut message = message.into();
        // Parts of it may come from the file.
        message.truncate(message.floor_char_boundary(MESSAGE_BYTES_MAX));
        Self { code, message, fix: Vec::new() }
    }

    fn with_fix(mut self, lines: Vec<String>) -> Self {
        self.fix = lines;
        self
    }

    /// The lines as one text, where there are any.
    pub fn fix_lines(&self) -> Option<String> {
        (!self.fix.is_empty()).then(|| self.fix.join("\n"))
    }

    /// The file is larger than it may be.
    ///
    /// `bytes`: its length, or more than may be where only that is known.
    pub(crate) fn too_large(bytes: u64, bytes_max: u64) -> Self {
        let message =
            format!("it has {bytes} bytes, over the limit of {bytes_max}: reload.file_bytes_max");
        Self::new("too-large", message)
    }

    /// Some of what a plugin wants is not granted.
    pub(super) fn not_granted(name: &PluginName, grants: &Grants, missing: &[Want]) -> Self {
        let shown: Vec<String> = missing.iter().map(ToString::to_string).collect();
        let message = format!(
            "it wants {}, which plugin.{name} does not grant; `hookbox check` shows the lines to add",
            shown.join(", ")
        );
        Self::new(NOT_GRANTED, message).with_fix(grants.lines_with(name.as_str(), missing))
    }

    /// One of its memories begins larger than a call may have.
    pub(super) fn memory_minimum(name: &PluginName, bytes: u64, bytes_max: usize) -> Self {
        let message = format!(
            "it begins with {bytes} bytes of memory and may have {bytes_max}: plugin.{name}.memory_bytes_max"
        );
        let lines = vec![format!("[plugin.{name}]"), format!("memory_bytes_max = {bytes}")];
        Self::new("memory-minimum", message).with_fix(lines)
    }
}

/// What was last said of a file in the plugins directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastVerdict {
    /// When: milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// SHA-256 of the file, where it was read.
    pub digest: Option<Digest>,
    /// Why it was refused; none: it was made live.
    pub refused: Option<Refused>,
}

/// What is known of a file, as far as it was looked at.
#[derive(Debug, Default, Clone)]
pub struct Facts {
    /// The package of events that it speaks, with its version.
    pub speaks: Option<String>,
    /// The interfaces that it imports, by name.
    pub imports: Vec<String>,
    /// The largest of its memories at the beginning.
    pub memory_bytes_min: Option<u64>,
    /// What it says of itself.
    pub description: Option<Description>,
}

impl Facts {
    pub(super) fn set_imports<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        self.imports = names.take(IMPORTS_MAX).map(str::to_owned).collect();
        self.imports.sort();
    }
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
    /// What it cannot do without.
    pub wants: Vec<Want>,
}

/// The verdict, as `hookbox check --json` prints it.
#[derive(Debug, Clone, Serialize)]
pub struct Verdict {
    /// The plugin's name: that of the file.
    pub plugin: String,
    /// SHA-256 of the file, where it was read.
    pub digest: Option<String>,
    /// Its length.
    pub bytes: u64,
    /// Whether it would be made live.
    pub accepted: bool,
    /// Where not: a stable code.
    pub code: Option<&'static str>,
    /// Where not: what is wrong, and what to do.
    pub message: Option<String>,
    /// Where not: lines of the configuration that would mend it.
    pub fix: Vec<String>,
    /// The package of events that it speaks, with its version.
    pub speaks: Option<String>,
    /// What it calls itself.
    pub name: Option<String>,
    /// The version that it says it is.
    pub version: Option<String>,
    /// The events that it asks for; none means all.
    pub events: Vec<String>,
    /// What it cannot do without, in words.
    pub wants: Vec<String>,
    /// What the operator granted it, in words.
    pub granted: Vec<String>,
    /// The interfaces that it imports.
    pub imports: Vec<String>,
    /// The largest of its memories at the beginning.
    pub memory_bytes_min: Option<u64>,
}

impl Verdict {
    /// Puts together what was found.
    pub fn new(
        plugin: &PluginName,
        digest: Option<Digest>,
        bytes: u64,
        facts: Facts,
        refused: Option<Refused>,
        grants: &Grants,
    ) -> Self {
        let said = facts.description;
        let (code, message, fix) = match refused {
            Some(refused) => (Some(refused.code), Some(refused.message), refused.fix),
            None => (None, None, Vec::new()),
        };
        let wants = said.iter().flat_map(|said| &said.wants).map(ToString::to_string).collect();
        Self {
            plugin: plugin.to_string(),
            digest: digest.map(|digest| digest.to_string()),
            bytes,
            accepted: code.is_none(),
            code,
            message,
            fix,
            speaks: facts.speaks,
            name: said.as_ref().map(|said| said.name.clone()),
            version: said.as_ref().map(|said| said.version.clone()),
            events: said.map(|said| said.events).unwrap_or_default(),
            wants,
            granted: grants.summary(),
            imports: facts.imports,
            memory_bytes_min: facts.memory_bytes_min,
        }
    }
}
