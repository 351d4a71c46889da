//! What a plugin may use, and that one that uses more hurts only itself.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use hookbox_tests::{Server, Site, body, probe, text};
use serde_json::Value;

/// Two plugins of the same code: one that is asked to misbehave, and one that is
/// narrowed to another event.
fn two(limits: &str) -> (Site, Server) {
    let site = Site::new(&format!(
        "[plugin.probe]\nevents = [\"bad\"]\n{limits}\n[plugin.healthy]\nevents = [\"good\"]\n"
    ));
    site.install("probe", &probe(1));
    site.install("healthy", &probe(2));
    let server = site.serve();
    (site, server)
}

/// Hands the bad plugin something to do, sees that the healthy one goes on, and
/// returns how the bad one's call ended.
fn ends(server: &Server, action: &str) -> Value {
    let bad = server.post(body("bad", &format!(r#","probe":"{action}""#))).event();
    for _ in 0..10 {
        let good = server.post(body("good", "")).event();
        assert_eq!(text(&server.wait_done(&good, "healthy"), "message"), "handled");
    }
    server.wait_done(&bad, "probe")
}

fn failure(done: &Value) -> (&str, &str) {
    assert_eq!(text(done, "message"), "failed", "{done}");
    (text(done, "failure"), text(done, "error"))
}

#[test]
fn a_loop_meets_the_limit_of_processor_time() {
    let (_site, server) = two("cpu_ms = 300");
    let done = ends(&server, "spin");
    assert_eq!(
        failure(&done),
        ("cpu", "the call used over 300 ms of processor time: plugin.probe.cpu_ms")
    );
}

#[test]
fn loops_on_every_thread_delay_no_answer_for_good() {
    let (_site, server) = two("cpu_ms = 2000\nconcurrency = 8");
    let bad: Vec<String> =
        (0..8).map(|_| server.post(body("bad", r#","probe":"spin""#)).event()).collect();
    let good = server.post(body("good", "")).event();
    assert_eq!(text(&server.wait_done(&good, "healthy"), "message"), "handled");
    for event in &bad {
        assert_eq!(failure(&server.wait_done(event, "probe")).0, "cpu");
    }
}

#[test]
fn a_call_that_waits_meets_its_deadline() {
    let (_site, server) = two("deadline_ms = 300");
    let done = ends(&server, "sleep");
    assert_eq!(failure(&done), ("deadline", "the call took over 300 ms: plugin.probe.deadline_ms"));
}

#[test]
fn an_allocation_bomb_meets_the_limit_of_memory() {
    let (_site, server) = two("memory_bytes_max = 16777216");
    let done = ends(&server, "allocate");
    let (kind, error) = failure(&done);
    assert_eq!(kind, "memory");
    assert!(error.contains("may have 16777216: plugin.probe.memory_bytes_max"), "{error}");
}

#[test]
fn a_panic_is_told_with_the_functions_that_led_to_it() {
    let (_site, server) = two("");
    let done = ends(&server, "panic");
    let (kind, error) = failure(&done);
    assert_eq!(kind, "trap");
    // Neither the library in which each panic ends, nor what is between it and the host.
    assert!(error.ends_with(", in probe::panic_in_a_function_of_its_own"), "{error}");
    let said = server.said(text(&done, "event"), "probe").join("\n");
    assert!(said.contains("asked to panic"), "{said}");
}

#[test]
fn what_the_plugin_itself_says_is_told_apart() {
    let (_site, server) = two("");
    assert_eq!(failure(&ends(&server, "reject")), ("rejected", "asked to reject"));
    assert_eq!(failure(&ends(&server, "retry")), ("retry", "asked to retry"));
    assert_eq!(failure(&ends(&server, "retry-after")), ("retry-after", "asked to retry later"));
}

#[test]
fn a_million_lines_are_cut_and_counted() {
    let (_site, server) = two("log_bytes_max = 10000\ncpu_ms = 60000");
    let done = ends(&server, "chatter");
    assert_eq!(text(&done, "message"), "handled", "{done}");
    let event = text(&done, "event");
    let said = server.said(event, "probe");
    assert!((50..200).contains(&said.len()), "{} lines", said.len());
    let cut = server
        .wait(|l| text(l, "event") == event && text(l, "message").starts_with("log limit met"));
    assert!(text(&cut, "message").contains("plugin.probe.log_bytes_max is 10000"), "{cut}");
    let dropped = cut["dropped_lines"].as_u64().expect("a number");
    assert_eq!(dropped + said.len() as u64, 1_000_001, "lines are counted");
}

#[test]
fn lines_are_cleaned_broken_and_tied_to_their_delivery() {
    let (_site, server) = two("log_bytes_max = 200000");
    let done = ends(&server, "noise");
    let event = text(&done, "event");
    let lines = server.lines(|l| l.get("stream").is_some() && text(l, "event") == event);
    for line in &lines {
        assert_eq!(text(line, "plugin"), "probe");
        assert_eq!(text(line, "delivery"), text(&done, "delivery"));
        assert_eq!(line["attempt"], 1);
        assert!(text(line, "message").len() <= 8 * 1024 + 16, "a line is too long");
        assert!(!text(line, "message").contains('\u{1b}'), "a control character came through");
    }
    let stderr: Vec<_> = lines.iter().filter(|l| text(l, "stream") == "stderr").collect();
    assert_eq!(stderr.len(), 1);
    assert_eq!(text(stderr[0], "message"), r"an error without\u{1b}[31m end of line");
    assert_eq!(text(stderr[0], "level"), "WARN");
}

#[test]
fn a_plugin_sees_no_environment_no_arguments_and_no_files() {
    let site = Site::new("");
    site.install("probe", &probe(1));
    let server = site.serve_with(&[("A_VARIABLE_OF_THE_HOST", "x")]);
    let event = server.post(body("e", r#","probe":"environment""#)).event();
    assert_eq!(text(&server.wait_done(&event, "probe"), "message"), "handled");
    let said = server.said(&event, "probe").join("\n");
    assert!(said.contains("variables=0 arguments=0 root=Some("), "{said}");
    assert!(said.ends_with("clock=true"), "{said}");
}

#[test]
fn without_prepared_memory_everything_still_runs() {
    let site = Site::new("[runtime]\npooling = false\n");
    site.install("probe", &probe(1));
    let server = site.serve();
    let event = server.post(body("e", "")).event();
    assert_eq!(text(&server.wait_done(&event, "probe"), "message"), "handled");
    server.end();
}

#[test]
fn memory_that_the_host_holds_for_a_plugin_is_bounded_too() {
    let site = Site::new("[plugin.hoarder]\nevents = [\"bad\"]\n");
    site.install("hoarder", &hookbox_tests::plugin("hoarder"));
    site.install("healthy", &probe(2));
    let server = site.serve();
    let event = server.post(body("good", "")).event();
    server.wait_done(&event, "healthy");
    let before = server.resident_bytes();
    let bad = server.post(body("bad", "")).event();
    let done = server.wait_done(&bad, "hoarder");
    assert_eq!(failure(&done).0, "trap", "{done}");
    let peak = server.peak_resident_bytes().saturating_sub(before);
    assert!(text(&done, "error").contains("table"), "{done}");
    println!("the host's memory grew by {} KiB at most", peak / 1024);
    assert!(peak < 64 * 1024 * 1024, "{peak} bytes");
}
