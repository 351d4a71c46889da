//! `hookbox test`

use std::fs;

use serde_json::json;

use super::Desk;

const READY: &str = r#"
event = "video_encoded"
[secrets]
url = "https://chat.example/hooks/hush-path-4711"
token = "t0ken-hush-4712"
[[answer]]
method = "POST"
url = "https://chat.example/hooks/hush-path-4711"
[expect]
memory_bytes_max = 4_000_000
cpu_ms_max = 5_000
duration_ms_max = 30_000
[[expect.calls]]
method = "POST"
url = "https://chat.example/hooks/hush-path-4711"
headers = { Authorization = "Bearer t0ken-hush-4712", idempotency-key = "01a20943-4531-77b0-8623-b1608270298f" }
json = { text = "Video 734392 is ready in all renditions." }
status = 200
[delivery]
id = "01a20943-4531-77b0-8623-b1608270298f"
"#;

const COUNTED: &str = r#"{
  "event": "add_video",
  "state": {"total": 41, "other": {"base64": "/w=="}},
  "expect": {
    "state": {"total": 42, "video:734392": 1, "other": {"base64": "/w=="}},
    "log_contains": "1 of 42 events", "calls": []
  }
}"#;

fn chat(case: &str) -> (Desk, super::Said) {
    let desk = Desk::new(&["notify-chat"]);
    desk.put("cases/case.toml", case);
    let said = desk.run(&["test"]);
    (desk, said)
}

/// With the secret that the plugin cannot do without.
fn chat_with(more: &str) -> super::Said {
    let head = "event = \"video_encoded\"\nsecrets.url = \"https://chat.example/hush-path-4711\"\n";
    chat(&format!("{head}{more}")).1
}

#[test]
fn cases_that_hold_are_counted_and_nothing_leaves_the_process() {
    let (_, said) = chat(READY);
    let out = said.ended(0);
    assert!(out.starts_with("ok    case ("), "{out}");
    assert!(out.ends_with("notify-chat: 1 case, 1 passed, 0 failed\n"), "{out}");

    let desk = Desk::new(&["view-counter"]);
    desk.put("cases/counted.json", COUNTED);
    desk.put("cases/other.json", COUNTED);
    assert!(desk.run(&["test"]).ended(0).contains("2 passed"));
    let said = desk.run(&["test", ".", "--filter", "count", "--json"]);
    said.ended(0);
    let results = said.json();
    assert_eq!(results["cases"][0]["name"], "counted");
    assert_eq!((&results["passed"], &results["failed"]), (&json!(1), &json!(0)));
    assert_eq!(results["cases"][0]["tried"]["outcome"], "handled");
}

#[test]
fn each_difference_is_told_and_no_secret() {
    let wrong = READY
        .replace("method = \"POST\"\nurl", "method = \"PUT\"\nurl")
        .replace("[expect]", "[expect]\noutcome = \"reject\"\nreason_contains = \"no reason\"\nlog_contains = \"nothing t0ken-hush-4712\"")
        .replace("Bearer t0ken-hush-4712", "Bearer other")
        .replace("is ready in", "is lost in")
        .replace("memory_bytes_max = 4_000_000", "memory_bytes_max = 1")
        + "[expect.state]\na = \"b\"\n\
           [[expect.calls]]\nurl = \"https://chat.example/hooks/hush-path-4711\"\n";
    let (desk, said) = chat(&wrong);
    let out = said.ended(7);
    for expected in [
        "FAILED case (",
        "outcome: expected rejected, got retry: ",
        "there is no [[answer]] to POST [secret url]",
        "[[answer]] number 1 was not asked for",
        "reason: expected one with \"no reason\", got [",
        "log: expected one with \"nothing [secret token]\", got [",
        "call 1, method: expected \"PUT\", got \"POST\"",
        "call 1, header Authorization: expected \"Bearer other\", got \"Bearer [secret token]\"",
        "call 1, status: expected \"200\", got \"none\"",
        "call 1, json /text: expected \"Video 734392 is lost in all renditions.\", got \"Video 734392 is ready",
        "call 2: expected any [secret url], got none",
        "state \"a\": expected \"b\", got none",
        "memory_bytes_max: expected at most 1, got ",
        "| warn   outgoing request failed (no-answer)",
        "notify-chat: 1 case, 0 passed, 1 failed",
    ] {
        assert!(out.contains(expected), "{expected}: {out}");
    }
    let json = desk.run(&["test", "--json", "--junit", "report.xml"]);
    json.ended(7);
    let differences = json.json()["cases"][0]["differences"].as_array().expect("some").len();
    let report = fs::read_to_string(desk.path("report.xml")).expect("a report");
    assert!(report.contains("tests=\"1\" failures=\"1\""), "{report}");
    assert!(differences >= 10, "{json:?}");
    for text in [out, &json.out, &report] {
        assert!(!text.contains("4711") && !text.contains("4712"), "{text}");
    }
}

#[test]
fn what_a_server_answers_or_fails_by_is_scripted() {
    // The address is another one, so this answers nothing.
    let said = chat_with("[[answer]]\nurl = \"https://chat.example\"\nstatus = 503\n");
    assert!(said.ended(7).contains("no [[answer]]"), "{said:?}");
    let granted = "[grants]\nhttp = [\"https://chat.example\"]\n";
    for (answer, expect) in [
        (
            "status = 503\nheaders = { Retry-After = \"7\" }",
            "outcome = \"retry-after\"\nretry_after_ms = 7000",
        ),
        ("status = 404", "outcome = \"reject\"\nreason_contains = [\"404\", \"chat.example\"]"),
        ("json = { ok = true }", "calls = [{ status = 200 }]"),
        ("fails = \"timeout\"", "outcome = \"retry\"\ncalls = [{ fails = \"timeout\" }]"),
        ("fails = \"denied\"", "outcome = \"retry\"\ncalls = [{ fails = \"denied\" }]"),
        ("fails = \"dns-failed\"", "outcome = \"retry\"\nlog_contains = \"(dns-failed)\""),
        ("repeat = true", "outcome = \"handled\""),
    ] {
        let said = chat_with(&format!("{granted}[[answer]]\n{answer}\n[expect]\n{expect}\n"));
        assert!(said.ended(0).contains("1 passed"), "{answer}: {said:?}");
    }
}

