//! Health: of the process, and of what accepts webhooks.

use std::fs;

use hookbox_tests::{Site, body, text};

use crate::{Operator, WITH_TOKEN, bearer};

#[test]
fn it_is_alive_and_not_ready_while_the_journal_fails() {
    let site = Site::new(WITH_TOKEN);
    let server = site.serve_faulty("disk");
    let operator = Operator::of(&server);
    let stranger = operator.ask("GET", "/readyz", &[], "");
    assert_eq!((stranger.status, stranger.body.as_str()), (200, r#"{"status":"ok"}"#));
    site.fault("full");
    assert_eq!(server.post(body("lost", "")).status, 503);
    let stranger = operator.ask("GET", "/readyz", &[], "");
    assert_eq!((stranger.status, stranger.body.as_str()), (503, r#"{"status":"failing"}"#));
    let known = operator.ask("GET", "/readyz", &[("authorization", &bearer())], "");
    assert_eq!(known.status, 503);
    let parts = &known.json()["parts"];
    assert_eq!((&parts[0]["name"], &parts[0]["good"]), (&"journal".into(), &false.into()));
    assert!(parts[0]["error"].as_str().is_some_and(|error| error.contains("full")), "{parts}");
    assert_eq!(operator.ask("GET", "/healthz", &[], "").body, r#"{"status":"ok"}"#);
    site.fault("heal");
    server.wait(|line| text(line, "message") == "the journal can be written again");
    assert_eq!(operator.ask("GET", "/readyz", &[], "").status, 200);
}

#[test]
fn it_is_not_ready_without_the_plugins_directory() {
    let site = Site::new("");
    let server = site.serve();
    let operator = Operator::of(&server);
    assert_eq!(operator.ask("GET", "/readyz", &[], "").status, 200);
    fs::remove_dir(site.path("plugins")).expect("a folder that goes");
    let reply = operator.ask("GET", "/readyz", &[], "");
    assert_eq!(reply.status, 503);
    assert_eq!(reply.json()["parts"][1]["good"], false, "{}", reply.body);
    fs::create_dir(site.path("plugins")).expect("a folder");
    assert_eq!(operator.ask("GET", "/readyz", &[], "").status, 200);
}

#[test]
fn it_is_at_the_webhooks_address_only_where_asked_for() {
    let site = Site::new("");
    let server = site.serve();
    for path in ["/healthz", "/readyz", "/health"] {
        assert_eq!(server.get(path).status, 404, "{path}");
    }
    drop(server);
    let site = Site::new("[server]\nhealth_on_public = true\n");
    let server = site.serve();
    for path in ["/healthz", "/readyz"] {
        let reply = server.get(path);
        assert_eq!((reply.status, reply.body.as_str()), (200, r#"{"status":"ok"}"#), "{path}");
    }
    assert_eq!(server.get("/metrics").status, 404);
    assert_eq!(server.get("/api/v1/status").status, 404);
}
