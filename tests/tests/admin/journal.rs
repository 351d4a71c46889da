//! What is in the journal, seen and changed over HTTP.

use hookbox_tests::{Site, body, probe};

use crate::{Operator, WITH_TOKEN, is_problem};

#[test]
fn events_come_in_pages_and_one_with_all_that_became_of_it() {
    let site = Site::new(WITH_TOKEN);
    site.install("probe", &probe(1));
    let server = site.serve();
    server.wait_live("probe", &probe(1));
    let operator = Operator::of(&server);
    let events: Vec<String> =
        (0..5).map(|n| server.post(body("sd_encoded", &format!(r#","n":{n}"#))).event()).collect();
    for event in &events {
        server.wait_done(event, "probe");
    }
    let mut path = "/api/v1/events?limit=2&event=sd_encoded".to_owned();
    let mut found = Vec::new();
    loop {
        let page = operator.get(&path);
        let items = page["items"].as_array().expect("items");
        assert!(items.len() <= 2);
        found.extend(items.iter().map(|item| item["id"].as_str().expect("an id").to_owned()));
        match page["next"].as_str() {
            Some(next) => {
                let next = next.replace('#', "%23");
                path = format!("/api/v1/events?limit=2&event=sd_encoded&cursor={next}");
            }
            None => break,
        }
    }
    assert_eq!(found, events.iter().rev().cloned().collect::<Vec<_>>());

    let one = format!("/api/v1/events/{}", events[0]);
    let succeeded = "succeeded";
    let detail =
        operator.wait(&one, |event| event["summary"]["deliveries"][0]["state"] == succeeded);
    assert_eq!(detail["summary"]["name"], "sd_encoded");
    assert_eq!(detail["attempts"][0]["outcome"], "handled");
    assert!(detail["document"].as_str().is_some_and(|text| !text.contains("your_secret_key")));
    assert_eq!(detail["masked"], 0);
    let none = operator.get("/api/v1/events?event=other");
    assert_eq!(none["items"].as_array().map(Vec::len), Some(0));
    let unknown = operator.post("/api/v1/events/01a20a8f-18e6-7b8c-b4aa-b7bcd5434652/reveal", "");
    is_problem(&unknown, 404, "not-found");
}

#[test]
fn an_event_is_handed_over_again() {
    let site = Site::new(WITH_TOKEN);
    site.install("probe", &probe(1));
    let server = site.serve();
    server.wait_live("probe", &probe(1));
    let operator = Operator::of(&server);
    let event = server.post(body("sd_encoded", "")).event();
    server.wait_done(&event, "probe");
    let path = format!("/api/v1/events/{event}/replay");
    let report = operator.post(&path, r#"{"plugin":"probe"}"#);
    assert_eq!((report.status, &report.json()["count"]), (200, &1.into()), "{}", report.body);
    let one = format!("/api/v1/events/{event}");
    operator.wait(&one, |event| event["attempts"].as_array().is_some_and(|all| all.len() == 2));
    let reply = operator.post(&path, r#"{"plugin":"nobody"}"#);
    assert!(matches!(reply.status, 400 | 404), "{}", reply.body);
    let plugin = operator.get("/api/v1/plugins/probe");
    assert_eq!((&plugin["state"], &plugin["generation"]), (&"live".into(), &1.into()));
    let unknown =
        operator.ask("GET", "/api/v1/plugins/nobody", &[("authorization", &crate::bearer())], "");
    is_problem(&unknown, 404, "not-found");
}

#[test]
fn dead_letters_are_owed_again_or_given_up() {
    let site = Site::new(&format!("{WITH_TOKEN}[plugin.probe]\nattempts_max = 1\n"));
    site.install("probe", &probe(1));
    let server = site.serve();
    server.wait_live("probe", &probe(1));
    let operator = Operator::of(&server);
    for n in 0..3 {
        let trap = format!(r#","probe":"panic","n":{n}"#);
        let event = server.post(body("sd_encoded", &trap)).event();
        server.wait_done(&event, "probe");
    }
    let is_three =
        |page: &serde_json::Value| page["items"].as_array().is_some_and(|i| i.len() == 3);
    let dead = operator.wait("/api/v1/dead?plugin=probe", is_three);
    let id = dead["items"][0]["delivery"].as_str().expect("an id");

    let one = operator.post(&format!("/api/v1/deliveries/{id}/redrive"), "");
    assert_eq!((one.status, &one.json()["count"]), (200, &1.into()), "{}", one.body);
    // It dies again.
    operator.wait("/api/v1/dead", is_three);
    let one = operator.post(&format!("/api/v1/deliveries/{id}/discard"), "");
    assert_eq!((one.status, &one.json()["count"]), (200, &1.into()), "{}", one.body);

    let counted = operator.post("/api/v1/dead/discard", r#"{"plugin":"probe","dry_run":true}"#);
    assert_eq!(counted.json()["count"], 2, "{}", counted.body);
    is_problem(&operator.post("/api/v1/dead/discard", "{}"), 400, "invalid");
    let done = operator.post("/api/v1/dead/discard", r#"{"all":true}"#);
    assert_eq!(done.json()["count"], 2, "{}", done.body);
    let left = operator.get("/api/v1/dead");
    assert_eq!(left["items"].as_array().map(Vec::len), Some(0));
    let missing = operator.post("/api/v1/deliveries/nothing/redrive", "");
    assert!(matches!(missing.status, 400 | 404), "{}", missing.body);
}
