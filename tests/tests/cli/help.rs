//! Help texts are part of the program's interface: each is compared with a file
//! in `golden/`. `HOOKBOX_WRITE_GOLDEN=1` writes them anew.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use super::bare;

/// Columns of the widest terminal that help is made for.
const WIDTH: usize = 100;

fn golden() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/cli/golden")
}

/// The words of each command that is not hidden, the program's own first.
fn commands() -> Vec<Vec<String>> {
    let mut all = vec![Vec::new()];
    let root = hookbox::cli::command();
    for verb in root.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        all.push(vec![verb.get_name().to_owned()]);
        for inner in verb.get_subcommands() {
            all.push(vec![verb.get_name().to_owned(), inner.get_name().to_owned()]);
        }
    }
    all
}

#[test]
fn each_help_text_is_as_it_was_written_down() {
    let write = std::env::var_os("HOOKBOX_WRITE_GOLDEN").is_some();
    let mut files = BTreeSet::new();
    for command in commands() {
        let name = [&["hookbox".to_owned()], command.as_slice()].concat().join("-");
        let mut arguments: Vec<&str> = command.iter().map(String::as_str).collect();
        arguments.push("--help");
        let (status, help) = bare(&arguments);
        assert_eq!(status, 0, "{name}: {help}");
        let file = golden().join(format!("{name}.txt"));
        if write {
            fs::write(&file, &help).expect("writing a golden file");
        }
        let expected = fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(help, expected, "{name}: HOOKBOX_WRITE_GOLDEN=1 writes it anew");
        files.insert(file);
    }
    for entry in fs::read_dir(golden()).expect("the golden files") {
        let path = entry.expect("a file").path();
        assert!(files.contains(&path), "{}: no command has this help", path.display());
    }
}

#[test]
fn help_fits_a_terminal_and_shows_an_example_of_each_verb() {
    for command in commands() {
        let mut arguments: Vec<&str> = command.iter().map(String::as_str).collect();
        arguments.push("--help");
        let (_, help) = bare(&arguments);
        let widest = help.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(WIDTH), "{command:?}: {help}");
        let has_verbs = help.contains("\nCommands:\n");
        assert!(has_verbs || help.contains("Example"), "{command:?}: {help}");
    }
}
