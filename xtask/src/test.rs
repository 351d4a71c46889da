//! `cargo xtask test`: every test there is.

use anyhow::Result;

use crate::{build_faulty_server, build_server, cargo, chromium, demo, guests, languages, run};

/// Runs them, after making sure that there is what they need.
pub(crate) fn run_all() -> Result<()> {
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
