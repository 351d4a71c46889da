//! That no spelling leads a request to where the operator did not grant
//! (server-side request forgery).

use hookbox_tests::upstream::{Answer, Upstream};
use serde_json::json;

use super::{caller, one};

#[test]
fn no_spelling_reaches_what_is_not_granted() {
    let upstream = Upstream::fine();
    let port = upstream.port();
    let (_site, server) = caller(&format!(
        "http = [{{ origin = \"http://localhost:{port}\" }}, {{ origin = \"http://good.example\" }}]"
    ));
    let denied = "HttpRequestDenied";
    let prohibited = "DestinationIpProhibited";
    let invalid = "HttpRequestUriInvalid";
    let unknown = "not-granted";
    let other = if port == u16::MAX { port - 1 } else { port + 1 };
    for (url, error, code) in [
        // Granted by its name, and the name leads to this machine.
        (format!("http://localhost:{port}/"), prohibited, "address-forbidden, loopback"),
        (format!("http://LocalHost:{port}/"), prohibited, "address-forbidden, loopback"),
        // Almost what is granted.
        (format!("http://localhost.:{port}/"), denied, unknown),
        (format!("http://localhost:{other}/"), denied, unknown),
        (format!("https://localhost:{port}/"), denied, unknown),
        ("http://localhost/".to_owned(), denied, unknown),
        (format!("http://good.example:{port}/"), denied, unknown),
        (format!("http://good.example.127.0.0.1.nip.test:{port}/"), denied, unknown),
        // This machine by each of its names.
        (format!("http://127.0.0.1:{port}/"), denied, unknown),
        (format!("http://2130706433:{port}/"), denied, unknown),
        (format!("http://0177.0.0.1:{port}/"), denied, unknown),
        (format!("http://0x7f.0.0.1:{port}/"), denied, unknown),
        (format!("http://0x7f000001:{port}/"), denied, unknown),
        (format!("http://127.1:{port}/"), denied, unknown),
        (format!("http://0.0.0.0:{port}/"), denied, unknown),
        (format!("http://[::1]:{port}/"), denied, unknown),
        (format!("http://[::ffff:127.0.0.1]:{port}/"), denied, unknown),
        ("http://169.254.169.254/latest/meta-data/".to_owned(), denied, unknown),
        // What a reader could take for the granted host.
        (format!("http://good.example@127.0.0.1:{port}/"), invalid, "userinfo"),
        (format!("http://localhost:{port}@127.0.0.1:{port}/"), invalid, "userinfo"),
    ] {
        let (said, refused) = one(&server, json!({ "url": url }));
        assert!(said.starts_with(&format!("call error=ErrorCode::{error}")), "{url}: {said}");
        let begin = format!("outgoing request refused ({code}): GET ");
        assert!(refused.starts_with(&begin), "{url}: {refused}");
    }
    assert_eq!(upstream.connections(), 0, "a refused request makes no connection");
}

#[test]
fn a_refusal_names_the_rule_and_the_key() {
    let upstream = Upstream::fine();
    let port = upstream.port();
    let (_site, server) = caller(&format!(
        "http = [{{ origin = \"http://localhost:{port}\", methods = [\"POST\"] }}]"
    ));
    let url = format!("http://localhost:{port}/path?token=1");
    let (_, refused) = one(&server, json!({ "method": "POST", "url": url }));
    let begin = format!(
        "outgoing request refused (address-forbidden, loopback): POST http://localhost:{port}: \
         localhost leads to "
    );
    assert!(refused.starts_with(&begin), "{refused}");
    assert!(refused.ends_with("; plugin.caller.http addresses"), "{refused}");

    let (said, refused) = one(&server, json!({ "url": url }));
    assert_eq!(said, "call error=ErrorCode::HttpRequestDenied");
    assert_eq!(
        refused,
        format!(
            "outgoing request refused (method-not-granted): GET http://localhost:{port}: granted \
             for http://localhost:{port} is POST: plugin.caller.http methods"
        )
    );

    let (_, refused) = one(&server, json!({ "url": "https://user:hush@other.example/x" }));
    assert!(!refused.contains("hush"), "{refused}");
    let (_, refused) = one(&server, json!({ "url": "https://other.example/x" }));
    assert_eq!(
        refused,
        "outgoing request refused (not-granted): GET https://other.example: \
         https://other.example is not granted: plugin.caller.http"
    );
    assert_eq!(upstream.connections(), 0);
}

