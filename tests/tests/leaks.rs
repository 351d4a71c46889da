//! Nothing that must stay secret is in anything that the server writes or
//! answers: every path of the API by its own description, metrics, traces, log,
//! journal, stream and command line are looked through, while a plugin gives away
//! all that it gets.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread::JoinHandle;

use hookbox_tests::upstream::Upstream;
use hookbox_tests::{PATIENCE, Server, Site, probe};
use serde_json::Value;

/// What is secret to all: of a source, of an operator, of a plugin; what a stranger
/// tried; and a header for the collector.
const SOURCE: &str = "hush-source-5501-abcdef";
const TOKEN: &str = "hush-token-5502-abcdef";
const PLUGIN: &str = "hush-plugin-5503-abcdef";
const GUESS: &str = "hush-guess-5504-abcdef";
const HEADER: &str = "hush-header-5505-abcdef";
const SECRETS: [&str; 5] = [SOURCE, TOKEN, PLUGIN, GUESS, HEADER];

/// What is in livestreams' bodies: the plugin gets it, and nobody else sees it
/// unless they ask to.
const KEY: &str = "hush-key-5506-abcdef";
const INGEST: &str = "rtmp://hush-ingest-5507.example/live";
const BODIES: [&str; 3] = [KEY, "hush-ingest-5507", "hush-region-5508"];

fn body(event: &str, member: &str) -> String {
    format!(
        r#"{{"event":"{event}","secret":"{SOURCE}","probe":"tell","data":{{"{member}":{{"id":"7","name":"Harbour","streamKey":"{KEY}","ingest_url":"{INGEST}","endpoints":[{{"where":"hush-region-5508"}}]}}}}}}"#
    )
}

fn site(collector: &Upstream) -> Site {
    Site::with_sources(
        &format!(
            "[[source]]\nname = \"main\"\nsecrets = [{{ name = \"test\", value = \"{SOURCE}\" }}]\n"
        ),
        &format!(
            "[log]\nlevel = \"trace\"\n\
             [server]\nadmin_tokens = [{{ name = \"ops\", value = \"{TOKEN}\" }}]\n\
             [traces]\notlp_endpoint = \"{}/v1/traces\"\n\
             headers = [{{ name = \"x-key\", value = \"{HEADER}\" }}]\n\
             [plugin.probe]\nsecrets = [{{ name = \"token\", value = \"{PLUGIN}\" }}]\n",
            collector.origin()
        ),
    )
}

/// What was written or answered, and where.
#[derive(Default)]
struct Outputs(Vec<(String, String)>);

impl Outputs {
    fn add(&mut self, place: impl Into<String>, text: impl Into<String>) {
        self.0.push((place.into(), text.into()));
    }

    fn none_has(&self, needles: &[&str]) {
        for (place, text) in &self.0 {
            for needle in needles {
                let at = text.find(needle);
                let around = at.map(|at| {
                    let from = text.floor_char_boundary(at.saturating_sub(200));
                    &text[from..text.ceil_char_boundary(at + needle.len() + 20)]
                });
                assert!(around.is_none(), "{needle} is in {place}: …{}…", around.unwrap_or(""));
            }
        }
    }
}

fn ask(server: &Server, method: &str, path: &str, body: Option<&str>) -> (u16, String) {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(PATIENCE))
        .max_redirects(0)
        .build()
        .into();
    let url = format!("{}{path}", server.admin());
    let authorization = format!("Bearer {TOKEN}");
    let mut response = match method {
        "GET" => agent.get(url).header("authorization", authorization).call(),
        _ => agent.post(url).header("authorization", authorization).send(body.unwrap_or_default()),
    }
    .expect("an answer");
    let headers = format!("{:?}", response.headers());
    let text = response.body_mut().read_to_string().expect("text");
    (response.status().as_u16(), format!("{headers}\n{text}"))
}

