//! What is finished is removed in time; what is owed or dead never is.

use hookbox_tests::{SOURCE, Server, Site, body, probe, text};
use serde_json::Value;

use super::{asking, number, says, wait_dead, wait_handled};

const LIST: [&str; 4] = ["events", "list", "--limit", "1000"];

const PLUGINS: &str = "[plugin.probe]\nevents = [\"good\", \"dead\", \"discarded\", \"waiting\"]\n\
                       backoff_first_ms = 20\nbackoff_max_ms = 50\n";

/// One of each: dead, discarded, unrouted, waiting, and last one that succeeded.
fn one_of_each(site: &Site, server: &Server) {
    for name in ["dead", "discarded"] {
        let event = server.post(asking(name, "reject", 0)).event();
        wait_dead(server, &event, "probe");
    }
    let discarded = site.listed(&["dead", "list", "--event", "discarded"]);
    site.done(&["dead", "discard", text(&discarded[0], "delivery")]);
    server.post(body("unrouted", "")).event();
    let waiting = server.post(asking("waiting", "retry-after", 0)).event();
    server.wait_done(&waiting, "probe");
    let good = server.post(body("good", "")).event();
    wait_handled(server, &good, "probe");
}

fn names(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| text(event, "name")).collect()
}

#[test]
fn what_is_finished_goes_by_age_and_what_is_owed_or_dead_stays() {
    let site = Site::new(PLUGINS);
    site.install("probe", &probe(1));
    let server = site.serve();
    one_of_each(&site, &server);
    server.end();
    assert_eq!(site.listed(&LIST).len(), 5);

    // It looks at once when it starts.
    site.configure(SOURCE, &format!("[journal]\nkeep_ms = 1\n{PLUGINS}"));
    let server = site.serve();
    let kept = site.wait_listed(&LIST, 2);
    assert_eq!(names(&kept), ["waiting", "dead"]);
    let count = |statement: &str| number(&site, statement);
    let orphans = "SELECT count(*) FROM attempts WHERE event NOT IN (SELECT seq FROM events)";
    assert_eq!(count(orphans), 0);
    let of_the_dead =
        "SELECT count(*) FROM attempts JOIN events ON seq = event WHERE name = 'dead'";
    assert_eq!(count(of_the_dead), 1);
    assert_eq!(count("SELECT count(*) FROM dead_letters"), 1);
    // What stayed can still be handed over.
    assert_eq!(site.done(&["dead", "redrive", "--all"]), "Redrove 1 dead letter.\n");
    let dead = text(&kept[1], "id").to_owned();
    assert_eq!(server.wait_done(&dead, "probe")["attempt"], 2);
    server.wait(|line| says(line, "failed") && text(line, "event") == text(&kept[0], "id"));
}

#[test]
fn what_is_finished_goes_by_size_oldest_first() {
    let site = Site::new("[plugin.probe]\nevents = [\"dead\", \"good\"]\n");
    site.install("probe", &probe(1));
    let server = site.serve();
    let large = format!(r#","x":"{}""#, "x".repeat(30_000));
    let dead = server.post(body("dead", &format!(r#","probe":"reject"{large}"#))).event();
    wait_dead(&server, &dead, "probe");
    let unrouted: Vec<String> = (0..120)
        .map(|n| server.post(body("unrouted", &format!(r#","n":{n}{large}"#))).event())
        .collect();
    server.end();

    site.configure(
        SOURCE,
        "[journal]\nkeep_bytes_max = 1048576\n[plugin.probe]\nevents = [\"dead\", \"good\"]\n",
    );
    let server = site.serve();
    let deadline = std::time::Instant::now() + hookbox_tests::PATIENCE;
    let used = "SELECT (page_count - freelist_count) * page_size
        FROM pragma_page_count, pragma_freelist_count, pragma_page_size";
    while number(&site, used) > 1_048_576 {
        assert!(std::time::Instant::now() < deadline, "{} bytes", number(&site, used));
    }
    let kept = super::ids(&site.listed(&LIST), "id");
    println!("{} of 121 events are kept in {} bytes", kept.len(), number(&site, used));
    let (oldest, young) = kept.split_last().expect("events");
    assert_eq!(*oldest, dead);
    assert!(!young.is_empty(), "it removed more than it had to");
    let newest: Vec<String> = unrouted.into_iter().rev().take(young.len()).collect();
    assert_eq!(young, newest);
    server.end();
}
