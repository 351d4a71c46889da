//! What an operator does when a plugin fails, as `docs/operators.md` has it: its
//! commands are read from there and run in their order, through a shell, with
//! nothing else at hand.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use hookbox_core::ids::Digest;
use hookbox_tests::{PATIENCE, Server, Site, plugin, probe, program, sample};

const GUIDE: &str = include_str!("../../docs/operators.md");
const SECTION: &str = "### A plugin fails: from the alarm to all green";

/// The commands of the section, in order.
fn commands() -> Vec<&'static str> {
    let section = GUIDE.split(SECTION).nth(1).expect("the section");
    let section = section.split("\n### ").next().expect("its end");
    let blocks = section.split("```sh\n").skip(1).map(|rest| rest.split("```").next());
    blocks.flat_map(|block| block.expect("a block's end").lines()).collect()
}

/// A shell in the site's folder, in which `hookbox` is the program.
struct Shell<'a> {
    site: &'a Site,
    event: String,
    left: std::vec::IntoIter<&'static str>,
}

impl Shell<'_> {
    /// Runs the guide's next command, which begins like that. Its exit status, and
    /// what it printed.
    fn next(&mut self, begins: &str) -> (i32, String) {
        let command = self.left.next().expect("a command");
        assert!(command.starts_with(begins), "{command:?} is not {begins:?}");
        self.run(&command.replace("EVENT", &self.event))
    }

    /// The same where it must succeed.
    fn good(&mut self, begins: &str) -> String {
        let (status, output) = self.next(begins);
        assert_eq!(status, 0, "{begins}: {output}");
        output
    }

    fn run(&self, command: &str) -> (i32, String) {
        let folder = self.site.path("");
        let output = Command::new("sh")
            .args(["-c", &format!("{command} 2>&1")])
            .current_dir(&folder)
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", folder.join("bin").display()))
            .stdin(Stdio::null())
            .output()
            .expect("a shell");
        let text = String::from_utf8(output.stdout).expect("text");
        (output.status.code().expect("a status"), text)
    }

    /// Runs a command until it prints a text: what was told to happen takes a
    /// moment.
    fn until(&self, command: &str, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (_, output) = self.run(command);
            if output.contains(text) {
                return;
            }
            assert!(Instant::now() < deadline, "{command}: no {text:?} in {output}");
        }
    }
}

/// The event's id in a list of dead letters.
fn event_of(list: &str) -> String {
    let at = list.find(", event ").expect(list) + ", event ".len();
    list[at..at + 36].to_owned()
}

fn broken() -> (Site, Server) {
    let site = Site::new(
        "[plugin.encoding-watch]\nattempts_max = 2\nbackoff_first_ms = 1\nbackoff_max_ms = 1\n",
    );
    fs::create_dir(site.path("bin")).expect("a folder");
    symlink(program(), site.path("bin/hookbox")).expect("a link");
    site.install("encoding-watch", &probe(1));
    let server = site.serve();
    for number in 0..3 {
        let body = sample("sd_encoded").replace("1614908944", &format!("16149089{number:02}"));
        let body = body.replacen('{', "{\"probe\":\"panic\",", 1);
        server.post(body).event();
    }
    site.wait_listed(&["dead", "list"], 3);
    (site, server)
}

fn short(bytes: &[u8]) -> String {
    Digest::of(bytes).short()
}

#[test]
fn a_failing_plugin_is_found_mended_and_made_up_for_as_the_guide_says() {
    let (site, _server) = broken();
    let mended = plugin("encoding-watch");
    fs::write(site.path("encoding-watch.wasm"), &mended).expect("a file");
    let mut shell = Shell { site: &site, event: String::new(), left: commands().into_iter() };

    // Found.
    let status = shell.good("hookbox status");
    assert!(status.contains("3 dead"), "{status}");
    let list = shell.good("hookbox plugins list");
    let row = list.lines().find(|line| line.starts_with("encoding-watch")).expect(&list);
    assert!(row.contains("live"), "{list}");
    let shown = shell.good("hookbox plugins show");
    assert!(shown.contains(&short(&probe(1))), "{shown}");
    assert!(shown.contains("trap"), "{shown}");
    let dead = shell.good("hookbox dead list");
    assert_eq!(dead.matches("attempts-exhausted").count(), 3, "{dead}");

    // Its error read.
    shell.event = event_of(&dead);
    let event = shell.good("hookbox events show");
    assert!(event.contains("panic_in_a_function_of_its_own"), "{event}");
    assert!(event.contains("asked to panic"), "{event}");
    shell.good("hookbox plugins pause");
    shell.until("hookbox plugins list", "paused");

    // Mended.
    let check = shell.good("hookbox check");
    assert!(check.contains(&short(&mended)), "{check}");
    shell.good("cp ");
    shell.good("mv ");
    shell.until("hookbox plugins show encoding-watch", &short(&mended));
    let shown = shell.good("hookbox plugins show");
    assert!(shown.contains("paused"), "{shown}");
    shell.good("hookbox plugins resume");
    let redriven = shell.good("hookbox dead redrive");
    assert!(redriven.contains("Redrove 3 dead letters"), "{redriven}");

    // All green.
    site.wait_listed(&["deliveries", "list", "--state", "succeeded"], 3);
    let deliveries = shell.good("hookbox deliveries list");
    assert_eq!(deliveries.matches("succeeded").count(), 3, "{deliveries}");
    let dead = shell.good("hookbox dead list");
    assert!(!dead.contains("encoding-watch"), "{dead}");
    let changes = shell.good("hookbox changes list");
    for change in ["redriven", "resumed", "paused", "plugin-live"] {
        assert!(changes.contains(change), "no {change} in {changes}");
    }
    assert!(changes.contains("local"), "{changes}");
    let status = shell.good("hookbox status");
    assert!(status.contains("0 dead"), "{status}");
    assert_eq!(shell.left.next(), None, "the guide goes on");
    assert!(Path::new(&site.path("plugins/encoding-watch.wasm")).exists());
}