/// Reads the stream to its end, on a thread of its own. It is there once its head
/// is.
fn stream(server: &Server) -> JoinHandle<String> {
    let address = server.admin().replace("http://", "");
    let mut stream = TcpStream::connect(&address).expect("a connection");
    let request = format!(
        "GET /api/v1/stream HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {TOKEN}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).expect("a request");
    let mut first = [0];
    stream.read_exact(&mut first).expect("an answer");
    std::thread::spawn(move || {
        let mut all = Vec::new();
        let _reset = stream.read_to_end(&mut all);
        String::from_utf8_lossy(&all).into_owned()
    })
}

/// Each path of the API that can be read, with these ids put in.
fn paths(server: &Server, events: &[String]) -> Vec<String> {
    let (_, described) = ask(server, "GET", "/api/v1/openapi.json", None);
    let described = described.split_once('\n').expect("a body").1;
    let described: Value = serde_json::from_str(described).expect("JSON");
    let paths = described["paths"].as_object().expect("paths");
    let read = paths
        .iter()
        .filter(|(path, methods)| methods.get("get").is_some() && !path.ends_with("/stream"));
    let mut all: Vec<String> =
        ["/", "/login", "/metrics", "/healthz", "/readyz"].map(str::to_owned).to_vec();
    for (path, _) in read {
        let path = path.replace("{name}", "probe");
        match path.contains("{id}") {
            true => all.extend(events.iter().map(|event| path.replace("{id}", event))),
            false => all.push(path),
        }
    }
    assert!(all.len() > 15, "the description lost its paths: {all:?}");
    all
}

const COMMANDS: [&[&str]; 12] = [
    &["status"],
    &["plugins", "list"],
    &["plugins", "show", "probe"],
    &["events", "list"],
    &["events", "list", "--search", "Harbour"],
    &["deliveries", "list"],
    &["refusals", "list"],
    &["changes", "list"],
    &["dead", "list"],
    &["log-level"],
    &["config", "check"],
    &["events", "show"],
];

#[test]
fn nothing_secret_is_in_anything_that_is_written_or_answered() {
    let collector = Upstream::fine();
    let site = site(&collector);
    site.install("probe", &probe(1));
    let server = site.serve();
    let looked = stream(&server);
    let mut outputs = Outputs::default();

    let mut events = Vec::new();
    for (name, member) in [
        ("livestream_add_v2", "Livestream"),
        ("livestream_edit", "Livestream"),
        ("livestreamschedule_edit", "LivestreamSchedule"),
        ("stream_of_another_kind", "Thing"),
        ("live_started", "Livestream"),
    ] {
        let reply = server.post(body(name, member));
        outputs.add(format!("the answer to {name}"), &reply.body);
        events.push(reply.event());
        server.wait_done(&events[events.len() - 1], "probe");
    }
    for wrong in [
        body("livestream_edit", "Livestream").replace(SOURCE, GUESS),
        body("livestream_edit", "Livestream").replace("\"data\"", "broken"),
        format!(r#"{{"event":"livestream_edit","secret":["{SOURCE}"],"key":"{KEY}"}}"#),
    ] {
        let reply = server.post(wrong);
        assert!(reply.status >= 400, "{}", reply.body);
        outputs.add("the answer to a refused body", &reply.body);
    }
    let (status, text) = ask(&server, "POST", "/login", Some(&format!("token={GUESS}")));
    assert!(status >= 300, "{text}");
    outputs.add("the answer to a wrong token", text);
    let (_, text) = ask(&server, "POST", "/login", Some(&format!("token={TOKEN}")));
    assert!(text.contains("hookbox_session"), "{text}");
    outputs.add("the answer to a token", text);

    site.wait_listed(&["dead", "list"], events.len());
    site.wait_listed(&["refusals", "list"], 3);
    for path in paths(&server, &events) {
        let (_, text) = ask(&server, "GET", &path, None);
        outputs.add(format!("GET {path}"), text);
    }
    for command in COMMANDS {
        for form in [&[][..], &["--json"][..]] {
            let id = (command[1..] == ["show"]).then_some(events[1].as_str());
            let command: Vec<&str> =
                command.iter().copied().chain(id).chain(form.iter().copied()).collect();
            outputs.add(format!("hookbox {command:?}"), site.done(&command));
        }
    }
    // It is there, and hidden.
    for event in &events {
        let (_, shown) = ask(&server, "GET", &format!("/api/v1/events/{event}"), None);
        assert!(shown.contains("[hidden]") && shown.contains("Harbour"), "{shown}");
    }

    reveals(&site, &server, &events);
    outputs.add("the log", server.end());
    let seen = looked.join().expect("the stream");
    assert!(seen.contains("\"kind\":\"attempt\"") && seen.contains("event: tick"), "{seen}");
    outputs.add("the stream", seen);
    let traces = collector.received();
    assert!(!traces.is_empty());
    for request in traces {
        outputs.add("traces", String::from_utf8_lossy(&request.bytes).into_owned());
    }
    outputs.none_has(&SECRETS);
    outputs.none_has(&BODIES);
    in_the_journal(&site);
}

/// Whoever asks to see all sees it, and that is noted with their name.
fn reveals(site: &Site, server: &Server, events: &[String]) {
    let (status, shown) =
        ask(server, "POST", &format!("/api/v1/events/{}/reveal", events[0]), None);
    assert_eq!(status, 200, "{shown}");
    assert!(shown.contains(KEY) && shown.contains(INGEST), "{shown}");
    let shown = site.done(&["events", "show", &events[1], "--reveal"]);
    assert!(shown.contains(KEY) && shown.contains(INGEST), "{shown}");
    let noted = site.listed(&["changes", "list", "--kind", "revealed"]);
    let noted: Vec<(&str, &str)> = noted
        .iter()
        .map(|change| {
            (change["actor"].as_str().unwrap_or(""), change["subject"].as_str().unwrap_or(""))
        })
        .collect();
    assert_eq!(noted, [("local", &*events[1]), ("ops", &*events[0])]);
}

/// Secrets are nowhere in the files; what is hidden is in the events alone.
fn in_the_journal(site: &Site) {
    let mut files = Outputs::default();
    let mut folders = vec![site.path("data")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(bytes) = fs::read(&path) {
                files.add(path.display().to_string(), String::from_utf8_lossy(&bytes).into_owned());
            }
        }
    }
    files.none_has(&SECRETS);
    let journal = site.journal();
    for (table, columns) in [
        ("attempts", "coalesce(log, '') || coalesce(error, '')"),
        ("dead_letters", "coalesce(error, '')"),
        ("changes", "text"),
    ] {
        for needle in BODIES {
            let sql = format!("SELECT count(*) FROM {table} WHERE instr({columns}, ?1) > 0");
            let found: i64 = journal.query_row(&sql, [needle], |row| row.get(0)).expect("a count");
            assert_eq!(found, 0, "{needle} is in {table}");
        }
    }
}
