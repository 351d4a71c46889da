//! Key-value state of plugins: what a call sees, what is kept, what is refused,
//! and what operators do with it.
//!
//! `HOOKBOX_STATE_KILLS` sets how often the server is killed while a plugin that
//! fails at random counts: 10 unless told.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use hookbox_tests::{Server, Site, body, plugin, text};
use rustix::process::Signal;

/// A site in which the plugin `caller` may keep state.
fn site(more: &str) -> Site {
    let site = Site::new(&format!("[plugin.caller]\nkeyvalue = true\n{more}"));
    site.install("caller", &plugin("caller"));
    site
}

/// An event that asks for these steps.
fn steps(steps: &str) -> String {
    body("ask", &format!(r#","do":[{steps}]"#))
}

/// Operations on state as one step.
fn kv(operations: &str) -> String {
    format!(r#"{{"kv":[{operations}]}}"#)
}

/// What a plugin said while it took these steps, and how its call ended.
fn ask(server: &Server, name: &str, asked: &str) -> (String, Vec<String>) {
    let event = server.post(steps(asked)).event();
    let done = server.wait_done(&event, name);
    (text(&done, "message").to_owned(), server.said(&event, name))
}

/// The same where the call must end well.
fn said(server: &Server, asked: &str) -> Vec<String> {
    let (how, said) = ask(server, "caller", asked);
    assert_eq!(how, "handled", "{said:?}");
    said
}

fn says(lines: &[String], start: &str) -> bool {
    lines.iter().any(|line| line.starts_with(start))
}

#[test]
fn a_call_reads_what_it_wrote_and_the_next_what_was_kept() {
    let site = site("");
    let server = site.serve();
    let lines = said(
        &server,
        &kv(r#"{"op":"get","key":"a"}, {"op":"set","key":"a","value":"1"}, {"op":"get","key":"a"},
            {"op":"exists","key":"a"}, {"op":"increment","key":"n","delta":2},
            {"op":"increment","key":"n"}, {"op":"set_many","pairs":[["b","2"],["c","3"]]},
            {"op":"get_many","keys":["b","none","c"]}, {"op":"delete_many","keys":["b","none"]},
            {"op":"keys"}, {"op":"increment","key":"a"}, {"op":"set","key":"w","value":"word"},
            {"op":"increment","key":"w"}"#),
    );
    assert_eq!(
        lines,
        [
            "kv get none",
            "kv set ok",
            "kv get value=1",
            "kv exists true",
            "kv increment 2",
            "kv increment 3",
            "kv set_many ok",
            "kv get_many b=2,none,c=3",
            "kv delete_many ok",
            "kv keys pages=1 count=3 a,c,n",
            "kv increment 2",
            "kv set ok",
            r#"kv increment error=Error::Other("the value of \"w\" is no number that can be counted up")"#,
        ]
    );
    let look =
        kv(r#"{"op":"get_many","keys":["a","b","c","n","w"]}, {"op":"open","name":"default"},
        {"op":"keys"}, {"op":"open","name":"another"}"#);
    let kept = [
        "kv get_many a=2,none,c=3,n=3,w=word",
        "kv open ok",
        "kv keys pages=1 count=4 a,c,n,w",
        "kv open error=Error::NoSuchStore",
    ];
    assert_eq!(said(&server, &look), kept);
    // It is there after an orderly end, and after none.
    server.end();
    let server = site.serve();
    assert_eq!(said(&server, &look), kept);
    said(&server, &kv(r#"{"op":"set","key":"a","value":"3"}"#));
    // The next call comes after the commit of the one before.
    assert_eq!(said(&server, &kv(r#"{"op":"get","key":"a"}"#)), ["kv get value=3"]);
    server.signal(Signal::KILL);
    server.wait_ended();
    let server = site.serve();
    assert_eq!(said(&server, &kv(r#"{"op":"get","key":"a"}"#)), ["kv get value=3"]);
}

#[test]
fn plugins_have_each_their_own_and_without_the_grant_none() {
    let site = site("[plugin.other]\nkeyvalue = true\n[plugin.poor]\n");
    for name in ["other", "poor"] {
        site.install(name, &plugin("caller"));
    }
    let server = site.serve();
    // All three get each event; each says what it sees.
    let event = server.post(steps(&kv(r#"{"op":"increment","key":"n"}"#))).event();
    for (name, expected) in [
        ("caller", "kv increment 1"),
        ("other", "kv increment 1"),
        ("poor", "kv increment error=Error::AccessDenied"),
    ] {
        assert_eq!(text(&server.wait_done(&event, name), "message"), "handled");
        assert_eq!(server.said(&event, name), [expected], "{name}");
    }
    server.end();
}

#[test]
fn a_call_that_does_not_end_well_leaves_no_trace() {
    let site = site("cpu_ms = 50\nattempts_max = 1\nbreaker_failures = 0");
    let server = site.serve();
    said(&server, &kv(r#"{"op":"set","key":"kept","value":"1"}"#));
    for end in ["trap", "panic:now", "spin", "retry", "retry_after:1", "reject"] {
        let trouble = kv(
            r#"{"op":"set","key":"lost","value":"x"}, {"op":"set","key":"kept","value":"x"},
               {"op":"increment","key":"n"}, {"op":"delete","key":"kept"}, {"op":"get","key":"n"}"#,
        );
        let (how, lines) = ask(&server, "caller", &format!(r#"{trouble}, {{"end":"{end}"}}"#));
        assert_eq!(how, "failed", "{end}");
        assert!(says(&lines, "kv get value=1"), "{end}: {lines:?}");
        let kept = said(&server, &kv(r#"{"op":"get_many","keys":["kept","lost","n"]}"#));
        assert_eq!(kept, ["kv get_many kept=1,none,none"], "{end}");
    }
    server.end();
}

#[test]
fn each_limit_says_what_it_is_and_how_to_change_it() {
    let site = site("keyvalue_bytes_max = 1000\nkeyvalue_value_bytes_max = 500");
    let server = site.serve();
    let value = "the value of \"a\" has 501 bytes: plugin.caller.keyvalue_value_bytes_max is 500";
    let key = format!("a key has 1 to 1024 bytes; \"{}\"… has 1025", "x".repeat(80));
    // The first ten take 2 + 10 + 64 bytes each, the others one more.
    let full =
        "with \"k13\" the plugin would keep 1068 bytes: plugin.caller.keyvalue_bytes_max is 1000";
    for (asked, message) in [
        (kv(r#"{"op":"set","key":"a","value_bytes":501}"#), value.to_owned()),
        (kv(r#"{"op":"set","key_bytes":1025,"value":"1"}"#), key),
        (
            kv(r#"{"op":"set","key":"","value":"1"}"#),
            "a key has 1 to 1024 bytes; \"\" has 0".to_owned(),
        ),
        (r#"{"fill":{"keys":20,"value_bytes":10,"prefix":"k"}}"#.to_owned(), full.to_owned()),
    ] {
        let event = server.post(steps(&asked)).event();
        assert_eq!(text(&server.wait_done(&event, "caller"), "message"), "handled");
        let warned =
            server.wait(|line| text(line, "event") == event && text(line, "context") == "keyvalue");
        assert_eq!((text(&warned, "level"), text(&warned, "message")), ("WARN", &*message));
        let said = server.said(&event, "caller").join("\n");
        assert!(said.contains(&format!("{message:?}")), "{said}");
        // It is in the record of the attempt too.
        site.wait_listed(&["events", "list", "--state", "running"], 0);
        let log = site.shown(&event)["attempts"][0]["log"].as_str().expect("a log").to_owned();
        assert!(log.contains(&format!("WARN keyvalue: {message}")), "{log}");
    }
    server.end();
}

#[test]
fn many_keys_are_listed_in_pages_whole_and_once() {
    let site = site("deadline_ms = 20000\ncpu_ms = 10000");
    let server = site.serve();
    let lines = said(&server, r#"{"fill":{"keys":2500,"value_bytes":1,"prefix":"k"}}"#);
    assert_eq!(lines, ["fill done keys=2500"]);
    let lines = said(&server, &kv(r#"{"op":"delete","key":"k1"}, {"op":"keys"}"#));
    assert!(lines[1].starts_with("kv keys pages=3 count=2499 k0,k10,k100,k1000,"), "{lines:?}");
    server.end();
}

#[test]
fn calls_of_a_plugin_with_state_see_each_others_changes_one_after_another() {
    const EVENTS: usize = 40;
    let site = site(
        "concurrency = 16\n[plugin.parallel]\nkeyvalue = true\nkeyvalue_parallel = true\nconcurrency = 16",
    );
    site.install("parallel", &plugin("caller"));
    let server = site.serve();
    // Each reads what the one before it left. Were there two at once, both would
    // read the same.
    let number = AtomicUsize::new(1);
    let events: Vec<String> = std::thread::scope(|scope| {
        let post = || {
            let mut events = Vec::new();
            loop {
                let n = number.fetch_add(1, Ordering::Relaxed);
                if n > EVENTS {
                    return events;
                }
                let read = kv(r#"{"op":"get","key":"last"}, {"op":"increment","key":"all"}"#);
                let write = kv(&format!(r#"{{"op":"set","key":"last","value":"{n}"}}"#));
                let between = r#"{"fill":{"keys":30,"value_bytes":1}}"#;
                events.push(server.post(steps(&format!("{read},{between},{write}"))).event());
            }
        };
        let posting: Vec<_> = (0..8).map(|_| scope.spawn(post)).collect();
        posting.into_iter().flat_map(|thread| thread.join().expect("a sender")).collect()
    });
    let mut seen = BTreeSet::new();
    for event in &events {
        for name in ["caller", "parallel"] {
            assert_eq!(text(&server.wait_done(event, name), "message"), "handled");
        }
        let read = server.said(event, "caller").remove(0);
        assert!(seen.insert(read.clone()), "two calls read {read:?}");
    }
    assert_eq!(seen.len(), EVENTS);
    server.end();
    // Those at once do not see each other; what they count up is all counted.
    for name in ["caller", "parallel"] {
        assert_eq!(site.done(&["kv", "get", name, "all"]), format!("{EVENTS}\n"), "{name}");
    }
}

/// What a command prints that reads its standard input, and its exit status.
fn fed(site: &Site, arguments: &[&str], input: &[u8]) -> (i32, String) {
    let mut command = site.command(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("running the program");
    child.stdin.take().expect("standard input").write_all(input).expect("input");
    let output = child.wait_with_output().expect("the program's end");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().expect("a status"), String::from_utf8(text).expect("text"))
}

/// Each verb once, from no state to none.
fn every_verb(site: &Site) {
    let nothing = "hookbox: the plugin \"caller\" keeps no key \"a\"\n";
    assert_eq!(site.run(&["kv", "get", "caller", "a"]), (4, nothing.to_owned()));
    assert_eq!(site.run(&["kv", "delete", "caller", "a"]), (4, nothing.to_owned()));
    let (status, said) = site.run(&["kv", "list", "nobody"]);
    assert_eq!(status, 4, "{said}");
    assert!(said.contains("there is no plugin \"nobody\"; known are caller"), "{said}");
    assert_eq!(site.run(&["kv", "set", "nobody", "a", "1"]).0, 4);
    assert_eq!(site.done(&["kv", "list", "caller"]), "CHANGED  BYTES  KEY\n");

    assert_eq!(site.done(&["kv", "set", "caller", "a", "one\ntwo"]), "Set \"a\" of caller.\n");
    assert_eq!(site.done(&["kv", "get", "caller", "a"]), "one\ntwo\n");
    let (status, said) = fed(site, &["kv", "set", "caller", "b/1", "--file", "-"], b"\xff\0");
    assert_eq!((status, said.as_str()), (0, "Set \"b/1\" of caller.\n"));
    let (status, said) = site.run(&["kv", "get", "caller", "b/1"]);
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("is no text: --raw"), "{said}");
    let raw = site.command(&["kv", "get", "caller", "b/1", "--raw"]).output().expect("a run");
    assert_eq!(raw.stdout, b"\xff\0");
    assert_eq!(site.run(&["kv", "set", "caller", "", "1"]).0, 1);
    let long = "x".repeat((2 << 20) + 1);
    let (status, said) = fed(site, &["kv", "set", "caller", "c", "--file", "-"], long.as_bytes());
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("has over 2097152 bytes, the most that can be set"), "{said}");
    let most = &long[1..];
    assert_eq!(fed(site, &["kv", "set", "caller", "c", "--file", "-"], most.as_bytes()).0, 0);
    assert_eq!(site.done(&["kv", "delete", "caller", "c"]), "Deleted 1 key of caller.\n");

    site.done(&["kv", "set", "caller", "b/2", "2"]);
    let keys = |prefix: &str| -> Vec<(String, u64)> {
        let items = site.listed(&["kv", "list", "caller", "--prefix", prefix]);
        let item = |i: &serde_json::Value| {
            assert!(i["changed_at_ms"].as_u64() > Some(1_600_000_000_000), "{i}");
            (text(i, "key").to_owned(), i["bytes"].as_u64().expect("a number"))
        };
        items.iter().map(item).collect()
    };
    assert_eq!(keys("b/"), [("b/1".to_owned(), 2), ("b/2".to_owned(), 1)]);
    assert_eq!(keys("").len(), 3);
    // Keys of 1, 3 and 3 bytes, values of 7, 2 and 1, and 64 for each.
    let sizes = "PLUGIN  KEYS  BYTES\ncaller  3     209\n";
    assert_eq!(site.done(&["kv", "list"]), sizes);
    let export = site.done(&["kv", "export", "caller"]);
    assert_eq!(
        export,
        "{\"key\":\"a\",\"value\":\"one\\ntwo\"}\n\
         {\"key\":\"b/1\",\"value_base64\":\"/wA=\"}\n{\"key\":\"b/2\",\"value\":\"2\"}\n"
    );
    assert_eq!(site.done(&["kv", "delete", "caller", "--all"]), "Deleted 3 keys of caller.\n");
    assert_eq!(site.done(&["kv", "list"]), "PLUGIN  KEYS  BYTES\n");
    let (status, said) = fed(site, &["kv", "import", "caller", "-"], export.as_bytes());
    assert_eq!((status, said.as_str()), (0, "Set 3 keys of caller.\n"));
    assert_eq!(site.done(&["kv", "export", "caller"]), export);
    let (status, said) = fed(site, &["kv", "import", "caller", "-"], b"{\"key\":\"a\"}\n");
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("-, line 1, after 0 keys: \"a\" must have"), "{said}");
    // More than one step.
    let many: String =
        (0..1_201).map(|n| format!("{{\"key\":\"k{n}\",\"value\":\"\"}}\n")).collect();
    let (status, said) = fed(site, &["kv", "import", "caller", "-"], many.as_bytes());
    assert_eq!((status, said.as_str()), (0, "Set 1201 keys of caller.\n"));
    assert_eq!(site.listed(&["kv", "list", "caller"]).len(), 1_204);
    assert_eq!(site.done(&["kv", "delete", "caller", "--all"]), "Deleted 1204 keys of caller.\n");
}

#[test]
fn operators_see_and_change_state_with_a_server_and_without() {
    let site = site("");
    let server = site.serve();
    every_verb(&site);
    // What an operator set, the next call sees, and the other way round.
    site.done(&["kv", "set", "caller", "n", "41"]);
    let asked = kv(r#"{"op":"increment","key":"n"}, {"op":"keys"}"#);
    assert_eq!(said(&server, &asked), ["kv increment 42", "kv keys pages=1 count=1 n"]);
    server.end();
    assert_eq!(site.done(&["kv", "get", "caller", "n"]), "42\n");
    site.done(&["kv", "delete", "caller", "--all"]);
    every_verb(&site);
}

/// A sequence that is the same for the same seed (xorshift, G. Marsaglia, 2003).
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 32).expect("32 bits") % most
    }
}

fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).map_or(usual, |text| text.parse().expect(variable))
}

/// The plugin traps, spins or asks to be tried again in half of its calls, after
/// it has counted.
#[test]
fn each_event_counts_once_whatever_its_plugin_does_and_however_often_the_server_is_killed() {
    const VIDEOS: usize = 5;
    const EVENTS_EACH: usize = 40;
    const NAME: &str = "view-counter-chaos";
    let kills = number("HOOKBOX_STATE_KILLS", 10);
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_micros();
    let seed = number("HOOKBOX_SEED", u64::try_from(clock).expect("a time") | 1);
    println!("HOOKBOX_SEED={seed}");
    let mut chance = Chance(seed);
    let site = Site::new(&format!(
        "[plugin.{NAME}]\nkeyvalue = true\ncpu_ms = 30\ndeadline_ms = 2000\nattempts_max = 1000\n\
         backoff_first_ms = 1\nbackoff_max_ms = 5\nbreaker_failures = 0\nconcurrency = 16"
    ));
    site.install(NAME, &plugin(NAME));
    let mut acknowledged: BTreeMap<String, usize> = BTreeMap::new();
    let (mut sent, mut failures) = (0, BTreeMap::<String, usize>::new());
    for _ in 0..kills {
        let server = site.serve();
        let ends = 5 + chance.below(40);
        let videos: Vec<usize> = (0..EVENTS_EACH).map(|_| chance.below(VIDEOS)).collect();
        let ended = |line: &serde_json::Value| {
            matches!(text(line, "message"), "handled" | "failed") && text(line, "plugin") == NAME
        };
        std::thread::scope(|scope| {
            let sender = scope.spawn(|| {
                let mut known = Vec::new();
                for video in videos {
                    sent += 1;
                    let data = format!(r#","n":{sent},"data":{{"Video":{{"id":"{video}"}}}}"#);
                    match server.try_post_to("/hooks/main", body("edit_video", &data)) {
                        Some(reply) => known.push((reply.event(), video)),
                        None => break,
                    }
                }
                known
            });
            server.wait_for(ends, ended);
            server.signal(Signal::KILL);
            acknowledged.extend(sender.join().expect("the sender"));
        });
        server.wait_ended();
        for line in server.lines(|line| text(line, "message") == "failed") {
            *failures.entry(text(&line, "failure").to_owned()).or_default() += 1;
        }
    }
    let server = site.serve();
    let succeeded = ["events", "list", "--state", "succeeded", "--limit", "100000"];
    site.wait_listed(&succeeded, rows(&site).len());
    server.end();

    // Also those which were accepted and never acknowledged.
    let events = rows(&site);
    let mut expected: BTreeMap<String, usize> = BTreeMap::new();
    for video in events.values() {
        *expected.entry(format!("video:{video}")).or_default() += 1;
        *expected.entry("total".to_owned()).or_default() += 1;
    }
    assert!(acknowledged.keys().all(|event| events.contains_key(event)), "events were lost");
    let attempts: i64 = site
        .journal()
        .query_row("SELECT count(*) FROM attempts", [], |row| row.get(0))
        .expect("a number");
    let counted: BTreeMap<String, usize> = expected
        .keys()
        .map(|key| {
            let value = site.done(&["kv", "get", NAME, key]);
            (key.clone(), value.trim().parse().expect("a number"))
        })
        .collect();
    println!(
        "{kills} kills, {sent} events sent, {} acknowledged, {} accepted, {attempts} attempts, \
         failures before the last start: {failures:?}, counted: {counted:?}",
        acknowledged.len(),
        events.len()
    );
    assert_eq!(counted, expected);
}

/// Each event that is in the journal, and its video.
fn rows(site: &Site) -> BTreeMap<String, i64> {
    let journal = site.journal();
    let mut statement = journal
        .prepare("SELECT id, CAST(document ->> '$.data.Video.id' AS INTEGER) FROM events")
        .expect("a statement");
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
    rows.map(|row| row.expect("a row")).collect()
}
