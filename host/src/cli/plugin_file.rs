//! A plugin's file, to be tried out.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use hookbox_core::ids::PluginName;

use super::exit::NoPlugin;
use crate::author::component;

/// Bytes of a file that are read: the most that one may have by any settings that
/// make sense.
const BYTES_MAX: u64 = 1 << 30;

/// The name that a file's plugin has: as given, else the file's, with hyphens
/// where compilers write underscores.
pub(super) fn name_of(file: &Path, given: Option<&PluginName>) -> anyhow::Result<PluginName> {
    if let Some(name) = given {
        return Ok(name.clone());
    }
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    stem.replace('_', "-").parse().with_context(|| {
        format!("{}: its name does for no plugin; --name gives it another", file.display())
    })
}

/// The component of a file: a core module is made one, and what is neither stays
/// as it is, for the verdict.
pub(super) fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let open = File::open(file).with_context(|| file.display().to_string())?;
    open.take(BYTES_MAX).read_to_end(&mut bytes).with_context(|| file.display().to_string())?;
    if bytes.len() as u64 == BYTES_MAX {
        bail!("{}: over {BYTES_MAX} bytes", file.display());
    }
    if component::is_core(&bytes) {
        let made = component::of(bytes);
        return made.map_err(|error| NoPlugin(format!("{}: {error:#}", file.display())).into());
    }
    Ok(bytes)
}
