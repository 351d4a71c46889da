//! Each event counts once, whatever its plugin does and whatever becomes of the
//! server: `view-counter-chaos` counts, and then traps, spins or asks to be
//! tried again in half of its calls.
//!
//! `HOOKBOX_STATE_KILLS` sets how often the server is killed: 10 unless told.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use hookbox::faults::POINTS;
use hookbox_tests::{Server, Site, body, plugin, text};
use serde_json::Value;

const NAME: &str = "view-counter-chaos";

const VIDEOS: usize = 5;

/// Events that are sent in one life of the server, unless it ends before.
const EVENTS: usize = 40;

/// A sequence that is the same for the same seed (xorshift, G. Marsaglia, 2003).
struct Chance(u64);

impl Chance {
    fn new() -> Self {
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_micros();
        let seed = number("HOOKBOX_SEED", u64::try_from(clock).expect("a time")).max(1);
        println!("HOOKBOX_SEED={seed}");
        Self(seed)
    }

    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 32).expect("32 bits") % most
    }
}

fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).map_or(usual, |text| text.parse().expect(variable))
}

/// A server whose plugin fails at random, over several lives.
struct Trial {
    site: Site,
    chance: Chance,
    lives: usize,
    sent: usize,
    acknowledged: Vec<String>,
    failures: BTreeMap<String, usize>,
}

fn ended(line: &Value) -> bool {
    matches!(text(line, "message"), "handled" | "failed") && text(line, "plugin") == NAME
}

impl Trial {
    fn new() -> Self {
        let site = Site::new(&format!(
            "[plugin.{NAME}]\nkeyvalue = true\ncpu_ms = 30\ndeadline_ms = 2000\n\
             attempts_max = 1000\nbackoff_first_ms = 1\nbackoff_max_ms = 5\n\
             breaker_failures = 0\nconcurrency = 16"
        ));
        site.install(NAME, &plugin(NAME));
        Self {
            site,
            chance: Chance::new(),
            lives: 0,
            sent: 0,
            acknowledged: Vec::new(),
            failures: BTreeMap::new(),
        }
    }

    /// Sends events while something ends the server.
    fn life(&mut self, server: Server, end: impl FnOnce(&Site, &Server)) {
        let videos: Vec<usize> = (0..EVENTS).map(|_| self.chance.below(VIDEOS)).collect();
        let Self { site, sent, acknowledged, .. } = self;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for video in videos {
                    *sent += 1;
                    let data = format!(r#","n":{sent},"data":{{"Video":{{"id":"{video}"}}}}"#);
                    let reply = server.try_post_to("/hooks/main", body("edit_video", &data));
                    let Some(reply) = reply else { break };
                    acknowledged.push(reply.event());
                }
            });
            end(site, &server);
        });
        self.lives += 1;
        for line in server.killed() {
            if text(&line, "message") == "failed" {
                *self.failures.entry(text(&line, "failure").to_owned()).or_default() += 1;
            }
        }
    }

    /// Each event that is in the journal, and its video.
    fn accepted(&self) -> BTreeMap<String, i64> {
        let journal = self.site.journal();
        let mut statement = journal
            .prepare("SELECT id, CAST(document ->> '$.data.Video.id' AS INTEGER) FROM events")
            .expect("a statement");
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
        rows.map(|row| row.expect("a row")).collect()
    }

    /// Lets all that is owed be done, and counts by the journal's events, of
    /// which some were accepted and never acknowledged.
    fn close(self, what: &str) {
        let server = self.site.serve();
        let events = self.accepted();
        let succeeded = ["events", "list", "--state", "succeeded", "--limit", "100000"];
        self.site.wait_listed(&succeeded, events.len());
        server.end();
        let mut expected: BTreeMap<String, usize> = BTreeMap::new();
        for video in events.values() {
            *expected.entry(format!("video:{video}")).or_default() += 1;
            *expected.entry("total".to_owned()).or_default() += 1;
        }
        let value = |key: &String| self.site.done(&["kv", "get", NAME, key]);
        let counted: BTreeMap<String, usize> = expected
            .keys()
            .map(|key| (key.clone(), value(key).trim().parse().expect("a number")))
            .collect();
        let count = "SELECT count(*) FROM attempts";
        let attempts: i64 =
            self.site.journal().query_row(count, [], |row| row.get(0)).expect("a number");
        println!(
            "{what}: {} ends, {} events sent, {} acknowledged, {} accepted, {attempts} attempts, \
             failures before the last start: {:?}, counted: {counted:?}",
            self.lives,
            self.sent,
            self.acknowledged.len(),
            events.len(),
            self.failures
        );
        assert!(self.acknowledged.iter().all(|id| events.contains_key(id)), "events were lost");
        assert_eq!(counted, expected);
        // Else it shows nothing.
        assert!(attempts > events.len() as i64, "no event was tried again");
    }
}

#[test]
fn each_event_counts_once_however_often_the_server_is_killed() {
    let mut trial = Trial::new();
    for _ in 0..number("HOOKBOX_STATE_KILLS", 10) {
        let ends = 5 + trial.chance.below(40);
        let server = trial.site.serve();
        trial.life(server, |_, server| {
            server.wait_for(ends, ended);
            server.signal(rustix::process::Signal::KILL);
        });
    }
    trial.close("kill -9");
}

#[test]
fn each_event_counts_once_at_whatever_point_the_server_ends() {
    let mut trial = Trial::new();
    for point in POINTS {
        for pass in [1, 2 + trial.chance.below(15)] {
            let server = trial.site.serve_faulty(&format!("crash={point}:{pass}"));
            trial.life(server, |_, server| {
                server.wait_ended();
                assert!(server.raw_log().contains(&format!("crash at {point}")), "{point}");
            });
        }
    }
    trial.close("named points");
}

#[test]
fn each_event_counts_once_however_often_the_power_is_cut() {
    let mut trial = Trial::new();
    for cut in 0..number("HOOKBOX_STATE_KILLS", 10) {
        let ends = 5 + trial.chance.below(40);
        // Every other time a part of what was not synced is kept, as real disks do.
        let command = match cut % 2 {
            0 => "power-cut".to_owned(),
            _ => format!("power-cut {}", trial.chance.below(1_000_000)),
        };
        let server = trial.site.serve_faulty("disk");
        trial.life(server, |site, server| {
            server.wait_for(ends, ended);
            site.fault(&command);
            server.wait_ended();
        });
    }
    trial.close("power cuts");
}
