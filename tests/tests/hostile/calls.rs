//! Guests that load, and misbehave when they are handed an event.

use hookbox_tests::upstream::{Answer, Upstream};
use hookbox_tests::{plugin, text};

use crate::beside::Beside;
use crate::guest;

/// Each failure of a guest, which must be of that kind and say all of that.
fn fails(name: &str, limits: &str, kind: &str, says: &[&str]) {
    let beside = Beside::new(limits, "");
    for (failed_as, error) in beside.failures(name, &guest(name)) {
        assert_eq!(failed_as, kind, "{error}");
        for part in says {
            assert!(error.contains(part), "{part:?} is not in {error:?}");
        }
    }
}

const CPU: [&str; 1] = ["over 200 ms of processor time: plugin.hostile.cpu_ms"];

#[test]
fn an_endless_loop() {
    fails("endless-loop", "cpu_ms = 200", "cpu", &CPU);
}

#[test]
fn an_endless_loop_of_calls_to_the_host() {
    fails("loop-in-host-call", "cpu_ms = 200", "cpu", &CPU);
}

#[test]
fn an_allocator_that_never_comes_back() {
    fails("looping-allocator", "cpu_ms = 200", "cpu", &CPU);
}

#[test]
fn a_wait_within_the_host() {
    let says = ["over 300 ms: plugin.hostile.deadline_ms"];
    fails("blocking-poll", "deadline_ms = 300", "deadline", &says);
}

#[test]
fn an_allocation_bomb() {
    let says = ["may have 16777216: plugin.hostile.memory_bytes_max"];
    fails("allocation-bomb", "", "memory", &says);
}

#[test]
fn deep_recursion() {
    fails("deep-recursion", "", "trap", &["call stack exhausted"]);
}

#[test]
fn a_name_that_stands_for_an_endless_one() {
    fails("exponential-name", "", "trap", &["unreachable", "in _Z1f1a1bIS_S_E"]);
}

#[test]
fn a_table_that_grows() {
    fails("table-growth", "", "trap", &["a table of 100001 entries", "may have 100000"]);
}

#[test]
fn handles_of_the_host() {
    fails("host-handles", "", "trap", &["held over 1000 of the host's streams"]);
}

#[test]
fn handles_of_its_own() {
    fails("own-handles", "", "trap", &["held over 10000 handles"]);
}

#[test]
fn a_text_that_is_not_there() {
    fails("forged-text", "", "trap", &["out of bounds"]);
}

#[test]
fn a_text_of_many_megabytes() {
    let says = ["more than 1048576 bytes", "plugin.hostile.transfer_bytes_max"];
    fails("huge-text", "transfer_bytes_max = 1048576", "trap", &says);
}

#[test]
fn an_allocator_that_points_outside_of_memory() {
    fails("lying-allocator", "", "trap", &["beyond end of memory"]);
}

#[test]
fn a_million_log_lines() {
    let beside = Beside::new("log_bytes_max = 10000\ncpu_ms = 300", "");
    let done = beside.calls("log-flood", &guest("log-flood"));
    for line in &done {
        let event = text(line, "event");
        let said =
            beside.server.lines(|l| text(l, "event") == event && text(l, "target") == "guest");
        // A line costs 22 bytes and 64 more.
        assert!((100..=120).contains(&said.len()), "{} lines", said.len());
        let cut = said.last().expect("a line");
        assert!(text(cut, "message").contains("plugin.hostile.log_bytes_max is 10000"), "{cut}");
        assert!(cut["dropped_lines"].as_u64() > Some(1_000), "{cut}");
    }
}

#[test]
fn a_trap_after_state_was_written() {
    let beside = Beside::new("keyvalue = true", "");
    let steps = r#","do":[{"kv":[{"op":"increment","key":"n","delta":1}]},{"end":"trap"}]"#;
    let ends = beside.calls_with("trap after writing state", &plugin("caller"), steps);
    assert!(!ends.is_empty());
    for end in ends {
        assert_eq!(text(&end, "failure"), "trap", "{end}");
    }
    assert_eq!(beside.state(), Vec::<serde_json::Value>::new());
}

#[test]
fn a_server_that_never_answers() {
    let upstream = Upstream::new(|_, _| Answer::Hold);
    let origin = upstream.origin();
    let beside =
        Beside::new(&format!("deadline_ms = 500\nhttp = [{{ origin = \"{origin}\" }}]"), "");
    let authority = origin.strip_prefix("http://").expect("an origin");
    let steps = format!(
        r#","do":[{{"call":{{"method":"GET","scheme":"http","authority":"{authority}","path":"/"}}}}]"#
    );
    let ends = beside.calls_with("slow outbound server", &plugin("caller"), &steps);
    assert!(!ends.is_empty());
    for end in ends {
        let says = "over 500 ms: plugin.hostile.deadline_ms";
        assert!(text(&end, "error").contains(says), "{end}");
    }
    assert!(!upstream.received().is_empty());
}
