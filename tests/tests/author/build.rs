//! `hookbox build` of a file

use serde_json::json;

use super::Desk;

#[test]
fn what_was_built_is_told_with_the_lines_that_grant_what_it_wants() {
    let desk = Desk::new(&["view-counter"]);
    let arguments = ["build", "dist/view-counter.wasm", "--out", "counter.wasm", "--json"];
    let said = desk.run(&arguments);
    said.ended(0);
    let built = said.json();
    assert_eq!((&built["built"], &built["name"]), (&json!(true), &json!("counter")), "{built}");
    assert_eq!(built["grants"], json!(["[plugin.counter]", "keyvalue = true"]), "{built}");
    assert_eq!((&built["file"], &built["code"]), (&json!("counter.wasm"), &json!(null)), "{built}");
    let length = std::fs::metadata(desk.path("counter.wasm")).expect("a file").len();
    assert_eq!(built["bytes"], json!(length));
}

#[test]
fn what_is_no_plugin_is_told_and_not_written() {
    let desk = Desk::new(&[]);
    desk.put("empty.wasm", b"\0asm\x0d\0\x01\0");
    let said = desk.run(&["build", "empty.wasm", "--out", "out.wasm", "--json"]);
    said.ended(5);
    let built = said.json();
    assert_eq!(
        (&built["built"], &built["code"], &built["file"]),
        (&json!(false), &json!("export-missing"), &json!(null)),
        "{built}"
    );
    assert!(!desk.path("out.wasm").exists());
}

#[test]
fn a_mistake_of_the_command_line_is_told_before_anything_is_built() {
    let desk = Desk::new(&["view-counter"]);
    desk.put("text.txt", "text");
    for (arguments, status, expected) in [
        (&["build", "text.txt"][..], 5, "text.txt: this is no WebAssembly"),
        (&["build", "dist/view-counter.wasm"], 2, "give --out FILE"),
        (&["build", ".", "--out", "dist"], 2, "--out dist: it is a folder"),
        (&["build", ".", "--out", "Counter.txt"], 2, "is called <name>.wasm"),
    ] {
        let said = desk.run(arguments);
        said.ended(status);
        assert!(said.err.contains(expected), "{expected}: {said:?}");
    }
}
