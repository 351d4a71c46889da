//! Settings that change while the server runs, HTTPS, and the command line.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::sync::Arc;

use bytes::Bytes;
use hookbox_core::ids::Digest;
use hookbox_tests::{SECRET, SOURCE, Server, Site, body, probe, put, sample, text};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustix::process::Signal;
use rustls::pki_types::{CertificateDer, ServerName};

fn refused_configuration(server: &Server, count: usize) -> String {
    let lines = server.wait_for(count, |line| {
        text(line, "message").starts_with("the new configuration is refused")
    });
    text(&lines[count - 1], "error").to_owned()
}

#[test]
fn sources_and_plugins_change_without_restart_and_mistakes_change_nothing() {
    let site = Site::new("");
    site.install("probe", &probe(1));
    let server = site.serve();
    assert_eq!(server.post_to("/hooks/second", sample("sd_encoded")).status, 404);

    let two = format!("{SOURCE}\n{}", SOURCE.replace("\"main\"", "\"second\""));
    site.configure(&two, "");
    server.wait(|line| text(line, "message") == "sources and secrets are in force");
    assert_eq!(server.post_to("/hooks/second", sample("sd_encoded")).status, 200);

    // A mistake anywhere: nothing of the file takes effect.
    site.configure(SOURCE, "[plugin.probe]\nevent = [\"add_video\"]\n");
    let error = refused_configuration(&server, 1);
    assert!(error.contains("unknown key `event`; did you mean `events`?"), "{error}");
    assert!(error.contains(", line "), "{error}");
    assert_eq!(server.post_to("/hooks/second", sample("sd_encoded")).status, 200);

    // Narrowing by event.
    site.configure(&two, "[plugin.probe]\nevents = [\"add_video\"]\n");
    server.wait(|line| text(line, "message") == "settings of plugins are in force");
    let plugins = |event: &str| {
        let line = server.wait(|l| text(l, "message") == "accepted" && text(l, "event") == event);
        line["plugins"].as_u64()
    };
    assert_eq!(plugins(&server.post(body("sd_encoded", "")).event()), Some(0));
    assert_eq!(plugins(&server.post(body("add_video", "")).event()), Some(1));

    // Narrowing by source.
    site.configure(&two, "[plugin.probe]\nsources = [\"second\"]\n");
    server.wait_for(2, |line| text(line, "message") == "settings of plugins are in force");
    assert_eq!(plugins(&server.post(body("sd_encoded", "")).event()), Some(0));
    let event = server.post_to("/hooks/second", body("sd_encoded", "")).event();
    assert_eq!(plugins(&event), Some(1));

    // What is read once is said to need a restart.
    site.configure(
        &two,
        "[journal]\ndeliveries_max = 5000\n[plugin.probe]\nsources = [\"second\"]\n",
    );
    let line = server.wait(|line| text(line, "message").contains("at the next start"));
    assert_eq!(text(&line, "sections"), "[journal]");

    // On SIGHUP it is read even when nothing changed.
    fs::write(site.path("hookbox.toml"), "[").expect("a file");
    refused_configuration(&server, 2);
    server.signal(Signal::HUP);
    refused_configuration(&server, 3);
    server.end();
}

#[test]
fn new_settings_let_in_a_plugin_that_was_refused() {
    let site = Site::new("[plugin.probe]\nmemory_bytes_max = 65536\n");
    let build = probe(1);
    site.install("probe", &build);
    let server = site.serve();
    let refused = server.wait(|line| text(line, "code") == "memory-minimum");
    assert!(text(&refused, "error").contains("memory_bytes_max"), "{refused}");
    site.configure(SOURCE, "");
    server.wait_live("probe", &build);
}

