//! Who is let in.

use hookbox_tests::{Server, Site, text};
use serde_json::json;

use crate::{Operator, TOKEN, WITH_TOKEN, bearer, is_problem};

const STATUS: &str = "/api/v1/status";

/// What a browser says of a request that another site's page sends.
fn framed(dest: &str) -> Vec<(&str, &str)> {
    vec![("sec-fetch-site", "cross-site"), ("sec-fetch-dest", dest)]
}

#[test]
fn who_has_no_token_sees_nothing_and_another_sites_page_reaches_nothing() {
    let site = Site::new(WITH_TOKEN);
    let server = site.serve();
    let operator = Operator::of(&server);
    let good = ("authorization", &*bearer());
    let own = format!("http://{}", operator.address);
    let forget = "/api/v1/plugins/nobody/forget";
    for (method, path, headers, status) in [
        ("GET", STATUS, vec![good], 200),
        ("GET", STATUS, vec![], 401),
        ("GET", STATUS, vec![("authorization", "Bearer wrong")], 401),
        ("GET", STATUS, vec![("authorization", "Basic b3BzOng=")], 401),
        ("GET", STATUS, vec![("authorization", TOKEN)], 401),
        ("GET", STATUS, vec![("cookie", "hookbox_session=00")], 401),
        ("GET", "/metrics", vec![], 401),
        ("GET", "/metrics", vec![good], 200),
        ("GET", "/api/v1/openapi.json", vec![], 401),
        ("GET", "/api/v1/stream", vec![], 401),
        ("GET", "/nowhere", vec![], 401),
        ("GET", STATUS, vec![good, ("host", "hooks.example.com")], 200),
        ("GET", STATUS, vec![good, ("host", "localhost:1")], 200),
        ("GET", STATUS, vec![good, ("host", "evil.example")], 403),
        ("GET", "/healthz", vec![("host", "evil.example")], 403),
        ("GET", STATUS, vec![good, ("host", "127.0.0.1.evil.example")], 403),
        ("GET", STATUS, vec![good, ("origin", &own)], 200),
        ("GET", STATUS, vec![good, ("origin", "http://evil.example")], 403),
        ("GET", STATUS, vec![good, ("origin", "null")], 403),
        ("POST", forget, vec![good, ("origin", "https://evil.example")], 403),
        ("POST", forget, vec![good, ("sec-fetch-site", "cross-site")], 403),
        ("POST", "/login", vec![("sec-fetch-site", "cross-site")], 403),
        ("GET", STATUS, vec![good, ("sec-fetch-site", "same-origin")], 200),
        ("GET", STATUS, vec![good, ("sec-fetch-site", "cross-site")], 403),
        ("GET", STATUS, vec![good, ("sec-fetch-site", "same-site")], 403),
        ("GET", "/login", [vec![("sec-fetch-mode", "no-cors")], framed("image")].concat(), 403),
        ("GET", "/login", [vec![("sec-fetch-mode", "navigate")], framed("iframe")].concat(), 403),
        ("GET", "/login", [vec![("sec-fetch-mode", "navigate")], framed("document")].concat(), 200),
    ] {
        let reply = operator.ask(method, path, &headers, "");
        assert_eq!(reply.status, status, "{method} {path} {headers:?}: {}", reply.body);
        match status {
            401 => {
                is_problem(&reply, 401, "unauthorized");
                assert_eq!(reply.header("www-authenticate"), Some("Bearer realm=\"hookbox\""));
            }
            403 => is_problem(&reply, 403, "forbidden"),
            _ => {}
        }
        if (path, status) == ("/metrics", 200) {
            let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            assert_eq!(reply.header("content-type"), Some(media_type));
        }
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    }
    assert!(!server.end().contains(TOKEN));
}

#[test]
fn a_session_lasts_until_it_is_closed() {
    let site = Site::new(WITH_TOKEN);
    let server = site.serve();
    let operator = Operator::of(&server);
    let page = operator.ask("GET", "/", &[], "");
    assert_eq!((page.status, page.header("location")), (303, Some("/login")));
    let page = operator.ask("GET", "/login", &[], "");
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));

    let wrong = operator.ask("POST", "/login", &[], "token=wrong");
    is_problem(&wrong, 401, "unauthorized");
    let wrong = operator.ask("POST", "/login", &[("accept", "text/html")], "token=wrong");
    assert_eq!((wrong.status, wrong.header("location")), (303, Some("/login?error=wrong-token")));
    assert_eq!(wrong.header("set-cookie"), None);

    let right = operator.ask("POST", "/login", &[], &format!("token={TOKEN}"));
    assert_eq!((right.status, right.header("location")), (303, Some("/")));
    let cookie = right.header("set-cookie").expect("a cookie");
    for part in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Secure"), "{cookie}");
    let session = cookie.split(';').next().expect("a session");
    let with = [("cookie", session)];
    assert_eq!(operator.ask("GET", STATUS, &with, "").status, 200);
    assert_eq!(operator.ask("GET", "/", &with, "").status, 200);
    let two = format!("other=1; {session}");
    assert_eq!(operator.ask("GET", STATUS, &[("cookie", &two)], "").status, 200);

    let out = operator.ask("POST", "/logout", &with, "");
    assert_eq!((out.status, out.header("location")), (303, Some("/login")));
    assert_eq!(operator.ask("GET", STATUS, &with, "").status, 401);
    let wrong = |line: &serde_json::Value| text(line, "message") == "an operator's token is wrong";
    assert_eq!(server.wait_for(2, wrong).len(), 2);
}

