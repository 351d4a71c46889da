//! `cargo xtask bench loads`: very many loads and unloads through the plugins
//! directory: how many a second, and whether the server's memory and its open
//! files level off.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use crate::server::{Server, text};
use crate::{cargo, guests, run, target};

/// Components that take turns. Each is compiled once; after that its code comes
/// from the cache.
const COMPONENTS: [&str; 4] = ["audit-log", "encoding-watch", "catalog", "probe"];

/// Of the four, those that are handed the event of a round.
const HANDLE: usize = 3;

/// Files of each component in a round: names that come and go at once.
const COPIES: usize = 2;

/// Loads between two lines of the table.
const MARK: usize = 1_000;

/// Every wait of the reloader as short as it can be, and no lines of guests. The
/// journal stays small, or SQLite's cache of its pages would look like a leak
/// until it is full.
const CONFIG: &str = r#"[server]
listen = "127.0.0.1:0"
admin = ""
[journal]
keep_bytes_max = 1_048_576
[reload]
settle_ms = 1
delete_grace_ms = 1
rescan_ms = 100
[log]
level = "info,guest=off"
[[source]]
name = "main"
secrets = [{ name = "bench", value = "your_secret_key" }]
"#;

/// Runs it.
pub(crate) fn loads(count: usize) -> Result<()> {
    println!("Building the server (release) and the plugins");
    let components = guests::build()?;
    run(cargo().args(["build", "--quiet", "--release", "--package", "hookbox"]))?;
    let site = Site::new(&components)?;
    let server = Server::start(&target().join("release/hookbox"), &site.config)?;
    let line = server.until("listening for webhooks at /hooks/<source>", |_| {})?;
    let url = format!("{}/hooks/main", text(&line, "address"));

    println!("{:>8} {:>9} {:>12} {:>12}", "loads", "loads/s", "memory", "open files");
    let mut marks = vec![site.mark(&server, 0, 0.0)?];
    let (mut loaded, mut since) = (0, 0);
    let mut began = Instant::now();
    while loaded < count {
        site.round(&server, &url, loaded)?;
        loaded += COMPONENTS.len() * COPIES;
        since += COMPONENTS.len() * COPIES;
        if since >= MARK || loaded >= count {
            let per_second = since as f64 / began.elapsed().as_secs_f64();
            marks.push(site.mark(&server, loaded, per_second)?);
            since = 0;
            began = Instant::now();
        }
    }
    let (middle, last) = (marks.get(marks.len() / 2), marks.last());
    let (middle, last) = middle.zip(last).context("no load was made")?;
    println!(
        "Over the second half memory changed by {:+.1} MiB and open files by {:+}.",
        (last.memory as f64 - middle.memory as f64) / f64::from(1 << 20),
        last.open_files as i64 - middle.open_files as i64
    );
    server.end()
}

/// What the server holds at one time.
struct Mark {
    memory: u64,
    open_files: usize,
}

struct Site {
    folder: tempfile::TempDir,
    config: PathBuf,
    /// The bytes of each component.
    components: Vec<Vec<u8>>,
}

impl Site {
    fn new(components: &Path) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        fs::create_dir(folder.path().join("plugins"))?;
        let config = folder.path().join("hookbox.toml");
        fs::write(&config, CONFIG)?;
        let read = |name: &&str| fs::read(components.join(format!("{name}.wasm")));
        let components = COMPONENTS.iter().map(read).collect::<Result<_, _>>()?;
        Ok(Self { folder, config, components })
    }

    fn plugin(&self, name: &str) -> PathBuf {
        self.folder.path().join("plugins").join(name)
    }

    /// Puts some plugins into the directory, has an event handled by them, and
    /// deletes them.
    fn round(&self, server: &Server, url: &str, number: usize) -> Result<()> {
        let files: Vec<PathBuf> = (0..self.components.len() * COPIES)
            .map(|index| self.plugin(&format!("plugin-{index}.wasm")))
            .collect();
        for (file, bytes) in files.iter().zip(self.components.iter().cycle()) {
            let coming = self.plugin(".coming");
            fs::write(&coming, bytes)?;
            fs::rename(&coming, file)?;
        }
        server.until_all(&[("plugin is live", files.len())], |_| {})?;
        // No two are the same, or they would be duplicates.
        let body = guests::sample("sd_encoded")?;
        let body = body.replace("1614908944", &(1_700_000_000 + number).to_string());
        let answer = ureq::post(url).send(&body).context("posting an event")?;
        if !answer.status().is_success() {
            bail!("the server answered {}", answer.status());
        }
        server.until_all(&[("accepted", 1), ("handled", HANDLE * COPIES)], |_| {})?;
        for file in &files {
            fs::remove_file(file)?;
        }
        server.until_all(&[("plugin is gone: its file was deleted", files.len())], |_| {})
    }

    fn mark(&self, server: &Server, loaded: usize, per_second: f64) -> Result<Mark> {
        let memory = server.memory("VmRSS:")?;
        let open_files = fs::read_dir(format!("/proc/{}/fd", server.process().id()))?.count();
        println!(
            "{loaded:>8} {per_second:>9.0} {:>8.1} MiB {open_files:>12}",
            memory as f64 / f64::from(1 << 20)
        );
        Ok(Mark { memory, open_files })
    }
}
