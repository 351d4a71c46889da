//! The shared secret: who gets in, and that it is seen nowhere.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::fs;

use hookbox_tests::{SECRET, Site, body, plugin, probe, sample, text};
use serde_json::Value;

#[test]
fn missing_wrong_empty_and_non_string_secrets_are_refused_alike() {
    let site = Site::new("");
    let server = site.serve();
    let mut problems = Vec::new();
    for secret in [
        "",
        r#","secret":"""#,
        r#","secret":null"#,
        r#","secret":7"#,
        r#","secret":["your_secret_key"]"#,
        r#","secret":"your_secret_ke""#,
        r#","secret":"your_secret_key ""#,
        r#","secret":"YOUR_SECRET_KEY""#,
    ] {
        let reply = server.post(format!(r#"{{"event":"sd_encoded"{secret}}}"#));
        assert_eq!(reply.status, 401, "{secret}");
        assert!(reply.header("www-authenticate").is_some());
        problems.push(reply.body);
    }
    problems.dedup();
    assert_eq!(problems.len(), 1, "answers tell apart what was wrong: {problems:?}");
    let twice = format!(r#"{{"event":"e","secret":"{SECRET}","secret":"{SECRET}"}}"#);
    assert_eq!(server.post(twice).status, 400);

    let refusals = server.wait_for(9, |line| text(line, "message") == "refused");
    let codes: Vec<&str> = refusals.iter().map(|line| text(line, "code")).collect();
    assert!(codes.contains(&"secret-missing") && codes.contains(&"secret-wrong"), "{codes:?}");
}

#[test]
fn the_secret_is_in_no_output_and_in_no_file() {
    const HUSH: &str = "h4sh-a-secret-of-this-test";
    const WRONG: &str = "wr0ng-secret-of-this-test";
    let source = format!(
        "[[source]]\nname = \"main\"\nsecrets = [{{ name = \"a\", value = \"{HUSH}\" }}]\n"
    );
    let site = Site::with_sources(&source, "[log]\nlevel = \"trace\"");
    site.install("audit-log", &plugin("audit-log"));
    site.install("probe", &probe(1));
    let server = site.serve();

    let genuine = sample("sd_encoded").replace(SECRET, HUSH);
    let event = server.post(&genuine).event();
    server.wait_done(&event, "probe");
    server.wait_done(&event, "audit-log");
    let mut replies = String::new();
    for refused in [
        sample("sd_encoded").replace(SECRET, WRONG),
        format!(r#"{{"secret":"{HUSH}","event":"e","secret":"{WRONG}"}}"#),
        format!(r#"{{"secret":"{HUSH}"}}"#),
        format!(r#"{{"secret":"{HUSH}","event":"e","data":"\ud800"}}"#),
        format!(r#""{HUSH}""#),
        format!("secret={HUSH}"),
        format!(r#"{{"secret":"{HUSH}""#),
    ] {
        let reply = server.post(&refused);
        assert_ne!(reply.status, 200, "{refused}");
        replies.push_str(&format!("{:?}", reply));
    }
    // A configuration that is refused while it runs, and one that is taken.
    site.configure(&source.replace("name = \"main\"", "name = \"main\"\nnome = 1"), "");
    server.wait(|line| text(line, "message").starts_with("the new configuration is refused"));
    site.configure(&source.replace("name = \"a\"", "name = \"b\""), "");
    server.wait(|line| text(line, "message") == "sources and secrets are in force");

    let check = site.command(&["config", "check"]).output().expect("running hookbox");
    replies.push_str(&String::from_utf8_lossy(&check.stdout));
    let log = server.end();
    assert!(log.contains("\"secret\":\"a\""), "the name of the secret that is in use is logged");
    for word in [HUSH, WRONG] {
        assert!(!log.contains(word), "the log has {word}");
        assert!(!replies.contains(word), "an answer has {word}");
    }
    for file in files_below(&site.path("data")) {
        let bytes = fs::read(&file).expect("a file");
        assert!(
            !bytes.windows(HUSH.len()).any(|window| window == HUSH.as_bytes()),
            "{} has the secret",
            file.display()
        );
    }
}

fn files_below(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

#[test]
fn each_of_several_secrets_is_taken_and_named() {
    let sources = r#"
        [[source]]
        name = "main"
        secrets = [{ name = "2026", env = "TV_SECRET" }, { name = "old", file = "old-secret" }]
        [[source]]
        name = "other"
        secrets = [{ name = "theirs", value = "their own" }]
    "#;
    let site = Site::with_sources(sources, "");
    fs::write(site.path("old-secret"), "from a file\r\n").expect("a file");
    let server = site.serve_with(&[("TV_SECRET", "from the environment")]);
    let post = |path: &str, secret: &str| {
        server.post_to(path, format!(r#"{{"event":"e","secret":"{secret}"}}"#))
    };
    let named = |event: &str| {
        let line =
            server.wait(|line| text(line, "message") == "accepted" && text(line, "event") == event);
        (text(&line, "source").to_owned(), text(&line, "secret").to_owned())
    };
    for (path, secret, expected) in [
        ("/hooks/main", "from the environment", ("main", "2026")),
        ("/hooks/main", "from a file", ("main", "old")),
        ("/hooks/other", "their own", ("other", "theirs")),
    ] {
        let event = post(path, secret).event();
        assert_eq!(named(&event), (expected.0.to_owned(), expected.1.to_owned()));
    }
    assert_eq!(post("/hooks/other", "from a file").status, 401, "another source's secret");

    // Rotating the file needs no restart.
    fs::write(site.path("old-secret"), "rotated").expect("a file");
    server.wait(|line| text(line, "message") == "sources and secrets are in force");
    assert_eq!(post("/hooks/main", "from a file").status, 401);
    assert_eq!(post("/hooks/main", "rotated").status, 200);
}

#[test]
fn a_source_without_a_usable_secret_keeps_the_server_from_starting() {
    for (secrets, expected) in [
        ("[]", "no secret is configured"),
        (r#"[{ name = "a", value = "" }]"#, "is empty"),
        (r#"[{ name = "a", env = "NOT_SET_ANYWHERE" }]"#, "NOT_SET_ANYWHERE is not set"),
        (r#"[{ name = "a", file = "missing" }]"#, "missing"),
        (r#"[{ name = "a", file = "empty" }]"#, "is empty"),
        (r#"[{ name = "a" }]"#, "exactly one of"),
    ] {
        let site =
            Site::with_sources(&format!("[[source]]\nname = \"main\"\nsecrets = {secrets}\n"), "");
        fs::write(site.path("empty"), "\n").expect("a file");
        let output = site.serve_in_vain();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(expected), "{secrets}: {said}");
        assert!(said.contains("main"), "the source is not named: {said}");
    }
}

#[test]
fn a_plugin_sees_no_secret() {
    let site = Site::new("");
    site.install("probe", &probe(1));
    let server = site.serve();
    let text_of = body("e", "");
    let event = server.post(&text_of).event();
    server.wait_done(&event, "probe");
    let said = server.said(&event, "probe").join("\n");
    let without = text_of.len() - format!(r#","secret":"{SECRET}""#).len();
    assert!(said.contains(&format!("extra=0 document={without} ")), "{said}");
    let _: Value = server.post(&text_of).json();
}
