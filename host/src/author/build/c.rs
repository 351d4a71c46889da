//! C: zig, which brings clang and a libc for WebAssembly along, makes a core
//! module.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use super::{on_path, run};
use crate::author::bindings;
use crate::author::project::Project;

/// zig itself, and the name by which PyPI's `ziglang` installs it.
const COMPILERS: [&str; 2] = ["zig", "python-zig"];

/// Stack in linear memory. zig's own 16 MiB would be a quarter of what a call may
/// have; past the end of this one a call traps.
const STACK_BYTES: usize = 256 * 1024;

pub(super) fn build(project: &Project) -> anyhow::Result<PathBuf> {
    let Some(compiler) = COMPILERS.iter().find_map(|name| on_path(name)) else {
        bail!(
            "zig is not there, which compiles C to WebAssembly: install it from \
             https://ziglang.org/download, or by `pip install ziglang`"
        );
    };
    bindings::write(project)?;
    let written = Path::new(bindings::FOLDER);
    let mut sources = sources(&project.folder, Path::new(""))?;
    sources.extend(self::sources(&project.folder, Path::new("src"))?);
    if sources.is_empty() {
        bail!("{}: there is no .c file here or in `src`", project.folder.display());
    }
    sources.extend(self::sources(&project.folder, written)?);
    // Says which world it was built for.
    sources.push(written.join("plugin_component_type.o"));

    let made = project.work()?.join(format!("{}.wasm", project.name));
    let mut command = Command::new(compiler);
    command
        .args(["cc", "-target", "wasm32-wasi", "-mexec-model=reactor"])
        .args(["-std=gnu17", "-Os", "-Wall"])
        // Functions and lines of a trap, without the paths of this machine.
        .arg("-g")
        .arg(format!("-ffile-prefix-map={}=.", project.folder.display()))
        .arg(format!("-Wl,-z,stack-size={STACK_BYTES}"))
        .arg("-I")
        .arg(written)
        .args(sources)
        .arg("-o")
        .arg(&made)
        .current_dir(&project.folder);
    run(&mut command)?;
    Ok(made)
}

/// The C files of a folder in the project, by their paths in it, in order.
fn sources(project: &Path, folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let whole = project.join(folder);
    if !whole.is_dir() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(&whole).with_context(|| whole.display().to_string())?;
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| folder.join(entry.file_name()))
        .filter(|file| file.extension().is_some_and(|end| end == "c"))
        .collect();
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c_files_are_found_in_order_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("src")).expect("made");
        for name in ["src/b.c", "src/a.c", "src/a.h", "src/notes.cpp"] {
            fs::write(folder.path().join(name), "").expect("written");
        }
        let found = sources(folder.path(), Path::new("src")).expect("read");
        assert_eq!(found, [Path::new("src/a.c"), Path::new("src/b.c")]);
        assert!(sources(folder.path(), Path::new("missing")).expect("none").is_empty());
    }
}
