//! `cargo xtask test`: every test there is.

use anyhow::{Context as _, Result};

use crate::{
    build_faulty_server, build_server, cargo, chromium, demo, guests, languages, run, target,
};

/// What a run from an empty target folder fills, with lints and documentation in
/// it too: measured at 9 GB without incremental compilation and 13 with it, rounded up.
const FILLED_FROM_NOTHING_GB: u64 = 14;

/// Runs them, after making sure that there is what they need.
pub(crate) fn run_all() -> Result<()> {
    say_when_the_disk_is_small()?;
    chromium::install()?;
    println!("Building the plugins that tests load");
    let components = guests::build()?;
    println!("Building the server, with faults on purpose and without");
    let faulty = build_faulty_server()?;
    let program = build_server()?;
    println!("Getting the tools of the languages that plugins are written in");
    let environment = languages::install()?;
    languages::examples(&program, &environment)?;
    println!("Running the tests");
    run(cargo()
        .args(["test", "--workspace", "--no-fail-fast"])
        .env("HOOKBOX_GUESTS", components)
        .env("HOOKBOX_FAULTY_PROGRAM", faulty)
        .env("HOOKBOX_PROGRAM", program)
        .envs(environment.iter().cloned()))?;
    println!("Running the demo once");
    demo::run(true)?;
    languages::say_skipped(&environment);
    Ok(())
}

/// A full disk ends a run after many minutes, with whatever the linker says of it.
fn say_when_the_disk_is_small() -> Result<()> {
    let folder = target();
    std::fs::create_dir_all(&folder)?;
    let disk = rustix::fs::statvfs(&folder)
        .with_context(|| format!("cannot ask for the space left in {}", folder.display()))?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize) / 1_000_000_000;
    if free < FILLED_FROM_NOTHING_GB {
        println!(
            "Note: {free} GB are free for {}; from nothing, the tests fill up to {FILLED_FROM_NOTHING_GB} GB. \
             CARGO_INCREMENTAL=0 spares a third of it, CARGO_TARGET_DIR=… puts it elsewhere.",
            folder.display()
        );
    }
    Ok(())
}