#[test]
fn limits_of_a_plugin_change_without_restart() {
    let site = Site::new("[plugin.probe]\ndeadline_ms = 20000\n");
    site.install("probe", &probe(1));
    let server = site.serve();
    site.configure(SOURCE, "[plugin.probe]\ndeadline_ms = 50\n");
    server.wait(|line| text(line, "message") == "settings of plugins are in force");
    let event = server.post(body("e", r#","probe":"sleep""#)).event();
    let done = server.wait_done(&event, "probe");
    assert!(text(&done, "error").contains("50 ms: plugin.probe.deadline_ms"), "{done}");
    assert_eq!(text(&done, "digest"), Digest::of(&probe(1)).short(), "the same code");
}

/// A certificate for `localhost`, and its key, in PEM.
fn certificate() -> (String, String, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    (made.cert.pem(), made.signing_key.serialize_pem(), made.cert.der().clone())
}

/// Posts over TLS, trusting that certificate only. The protocol and the status.
fn post_tls(
    server: &Server,
    trusted: &CertificateDer<'static>,
    http2: bool,
) -> Result<u16, String> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(trusted.clone()).map_err(|e| e.to_string())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let protocol: &[u8] = if http2 { b"h2" } else { b"http/1.1" };
    config.alpn_protocols = vec![protocol.to_vec()];
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let stream =
            tokio::net::TcpStream::connect(server.address()).await.map_err(|e| e.to_string())?;
        let name = ServerName::try_from("localhost").map_err(|e| e.to_string())?;
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let stream = connector.connect(name, stream).await.map_err(|e| e.to_string())?;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(protocol));
        let request = hyper::Request::post("https://localhost/hooks/main")
            .header("host", "localhost")
            .body(Full::new(Bytes::from(sample("sd_encoded"))))
            .map_err(|e| e.to_string())?;
        let response = if http2 {
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                    .await
                    .map_err(|e| e.to_string())?;
            tokio::spawn(connection);
            sender.send_request(request).await
        } else {
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream))
                    .await
                    .map_err(|e| e.to_string())?;
            tokio::spawn(connection);
            sender.send_request(request).await
        };
        let response = response.map_err(|e| e.to_string())?;
        let status = response.status().as_u16();
        response.into_body().collect().await.map_err(|e| e.to_string())?;
        Ok(status)
    })
}

