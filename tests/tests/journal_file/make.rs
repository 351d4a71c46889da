//! Makes the fixture of this program's version.

use std::fs;

use hookbox_tests::{Server, Site, plugin, probe, text};
use rustix::process::Signal;

use super::{FAR_MS, PLUGINS, STEERED, asking, counting, fixtures, pragma, says, schema};

pub(super) fn new_site() -> Site {
    let site = Site::new(PLUGINS);
    for name in ["probe", "later", "gone", "busy"] {
        site.install(name, &probe(1));
    }
    site.install("keeper", &plugin("caller"));
    site
}

/// Brings the one dead letter of that event's name about.
pub(super) fn dead(site: &Site, server: &Server, event: &str, probe: &str) -> String {
    let id = server.post(asking(event, probe)).event();
    server.wait(|line| says(line, "dead:") && text(line, "event") == id);
    text(&site.listed(&["dead", "list", "--event", event])[0], "delivery").to_owned()
}

/// What ends while its server runs, and what waits for a time.
fn finish_some(site: &Site) {
    let server = site.serve();
    for name in ["succeeded", "replayed"] {
        let id = server.post(asking(name, "")).event();
        server.wait_done(&id, "probe");
        site.wait_listed(&["events", "list", "--event", name, "--state", "succeeded"], 1);
    }
    let replayed = site.listed(&["events", "list", "--event", "replayed"]);
    site.done(&["events", "replay", text(&replayed[0], "id"), "--to", "probe"]);
    server.wait_for(2, |l| says(l, "handled") && text(l, "event") == text(&replayed[0], "id"));
    dead(site, &server, "rejected", "reject");
    dead(site, &server, "exhausted", "retry");
    let discarded = dead(site, &server, "discarded", "reject");
    site.done(&["dead", "discard", &discarded]);
    let id = server.post(asking("waiting", "retry")).event();
    server.wait_done(&id, "later");
    server.post(asking("unrouted", "")).event();
    let kept = server.post(counting()).event();
    server.wait_done(&kept, "keeper");
    assert_eq!(server.post(r#"{"event":"refused","secret":"wrong"}"#).status, 401);
    server.end();
}

/// What is held up, and what runs when its server is killed.
fn hold_up_some(site: &Site) {
    // A plugin that cannot be loaded gets events, which are parked.
    site.install("gone", b"garbage");
    let server = site.serve();
    server.post(asking("parked", "")).event();
    fs::remove_file(site.plugin_file("gone")).expect("deleting the file");
    server.wait(|line| says(line, "plugin is gone"));
    // Both about video 1; the third is about nothing.
    let running = server.post(asking("edit_video", "sleep")).event();
    server.post(asking("delete_video", "")).event();
    server.post(asking("pending", "")).event();
    server.wait(|line| line.get("stream").is_some() && text(line, "event") == running);
    server.signal(Signal::KILL);
    server.wait_ended();
}

#[test]
#[ignore = "it writes the fixtures; see the module's text"]
fn makes_the_fixture() {
    let site = new_site();
    finish_some(&site);
    hold_up_some(&site);
    let journal = site.journal();
    let version = pragma(&journal, "user_version");
    let sent = "INSERT INTO calls SELECT event, plugin, replay, number, ?1, started_at_ms, 20,
            'POST', 'https://chat.example/hook', '192.0.2.1', 200, NULL, NULL, 2, NULL, NULL,
            2, NULL, x'ff00'
        FROM attempts WHERE plugin = 'keeper'";
    for number in 1..=2 {
        assert_eq!(journal.execute(sent, [number]).expect("a request"), 1);
    }
    journal.execute_batch(STEERED).expect("what operators steer");
    let far = i64::try_from(FAR_MS).expect("a time");
    journal.execute("UPDATE seen SET until_ms = ?1", [far]).expect("windows");
    let waiting = "UPDATE queue SET due_at_ms = ?1 WHERE plugin = 'later'";
    assert_eq!(journal.execute(waiting, [far]).expect("a wait"), 1);
    fs::write(fixtures().join(format!("schema-{version}.txt")), schema(&journal)).expect("a file");
    journal.execute_batch("VACUUM").expect("a smaller file");
    pragma(&journal, "wal_checkpoint(TRUNCATE)");
    drop(journal);
    let bytes = fs::read(site.path("data/journal.sqlite")).expect("the journal");
    assert!(bytes.len() < 200_000, "{} bytes", bytes.len());
    let file = fixtures().join(format!("journal-{version}.sqlite"));
    fs::write(&file, &bytes).expect("a file");
    println!("{}: {} bytes", file.display(), bytes.len());
}
