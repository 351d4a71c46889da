#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use http::header::HeaderName;

use super::*;

fn checked(method: Method, headers: &[(&str, &str)]) -> bool {
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| {
            let name: HeaderName = name.parse().expect("a name");
            (name, HeaderValue::from_str(value).expect("a value"))
        })
        .collect();
    check(&method, &headers, &["hooks.example.com".to_owned()]).is_ok()
}

#[test]
fn only_names_of_this_server_are_answered() {
    for host in [
        "localhost",
        "LOCALHOST:8081",
        "127.0.0.1:8081",
        "10.1.2.3",
        "[::1]:8081",
        "[::1]",
        "hooks.example.com",
        "Hooks.Example.com:443",
    ] {
        assert!(checked(Method::GET, &[("host", host)]), "{host}");
    }
    for host in [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example:8081",
        "localhost@evil",
        "",
        "[::1",
        "127.0.0.1.",
        "sub.hooks.example.com",
    ] {
        assert!(!checked(Method::GET, &[("host", host)]), "{host}");
    }
    assert!(!checked(Method::GET, &[]));
    assert!(!checked(Method::GET, &[("host", "localhost"), ("host", "localhost")]));
}

#[test]
fn a_request_that_another_page_sends_is_refused() {
    let host = ("host", "127.0.0.1:8081");
    for (method, header, good) in [
        (Method::POST, ("origin", "http://127.0.0.1:8081"), true),
        (Method::GET, ("origin", "http://127.0.0.1:8081"), true),
        (Method::GET, ("origin", "http://evil.example"), false),
        (Method::POST, ("origin", "http://127.0.0.1:9999"), false),
        (Method::POST, ("origin", "null"), false),
        (Method::POST, ("origin", ""), false),
        (Method::POST, ("sec-fetch-site", "same-origin"), true),
        (Method::POST, ("sec-fetch-site", "none"), true),
        (Method::POST, ("sec-fetch-site", "same-site"), false),
        (Method::PUT, ("sec-fetch-site", "cross-site"), false),
        (Method::GET, ("sec-fetch-site", "same-origin"), true),
        (Method::GET, ("sec-fetch-site", "none"), true),
        (Method::GET, ("sec-fetch-site", "cross-site"), false),
        (Method::GET, ("sec-fetch-site", "same-site"), false),
        (Method::HEAD, ("sec-fetch-site", "cross-site"), false),
    ] {
        assert_eq!(checked(method.clone(), &[host, header]), good, "{method} {header:?}");
    }
}

#[test]
fn of_other_sites_only_a_link_that_someone_follows_leads_here() {
    for (method, mode, dest, good) in [
        (Method::GET, "navigate", "document", true),
        (Method::GET, "navigate", "iframe", false),
        (Method::GET, "no-cors", "image", false),
        (Method::GET, "no-cors", "document", false),
        (Method::GET, "cors", "empty", false),
        (Method::POST, "navigate", "document", false),
    ] {
        for site in ["cross-site", "same-site"] {
            let headers = [
                ("host", "127.0.0.1:8081"),
                ("sec-fetch-site", site),
                ("sec-fetch-mode", mode),
                ("sec-fetch-dest", dest),
            ];
            assert_eq!(checked(method.clone(), &headers), good, "{method} {headers:?}");
        }
    }
}
