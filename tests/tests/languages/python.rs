//! Python.

use std::fs;
use std::process::Command;

use hookbox_tests::{Site, plugin, sample, text};

use super::{
    alone, assert_same, author, done, example, is_skipped, repository, spare_compiling, whole_way,
    with_tools,
};

#[test]
fn a_new_plugin_in_python_handles_an_event() {
    if is_skipped("python") {
        return;
    }
    let _alone = alone();
    let made = whole_way("python", |_| {});
    let output = with_tools(Command::new("python3"), &made.folder, &["-m", "unittest"])
        .output()
        .expect("started");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("Ran 2 tests"), "{said}");
}

#[test]
fn an_exception_in_python_names_file_and_line() {
    if is_skipped("python") {
        return;
    }
    let _alone = alone();
    let above = tempfile::tempdir().expect("a folder");
    done(author(above.path(), &["new", "first-plugin", "--lang", "python"]));
    let folder = above.path().join("first-plugin");
    let source = folder.join("src/app.py");
    let good = fs::read_to_string(&source).expect("the source");
    let line = "    # Kept only if this returns";
    let at = good.find(line).expect("the line");
    let bad = good.replace(line, &format!("    int(video.name)\n{line}"));
    fs::write(&source, &bad).expect("written");
    let number = bad[..at].lines().count() + 1;
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
    assert!(error.starts_with("ValueError: "), "{error}");
    assert!(error.contains(&format!("at handle (app.py:{number})")), "{error}");
}

/// The bindings that editors and tests use are those that the tool makes.
#[test]
fn the_bindings_are_of_the_interface() {
    if is_skipped("python") {
        return;
    }
    let made = tempfile::tempdir().expect("a folder");
    let interface = repository().join("wit/targetvideo-0.1.0");
    let interface = interface.to_str().expect("a path");
    let arguments = ["-q", "-d", interface, "-w", "plugin", "bindings", "made"];
    done(with_tools(Command::new("componentize-py"), made.path(), &arguments));
    let ours = repository().join("host/templates/python/bindings");
    for name in ["wit_world", "componentize_py_types.py"] {
        assert_same(&made.path().join("made").join(name), &ours.join(name));
    }
}

#[test]
fn daily_report_counts_and_survives_a_failure() {
    if is_skipped("python") {
        return;
    }
    let _alone = alone();
    let site = Site::new(
        "[plugin.daily-report-python]\nkeyvalue = true\nbackoff_first_ms = 1\n\
         config = { utc_offset_hours = \"soon\" }\n",
    );
    spare_compiling(&site, &plugin("daily-report-python"));
    site.install("daily-report-python", &plugin("daily-report-python"));
    let server = site.serve();
    let event = server.post(sample("edit_video")).event();
    let failed = server.wait_done(&event, "daily-report-python");
    assert_eq!(text(&failed, "error"), "the setting `utc_offset_hours` is no offset in hours");
    assert!(site.listed(&["kv", "list", "daily-report-python"]).is_empty());

    site.configure(
        hookbox_tests::SOURCE,
        "[plugin.daily-report-python]\nkeyvalue = true\nbackoff_first_ms = 1\n",
    );
    server.wait(|line| text(line, "message") == "handled" && text(line, "event") == event);
    // The line comes before the commit.
    site.wait_listed(&["deliveries", "list", "--state", "succeeded"], 1);
    let kept = site.done(&["kv", "get", "daily-report-python", "open"]);
    let kept: serde_json::Value = serde_json::from_str(&kept).expect("JSON");
    assert_eq!(kept["events"]["edit_video"], 1, "{kept}");
    assert_eq!(kept["videos"]["734392"], 1, "{kept}");
}

#[test]
fn the_own_tests_of_daily_report_pass() {
    if is_skipped("python") {
        return;
    }
    let folder = example("daily-report-python");
    let mut tests = with_tools(Command::new("python3"), &folder, &["-m", "unittest"]);
    let output = tests.env("PYTHONDONTWRITEBYTECODE", "1").output().expect("started");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !said.contains("Ran 0 tests"), "{said}");
}