#[test]
fn what_is_granted_is_reached_by_each_of_its_spellings() {
    let upstream = Upstream::fine();
    let port = upstream.port();
    let (_site, server) = caller(&format!(
        "http = [\n\
            {{ origin = \"http://localhost:{port}\", addresses = [\"127.0.0.0/8\", \"::1\"] }},\n\
            {{ origin = \"http://127.0.0.1:{port}\" }},\n\
         ]"
    ));
    for host in ["localhost", "LOCALHOST", "127.0.0.1", "2130706433", "0177.1", "0x7f.0.0.1"] {
        let url = format!("http://{host}:{port}/at?q=1");
        let (said, refused) = one(&server, json!({ "url": url }));
        assert_eq!((&*said, &*refused), ("call status=200 body=fine", ""), "{url}");
        let received = upstream.received().pop().expect("a request");
        assert_eq!(received.line, "GET /at?q=1 HTTP/1.1", "{url}");
        let name = if host.eq_ignore_ascii_case("localhost") { "localhost" } else { "127.0.0.1" };
        assert_eq!(received.header("host"), Some(&*format!("{name}:{port}")), "{url}");
    }
}

#[test]
fn a_path_leads_nowhere_else() {
    let upstream = Upstream::fine();
    let (_site, server) = caller(&format!("http = [{{ origin = \"{}\" }}]", upstream.origin()));
    let at = |path: &str| {
        let authority = format!("127.0.0.1:{}", upstream.port());
        one(&server, json!({ "scheme": "http", "authority": authority, "path": path })).0
    };
    for path in ["//evil.example/x", "/@evil.example", "/http://evil.example/", "/\\evil", "/.."] {
        assert_eq!(at(path), "call status=200 body=fine", "{path}");
        let line = upstream.received().pop().expect("a request").line;
        assert_eq!(line, format!("GET {path} HTTP/1.1"));
    }
    let before = upstream.received().len();
    for path in ["@evil.example/", "http://evil.example/", "*", "x"] {
        assert_eq!(at(path), "call error=invalid path", "{path}");
    }
    let authority = format!("127.0.0.1:{}", upstream.port());
    let connect = json!({
        "method": "CONNECT", "scheme": "http", "authority": authority, "path": "/"
    });
    let (said, refused) = one(&server, connect);
    assert_eq!(said, "call error=ErrorCode::HttpRequestDenied");
    assert!(refused.contains("is every method but CONNECT"), "{refused}");
    assert_eq!(upstream.received().len(), before);
}

#[test]
fn a_redirect_is_for_the_plugin_to_follow_and_is_checked_anew() {
    let inner = Upstream::fine();
    let to = format!("{}/secret", inner.origin());
    let upstream = Upstream::new(move |_, _| {
        Answer::Status(302, format!("location: {to}\r\n"), String::new())
    });
    let (_site, server) = caller(&format!("http = [{{ origin = \"{}\" }}]", upstream.origin()));
    let (said, _) = one(&server, json!({ "url": upstream.origin() }));
    assert_eq!(said, "call status=302 body=");
    let (said, _) = one(&server, json!({ "url": inner.origin() }));
    assert_eq!(said, "call error=ErrorCode::HttpRequestDenied");
    assert_eq!((upstream.connections(), inner.connections()), (1, 0));
}

#[test]
fn new_grants_count_without_a_restart() {
    let upstream = Upstream::fine();
    let grant = format!("http = [{{ origin = \"{}\" }}]", upstream.origin());
    let (site, server) = caller("");
    let url = json!({ "url": upstream.origin() });
    assert_eq!(one(&server, url.clone()).0, "call error=ErrorCode::HttpRequestDenied");
    for (section, said) in
        [(&*grant, "call status=200 body=fine"), ("", "call error=ErrorCode::HttpRequestDenied")]
    {
        let seen = server.lines(in_force).len();
        let section = format!("[plugin.caller]\nevents = [\"call\"]\n{section}\n");
        site.configure(hookbox_tests::SOURCE, &section);
        server.wait_for(seen + 1, in_force);
        assert_eq!(one(&server, url.clone()).0, said, "{section}");
    }
}

fn in_force(line: &serde_json::Value) -> bool {
    hookbox_tests::text(line, "message") == "settings of plugins are in force"
}