#[test]
fn who_guesses_too_often_waits() {
    let site = Site::new(WITH_TOKEN);
    let server = site.serve();
    let operator = Operator::of(&server);
    let guess = || operator.ask("GET", STATUS, &[("authorization", "Bearer guess")], "");
    let denied = (0..5_000).map(|_| guess()).find(|reply| reply.status == 429);
    is_problem(&denied.expect("a limit"), 429, "too-many");
}

#[test]
fn on_a_loopback_address_without_tokens_nothing_is_asked() {
    let site = Site::new("");
    let server = site.serve();
    let operator = Operator::of(&server);
    assert_eq!(operator.ask("GET", STATUS, &[], "").status, 200);
    assert_eq!(operator.ask("GET", "/", &[], "").status, 200);
    assert_eq!(operator.ask("GET", "/login", &[], "").header("location"), Some("/"));
    let other = operator.ask("GET", STATUS, &[("host", "evil.example")], "");
    is_problem(&other, 403, "forbidden");
    let page = [("origin", "http://evil.example"), ("content-type", "text/plain")];
    let body = r#"{"all":true}"#;
    is_problem(&operator.ask("POST", "/api/v1/dead/discard", &page, body), 403, "forbidden");
}

#[test]
fn an_address_that_others_reach_needs_a_token() {
    let site = Site::new("[server]\nadmin = \"0.0.0.0:0\"\n");
    let output = site.serve_in_vain();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("server.admin: 0.0.0.0:0 can be reached"), "{said}");
    assert!(said.contains("admin_tokens = [{ name = \"ops\""), "{said}");
}

#[test]
fn it_can_be_turned_off() {
    let site = Site::new("[server]\nadmin = \"\"\n");
    let server = site.serve();
    assert_eq!(server.lines(|line| text(line, "message") == "listening for operators").len(), 0);
    assert_eq!(server.get("/healthz").status, 404);
    let log = Server::end(server);
    assert!(!log.contains("for operators"), "{log}");
}

#[test]
fn what_is_no_request_is_a_problem_that_names_what_is_wrong() {
    let site = Site::new("");
    let server = site.serve();
    let operator = Operator::of(&server);
    for (path, named) in [
        ("/api/v1/events?sinec_ms=1", "sinec_ms"),
        ("/api/v1/events?since_ms=soon", "since_ms"),
        ("/api/v1/events?since_ms=9223372036854775808", "since_ms"),
        ("/api/v1/events?until_ms=9223372036854775808", "until_ms"),
        ("/api/v1/deliveries?since_ms=9223372036854775808", "since_ms"),
        ("/api/v1/dead?until_ms=9223372036854775808", "until_ms"),
        ("/api/v1/refusals?since_ms=18446744073709551615", "since_ms"),
        ("/api/v1/events?state=gone", "gone"),
        ("/api/v1/events?limit=0", "limit"),
        ("/api/v1/events?limit=1001", "limit"),
        ("/api/v1/dead?limit=-1", "limit"),
        ("/api/v1/dead?state=pending", "pending"),
        ("/api/v1/events?cursor=x", "cursor"),
        ("/api/v1/changes?kind=x", "kind"),
        ("/api/v1/status?x=1", "x"),
        ("/api/v1/stream?kinds=received,x", "kinds"),
    ] {
        let reply = operator.ask("GET", path, &[], "");
        is_problem(&reply, 400, "invalid");
        let detail = reply.json()["detail"].as_str().expect("a detail").to_owned();
        assert!(detail.contains(named), "{path}: {detail}");
    }
    for path in ["events", "deliveries", "dead", "refusals"] {
        let latest = format!("/api/v1/{path}?since_ms=0&until_ms=9223372036854775807");
        assert_eq!(operator.ask("GET", &latest, &[], "").status, 200, "{latest}");
    }
    let json = [("content-type", "application/json")];
    for name in ["since_ms", "until_ms"] {
        for path in ["/api/v1/dead/redrive", "/api/v1/dead/discard"] {
            let body = |ms: &str| format!("{{\"{name}\":{ms},\"dry_run\":true}}");
            let reply = operator.ask("POST", path, &json, &body("9223372036854775808"));
            is_problem(&reply, 400, "invalid");
            let reply = operator.ask("POST", path, &json, &body("9223372036854775807"));
            assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        }
    }
    for (body, headers, status, code) in [
        ("{}", &json[..], 400, "invalid"),
        ("{", &json, 400, "invalid"),
        (r#"{"all":true,"more":1}"#, &json, 400, "invalid"),
        (r#"{"all":true}"#, &[], 415, "invalid"),
        (&" ".repeat(70_000), &json, 413, "too-large"),
    ] {
        is_problem(&operator.ask("POST", "/api/v1/dead/redrive", headers, body), status, code);
    }
    let reply = operator.ask("DELETE", "/api/v1/events", &[], "");
    is_problem(&reply, 405, "method-not-allowed");
    assert!(reply.header("allow").is_some_and(|allow| allow.contains("GET")));
    is_problem(&operator.ask("GET", "/api/v1/nothing", &[], ""), 404, "not-found");
    let document = operator.get("/api/v1/openapi.json");
    assert_eq!(document["openapi"], json!("3.1.0"));
}
