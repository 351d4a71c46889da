//! What goes through all of the server: what operators do is noted and told.
// NEEDS THE MERGE: every test of this file (notes, pauses, deliveries and changes
// of the journal; masking; notices of what happens).

use hookbox_tests::{Site, body, probe};
use serde_json::Value;

use crate::stream::Stream;
use crate::{Operator, WITH_TOKEN, is_problem};

fn items(page: &Value) -> &Vec<Value> {
    page["items"].as_array().expect("items")
}

#[test]
fn what_is_sensitive_is_hidden_until_someone_asks_and_that_is_noted() {
    let site = Site::new(WITH_TOKEN);
    let server = site.serve();
    let operator = Operator::of(&server);
    let key = "rtmp://ingest.example/live/a-key-of-a-stream";
    let members = format!(r#","ingest":{{"url":"{key}"}}"#);
    let event = server.post(body("livestream_created", &members)).event();
    let path = format!("/api/v1/events/{event}");
    let shown = operator.get(&path);
    assert!(!shown.to_string().contains("a-key-of-a-stream"), "{shown}");
    assert!(shown["masked"].as_u64() > Some(0), "{shown}");
    let all = operator.post(&format!("{path}/reveal"), "");
    assert_eq!(all.status, 200, "{}", all.body);
    assert!(all.json()["document"].as_str().is_some_and(|text| text.contains(key)));
    let changes = operator.get("/api/v1/changes?kind=revealed");
    let change = &items(&changes)[0];
    assert_eq!((&change["actor"], &change["subject"]), (&"ops".into(), &event.as_str().into()));
}

#[test]
fn what_cannot_be_noted_is_not_revealed() {
    let site = Site::new(WITH_TOKEN);
    let server = site.serve_faulty("disk");
    let operator = Operator::of(&server);
    let event = server.post(body("livestream_created", r#","key":"abc-def-ghi""#)).event();
    site.fault("full");
    assert_eq!(server.post(body("lost", "")).status, 503);
    let reply = operator.post(&format!("/api/v1/events/{event}/reveal"), "");
    is_problem(&reply, 503, "unavailable");
    assert!(!reply.body.contains("abc-def-ghi"), "{}", reply.body);
    site.fault("heal");
}

#[test]
fn a_paused_plugin_gets_nothing_until_it_is_resumed() {
    let site = Site::new(WITH_TOKEN);
    site.install("probe", &probe(1));
    let server = site.serve();
    server.wait_live("probe", &probe(1));
    let operator = Operator::of(&server);
    let mut stream = Stream::open(&operator, "?kinds=operator,attempt");
    stream.until("tick");
    let reply = operator.post("/api/v1/plugins/probe/pause", "");
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(stream.until("operator")["change"], "paused");
    assert_eq!(operator.get("/api/v1/plugins/probe")["state"], "paused");
    let event = server.post(body("sd_encoded", "")).event();
    let owed = operator.wait("/api/v1/deliveries?plugin=probe", |page| items(page).len() == 1);
    assert_eq!(owed["items"][0]["event"], event.as_str());
    assert_eq!(owed["items"][0]["state"], "parked");
    let reply = operator.post("/api/v1/plugins/probe/resume", "");
    assert_eq!(reply.status, 200, "{}", reply.body);
    let attempt = stream.until("attempt");
    assert_eq!((&attempt["event"], &attempt["plugin"]), (&event.as_str().into(), &"probe".into()));
    let path = "/api/v1/deliveries?plugin=probe&state=succeeded";
    operator.wait(path, |page| items(page).len() == 1);
    let changes = operator.get("/api/v1/changes?plugin=probe");
    let kinds: Vec<&Value> = items(&changes).iter().map(|change| &change["kind"]).collect();
    assert!(kinds.contains(&&"paused".into()) && kinds.contains(&&"resumed".into()), "{changes}");
    is_problem(&operator.post("/api/v1/plugins/nobody/pause", ""), 404, "not-found");
}

#[test]
fn an_event_is_told_as_it_arrives_and_a_refused_request_too() {
    let site = Site::new(WITH_TOKEN);
    let server = site.serve();
    let operator = Operator::of(&server);
    let mut all = Stream::open(&operator, "");
    let mut refused = Stream::open(&operator, "?kinds=refused");
    all.until("tick");
    refused.until("tick");
    let event = server.post(body("sd_encoded", "")).event();
    assert_eq!(all.until("received")["event"], event.as_str());
    assert_eq!(server.post(r#"{"event":"x","secret":"wrong"}"#).status, 401);
    let told = loop {
        match refused.next().expect("an event") {
            (name, _) if name == "tick" => {}
            (name, data) => {
                assert_eq!(name, "refused");
                break data;
            }
        }
    };
    assert_eq!(told["status"], 401);
    let page = operator.wait("/api/v1/refusals?source=main", |page| items(page).len() == 1);
    assert_eq!(page["items"][0]["code"], "secret-wrong");
}

#[test]
fn what_operators_do_is_noted_with_their_name() {
    let site = Site::new(WITH_TOKEN);
    site.install("probe", &probe(1));
    let server = site.serve();
    server.wait_live("probe", &probe(1));
    let operator = Operator::of(&server);
    let event = server.post(body("sd_encoded", "")).event();
    server.wait_done(&event, "probe");
    let path = format!("/api/v1/events/{event}/replay");
    assert_eq!(operator.post(&path, r#"{"plugin":"probe"}"#).status, 200);
    site.done(&["events", "replay", &event, "--to", "probe"]);
    let changes = operator.get("/api/v1/changes?kind=replayed");
    let actors: Vec<&Value> = items(&changes).iter().map(|change| &change["actor"]).collect();
    assert_eq!(actors, ["local", "ops"]);
    assert_eq!(operator.get("/api/v1/log-level")["level"], "info");
    let headers = [("authorization", &*crate::bearer()), ("content-type", "application/json")];
    let reply = operator.ask("PUT", "/api/v1/log-level", &headers, r#"{"level":"debug"}"#);
    assert_eq!((reply.status, &reply.json()["level"]), (200, &"debug".into()));
    let reply = operator.ask("PUT", "/api/v1/log-level", &headers, r#"{"level":"loud"}"#);
    is_problem(&reply, 400, "invalid");
    let changes = operator.get("/api/v1/changes?kind=log-level");
    assert_eq!(items(&changes).len(), 1);
}
