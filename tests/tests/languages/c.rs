//! C.

use std::path::Path;

use hookbox_tests::upstream::{Answer, Upstream};
use hookbox_tests::{Server, Site, body, plugin, sample, text};

use super::{author, done, example, is_skipped, whole_way};

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
    assert!(error.contains("video_of (src/plugin.c:"), "{error}");
    assert!(error.contains("< hookbox_handle (src/plugin.c:"), "{error}");
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

/// The example, which tells of videos that took more than ten minutes, and the
/// event that ends such a one.
fn slow(origin: &str) -> (Site, Server, String) {
    let site = Site::new(&format!(
        "[plugin.encoding-time-c]\nkeyvalue = true\n\
         config = {{ slow_after_s = \"600\", alert_url = \"{origin}/videos?to=us#top\" }}\n\
         http = [{{ origin = \"{origin}\", methods = [\"POST\"] }}]\n\
         backoff_first_ms = 1\nbackoff_max_ms = 1\n"
    ));
    site.install("encoding-time-c", &plugin("encoding-time-c"));
    let server = site.serve();
    let sent = |name: &str, timestamp: u32| {
        let members = format!(r#","response":{{"Video":{{"id":"5"}}}},"timestamp":{timestamp}"#);
        server.post(body(name, &members)).event()
    };
    let first = sent("sd_encoded", 1_700_000_000);
    let line = server.wait_done(&first, "encoding-time-c");
    assert_eq!(text(&line, "message"), "handled", "{line}");
    let last = sent("video_encoded", 1_700_000_900);
    (site, server, last)
}

#[test]
fn a_request_from_c_is_sent_as_it_was_made() {
    if is_skipped("c") {
        return;
    }
    let upstream = Upstream::fine();
    let (_site, server, event) = slow(&upstream.origin());
    let line = server.wait_done(&event, "encoding-time-c");
    assert_eq!(text(&line, "message"), "handled", "{line}");
    let received = upstream.received();
    assert_eq!(received.len(), 1, "{received:?}");
    assert_eq!(received[0].line, "POST /videos?to=us HTTP/1.1");
    assert_eq!(received[0].body, "Video 5 took 900 s to encode.");
    assert_eq!(received[0].header("content-length"), Some("29"));
    assert_eq!(received[0].header("content-type"), Some("text/plain; charset=utf-8"));
    assert!(received[0].header("idempotency-key").is_some_and(|id| id.len() == 36));
}

#[test]
fn an_answer_to_c_says_what_becomes_of_the_event() {
    if is_skipped("c") {
        return;
    }
    // Cut in the middle of a character, and with half of one in the answer itself.
    let long = format!("{}ä", "x".repeat(199));
    let status = |status, fields: &str, body: &str| {
        Answer::Status(status, fields.to_owned(), body.to_owned())
    };
    let cases = [
        (status(500, "", ""), "retry", "answered 500"),
        (status(503, "retry-after: 0\r\n", " soon \n"), "retry-after", "answered 503: soon"),
        (status(429, "retry-after: soon\r\n", ""), "retry", "answered 429"),
        (status(500, "", &long), "retry", "answered 500: xxx"),
        (status(302, "location: /\r\n", ""), "retry", "(redirects are not followed)"),
        (Answer::Endless, "retry", "more than 1048576 bytes"),
        (status(404, "", "what?\tno\n"), "rejected", "answered 404: what? no"),
    ];
    let answers: Vec<Answer> = cases.iter().map(|(answer, ..)| answer.clone()).collect();
    let upstream = Upstream::new(move |number, _| answers[number].clone());
    let (_site, server, event) = slow(&upstream.origin());
    for (number, (_, failure, reason)) in cases.iter().enumerate() {
        let attempt = number as u64 + 1;
        let line = server.wait(|line| {
            text(line, "event") == event
                && line["attempt"] == attempt
                && !text(line, "failure").is_empty()
        });
        assert_eq!(text(&line, "failure"), *failure, "{line}");
        let error = text(&line, "error");
        assert!(error.contains(reason) && error.contains(&upstream.origin()), "{line}");
        assert!(!error.contains("/videos"), "{line}");
    }
}

#[test]
fn a_request_from_c_without_an_answer_is_tried_again() {
    if is_skipped("c") {
        return;
    }
    let refusing = || {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        format!("http://{}", listener.local_addr().expect("an address"))
    };
    let origin = refusing();
    let (_site, server, event) = slow(&origin);
    let line =
        server.wait(|line| text(line, "event") == event && !text(line, "failure").is_empty());
    assert_eq!(text(&line, "failure"), "retry", "{line}");
    assert_eq!(text(&line, "error"), format!("{origin}: it refused the connection"));
}

/// What cannot be sent, as `plugin.c` of a new project.
#[test]
fn a_request_from_c_that_is_none_is_told_apart() {
    if is_skipped("c") {
        return;
    }
    let made = whole_way("c", |_| {});
    let cases = [
        (r#"{.url = "ftp://a.example/"}"#, "begins neither with https://"),
        (r#"{.url = "https://me:hush@a.example/"}"#, "credentials before the host"),
        (r#"{.url = "https://:80/"}"#, "names no host"),
        (r#"{.url = "https://a.example/hush me"}"#, "white space"),
        (r#"{.url = NULL}"#, "it is missing"),
        (r#"{.method = "G T", .url = "https://a.example/hush"}"#, "method is none"),
        (
            r#"{.url = "https://a.example/hush", .headers = (const hookbox_header[]){{"a b", "c"}, {NULL, NULL}}}"#,
            "a header field of the request is not allowed",
        ),
        (r#"{.url = "https://a.example/"}"#, "https://a.example: the request was denied"),
    ];
    for (request, reason) in cases {
        let invoked = with_handler(
            &made.folder,
            &format!(
                "hookbox_request request = {request};\n  hookbox_response response;\n  \
                 if (!hookbox_http_send(&request, &response)) return hookbox_http_failed();\n  \
                 return hookbox_done();"
            ),
        );
        assert!(invoked.contains(reason) && !invoked.contains("hush"), "{request}: {invoked}");
    }
}

#[test]
fn text_from_c_that_is_not_utf_8_is_mended() {
    if is_skipped("c") {
        return;
    }
    let made = whole_way("c", |_| {});
    // Half a character, one of UTF-16, one longer than need be; then good ones.
    let text = r#""a\xc3 \xed\xa0\x80 \xc0\xaf | \xc3\xa4 \xf0\x9f\x98\x80""#;
    let invoked = with_handler(
        &made.folder,
        &format!(
            "hookbox_log(HOOKBOX_WARN, \"%s\", {text});\n  return hookbox_reject(\"%s\", {text});"
        ),
    );
    assert_eq!(invoked.matches("a? ??? ?? | ä 😀").count(), 2, "{invoked}");
}

/// Builds a project with this in its handler, and says what `invoke` says.
fn with_handler(folder: &Path, statements: &str) -> String {
    let source = format!(
        "#include \"hookbox.h\"\n\nconst hookbox_description hookbox_plugin = {{.name = \"a\", \
         .version = \"1\"}};\n\nhookbox_outcome hookbox_handle(const hookbox_event *event, const \
         hookbox_delivery *delivery) {{\n  (void)event;\n  (void)delivery;\n  {statements}\n}}\n"
    );
    std::fs::write(folder.join("src/plugin.c"), source).expect("written");
    done(author(folder, &["build"]));
    let invoke = ["invoke", "dist/first-plugin.wasm", "--event", "add_video"];
    let output = author(folder, &invoke).output().expect("started");
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn the_cases_of_encoding_time_hold() {
    if is_skipped("c") {
        return;
    }
    let above = tempfile::tempdir().expect("a folder");
    let component = above.path().join("encoding-time-c.wasm");
    std::fs::write(&component, plugin("encoding-time-c")).expect("written");
    let mut test = author(&example("encoding-time-c"), &["test", "--plugin"]);
    test.arg(component);
    let tested = done(test);
    assert!(tested.contains("4 cases, 4 passed, 0 failed"), "{tested}");
}
