//! Go: the Go toolchain makes a core module.

use std::path::PathBuf;
use std::process::Command;

use anyhow::bail;

use super::{on_path, run};
use crate::author::bindings;
use crate::author::project::Project;

pub(super) fn build(project: &Project) -> anyhow::Result<PathBuf> {
    let Some(go) = on_path("go") else {
        bail!("go is not there: install Go 1.25 or later (https://go.dev/dl)");
    };
    bindings::write(project)?;
    let made = project.work()?.join(format!("{}.wasm", project.name));
    let mut command = Command::new(go);
    command
        // A module that is called from outside, and not a program that runs once.
        .args(["build", "-buildmode=c-shared"])
        // Nothing of this machine or of a repository around it in the file.
        .args(["-trimpath", "-buildvcs=false"])
        // The bindings' runtime takes memory by the Go runtime's own `sbrk`
        // before that has started, which the linker refuses unless told.
        .arg("-ldflags=-checklinkname=0")
        .arg("-o")
        .arg(&made)
        .arg(".")
        .envs([("GOOS", "wasip1"), ("GOARCH", "wasm")])
        .current_dir(&project.folder);
    run(&mut command)?;
    Ok(made)
}