#[test]
fn https_serves_both_protocols_and_takes_a_new_certificate() {
    let site = Site::new("[server]\ntls_certificate = \"tls.crt\"\ntls_key = \"tls.key\"\n");
    let (old_chain, old_key, old) = certificate();
    fs::write(site.path("tls.crt"), old_chain).expect("a file");
    fs::write(site.path("tls.key"), old_key).expect("a file");
    let server = site.serve();
    assert!(server.url().starts_with("https://"), "{}", server.url());
    assert_eq!(post_tls(&server, &old, false), Ok(200));
    assert_eq!(post_tls(&server, &old, true), Ok(200));

    // A certificate without its key is refused, and the old pair goes on.
    let (new_chain, new_key, new) = certificate();
    put(&site.path("tls.crt"), new_chain.as_bytes());
    server.wait(|line| text(line, "message").starts_with("the new certificate or key is refused"));
    assert_eq!(post_tls(&server, &old, false), Ok(200));
    put(&site.path("tls.key"), new_key.as_bytes());
    server.wait(|line| text(line, "message") == "certificate and key are in force");
    assert_eq!(post_tls(&server, &new, true), Ok(200));
    assert!(post_tls(&server, &old, true).is_err(), "the old certificate is still shown");
    // Plain HTTP to it ends in nothing worse than a closed connection.
    let answer = server.raw(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(!answer.contains("200"), "{answer}");
    server.end();
}

#[test]
fn a_certificate_that_cannot_be_used_keeps_the_server_from_starting() {
    let site = Site::new("[server]\ntls_certificate = \"tls.crt\"\ntls_key = \"tls.key\"\n");
    let said = |site: &Site| {
        let output = site.serve_in_vain();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(said(&site).contains("tls.crt"), "{}", said(&site));
    fs::write(site.path("tls.crt"), "no PEM").expect("a file");
    fs::write(site.path("tls.key"), "no PEM").expect("a file");
    assert!(said(&site).contains("must hold a certificate chain"), "{}", said(&site));
}

#[test]
fn an_address_in_use_is_named_with_what_to_do() {
    let site = Site::new("");
    let server = site.serve();
    let other = Site::new("");
    let mut command = other.command(&["serve"]);
    command.env("HOOKBOX_SERVER__LISTEN", server.address().to_string());
    let output = command.output().expect("running hookbox");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("is in use by another process"), "{said}");
}

#[test]
fn everything_can_come_from_the_environment() {
    let site = Site::new("");
    site.install("probe", &probe(1));
    fs::remove_file(site.path("hookbox.toml")).expect("deleting");
    let mut command = std::process::Command::new(hookbox_tests::program());
    let sources = r#"[{ name = "main", secrets = [{ name = "2026", env = "TV_SECRET" }] }]"#;
    command
        .arg("serve")
        .env_clear()
        .current_dir(site.path(""))
        .env("HOOKBOX_LOG__FORMAT", "json")
        .env("HOOKBOX_SERVER__LISTEN", "127.0.0.1:0")
        .env("HOOKBOX_SOURCE", sources)
        .env("TV_SECRET", SECRET)
        .env("HOOKBOX_PLUGIN__PROBE__EVENTS", r#"["sd_encoded"]"#)
        .env("HOOKBOX_PORT", "tcp://10.0.0.1:80");
    let server = Server::of(command);
    let event = server.post(sample("sd_encoded")).event();
    assert_eq!(text(&server.wait_done(&event, "probe"), "message"), "handled");
    server.end();
}

#[test]
fn the_command_line_explains_itself() {
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(hookbox_tests::program());
        let output = command.env_clear().args(arguments).output().expect("running hookbox");
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (output.status.code(), text)
    };
    let (status, defaults) = run(&["config", "default"]);
    assert_eq!(status, Some(0));
    assert!(defaults.contains("[plugin_defaults]") && defaults.contains("# [[source]]"));
    let (status, help) = run(&["--help"]);
    assert_eq!(status, Some(0));
    assert!(help.contains("serve") && !help.contains("compile-component"), "{help}");
    assert_eq!(run(&["serve", "--nonsense"]).0, Some(2));
    let (status, said) = run(&["serve", "--config", "/no/such/file.toml"]);
    assert_eq!(status, Some(1));
    assert!(
        said.contains("/no/such/file.toml") && said.contains("hookbox config default"),
        "{said}"
    );

    let site = Site::new("");
    let check = site.command(&["config", "check"]).output().expect("running hookbox");
    let said = String::from_utf8_lossy(&check.stdout);
    assert!(said.contains("source main: POST /hooks/main, secrets [\"test\"]"), "{said}");
    site.configure(SOURCE, "[log]\nlevel = \"loud\"\n");
    let check = site.command(&["config", "check"]).output().expect("running hookbox");
    assert_eq!(check.status.code(), Some(1));
}

#[test]
fn a_secret_whose_file_comes_later_is_taken_when_it_comes() {
    let site = Site::new("");
    let server = site.serve();
    let sources = "[[source]]\nname = \"main\"\nsecrets = [{ name = \"late\", file = \"late\" }]\n";
    site.configure(sources, "");
    refused_configuration(&server, 1);
    assert_eq!(server.post(sample("sd_encoded")).status, 200, "the old secret is in force");
    put(&site.path("late"), b"late secret\n");
    server.wait(|line| text(line, "message") == "sources and secrets are in force");
    assert_eq!(server.post(sample("sd_encoded")).status, 401);
    assert_eq!(server.post(sample("sd_encoded").replace(SECRET, "late secret")).status, 200);
    assert_eq!(
        server.lines(|l| text(l, "message").starts_with("the new configuration is refused")).len(),
        1,
        "the same refusal is said once"
    );
}

#[test]
fn settings_that_reach_no_plugin_are_told() {
    let site = Site::new(
        "[plugin.prope]\ncpu_ms = 50\n[plugin.encoding-watch]\nevents = [\"add_vidoe\"]\n",
    );
    site.install("probe", &probe(1));
    site.install("encoding-watch", &hookbox_tests::plugin("encoding-watch"));
    let server = site.serve();
    let line =
        server.wait(|line| text(line, "message").starts_with("there is no plugin of this name"));
    assert_eq!(text(&line, "section"), "plugin.prope");
    let line = server.wait(|line| text(line, "message").starts_with("the plugin gets nothing"));
    assert_eq!(text(&line, "plugin"), "encoding-watch");
}

#[test]
fn the_log_level_changes_without_restart() {
    let site = Site::new("[log]\nlevel = \"info\"\n");
    let server = site.serve();
    let told = |line: &serde_json::Value| text(line, "message") == "connection ended";
    let forced = |count: usize| {
        server.wait_for(count, |line| text(line, "message") == "the log level is in force")
    };
    server.raw(b"this is no HTTP\r\n\r\n");
    site.configure(SOURCE, "[log]\nlevel = \"hookbox::ingress=debug,hookbox=info\"\n");
    forced(1);
    server.raw(b"nor is this\r\n\r\n");
    assert_eq!(text(&server.wait(told), "level"), "DEBUG");
    assert_eq!(server.lines(told).len(), 1, "the first came at the level info");

    // A word that is no level: nothing of the file takes effect.
    site.configure("", "[log]\nlevel = \"loud\"\n[[source]]\nname = \"other\"\nsecrets = [{ name = \"a\", value = \"b\" }]\n");
    let error = refused_configuration(&server, 1);
    assert!(error.starts_with("log.level: \"loud\" is no level"), "{error}");
    assert_eq!(server.post(sample("sd_encoded")).status, 200);

    // What is read once is told apart from it.
    site.configure(SOURCE, "[log]\nlevel = \"info\"\n[outbound]\nidle_timeout_ms = 1\n");
    forced(2);
    let line = server.wait(|line| text(line, "message").contains("at the next start"));
    assert_eq!(text(&line, "sections"), "[outbound]", "the level is not among them");
    server.raw(b"nor this\r\n\r\n");
    server.signal(Signal::TERM);
    server.wait_ended();
    assert_eq!(server.lines(told).len(), 1, "the level is info again");
}
