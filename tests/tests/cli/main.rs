//! The command line through the real program.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod alone;
mod help;
mod review;
mod send;
mod served;

use std::process::{Command, Output};

use hookbox_tests::{Server, Site, probe, program};

/// A server with the plugin `probe`.
fn probed() -> (Site, Server) {
    let site = Site::new("");
    site.install("probe", &probe(1));
    let server = site.serve();
    (site, server)
}

/// What the program prints without any configuration, and its exit status.
fn bare(arguments: &[&str]) -> (i32, String) {
    let mut command = Command::new(program());
    let Output { status, stdout, stderr } =
        command.args(arguments).env_clear().output().expect("running the program");
    let text = [stdout, stderr].concat();
    (status.code().expect("a status"), String::from_utf8(text).expect("text"))
}
