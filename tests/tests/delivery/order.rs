//! `order = "entity"`: what is about one video is handled in the order in which
//! it came.

use hookbox_tests::{Server, Site, body, probe, text};
use serde_json::Value;

use super::{mended, says, wait_handled};

fn ordered() -> (Site, Server) {
    let site = Site::new(
        "[plugin.probe]\norder = \"entity\"\nconcurrency = 4\nbackoff_first_ms = 20\n\
         backoff_max_ms = 50\nattempts_max = 1000000\nbreaker_failures = 0\n",
    );
    site.install("probe", &probe(1));
    let server = site.serve();
    (site, server)
}

fn about(video: u32, probe: &str, number: u32) -> String {
    let members = format!(
        r#","probe":"{probe}","number":{number},"data":{{"Video":{{"id":"{video}","name":"x"}}}}"#
    );
    body("edit_video", &members)
}

fn delivery(site: &Site, event: &str) -> Value {
    site.shown(event)["summary"]["deliveries"][0].clone()
}

/// The events that were handled, in that order.
fn handled(server: &Server) -> Vec<String> {
    let lines = server.lines(|line| says(line, "handled"));
    lines.iter().map(|line| text(line, "event").to_owned()).collect()
}

#[test]
fn events_of_one_video_keep_their_order_and_hold_up_no_other() {
    let (site, server) = ordered();
    let mut events: [Vec<String>; 3] = Default::default();
    for number in 0..8 {
        for (video, events) in (7..).zip(&mut events) {
            let probe = if (video, number) == (7, 0) { "retry-after" } else { "" };
            events.push(server.post(about(video, probe, number)).event());
        }
    }
    let [held, free, other] = &events;
    for event in free.iter().chain(other) {
        wait_handled(&server, event, "probe");
    }
    // Nothing of the first video went on meanwhile.
    assert!(held[1..].iter().all(|event| server.said(event, "probe").is_empty()));
    let first = delivery(&site, &held[0]);
    assert!(["waiting", "running"].contains(&text(&first, "state")), "{first}");
    let mut before = first;
    for event in &held[1..] {
        let blocked = delivery(&site, event);
        assert_eq!(text(&blocked, "state"), "blocked", "{blocked}");
        assert_eq!(blocked["waits_for"], before["id"]);
        before = blocked;
    }
    let shown = site.done(&["events", "show", &held[1]]);
    let waits_for = format!("waits for {}", text(&delivery(&site, &held[0]), "id"));
    assert!(shown.contains(&waits_for), "{shown}");

    site.install("probe", &mended());
    for event in held {
        wait_handled(&server, event, "probe");
    }
    let all = handled(&server);
    for video in &events {
        let own: Vec<&String> = all.iter().filter(|event| video.contains(event)).collect();
        assert_eq!(own, video.iter().collect::<Vec<_>>());
    }
}

#[test]
fn events_of_one_video_keep_their_order_over_kills() {
    let (site, mut server) = ordered();
    let mut events: Vec<(u32, String)> = Vec::new();
    let mut done: Vec<String> = Vec::new();
    for round in 0..4 {
        for number in 0..6 {
            for video in 7..10 {
                let body = about(video, "", 10 * round + number);
                events.push((video, server.post(body).event()));
            }
        }
        server.signal(rustix::process::Signal::KILL);
        server.wait_ended();
        done.extend(handled(&server));
        server = site.serve();
    }
    site.wait_listed(&["events", "list", "--state", "succeeded", "--limit", "1000"], events.len());
    done.extend(handled(&server));
    // What was handled when the kill came may be handled once more, at once.
    done.dedup();
    for video in 7..10 {
        let of_video = |event: &&String| events.iter().any(|(v, e)| *v == video && e == *event);
        let mut own: Vec<&String> = done.iter().filter(of_video).collect();
        own.dedup();
        let sent: Vec<&String> =
            events.iter().filter(|(v, _)| *v == video).map(|(_, event)| event).collect();
        assert_eq!(own, sent);
    }
}

#[test]
fn the_next_of_a_video_goes_on_once_the_one_before_is_given_up() {
    let (site, server) = ordered();
    let events: Vec<String> = ["retry-after", "reject", ""]
        .iter()
        .zip(0..)
        .map(|(probe, number)| server.post(about(7, probe, number)).event())
        .collect();
    server.wait_done(&events[0], "probe");
    assert_eq!(text(&delivery(&site, &events[2]), "state"), "blocked");
    let settings = "[plugin.probe]\norder = \"entity\"\nattempts_max = 1\n";
    site.configure(hookbox_tests::SOURCE, settings);
    server.wait(|line| says(line, "settings of plugins are in force"));
    wait_handled(&server, &events[2], "probe");
    let mut letters = site.listed(&["dead", "list"]);
    letters.reverse();
    let reasons: Vec<&str> = letters.iter().map(|letter| text(letter, "reason")).collect();
    assert_eq!(reasons, ["attempts-exhausted", "rejected"]);
}
