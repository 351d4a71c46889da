//! Lists of what the journal keeps for operators, with and without a server.

use hookbox_tests::{sample, text};

use super::probed;

#[test]
fn deliveries_are_listed_over_all_events() {
    let (site, server) = probed();
    for name in ["add_video", "edit_video"] {
        let event = server.post(sample(name)).event();
        server.wait_done(&event, "probe");
    }
    let look = || {
        let all = site.wait_listed(&["deliveries", "list", "--state", "succeeded"], 2);
        let some = site.listed(&["deliveries", "list", "--event", "add_video"]);
        let none = site.listed(&["deliveries", "list", "--plugin", "other"]);
        let table = site.done(&["deliveries", "list"]);
        (all, some, none, table)
    };
    let running = look();
    server.end();
    assert_eq!(running, look());
    let (all, some, none, table) = running;
    assert_eq!([text(&all[0], "name"), text(&all[1], "name")], ["edit_video", "add_video"]);
    assert_eq!((some.len(), none.len()), (1, 0));
    assert!(table.lines().all(|line| line.chars().count() <= 100), "{table}");
    assert!(table.contains("succeeded") && table.contains("add_video of main"), "{table}");
}

#[test]
fn refused_requests_are_listed() {
    let (site, server) = probed();
    server.post(r#"{"event":"add_video","secret":"wrong"}"#);
    server.post("no JSON");
    let all = site.wait_listed(&["refusals", "list"], 2);
    assert_eq!([text(&all[0], "code"), text(&all[1], "code")], ["not-json", "secret-wrong"]);
    assert_eq!(site.listed(&["refusals", "list", "--code", "not-json"]).len(), 1);
    assert_eq!(site.listed(&["refusals", "list", "--until", "1h"]).len(), 0);
    let table = site.done(&["refusals", "list"]);
    assert!(table.contains("secret-wrong") && table.contains("127.0.0.1"), "{table}");
}

#[test]
fn events_are_found_by_a_text_in_them() {
    let (site, server) = probed();
    server.post(sample("add_video"));
    let event = server.post(sample("livestream_edit")).event();
    let found = site.listed(&["events", "list", "--search", "harbour CAMERA"]);
    assert_eq!(found.iter().map(|one| text(one, "id")).collect::<Vec<_>>(), [&event]);
}

#[test]
fn who_reveals_an_event_is_noted_down_before() {
    let (site, server) = probed();
    let id = server.post(sample("livestream_add_v2")).event();
    assert_eq!(site.listed(&["changes", "list", "--kind", "revealed"]).len(), 0);
    let shown = site.done(&["events", "show", &id, "--reveal"]);
    assert!(shown.contains("sk-example-only") && shown.contains("rtmp:"), "{shown}");
    let changes = site.listed(&["changes", "list", "--kind", "revealed"]);
    assert_eq!((text(&changes[0], "subject"), text(&changes[0], "actor")), (&*id, "local"));
    server.end();
    site.done(&["events", "show", &id, "--reveal", "--json"]);
    assert_eq!(site.listed(&["changes", "list", "--kind", "revealed"]).len(), 2);
}
