//! `hookbox events export`

use hookbox_tests::upstream::{Answer, Upstream};
use hookbox_tests::{PATIENCE, Server, Site, body, plugin, sample};

use super::Desk;

const HUSH: &str = "hush-path-4711";

/// A server whose notify-chat got an event, which is its answer.
fn chat(status: u16, more: &str) -> (Upstream, Site, Server, String) {
    let upstream = Upstream::new(move |_, _| Answer::status(status, "thanks"));
    let origin = upstream.origin();
    let site = Site::new(&format!(
        "[plugin.notify-chat]\nattempts_max = 1\n\
         http = [{{ origin = \"{origin}\" }}]\n\
         secrets = [{{ name = \"url\", value = \"{origin}/hooks/{HUSH}\" }}]\n{more}"
    ));
    site.install("notify-chat", &plugin("notify-chat"));
    let server = site.serve();
    let event = server.post(sample("video_encoded")).event();
    ended(&site, &event);
    (upstream, site, server, event)
}

/// Waits until the event's calls are in the journal.
fn ended(site: &Site, event: &str) {
    let begin = std::time::Instant::now();
    let is_done = || {
        let shown = site.shown(event);
        let deliveries = shown["summary"]["deliveries"].as_array().expect("deliveries").clone();
        let ends = ["succeeded", "dead"];
        deliveries.iter().all(|one| ends.contains(&one["state"].as_str().expect("a state")))
    };
    while !is_done() {
        assert!(begin.elapsed() < PATIENCE, "{}", site.shown(event));
    }
}

/// The case holds as it was printed.
fn holds(case: &str, plugin: &str) {
    let desk = Desk::new(&[plugin]);
    desk.put("cases/exported.toml", case);
    let said = desk.run(&["test"]);
    assert!(said.ended(0).contains("1 passed"), "{case}\n{said:?}");
}

#[test]
fn an_event_becomes_a_case_that_holds_with_a_server_and_without() {
    let (upstream, site, server, event) = chat(200, "http_bodies_kept_bytes_max = 1000\n");
    let export = ["events", "export", &event, "--as-test"];
    let case = site.done(&export);
    assert!(!case.contains(HUSH), "{case}");
    for expected in [
        &format!("# The event {event} of "),
        "# Attempt 1 of notify-chat ended: handled.",
        "# Secrets are placeholders",
        "outcome = \"handled\"",
        &format!("url = \"{}/placeholder-url\"", upstream.origin()),
        "body = \"thanks\"",
        "status = 200",
    ] {
        assert!(case.contains(expected), "{expected}: {case}");
    }
    holds(&case, "notify-chat");
    drop(server);
    assert_eq!(site.done(&export), case);
}

#[test]
fn a_failure_is_what_the_case_expects() {
    let (_upstream, site, _server, event) = chat(503, "");
    let case = site.done(&["events", "export", &event, "--as-test"]);
    assert!(case.contains("outcome = \"retry\""), "{case}");
    // The reason tells of a body that is not there.
    assert!(case.contains("# Bodies of answers") && !case.contains("reason"), "{case}");
    holds(&case, "notify-chat");

    let (_upstream, site, _server, event) = chat(503, "http_bodies_kept_bytes_max = 1000\n");
    let case = site.done(&["events", "export", &event, "--as-test"]);
    assert!(case.contains("answered 503: thanks\""), "{case}");
    holds(&case, "notify-chat");
}

#[test]
fn a_trap_is_expected_without_its_way() {
    let site = Site::new("[plugin.probe]\nattempts_max = 1\n");
    site.install("probe", &plugin("probe-lines"));
    let server = site.serve();
    let event = server.post(body("made_up", ",\"probe\":\"panic\"")).event();
    ended(&site, &event);
    // The server says by itself where it trapped.
    let shown = site.done(&["events", "show", &event]);
    assert!(shown.contains("panic_in_a_function_of_its_own (src/lib.rs:"), "{shown}");
    let case = site.done(&["events", "export", &event, "--as-test"]);
    assert!(case.contains("outcome = \"trap\"") && !case.contains("panic_in"), "{case}");
    holds(&case, "probe");
}

#[test]
fn what_is_hidden_is_hidden_and_a_reveal_is_noted_down() {
    let site = Site::new("");
    site.install("probe", &plugin("probe"));
    let server = site.serve();
    let event = server.post(sample("livestream_add_v2")).event();
    ended(&site, &event);
    let export = ["events", "export", &event, "--as-test"];
    let case = site.done(&export);
    assert!(
        case.contains("values hidden; --reveal") && !case.contains("sk-example-only"),
        "{case}"
    );
    holds(&case, "probe");
    assert!(site.listed(&["changes", "list", "--kind", "revealed"]).is_empty());
    let revealed = site.done(&[&export[..], &["--reveal"]].concat());
    assert!(revealed.contains("sk-example-only"), "{revealed}");
    assert_eq!(site.listed(&["changes", "list", "--kind", "revealed"]).len(), 1);
}

#[test]
fn of_several_plugins_one_is_named() {
    let site = Site::new("[plugin.view-counter]\nkeyvalue = true\n");
    site.install("probe", &plugin("probe"));
    site.install("view-counter", &plugin("view-counter"));
    let server = site.serve();
    let event = server.post(sample("add_video")).event();
    ended(&site, &event);
    let export = ["events", "export", &event, "--as-test"];
    let (status, said) = site.run(&export);
    assert_eq!(status, 2, "{said}");
    assert!(said.contains("--plugin says which: probe, view-counter got this event"), "{said}");
    let case = site.done(&[&export[..], &["--plugin", "view-counter"]].concat());
    holds(&case, "view-counter");
    let (status, said) = site.run(&[&export[..], &["--plugin", "nope"]].concat());
    assert_eq!(status, 0, "{said}");
    let told = "nope did not get this event; these did: probe, view-counter\n";
    assert!(said.contains(told), "{said}");
    let unknown = ["events", "export", "01a20943-4531-77b0-8623-b1608270298f", "--as-test"];
    assert_eq!(site.run(&unknown).0, 4);
}
