//! C.

use hookbox_tests::{Site, body, plugin, sample, text};

use super::{author, done, is_skipped, whole_way};

#[test]
fn a_new_plugin_in_c_handles_an_event() {
    if is_skipped("c") {
        return;
    }
    let cold = whole_way("c", |_| {});
    let warm = whole_way("c", |_| {});
    println!("c: {:.1} s on a warm cache", warm.took.as_secs_f64());

    // A mistake in the source is the compiler's to tell.
    let source = cold.folder.join("src/plugin.c");
    let right = std::fs::read_to_string(&source).expect("the source");
    std::fs::write(&source, right.replace("return hookbox_done();", "return 1;")).expect("written");
    let failed = author(&cold.folder, &["build"]).output().expect("started");
    let said = String::from_utf8_lossy(&failed.stderr);
    assert!(!failed.status.success() && said.contains("src/plugin.c:"), "{said}");
}

#[test]
fn a_trap_in_c_names_the_functions_that_led_to_it() {
    if is_skipped("c") {
        return;
    }
    let made = whole_way("c", |_| {});
    let source = made.folder.join("src/plugin.c");
    let right = std::fs::read_to_string(&source).expect("the source");
    let begin = "  switch (event->payload.tag) {";
    assert!(right.contains(begin), "{right}");
    let trapping =
        right.replace(begin, &format!("  if (event->name.len > 0) __builtin_trap();\n{begin}"));
    std::fs::write(&source, trapping).expect("written");
    done(author(&made.folder, &["build"]));
    let bytes = std::fs::read(made.folder.join("dist/first-plugin.wasm")).expect("the component");
    let site = Site::new("[plugin.trapping]\nkeyvalue = true\n");
    site.install("trapping", &bytes);
    let server = site.serve();
    let event = server.post(sample("add_video")).event();
    let line = server.wait_done(&event, "trapping");
    assert_eq!(text(&line, "failure"), "trap", "{line}");
    let error = text(&line, "error");
    // The first was inlined into the second.
    assert!(error.contains("video_of") && error.contains("< hookbox_handle"), "{error}");
}

#[test]
fn a_project_in_c_without_zig_is_told_what_to_install() {
    let above = tempfile::tempdir().expect("a folder");
    done(author(above.path(), &["new", "first-plugin", "--lang", "c"]));
    let mut build = author(&above.path().join("first-plugin"), &["build"]);
    let output = build.env("PATH", above.path()).output().expect("started");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("pip install ziglang"), "{said}");
}

#[test]
fn encoding_time_measures_from_the_first_rendition_to_the_last() {
    if is_skipped("c") {
        return;
    }
    let site = Site::new(
        "[plugin.encoding-time-c]\nkeyvalue = true\nconfig = { slow_after_s = \"600\" }\n",
    );
    site.install("encoding-time-c", &plugin("encoding-time-c"));
    let server = site.serve();
    let sent = |name: &str, timestamp: u32| {
        let members = format!(r#","response":{{"Video":{{"id":"5"}}}},"timestamp":{timestamp}"#);
        let event = server.post(body(name, &members)).event();
        let line = server.wait_done(&event, "encoding-time-c");
        assert_eq!(text(&line, "message"), "handled", "{line}");
        event
    };
    sent("sd_encoded", 1_700_000_000);
    // A second one changes nothing: the earliest counts.
    sent("sd_encoded", 1_700_000_100);
    let event = sent("video_encoded", 1_700_000_900);
    let line = server.wait(|line| {
        text(line, "event") == event && text(line, "message").starts_with("video 5 took")
    });
    assert_eq!(text(&line, "message"), "video 5 took 900 s; on average 900 s over 1 videos");
    assert_eq!(text(&line, "level"), "WARN");
}
