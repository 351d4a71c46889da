//! Go.

use std::process::Command;

use hookbox_tests::upstream::{Answer, Upstream};
use hookbox_tests::{Site, plugin, sample, text};
use serde_json::{Value, json};

use super::{author, done, example, is_skipped, spare_compiling, whole_way, with_tools};

#[test]
fn a_new_plugin_in_go_handles_an_event() {
    if is_skipped("go") {
        return;
    }
    let cold = whole_way("go", |_| {});
    let warm = whole_way("go", |_| {});
    println!("go: {:.1} s on a warm cache", warm.took.as_secs_f64());

    let tested = done(with_tools(Command::new("go"), &cold.folder, &["test", "-v", "./..."]));
    assert_eq!(tested.matches("--- PASS").count(), 2, "{tested}");
    done(with_tools(Command::new("go"), &cold.folder, &["vet", ".", "hookbox"]));
}

#[test]
fn a_panic_in_go_is_logged_with_its_line() {
    if is_skipped("go") {
        return;
    }
    let above = tempfile::tempdir().expect("a folder");
    done(author(above.path(), &["new", "panics", "--lang", "go"]));
    let folder = above.path().join("panics");
    let source = folder.join("plugin.go");
    let right = std::fs::read_to_string(&source).expect("the source");
    let begin = "\tid := video.Id.Some()\n";
    assert!(right.contains(begin), "{right}");
    std::fs::write(&source, right.replace(begin, "\tid := \"\"\n\tpanic(\"too much\")\n"))
        .expect("written");
    done(author(&folder, &["build"]));
    let bytes = std::fs::read(folder.join("dist/panics.wasm")).expect("the component");
    let site = Site::new("[plugin.panics]\nkeyvalue = true\n");
    spare_compiling(&site, &bytes);
    site.install("panics", &bytes);
    let server = site.serve();
    let event = server.post(sample("add_video")).event();
    let line = server.wait_done(&event, "panics");
    assert_eq!(text(&line, "failure"), "trap", "{line}");
    assert!(text(&line, "error").contains("main.handle"), "{line}");
    let said = server.said(&event, "panics");
    assert!(said.iter().any(|line| line.contains("panic: too much")), "{said:?}");
    assert!(said.iter().any(|line| line.contains("panics/plugin.go:")), "{said:?}");
}

/// The host writes the answers of imports into memory that it asks the plugin
/// for; a garbage collection at that moment would end the call.
#[test]
fn garbage_is_collected_between_what_the_host_answers() {
    const LOOP: &str = r#"
	big := make([]byte, 500_000)
	if err := hookbox.State.Set("big", big); err != nil {
		return err
	}
	sum := 0
	for range 200 {
		value, _, err := hookbox.State.Get("big")
		if err != nil {
			return err
		}
		sum += len(value) + len(make([]byte, 1<<20+sum%2))
	}
	fmt.Println("went through", sum)
"#;
    if is_skipped("go") {
        return;
    }
    let above = tempfile::tempdir().expect("a folder");
    done(author(above.path(), &["new", "wasteful", "--lang", "go"]));
    let folder = above.path().join("wasteful");
    let source = folder.join("plugin.go");
    let right = std::fs::read_to_string(&source).expect("the source");
    let begin = "\tid := video.Id.Some()\n";
    assert!(right.contains(begin), "{right}");
    std::fs::write(&source, right.replace(begin, &format!("{LOOP}{begin}"))).expect("written");
    done(author(&folder, &["build"]));
    let bytes = std::fs::read(folder.join("dist/wasteful.wasm")).expect("the component");
    let site = Site::new("[plugin.wasteful]\nkeyvalue = true\ncpu_ms = 60_000\n");
    spare_compiling(&site, &bytes);
    site.install("wasteful", &bytes);
    let server = site.serve();
    let event = server.post(sample("add_video")).event();
    let line = server.wait_done(&event, "wasteful");
    assert_eq!(text(&line, "message"), "handled", "{line}");
    let said = server.said(&event, "wasteful");
    assert!(said.iter().any(|line| line.starts_with("went through")), "{said:?}");
}

