//! TypeScript.

use std::fs;
use std::process::Command;

use hookbox_tests::{Site, plugin, sample, text};

use super::{alone, author, done, example, is_skipped, js, spare_compiling, whole_way, with_tools};

#[test]
fn a_new_plugin_in_typescript_handles_an_event() {
    if is_skipped("ts") {
        return;
    }
    let _alone = alone();
    let made = whole_way("ts", |_| {});
    let tested = done(with_tools(Command::new("npm"), &made.folder, &["test"]));
    assert!(tested.contains("pass 2") && tested.contains("fail 0"), "{tested}");

    // A mistake of types stops the build, and what was built before stays.
    let source = made.folder.join("src/plugin.ts");
    let text = fs::read_to_string(&source).expect("the source");
    fs::write(&source, text.replace("payload.val", "payload.value")).expect("written");
    let output = author(&made.folder, &["build"]).output().expect("started");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("src/plugin.ts(") && said.contains("'value'"), "{said}");
    assert!(made.folder.join("dist/first-plugin.wasm").is_file());
}

#[test]
fn an_exception_in_typescript_names_file_and_line() {
    if !is_skipped("ts") {
        let _alone = alone();
        js::a_mistake_is_shown_with_its_line("ts", "src/plugin.ts");
    }
}

#[test]
fn the_own_tests_of_video_index_pass() {
    if is_skipped("ts") {
        return;
    }
    let tested = done(with_tools(Command::new("npm"), &example("video-index-ts"), &["test"]));
    assert!(tested.contains("fail 0") && !tested.contains("pass 0"), "{tested}");
}

#[test]
fn video_index_keeps_what_is_known_of_a_video() {
    if is_skipped("ts") {
        return;
    }
    let _alone = alone();
    let site = Site::new("[plugin.video-index-ts]\nkeyvalue = true\norder = \"entity\"\n");
    spare_compiling(&site, &plugin("video-index-ts"));
    site.install("video-index-ts", &plugin("video-index-ts"));
    let server = site.serve();
    for name in ["add_video", "edit_video"] {
        let event = server.post(sample(name)).event();
        let line = server.wait_done(&event, "video-index-ts");
        assert_eq!(text(&line, "message"), "handled", "{line}");
    }
    // The line comes before the commit.
    site.wait_listed(&["deliveries", "list", "--state", "succeeded"], 2);
    let kept = site.done(&["kv", "get", "video-index-ts", "video:734392"]);
    let kept: serde_json::Value = serde_json::from_str(&kept).expect("JSON");
    assert_eq!(kept["name"]["value"], "Harbour at dusk", "{kept}");
    assert_eq!(kept["description"]["value"], "A quiet morning.", "{kept}");
}
