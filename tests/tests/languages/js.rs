//! JavaScript.

use std::fs;
use std::process::Command;
use std::time::Duration;

use hookbox_tests::upstream::{Answer, Upstream};
use hookbox_tests::{Site, plugin, sample, text};

use super::{
    alone, assert_same, author, done, example, is_skipped, repository, spare_compiling, tools,
    whole_way, with_tools,
};

#[test]
fn a_new_plugin_in_javascript_handles_an_event() {
    if is_skipped("js") {
        return;
    }
    let _alone = alone();
    let made = whole_way("js", |_| {});
    let tested = done(with_tools(Command::new("npm"), &made.folder, &["test"]));
    assert!(tested.contains("pass 2") && tested.contains("fail 0"), "{tested}");
}

/// What an exception shows: the author's functions, files and lines.
pub(super) fn a_mistake_is_shown_with_its_line(language: &str, file: &str) {
    let above = tempfile::tempdir().expect("a folder");
    done(author(above.path(), &["new", "first-plugin", "--lang", language]));
    let folder = above.path().join("first-plugin");
    let source = folder.join(file);
    let good = fs::read_to_string(&source).expect("the source");
    let line = "  const video = payload.val;\n";
    let at = good.find(line).expect("the line");
    // An error in a function of its own, which no type checker sees.
    let bad = good.replace(line, &format!("{line}  JSON.parse(video.name ?? '');\n"));
    fs::write(&source, &bad).expect("written");
    let number = bad[..at].lines().count() + 2;
    done(author(&folder, &["build"]));
    let site = Site::new("[plugin.first-plugin]\nkeyvalue = true\n");
    let server = site.serve();
    let bytes = fs::read(folder.join("dist/first-plugin.wasm")).expect("the component");
    spare_compiling(&site, &bytes);
    site.install("first-plugin", &bytes);
    server.wait_live("first-plugin", &bytes);
    let event = server.post(sample("add_video")).event();
    let failed = server.wait_done(&event, "first-plugin");
    assert_eq!(text(&failed, "failure"), "retry", "{failed}");
    let error = text(&failed, "error");
    assert!(error.starts_with("SyntaxError: "), "{error}");
    assert!(error.contains(&format!("at handle ({file}:{number})")), "{error}");
}

#[test]
fn an_exception_in_javascript_names_file_and_line() {
    if !is_skipped("js") {
        let _alone = alone();
        a_mistake_is_shown_with_its_line("js", "src/plugin.js");
    }
}

/// The declarations of the interface that editors use are those that the tool
/// makes of it.
#[test]
fn the_declarations_are_of_the_interface() {
    if is_skipped("js") {
        return;
    }
    let made = tempfile::tempdir().expect("a folder");
    let jco = tools().join("npm/js/node_modules/.bin/jco");
    // The tool does not follow links out of the folder.
    let wit = made.path().join("wit");
    let interface = repository().join("wit/targetvideo-0.1.0");
    done(with_tools(
        Command::new("cp"),
        made.path(),
        &["-rL", interface.to_str().expect("a path"), wit.to_str().expect("a path")],
    ));
    let arguments = ["guest-types", "wit", "--world-name", "plugin", "--out-dir", "types"];
    done(with_tools(Command::new(jco), made.path(), &arguments));
    let ours = repository().join("host/templates/node/hookbox/types");
    assert_same(&made.path().join("types"), &ours);
}

#[test]
fn the_own_tests_of_purge_cdn_pass() {
    if is_skipped("js") {
        return;
    }
    let tested = done(with_tools(Command::new("npm"), &example("purge-cdn-js"), &["test"]));
    assert!(tested.contains("fail 0") && !tested.contains("pass 0"), "{tested}");
}

#[test]
fn purge_cdn_purges_the_pages_of_a_video() {
    if is_skipped("js") {
        return;
    }
    let _alone = alone();
    let upstream = Upstream::new(|number, _| match number {
        0 => Answer::Status(429, "retry-after: 1\r\n".to_owned(), "slow down".to_owned()),
        _ => Answer::status(200, "{}"),
    });
    let origin = upstream.origin();
    let site = Site::new(&format!(
        "[plugin.purge-cdn-js]\n\
         http = [{{ origin = \"{origin}\", methods = [\"POST\"] }}]\n\
         config = {{ endpoint = \"{origin}/purge\", pages = \"https://tv.example/v/{{id}}\" }}\n\
         secrets = [{{ name = \"token\", value = \"hush-4711\" }}]\n"
    ));
    spare_compiling(&site, &plugin("purge-cdn-js"));
    site.install("purge-cdn-js", &plugin("purge-cdn-js"));
    let server = site.serve();
    let event = server.post(sample("delete_video")).event();
    let failed = server.wait_done(&event, "purge-cdn-js");
    assert_eq!(text(&failed, "failure"), "retry-after", "{failed}");
    let received = upstream.wait_received(2);
    assert!(received[1].at - received[0].at >= Duration::from_secs(1));
    let asked: serde_json::Value = serde_json::from_str(&received[1].body).expect("JSON");
    assert_eq!(asked["files"][0], "https://tv.example/v/734392");
    assert_eq!(received[1].header("authorization"), Some("Bearer hush-4711"));
    assert!(!server.raw_log().contains("hush-4711"));
}
