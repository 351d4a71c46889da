//! Connections of all kinds: slow, half, too many, too large, and the answers.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hookbox_tests::{PATIENCE, Server, Site, body, probe, sample, text};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};

/// The head of a POST to the source `main`.
fn head(more: &str) -> String {
    format!("POST /hooks/main HTTP/1.1\r\nHost: x\r\n{more}\r\n")
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.address()).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream
}

/// All that comes until the server closes the connection.
fn rest(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    let _reset_is_an_end_too = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn requests_that_are_not_meant_for_it_get_the_right_answer() {
    let site = Site::new("");
    let server = site.serve();
    for (request, status, code, header) in [
        ("GET /hooks/main HTTP/1.1", "405 Method Not Allowed", "method-not-allowed", "allow: POST"),
        ("PUT /hooks/main HTTP/1.1", "405 Method Not Allowed", "method-not-allowed", "allow: POST"),
        ("POST /hooks/gone HTTP/1.1", "404 Not Found", "unknown-source", ""),
        ("POST /hooks/ HTTP/1.1", "404 Not Found", "unknown-source", ""),
        ("POST /hooks/main/ HTTP/1.1", "404 Not Found", "unknown-source", ""),
        ("POST /hooks/%6dain HTTP/1.1", "404 Not Found", "unknown-source", ""),
        ("POST /HOOKS/main HTTP/1.1", "404 Not Found", "unknown-source", ""),
        ("GET / HTTP/1.1", "404 Not Found", "unknown-source", ""),
    ] {
        let answer =
            server.raw(format!("{request}\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes());
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{request}: {answer}");
        assert!(answer.contains("content-type: application/problem+json\r\n"), "{answer}");
        assert!(answer.contains(&format!(r#""code":"{code}""#)), "{answer}");
        assert!(answer.contains(header), "{answer}");
    }
    assert!(server.raw(b"nonsense\r\n\r\n").starts_with("HTTP/1.1 400 "), "not HTTP at all");
    assert_eq!(server.post_to("/hooks/main?x=1", sample("sd_encoded")).status, 200, "a query");
}

#[test]
fn a_body_over_the_cap_is_refused_and_not_kept() {
    let site = Site::new("[server]\nbody_bytes_max = 10000\n");
    let server = site.serve();
    let large = "x".repeat(100_000);
    let announced = head("Content-Length: 100000\r\n") + &large;
    let chunked =
        head("Transfer-Encoding: chunked\r\n") + &format!("186a0\r\n{large}\r\n0\r\n\r\n");
    for request in [announced, chunked] {
        let answer = server.raw(request.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert!(
            answer.contains("connection: close\r\n") && answer.contains("over 10000 bytes"),
            "{answer}"
        );
    }
    // Whoever asks first is told before sending anything.
    let asking = head("Content-Length: 1000000000\r\nExpect: 100-continue\r\n");
    assert!(server.raw(asking.as_bytes()).starts_with("HTTP/1.1 413 "));
    let most = body("e", &format!(r#","a":"{}""#, "x".repeat(10_000)));
    let padding = most.len() - 10_000;
    let most = body("e", &format!(r#","a":"{}""#, "x".repeat(10_000 - padding)));
    assert_eq!(most.len(), 10_000);
    assert_eq!(server.post(&most).status, 200, "just as large as may be");
    assert_eq!(server.post(most + " ").status, 413, "one byte more");
    let before = server.resident_bytes();
    for _ in 0..20 {
        let mut stream = connect(&server);
        stream.write_all(head("Content-Length: 7000000\r\n").as_bytes()).expect("writing");
        let _closed = stream.write_all(&vec![b'x'; 7_000_000]);
        assert!(rest(stream).starts_with("HTTP/1.1 413 "));
    }
    let grown = server.resident_bytes().saturating_sub(before);
    println!("resident memory grew by {} KiB over 20 bodies of 7 MB", grown / 1024);
    assert!(grown < 7_000_000, "bodies are kept: {grown} bytes more");
}

#[test]
fn slow_senders_and_half_requests_are_ended_while_others_are_served() {
    let site = Site::new("[server]\nheader_timeout_ms = 400\nbody_timeout_ms = 400\n");
    let server = site.serve();
    let silent = connect(&server);
    let mut half_head = connect(&server);
    half_head.write_all(b"POST /hooks/main HTTP/1.1\r\nHost").expect("writing");
    let mut half_preface = connect(&server);
    half_preface.write_all(b"PRI * HTT").expect("writing");
    let mut half_body = connect(&server);
    half_body
        .write_all((head("Content-Length: 100\r\n") + "{\"event\":").as_bytes())
        .expect("writing");
    let mut idle = connect(&server);
    let good = body("e", "");
    let request = head(&format!("Content-Length: {}\r\n", good.len())) + &good;
    idle.write_all(request.as_bytes()).expect("writing");

    assert_eq!(server.post(sample("sd_encoded")).status, 200, "others are served");
    assert_eq!(rest(silent), "");
    assert_eq!(rest(half_preface), "");
    let answer = rest(half_head);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408 "), "{answer}");
    let answer = rest(half_body);
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("body-too-slow"), "{answer}");
    assert!(rest(idle).starts_with("HTTP/1.1 200 "), "answered, and closed when idle");

    // A head that drips in, each byte before any timeout of its own.
    let mut dripping = connect(&server);
    dripping.set_read_timeout(Some(Duration::from_millis(20))).expect("a timeout");
    let began = Instant::now();
    let mut sent = 0;
    loop {
        let byte = if sent < 10 { &b"POST /x HTTP/1.1\r\n"[sent..=sent] } else { b"a" };
        if dripping.write_all(byte).is_err() {
            break;
        }
        sent += 1;
        match dripping.read(&mut [0; 256]) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
        assert!(began.elapsed() < PATIENCE, "a dripping head holds its connection");
    }
    // A body that the sender breaks off.
    let mut broken = connect(&server);
    broken.write_all((head("Content-Length: 100\r\n") + "{").as_bytes()).expect("writing");
    drop(broken);
    server.wait(|line| text(line, "code") == "body-broken");
    assert_eq!(server.post(sample("sd_encoded")).status, 200);
}

#[test]
fn ten_thousand_connections_do_not_keep_others_from_being_served() {
    const MANY: usize = 10_000;
    let files = getrlimit(Resource::Nofile);
    let wanted = MANY as u64 + 500;
    assert!(
        files.maximum.is_none_or(|most| most >= wanted),
        "this test needs a hard limit of {wanted} open files: ulimit -Hn"
    );
    setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: files.maximum })
        .expect("raising the limit of open files");

    // With room for all of them, and with room for a tenth.
    for most in [16_384, MANY / 10] {
        let site =
            Site::new(&format!("[server]\nconnections_max = {most}\nheader_timeout_ms = 60000\n"));
        site.install("probe", &probe(1));
        let server = site.serve();
        let began = Instant::now();
        let held: Vec<TcpStream> = (0..MANY)
            .map(|n| {
                let mut stream = TcpStream::connect(server.address()).expect("a connection");
                // Every other one has begun a request.
                if n % 2 == 0 {
                    let _closed_already = stream.write_all(b"POST /hooks/main HTTP/1.1\r\nHo");
                }
                stream
            })
            .collect();
        let opened = began.elapsed();
        let began = Instant::now();
        for _ in 0..20 {
            let event = server.post(body("sd_encoded", "")).event();
            server.wait_done(&event, "probe");
        }
        println!(
            "connections_max {most}: {} connections in {opened:?}, then 20 events in {:?}; resident memory {} KiB",
            held.len(),
            began.elapsed(),
            server.resident_bytes() / 1024
        );
        drop(held);
        server.end();
    }
}

#[test]
fn too_much_waiting_is_answered_with_503_and_when_to_come_back() {
    let site = Site::new(
        "[journal]\ndeliveries_max = 2\n[plugin_defaults]\nbacklog_max = 2\nconcurrency = 1\n\
         deadline_ms = 1000\nattempts_max = 1\n",
    );
    site.install("probe", &probe(1));
    let server = site.serve();
    let first = server.post(body("e", r#","probe":"sleep""#)).event();
    assert_eq!(server.post(body("e", "")).status, 200);
    let busy = server.post(body("e", ""));
    assert_eq!((busy.status, busy.header("retry-after")), (503, Some("5")), "{}", busy.body);
    assert_eq!(busy.json()["code"], "too-much-owed");
    server.wait_done(&first, "probe");
    server.wait(|line| text(line, "message") == "handled");
    assert_eq!(server.post(body("e", "")).status, 200, "room again");
    server.end();
}

#[test]
fn a_plugin_that_is_too_slow_overflows_alone() {
    let site = Site::new("[plugin.probe]\nconcurrency = 1\nbacklog_max = 1\ndeadline_ms = 2000\n");
    site.install("probe", &probe(1));
    site.install("other", &probe(2));
    let server = site.serve();
    let first = server.post(body("e", r#","probe":"sleep""#)).event();
    server.wait(|line| {
        text(line, "event") == first
            && text(line, "plugin") == "probe"
            && line.get("stream").is_some()
    });
    assert_eq!(server.post(body("e", "")).status, 200, "one may wait");
    let third = server.post(body("e", "")).event();
    let overflow =
        server.wait(|line| text(line, "event") == third && text(line, "level") == "ERROR");
    assert_eq!(text(&overflow, "plugin"), "probe");
    assert_eq!(text(&server.wait_done(&third, "other"), "message"), "handled");
}

/// Posts over HTTP/2 without TLS, as a client that knows beforehand.
#[test]
fn http_2_is_spoken_without_tls() {
    let site = Site::new("");
    site.install("probe", &probe(1));
    let server = site.serve();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let answers: Vec<(u16, String)> = runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(server.address()).await.expect("a connection");
        let (sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .expect("HTTP/2");
        tokio::spawn(connection);
        let mut answers = Vec::new();
        for bytes in [sample("sd_encoded").to_owned(), "{}".to_owned(), "x".repeat(2_000_000)] {
            let request = hyper::Request::post("http://x/hooks/main")
                .body(Full::new(Bytes::from(bytes)))
                .expect("a request");
            let response = sender.clone().send_request(request).await.expect("a response");
            let status = response.status().as_u16();
            let body = response.into_body().collect().await.expect("a body").to_bytes();
            answers.push((status, String::from_utf8_lossy(&body).into_owned()));
        }
        answers
    });
    let statuses: Vec<u16> = answers.iter().map(|(status, _)| *status).collect();
    assert_eq!(statuses, [200, 401, 413], "{answers:?}");
    server.wait(|line| text(line, "message") == "handled");
}

#[test]
fn ending_answers_what_is_under_way_and_the_rest_goes_on_at_the_next_start() {
    let site = Site::new("[plugin_defaults]\nconcurrency = 1\ndeadline_ms = 700\n");
    site.install("probe", &probe(1));
    let mut server = site.serve();
    let slow = server.post(body("slow", r#","probe":"sleep""#)).event();
    let waiting = server.post(body("waiting", "")).event();
    let mut late = connect(&server);
    let text_of = body("late", "");
    let (first, second) = text_of.split_at(10);
    let request = head(&format!("Content-Length: {}\r\n", text_of.len())) + first;
    late.write_all(request.as_bytes()).expect("writing");
    // The head is in before the signal: the server is asked for the rest.
    let idle = connect(&server);
    let marker = server.post(body("marker", "")).event();

    server.signal(Signal::TERM);
    server.wait(|line| text(line, "message").starts_with("ending"));
    assert_eq!(rest(idle), "", "idle connections are closed");
    late.write_all(second.as_bytes()).expect("writing");
    let answer = rest(late);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let (_, told) = answer.split_once("\r\n\r\n").expect("a body");
    let told: serde_json::Value = serde_json::from_str(told).expect("JSON");
    let late = told["id"].as_str().expect("an id").to_owned();
    assert!(TcpStream::connect(server.address()).is_err(), "new connections are refused");

    let status = server.ended();
    assert!(status.success(), "{status}");
    assert_eq!(text(&server.wait_done(&slow, "probe"), "failure"), "deadline");
    assert_eq!(server.lines(|line| text(line, "message") == "handled").len(), 0);
    let ended = server.wait(|line| text(line, "message").starts_with("ended; what is still owed"));
    assert_eq!(ended["owed"], 4);

    let server = site.serve();
    for event in [&waiting, &marker, &late] {
        assert_eq!(text(&server.wait_done(event, "probe"), "message"), "handled");
    }
    let again = server.wait_done(&slow, "probe");
    assert_eq!((text(&again, "failure"), &again["attempt"]), ("deadline", &2.into()));
}

#[test]
fn a_second_signal_ends_at_once_and_what_ran_is_handed_over_again() {
    let site = Site::new("");
    site.install("probe", &probe(1));
    let mut server = site.serve();
    let slow = server.post(body("slow", r#","probe":"sleep""#)).event();
    server.wait(|line| text(line, "event") == slow && line.get("stream").is_some());
    server.signal(Signal::INT);
    server.wait(|line| text(line, "message").starts_with("ending"));
    server.signal(Signal::INT);
    assert!(server.ended().success());
    server.wait(|line| text(line, "message").starts_with("calls were cut off"));

    let server = site.serve();
    let owed = server.wait(|line| text(line, "message").starts_with("deliveries are owed"));
    assert_eq!((&owed["owed"], &owed["interrupted"]), (&1.into(), &1.into()));
    let again = server.wait(|line| text(line, "event") == slow && line.get("stream").is_some());
    assert_eq!(again["attempt"], 2, "{again}");
}

#[test]
fn at_the_limit_the_longest_idle_makes_room_and_nobody_else() {
    let site = Site::new("[server]\nconnections_max = 3\nheader_timeout_ms = 60000\n");
    let server = site.serve();
    let good = body("e", "");
    let (first, second) = good.split_at(10);
    let begin = head(&format!("Content-Length: {}\r\n", good.len())) + first;
    // A busy one, and one after another three idle ones.
    let mut busy = connect(&server);
    busy.write_all(begin.as_bytes()).expect("writing");
    let request = head(&format!("Content-Length: {}\r\n", good.len())) + &good;
    let mut idle: Vec<TcpStream> = (0..3)
        .map(|_| {
            let mut stream = connect(&server);
            stream.write_all(request.as_bytes()).expect("writing");
            let mut answer = [0; 12];
            stream.read_exact(&mut answer).expect("an answer");
            assert_eq!(&answer, b"HTTP/1.1 200");
            stream
        })
        .collect();
    // The third needed a place: the first idle one gave it, and is at its end.
    assert!(!rest(idle.remove(0)).contains("HTTP/1.1"), "another answer");
    for mut stream in idle {
        stream.write_all(request.as_bytes()).expect("writing");
        let mut answer = Vec::new();
        while !String::from_utf8_lossy(&answer).contains("HTTP/1.1 200") {
            let mut more = [0; 256];
            let read = stream.read(&mut more).expect("an answer");
            assert_ne!(read, 0, "an idle connection was closed without need");
            answer.extend_from_slice(&more[..read]);
        }
    }
    busy.write_all(second.as_bytes()).expect("writing");
    let mut answer = [0; 12];
    busy.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 200", "a busy one was cut");
}

#[test]
fn one_connection_at_a_time_serves_one_after_another() {
    let site = Site::new("[server]\nconnections_max = 1\n");
    let server = site.serve();
    for _ in 0..30 {
        assert_eq!(server.post(body("sd_encoded", "")).status, 200);
    }
}

#[test]
fn bodies_on_their_way_in_have_a_bound_together() {
    let site = Site::new("[server]\nbodies_bytes_max = 1048576\n");
    let server = site.serve();
    let half = "x".repeat(600_000);
    let began = Instant::now();
    // Both do not fit: one of them is refused, whichever comes second. They miss
    // each other only where the second is answered before the first one's bytes
    // are in.
    loop {
        let mut first = connect(&server);
        first.write_all((head("Content-Length: 1000000\r\n") + &half).as_bytes()).expect("writing");
        let second = head("Connection: close\r\nContent-Length: 600000\r\n") + &half;
        let second = server.raw(second.as_bytes());
        first.set_read_timeout(Some(Duration::from_millis(20))).expect("a timeout");
        let mut answer = [0; 1024];
        let read = first.read(&mut answer).unwrap_or(0);
        let first = String::from_utf8_lossy(&answer[..read]).into_owned();
        if let Some(refused) = [first, second].iter().find(|a| a.starts_with("HTTP/1.1 503 ")) {
            assert!(refused.contains("retry-after: 5"), "{refused}");
            break;
        }
        assert!(began.elapsed() < PATIENCE, "neither was refused");
    }
    assert_eq!(server.post(&half).status, 400, "there is room again");
}
