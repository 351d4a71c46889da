//! Guests that misbehave when they are asked what they are, or want too much
//! from the start: they are refused.

use crate::beside::Beside;
use crate::{component, guest};

/// The refusal must have that code, and say all of that.
fn refused(name: &str, limits: &str, code: &[u8], expected: &str, says: &[&str]) {
    let beside = Beside::new(limits, "");
    let (refused_as, error) = beside.refused(name, |site| site.install("hostile", code));
    assert_eq!(refused_as, expected, "{error}");
    for part in says {
        assert!(error.contains(part), "{part:?} is not in {error:?}");
    }
}

#[test]
fn a_trap() {
    refused("describe-trap", "", &guest("describe-trap"), "describe-failed", &["unreachable"]);
}

#[test]
fn an_endless_loop() {
    let says = ["over 200 ms of processor time: plugin.hostile.cpu_ms"];
    refused("describe-loop", "cpu_ms = 200", &guest("describe-loop"), "describe-failed", &says);
}

#[test]
fn a_million_events_in_too_many_bytes() {
    let says = ["more than 1048576 bytes", "plugin.hostile.transfer_bytes_max"];
    let limits = "transfer_bytes_max = 1048576";
    refused("describe-huge", limits, &guest("describe-huge"), "describe-failed", &says);
}

#[test]
fn a_hundred_thousand_events() {
    let code = guest("describe-many-events");
    refused("describe-many-events", "", &code, "describe-events", &["over 1000 events"]);
}

#[test]
fn memory_over_the_limit_from_the_start() {
    let says = ["with 131072000 bytes", "may have 16777216: plugin.hostile.memory_bytes_max"];
    refused("large-memory", "", &guest("large-memory"), "memory-minimum", &says);
}

#[test]
fn a_table_over_the_limit_from_the_start() {
    let says = ["1000000", "100000 entries in a table"];
    refused("large-table", "", &guest("large-table"), "component-limit", &says);
}

#[test]
fn a_thousand_instances() {
    let instances = "(core instance (instantiate $m))".repeat(1_000);
    let code = component(&format!("(component (core module $m) {instances})"));
    let says = ["1000", "64 core instances"];
    refused("a thousand instances", "", &code, "component-limit", &says);
}

#[test]
fn a_want_that_cannot_be_granted() {
    let says = ["\"ftp://x\"", "its scheme is not http or https"];
    refused("describe-odd-want", "", &guest("describe-odd-want"), "describe-wants", &says);
}
