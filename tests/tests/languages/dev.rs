//! `hookbox dev`: a server, and a build at each save.

use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::process::Stdio;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use super::{author, done, rust};

/// The first build may compile all that a plugin needs.
const PATIENCE: Duration = Duration::from_secs(300);

fn lines(from: impl Read + Send + 'static, to: Sender<String>) {
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            let _the_test_ended = to.send(line);
        }
    });
}

/// The first line that holds a text, of those that were not looked at yet.
fn until(lines: &Receiver<String>, text: &str) -> String {
    let mut before = String::new();
    loop {
        match lines.recv_timeout(PATIENCE) {
            Ok(line) if line.contains(text) => return line,
            Ok(line) => before.push_str(&format!("{line}\n")),
            Err(error) => panic!("no line with {text:?} ({error}), but:\n{before}"),
        }
    }
}

#[test]
fn each_save_is_built_and_gets_the_sample() {
    let above = tempfile::tempdir().expect("a folder");
    done(author(above.path(), &["new", "first-plugin"]));
    let folder = above.path().join("first-plugin");
    let change = |file: &str, from: &str, to: &str| {
        let file = folder.join(file);
        let text = fs::read_to_string(&file).expect("a text");
        assert!(text.contains(from), "{text}");
        fs::write(&file, text.replace(from, to)).expect("written");
    };
    change("hookbox.toml", "127.0.0.1:8080", "127.0.0.1:0");
    change("hookbox.toml", "127.0.0.1:8081", "127.0.0.1:0");

    let mut command = author(&folder, &["dev", "--send", "add_video"]);
    rust::prepare(&mut command);
    let mut dev = command
        .env("HOOKBOX_LOG__FORMAT", "json")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    let (to, said) = channel();
    lines(dev.stdout.take().expect("its output"), to.clone());
    lines(dev.stderr.take().expect("its messages"), to);
    until(&said, "Harbour at dawn: change 1");
    until(&said, "first-plugin: succeeded after 1 attempt");

    change("src/lib.rs", "\"video {id}", "\"film {id}");
    until(&said, "src/lib.rs changed");
    until(&said, "film 734392, Harbour at dawn: change 2");

    // A sample that fails again and again does not keep the next save waiting.
    change("src/lib.rs", "println!(", "panic!(");
    until(&said, "film 734392, Harbour at dawn: change 3");
    change("src/lib.rs", "panic!(", "println!(");
    until(&said, "src/lib.rs changed");
    until(&said, "\"message\":\"film 734392, Harbour at dawn: change 3\"");

    change("src/lib.rs", "println!(", "printline!(");
    until(&said, "not built: cargo failed");
    // What was live before is so still, and mended is mended.
    change("src/lib.rs", "printline!(", "println!(");
    until(&said, "dev: first-plugin is built");
    until(&said, "first-plugin: succeeded after 1 attempt");

    let pid = i32::try_from(dev.id()).expect("a process");
    let pid = rustix::process::Pid::from_raw(pid).expect("a process");
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("a signal");
    until(&said, "ended");
    assert!(dev.wait().expect("ended").success());
}