#[test]
fn a_project_in_go_without_go_is_told_what_to_install() {
    let above = tempfile::tempdir().expect("a folder");
    done(author(above.path(), &["new", "first-plugin", "--lang", "go"]));
    let mut build = author(&above.path().join("first-plugin"), &["build"]);
    let output = build.env("PATH", above.path()).output().expect("started");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("install Go"), "{said}");
}

#[test]
fn a_large_event_fits_into_the_memory_that_go_has() {
    if is_skipped("go") {
        return;
    }
    let upstream = Upstream::fine();
    let (_site, server) = index(&upstream);
    // A body that fills a good part of what a source takes.
    let texts: Vec<String> = (0..10_000).map(|number| format!("text {number} {:060}", 0)).collect();
    let mut body: Value = serde_json::from_str(sample("add_video")).expect("JSON");
    body["more"] = json!(texts);
    let event = server.post(body.to_string()).event();
    let line = server.wait_done(&event, "search-index-go");
    assert_eq!(text(&line, "message"), "handled", "{line}");
}

const KEY: &str = "k3y-hush-4713";

fn index(upstream: &Upstream) -> (Site, hookbox_tests::Server) {
    let origin = upstream.origin();
    let site = Site::new(&format!(
        "[plugin.search-index-go]\n\
         config = {{ index_url = \"{origin}/videos\" }}\n\
         secrets = [{{ name = \"api_key\", value = \"{KEY}\" }}]\n\
         http = [{{ origin = \"{origin}\", methods = [\"PUT\", \"PATCH\", \"DELETE\"] }}]\n"
    ));
    spare_compiling(&site, &plugin("search-index-go"));
    site.install("search-index-go", &plugin("search-index-go"));
    let server = site.serve();
    (site, server)
}

#[test]
fn search_index_writes_and_deletes_documents() {
    if is_skipped("go") {
        return;
    }
    let upstream = Upstream::new(|_, received| match received.line.starts_with("DELETE") {
        true => Answer::status(404, ""),
        false => Answer::status(201, "{}"),
    });
    let (_site, server) = index(&upstream);
    for name in ["add_video", "edit_video", "delete_video"] {
        let event = server.post(sample(name)).event();
        let line = server.wait_done(&event, "search-index-go");
        assert_eq!(text(&line, "message"), "handled", "{line}");
    }
    let received = upstream.received();
    assert_eq!(received[0].line, "PUT /videos/documents/734392 HTTP/1.1");
    assert_eq!(received[0].header("authorization"), Some(&*format!("Bearer {KEY}")));
    assert_eq!(received[0].header("content-type"), Some("application/json"));
    let length = received[0].body.len().to_string();
    assert_eq!(received[0].header("content-length"), Some(&*length));
    let body: Value = serde_json::from_str(&received[0].body).expect("JSON");
    assert_eq!(body["title"], "Harbour at dawn");
    assert_eq!(body["tags"], json!(["harbour", "morning"]));
    assert_eq!(received[1].line, "PATCH /videos/documents/734392 HTTP/1.1");
    assert!(received[2].line.starts_with("DELETE /videos/documents/"), "{}", received[2].line);
    assert!(!server.raw_log().contains(KEY), "{}", server.raw_log());
}

#[test]
fn search_index_waits_for_an_index_that_is_busy() {
    if is_skipped("go") {
        return;
    }
    let upstream = Upstream::new(|number, _| match number {
        0 => Answer::Status(503, "retry-after: 1\r\n".to_owned(), "later".to_owned()),
        _ => Answer::status(200, "{}"),
    });
    let (_site, server) = index(&upstream);
    let event = server.post(sample("add_video")).event();
    let line = server.wait_done(&event, "search-index-go");
    assert_eq!(text(&line, "failure"), "retry-after", "{line}");
    upstream.wait_received(2);
}

#[test]
fn the_own_tests_of_search_index_pass() {
    if is_skipped("go") {
        return;
    }
    let folder = example("search-index-go");
    let tested = done(with_tools(Command::new("go"), &folder, &["test", "-v", "./..."]));
    assert!(tested.contains("--- PASS"), "{tested}");
}
