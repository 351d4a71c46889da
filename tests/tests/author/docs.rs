//! The commands of docs/plugin-authors.md, as they stand there.

use std::ffi::OsString;
use std::process::{Command, Stdio};

use hookbox_tests::{PATIENCE, Site, plugin, program, sample};

use super::{Desk, Said, repository};

/// A block of code, and the last file name before it.
#[derive(Debug)]
struct Block {
    language: String,
    text: String,
    named: Option<String>,
}

fn section(title: &str) -> Vec<Block> {
    let docs = repository("docs/plugin-authors.md");
    let (_, rest) = docs.split_once(&format!("\n## {title}\n")).expect(title);
    let text = rest.split("\n## ").next().expect("a section");
    let mut blocks = Vec::new();
    let mut named = None;
    let mut parts = text.split("```");
    while let (Some(prose), Some(code)) = (parts.next(), parts.next()) {
        let names = prose.split('`').skip(1).step_by(2);
        let file = names.filter(|name| name.starts_with("cases/") && name.contains('.')).last();
        named = file.map(str::to_owned).or(named);
        let (language, text) = code.split_once('\n').expect("a block");
        let (language, text) = (language.to_owned(), text.to_owned());
        blocks.push(Block { language, text, named: named.take() });
    }
    assert!(!blocks.is_empty(), "{title}");
    blocks
}

/// In a folder and an environment in which `hookbox` is the program.
fn shell(desk: &Desk, script: &str, variables: &[(&str, OsString)]) -> Said {
    let program = program();
    let own = program.parent().expect("a folder").as_os_str().to_owned();
    let path =
        std::env::join_paths([own].into_iter().chain(std::env::var_os("PATH").iter().flat_map(
            |path| std::env::split_paths(path).map(Into::into).collect::<Vec<OsString>>(),
        )));
    let mut command = Command::new("sh");
    command.args(["-e", "-c", script]).current_dir(desk.path("")).env_clear();
    command.env("PATH", path.expect("folders")).envs(variables.iter().cloned());
    Said::of(command.stdin(Stdio::null()).output().expect("a shell"))
}

/// With each number as one sign, since times differ.
fn without_numbers(text: &str) -> String {
    let mut plain = String::new();
    for c in text.chars() {
        match c {
            '0'..='9' if plain.ends_with('#') => {}
            '0'..='9' => plain.push('#'),
            c => plain.push(c),
        }
    }
    plain
}

/// Does what a section says. Each output that it shows must have come.
fn follow(title: &str, plugins: &[&str]) -> usize {
    let desk = Desk::new(plugins);
    let (mut said, mut commands) = (None::<Said>, 0);
    for block in section(title) {
        match block.language.as_str() {
            "sh" => {
                let done = shell(&desk, &block.text, &[]);
                assert_eq!(done.status, 0, "{}: {done:?}", block.text);
                commands += block.text.matches("hookbox ").count();
                said = Some(done);
            }
            "text" => {
                let said = without_numbers(&said.as_ref().expect("a command before").out);
                for line in block.text.lines() {
                    assert!(said.contains(&without_numbers(line)), "{line:?} is not in: {said}");
                }
            }
            _ => desk.put(&block.named.clone().expect("a file's name"), &block.text),
        }
    }
    commands
}

#[test]
fn invoke_does_what_the_documentation_shows() {
    assert_eq!(follow("Trying an event: `hookbox invoke`", &["view-counter"]), 2);
}

#[test]
fn test_does_what_the_documentation_shows() {
    assert_eq!(follow("Recorded cases: `hookbox test`", &["notify-chat"]), 1);
}

#[test]
fn a_trap_looks_as_the_documentation_shows_it() {
    assert_eq!(follow("Debugging a trap", &["probe", "probe-lines"]), 2);
}

#[test]
fn an_event_becomes_a_test_as_the_documentation_says() {
    let site = Site::new("[plugin.view-counter]\nkeyvalue = true\n");
    site.install("view-counter", &plugin("view-counter"));
    let server = site.serve();
    let event = server.post(sample("add_video")).event();
    let begin = std::time::Instant::now();
    while site.shown(&event)["attempts"].as_array().is_none_or(Vec::is_empty) {
        assert!(begin.elapsed() < PATIENCE, "{event}: no attempt");
    }
    let desk = Desk::new(&["view-counter"]);
    desk.put("cases/.keep", "");
    let [block] = &section("From a real event to a test")[..] else { panic!("one block") };
    let script = block.text.replace("01a20943-4531-77b0-8623-b1608270298f", &event);
    assert!(script.contains(&event), "{script}");
    let config = site.path("hookbox.toml").into_os_string();
    let said = shell(&desk, &script, &[("HOOKBOX_CONFIG", config)]);
    assert_eq!(said.status, 0, "{said:?}");
    assert!(desk.run(&["test"]).ended(0).contains("ok    harbour ("));
}

#[test]
fn each_key_of_a_case_is_in_the_documentations_table() {
    let docs = repository("docs/plugin-authors.md");
    let desk = Desk::new(&["probe"]);
    let known = |case: &str| -> Vec<String> {
        desk.put("cases/a.toml", case);
        let said = desk.run(&["test"]).out;
        let told = said.lines().find_map(|line| line.split_once("known here: "));
        let (_, keys) = told.expect("the keys");
        keys.split(", ").map(str::to_owned).collect()
    };
    for (section, prefix) in [
        ("", ""),
        ("[delivery]", "delivery."),
        ("[grants]", "grants."),
        ("[[answer]]", "answer."),
        ("[expect]", "expect."),
        ("[[expect.calls]]", "expect.calls."),
    ] {
        for key in known(&format!("event = \"add_video\"\n{section}\nzzzzzzzzzzzz = 1\n")) {
            let written = [
                format!("`{prefix}{key}`"),
                format!("`{prefix}{key}.<key>`"),
                format!("`[[{prefix}{key}]]`"),
                format!("`.{key}`"),
            ];
            let is_table = ["delivery", "grants", "expect"].contains(&&*key);
            let found = written.iter().any(|text| docs.contains(text.as_str()));
            assert!(found || is_table, "{section} {key}");
        }
    }
}
