//! `cargo xtask bench recovery`: a server that starts with very many events
//! owed from before: how long the start takes, what memory it needs, and how
//! fast it works them off.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rusqlite::{Connection, OpenFlags};

use crate::bench::{CONFIG, Load};
use crate::server::{Server, text};
use crate::{cargo, guests, run, target};

/// Once more with a tenth, to see what grows with the number.
const PARTS: u64 = 10;

/// How long working off is watched at most.
const WATCH_MAX: Duration = Duration::from_secs(30);

/// How often to look while working off is watched.
const LOOK: Duration = Duration::from_millis(500);

/// Runs it.
pub(crate) fn recovery(events: u64) -> Result<()> {
    if cfg!(debug_assertions) {
        println!("Building the load generator (release)");
        return run(cargo()
            .args(["run", "--quiet", "--release", "--package", "xtask", "--", "bench", "recovery"])
            .args(["--events", &events.to_string()]));
    }
    println!("Building the server (release) and the plugins");
    let components = guests::build()?;
    run(cargo().args(["build", "--quiet", "--release", "--package", "hookbox"]))?;
    let program = target().join("release/hookbox");
    let site = Site::new(&components)?;
    println!("Starting once, so that the plugin is known");
    let server = Server::start(&program, &site.config)?;
    server.until(LISTENING, |_| {})?;
    server.end()?;

    println!(
        "{:>10} {:>12} {:>12} {:>12} {:>12} {:>12} {:>12}",
        "owed", "journal", "accepted/s", "start", "memory", "peak", "handled/s"
    );
    for owed in [events / PARTS, events] {
        site.round(&program, owed)?;
    }
    Ok(())
}

const LISTENING: &str = "listening for webhooks at /hooks/<source>";

struct Site {
    folder: tempfile::TempDir,
    config: PathBuf,
    good: PathBuf,
}

impl Site {
    fn new(components: &Path) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        fs::create_dir(folder.path().join("plugins"))?;
        let config = folder.path().join("hookbox.toml");
        fs::write(&config, CONFIG)?;
        let site = Self { folder, config, good: components.join("audit-log.wasm") };
        fs::copy(&site.good, site.plugin())?;
        Ok(site)
    }

    fn plugin(&self) -> PathBuf {
        self.folder.path().join("plugins/audit-log.wasm")
    }

    fn journal(&self) -> Result<Connection> {
        let file = self.folder.path().join("data/journal.sqlite");
        Ok(Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?)
    }

    fn round(&self, program: &Path, owed: u64) -> Result<()> {
        // A plugin whose file cannot be loaded still gets events, which wait.
        fs::write(self.plugin(), "no component")?;
        let server = Server::start(program, &self.config)?;
        let line = server.until(LISTENING, |_| {})?;
        let address = text(&line, "address").trim_start_matches("http://").parse()?;
        let began = Instant::now();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let posted = runtime.block_on(Load::new(64, owed).send(address))?;
        let accepted_per_second = posted as f64 / began.elapsed().as_secs_f64();
        server.end()?;
        let bytes = fs::metadata(self.folder.path().join("data/journal.sqlite"))?.len();

        fs::copy(&self.good, self.plugin())?;
        let began = Instant::now();
        let server = Server::start(program, &self.config)?;
        let line = server.until(LISTENING, |_| {})?;
        let start = began.elapsed();
        if line.get("plugins").and_then(serde_json::Value::as_u64) != Some(1) {
            bail!("the plugin is not live");
        }
        let memory = server.memory("VmRSS:")?;
        let journal = self.journal()?;
        let began = Instant::now();
        let before = left(&journal)?;
        let mut now = before;
        while now > 0 && began.elapsed() < WATCH_MAX {
            std::thread::sleep(LOOK);
            now = left(&journal)?;
        }
        let handled_per_second = (before - now) as f64 / began.elapsed().as_secs_f64();
        let peak = server.memory("VmHWM:")?;
        println!(
            "{owed:>10} {:>8.0} MiB {accepted_per_second:>12.0} {:>9.0} ms {:>8.0} MiB {:>8.0} MiB {handled_per_second:>12.0}",
            mib(bytes),
            start.as_secs_f64() * 1e3,
            mib(memory),
            mib(peak),
        );
        drop(server);
        // The next round begins with nothing owed.
        fs::remove_dir_all(self.folder.path().join("data"))?;
        let server = Server::start(program, &self.config)?;
        server.until(LISTENING, |_| {})?;
        server.end()
    }
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// About how many deliveries are left: they are handed over in order, so the
/// oldest one tells, without counting them all.
fn left(journal: &Connection) -> Result<i64> {
    let (first, last): (Option<i64>, i64) = journal
        .query_row(
            "SELECT (SELECT min(event) FROM queue WHERE plugin = 'audit-log'),
                 (SELECT coalesce(max(seq), 0) FROM events)",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .context("reading the journal")?;
    Ok(first.map_or(0, |first| last - first + 1))
}
