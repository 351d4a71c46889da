//! `hookbox kv`

use std::io::Write as _;
use std::process::Stdio;

use hookbox_tests::{Site, text};

use super::{kv, said, site};

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
    // The journal knows a plugin a moment after the server listens, and once an
    // event was handled.
    said(&server, &kv(""));
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
