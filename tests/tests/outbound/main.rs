//! Requests of plugins through the real server: what is refused, that each
//! limit holds, and that who waits for a server holds up nobody else.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod forgery;
mod limits;
mod records;

use hookbox_tests::{Server, Site, body, plugin, text};
use serde_json::{Value, json};

/// A server with the guest `caller`, whose section has these lines.
fn caller(section: &str) -> (Site, Server) {
    let site = Site::new(&format!("[plugin.caller]\nevents = [\"call\"]\n{section}\n"));
    site.install("caller", &plugin("caller"));
    let server = site.serve();
    (site, server)
}

/// An event that tells the guest `caller` what to do.
fn call(steps: &Value) -> String {
    body("call", &format!(",\"do\":{steps}"))
}

/// What `caller` printed, and the lines that hookbox adds of its requests.
fn told(server: &Server, steps: &Value) -> (Vec<String>, Vec<String>) {
    let event = server.post(call(steps)).event();
    let done = server.wait_done(&event, "caller");
    assert_eq!(text(&done, "message"), "handled", "{done}");
    (server.said(&event, "caller"), refusals(server, &event))
}

/// What hookbox says of the requests of an event.
fn refusals(server: &Server, event: &str) -> Vec<String> {
    let own = |line: &Value| {
        text(line, "event") == event && text(line, "message").starts_with("outgoing request ")
    };
    let lines = server.lines(own);
    assert!(lines.iter().all(|line| text(line, "level") == "WARN"), "{lines:?}");
    lines.iter().map(|line| text(line, "message").to_owned()).collect()
}

/// The only line that was printed, and the only one that hookbox added.
fn one(server: &Server, call: Value) -> (String, String) {
    let (mut said, mut refused) = told(server, &json!([{ "call": call }]));
    assert!(said.len() == 1 && refused.len() <= 1, "{said:?} {refused:?}");
    (said.remove(0), refused.pop().unwrap_or_default())
}
