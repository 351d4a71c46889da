//! A server with a healthy plugin under a steady load, and room for a hostile
//! one beside it.

use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use hookbox_tests::{Server, Site, body, probe, text};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Events of one measurement, and the pace at which they are sent.
const EVENTS: u32 = 80;
const PACE: Duration = Duration::from_millis(5);

/// Events that are sent first, so that nothing is measured for the first time.
const WARM_UP_EVENTS: u32 = 20;

/// Of so many events of the load one more goes to the hostile plugin.
const HOSTILE_EVERY: u32 = 10;

/// What the healthy plugin's slowest events may take beside a hostile one: far
/// more than they do, since machines are shared. The table says what they take.
const HEALTHY_P99_MAX: Duration = Duration::from_secs(5);

/// By how much the server's memory may grow beside a hostile plugin that may have
/// 4 times 16 MiB.
const GROWTH_BYTES_MAX: u64 = 256 << 20;

/// Measurements are not taken at the same time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// See the module's text.
pub(super) struct Beside {
    pub(super) site: Site,
    pub(super) server: Server,
    without: Measured,
    _alone: MutexGuard<'static, ()>,
}

/// What a load of the healthy plugin showed.
#[derive(Clone, Copy)]
struct Measured {
    p99: Duration,
    resident_bytes: u64,
}

impl Beside {
    /// `limits`: lines of the hostile plugin's section, before which stand narrow
    /// ones that most tests share. `more`: other sections.
    pub(super) fn new(limits: &str, more: &str) -> Self {
        let alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let site = Site::new(&format!(
            "{more}
            [plugin.healthy]
            events = [\"good\"]
            [plugin.hostile]
            events = [\"bad\"]
            concurrency = 4
            memory_bytes_max = 16777216
            attempts_max = 1
            breaker_failures = 0
            {limits}\n"
        ));
        site.install("healthy", &probe(1));
        let server = site.serve();
        let mut beside = Self {
            site,
            server,
            without: Measured { p99: Duration::ZERO, resident_bytes: 0 },
            _alone: alone,
        };
        beside.load(WARM_UP_EVENTS, || ());
        beside.without = beside.load(EVENTS, || ());
        beside
    }

    /// Installs the hostile plugin, hands it events while the healthy one is under
    /// load, and returns how its calls ended.
    pub(super) fn calls(&self, name: &str, code: &[u8]) -> Vec<Value> {
        self.calls_with(name, code, "")
    }

    /// The same with these members in each event.
    pub(super) fn calls_with(&self, name: &str, code: &[u8], members: &str) -> Vec<Value> {
        self.site.install("hostile", code);
        self.server.wait_live("hostile", code);
        let mut sent = Vec::new();
        let with = self.load(EVENTS, || sent.push(self.server.post(body("bad", members)).event()));
        self.show(name, with);
        sent.iter().map(|event| self.server.wait_done(event, "hostile")).collect()
    }

    /// The same for code that must fail: kind and message of each failure.
    pub(super) fn failures(&self, name: &str, code: &[u8]) -> Vec<(String, String)> {
        let done = self.calls(name, code);
        assert!(!done.is_empty());
        done.iter()
            .map(|line| {
                assert_eq!(text(line, "message"), "failed", "{line}");
                (text(line, "failure").to_owned(), text(line, "error").to_owned())
            })
            .collect()
    }

    /// What the hostile plugin keeps.
    pub(super) fn state(&self) -> Vec<Value> {
        self.site.listed(&["kv", "list", "hostile"])
    }

    /// Puts something into the plugins directory in place of a file while the
    /// healthy plugin is under load, and returns why it was refused.
    pub(super) fn refused(&self, name: &str, put: impl FnOnce(&Site) + Send) -> (String, String) {
        let mut put = Some(put);
        let with = self.load(EVENTS, || {
            if let Some(put) = put.take() {
                put(&self.site);
            }
        });
        self.show(name, with);
        let refused = self.server.wait(|line| {
            text(line, "message").starts_with("plugin refused") && text(line, "plugin") == "hostile"
        });
        (text(&refused, "code").to_owned(), text(&refused, "error").to_owned())
    }

    /// Loads the healthy plugin while something else goes on.
    pub(super) fn under_load(&self, name: &str) {
        self.show(name, self.load(EVENTS, || ()));
    }

    /// Sends events to the healthy plugin at a steady pace, all of which it must
    /// handle, and does something else now and then.
    fn load(&self, events: u32, mut now_and_then: impl FnMut() + Send) -> Measured {
        let mut sent = Vec::new();
        std::thread::scope(|scope| {
            let (sender, receiver) = std::sync::mpsc::sync_channel(events as usize);
            scope.spawn(move || receiver.iter().for_each(|()| now_and_then()));
            let began = Instant::now();
            for number in 0..events {
                if number % HOSTILE_EVERY == 0 {
                    sender.send(()).expect("the other thread");
                }
                // The pace of the load, not a wait for anything.
                let due = began + PACE * number;
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                // From when it was due, so that a server that answers late is not
                // spared what comes after.
                let late = due.elapsed();
                let started = SystemTime::now() - late;
                sent.push((self.server.post(body("good", "")).event(), started));
            }
        });
        let mut latencies: Vec<Duration> = sent
            .iter()
            .map(|(event, started)| {
                let line = self.server.wait_done(event, "healthy");
                assert_eq!(text(&line, "message"), "handled", "{line}");
                logged_at(&line).duration_since(*started).unwrap_or_default()
            })
            .collect();
        latencies.sort_unstable();
        Measured {
            p99: latencies[(latencies.len() - 1) * 99 / 100],
            resident_bytes: self.server.peak_resident_bytes(),
        }
    }

    fn show(&self, name: &str, with: Measured) {
        static HEADER: Once = Once::new();
        HEADER.call_once(|| {
            println!(
                "{:<28} | {:>19} | {:>8} | {:>5} | memory",
                "hostile guest", "healthy p99 without", "with", "ratio"
            );
        });
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let grown = with.resident_bytes.saturating_sub(self.without.resident_bytes);
        println!(
            "{name:<28} | {:>16.1} ms | {:>5.1} ms | {:>5.1} | +{} MiB",
            ms(self.without.p99),
            ms(with.p99),
            with.p99.as_secs_f64() / self.without.p99.as_secs_f64(),
            grown >> 20,
        );
        assert!(with.p99 < HEALTHY_P99_MAX, "{name}: {:?}", with.p99);
        assert!(grown < GROWTH_BYTES_MAX, "{name}: memory grew by {grown} bytes");
    }
}

/// When a line was logged.
fn logged_at(line: &Value) -> SystemTime {
    OffsetDateTime::parse(text(line, "timestamp"), &Rfc3339).expect("a time").into()
}
