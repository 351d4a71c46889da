//! Builds: the language's own tool makes WebAssembly, which becomes a component
//! in `dist`.

mod c;
mod go;
mod node;
mod python;
mod rust;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use super::component;
use super::project::{Language, Project};

/// Runs the language's tool, and gives the component's bytes.
///
/// # Errors
/// The tool is missing (the message says what to install) or fails, or what it
/// made is no plugin.
pub fn build(project: &Project) -> anyhow::Result<Vec<u8>> {
    let made = match project.language {
        Language::Rust => rust::build(project)?,
        Language::C => c::build(project)?,
        Language::Go => go::build(project)?,
        Language::Js | Language::Ts => node::build(project)?,
        Language::Python => python::build(project)?,
    };
    read(&made)
}

/// The component that a file is, or that can be made of it.
///
/// # Errors
/// It cannot be read, or is no plugin.
pub fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    let bytes = fs::read(file).with_context(|| file.display().to_string())?;
    component::of(bytes).with_context(|| file.display().to_string())
}

/// Puts the component in its place by one rename.
///
/// # Errors
/// It cannot be written.
pub fn put(bytes: &[u8], file: &Path) -> anyhow::Result<()> {
    let folder = match file.parent() {
        Some(above) if !above.as_os_str().is_empty() => above,
        _ => Path::new("."),
    };
    let shown = || file.display().to_string();
    fs::create_dir_all(folder).with_context(shown)?;
    // Hidden: a server that watches the folder takes no notice.
    let mut new = tempfile::Builder::new()
        .prefix(".hookbox-")
        .permissions(rights())
        .tempfile_in(folder)
        .with_context(shown)?;
    io::Write::write_all(&mut new, bytes).with_context(shown)?;
    new.persist(file).with_context(shown)?;
    Ok(())
}

/// As of any other file that a compiler makes.
fn rights() -> fs::Permissions {
    use std::os::unix::fs::PermissionsExt as _;
    fs::Permissions::from_mode(0o644)
}

/// A program on `PATH`, or none.
fn on_path(program: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Says what a build does beside compiling.
fn say(text: &str) {
    // That nobody hears it is no reason to stop.
    let _ = io::Write::write_all(&mut io::stderr(), format!("{text}\n").as_bytes());
}

/// Runs a tool, whose messages the author sees: on standard error, since the
/// standard output is for what was made. None of these tools is cargo: that one
/// of them is written in Rust, where it failed within, is not the author's
/// business.
///
/// # Errors
/// It cannot be started or says that it failed.
fn run(command: &mut Command) -> anyhow::Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    command.env_remove("RUST_BACKTRACE").env_remove("RUST_LIB_BACKTRACE");
    let status =
        command.stdout(io::stderr()).status().with_context(|| format!("cannot start {program}"))?;
    if !status.success() {
        bail!("{program} failed ({status}); its messages are above");
    }
    Ok(())
}
