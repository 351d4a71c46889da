//! Plugins from compilers that make core modules: Rust for `wasm32-wasip1`
//! stands for them.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::fs;

use hookbox_tests::{Site, plugin, program, sample, text};

#[test]
fn a_core_module_is_refused_with_the_command_that_makes_a_plugin_of_it() {
    let module = plugin("audit-log-p1.core");
    let site = Site::new("");
    let server = site.serve();
    site.install("audit-log", &module);
    let refused = server.wait(|line| text(line, "code") == "core-module");
    assert!(text(&refused, "error").contains("`hookbox build "), "{refused}");

    // As the message says.
    fs::write(site.path("module.wasm"), module).expect("written");
    let made = std::process::Command::new(program())
        .args(["build", "module.wasm", "--out", "audit-log.wasm"])
        .current_dir(site.path("."))
        .output()
        .expect("started");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let component = fs::read(site.path("audit-log.wasm")).expect("a component");
    site.install("audit-log", &component);
    let live = server.wait_live("audit-log", &component);
    assert_eq!(text(&live, "plugin"), "audit-log");
    let event = server.post(sample("edit_video")).event();
    let handled = server.wait_done(&event, "audit-log");
    assert_eq!(text(&handled, "message"), "handled", "{handled}");
    let said = server.said(&event, "audit-log");
    assert!(said.iter().any(|line| line.contains("edit_video: video 734392")), "{said:?}");
}