#[test]
fn grants_can_be_taken_away_and_settings_that_are_wanted_must_be_given() {
    let denied = "[grants]\nhttp = []\n[[answer]]\nrepeat = true\nurl = \"https://chat.example/hush-path-4711\"\n";
    let expect = "[expect]\noutcome = \"retry\"\ncalls = [{ fails = \"not-granted\" }]\n";
    let said = chat_with(&format!("{denied}{expect}"));
    assert!(said.ended(7).contains("[[answer]] number 1 was not asked for"), "{said:?}");
    assert!(!said.out.contains("call 1"), "{said:?}");
    let (_, said) = chat("event = \"video_encoded\"\n");
    assert!(said.ended(7).contains("the plugin wants the secret \"url\""), "{said:?}");

    let desk = Desk::new(&["view-counter"]);
    desk.put("cases/a.toml", "event = \"add_video\"\ngrants.keyvalue = false\n[expect]\noutcome = \"retry\"\nreason_contains = \"not granted\"\nstate = {}\n");
    assert!(desk.run(&["test"]).ended(0).contains("1 passed"));
}

#[test]
fn the_limits_of_the_configuration_hold_and_its_grants_do_not() {
    let desk = Desk::new(&["probe", "notify-chat"]);
    desk.put("hookbox.toml", "[plugin.probe]\ncpu_ms = 20\n[plugin.notify-chat]\nsecrets = [{ name = \"url\", value = \"https://chat.example/1\" }]\n");
    desk.put(
        "cases/spin.toml",
        "body = '{\"event\":\"x\",\"probe\":\"spin\"}'\nexpect.outcome = \"cpu\"\n",
    );
    assert!(desk.run(&["test", "--plugin", "dist/probe.wasm"]).ended(0).contains("1 passed"));
    let said = desk.run(&["test", "--plugin", "dist/notify-chat.wasm"]);
    assert!(said.ended(7).contains("wants the secret \"url\""), "{said:?}");
}

#[test]
fn a_mistake_in_a_case_and_what_is_missing_are_errors() {
    let desk = Desk::new(&["probe"]);
    let said = desk.run(&["test"]);
    assert!(said.err.contains("no case found"), "{said:?}");
    assert_eq!(said.status, 1);
    desk.put("cases/a.toml", "event = \"add_video\"\n[expect]\noutcom = \"retry\"\n");
    desk.put("cases/good.toml", "event = \"add_video\"\n");
    let said = desk.run(&["test"]);
    let out = said.ended(7);
    let told = "./cases/a.toml, line 3: unknown key `outcom`; did you mean `outcome`?\n";
    // The others are run.
    assert!(out.contains(told) && out.contains("1 passed, 1 failed"), "{said:?}");
    let said = desk.run(&["test", "--junit", "nowhere/report.xml"]);
    assert!(said.err.contains("--junit nowhere/report.xml") && said.out.is_empty(), "{said:?}");
    fs::remove_file(desk.path("cases/good.toml")).expect("removed");
    desk.put("cases/a.toml", "event = \"add_video\"\n");
    let said = desk.run(&["test", "--filter", "b"]);
    assert!(said.err.contains("no case has \"b\" in its name"), "{said:?}");
    desk.put("dist/other.wasm", "");
    let said = desk.run(&["test"]);
    assert!(said.err.contains("several .wasm files"), "{said:?}");
    let said = desk.run(&["test", "--plugin", "dist/other.wasm"]);
    assert!(said.ended(5).contains("the file is empty"), "{said:?}");
    let said = desk.run(&["test", "--plugin", "dist/other.wasm", "--json"]);
    said.ended(5);
    assert_eq!(said.json()["accepted"], false, "{said:?}");
    let said = desk.run(&["test", "cases", "--plugin", "dist/probe.wasm"]);
    assert!(said.ended(0).contains("1 passed"), "{said:?}");
}

#[test]
fn a_body_in_a_file_is_found_beside_its_case() {
    let desk = Desk::new(&["probe"]);
    desk.put("cases/events/tell.json", r#"{"event":"x","secret":"s","probe":"tell"}"#);
    desk.put("cases/a.toml", "event_file = \"events/tell.json\"\n[expect]\noutcome = \"reject\"\nreason_contains = '\"probe\":\"tell\"'\n");
    desk.put(
        "cases/b.toml",
        "body = { event = \"x\", probe = \"tell\" }\n[expect]\noutcome = \"reject\"\n",
    );
    assert!(desk.run(&["test"]).ended(0).contains("2 passed"));
}

#[test]
fn what_is_hidden_of_an_event_is_hidden_in_a_request_without_an_answer_too() {
    let desk = Desk::new(&["caller"]);
    let url = "https://a.example/live/hush-key-4713";
    let body = json!({
        "event": "x", "stream_key": "hush-key-4713", "do": [{ "call": { "url": url } }],
    });
    desk.put(
        "cases/a.json",
        json!({ "body": body, "grants": { "http": ["https://a.example"] } }).to_string(),
    );
    let said = desk.run(&["test"]);
    assert!(said.ended(7).contains("there is no [[answer]] to "), "{said:?}");
    assert!(!said.out.contains("4713"), "{said:?}");
}
