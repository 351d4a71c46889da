//! `cargo xtask bench admin`: what operators who look on cost the accept path.
//! One server under load the whole time; by turns nobody looks on, and two
//! dashboards, a scraper and someone who reads do.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::bench::{CONFIG, Load, optimised};
use crate::server::{Server, text};
use crate::{cargo, guests, run, target};

/// Pairs of windows.
const PAIRS: usize = 8;

/// Pages that someone who reads asks for, by turns.
const PAGES: [&str; 5] = [
    "/api/v1/events?limit=50",
    "/api/v1/plugins",
    "/api/v1/deliveries?limit=50",
    "/api/v1/dead?limit=50",
    "/api/v1/status",
];

/// Between two of these.
const READ_EVERY: Duration = Duration::from_millis(200);

/// Between two scrapes of the metrics.
const SCRAPE_EVERY: Duration = Duration::from_secs(1);

/// Dashboards that are open.
const DASHBOARDS: usize = 2;

/// Measures and prints.
pub(crate) fn admin(connections: usize, seconds: u64) -> Result<()> {
    if let Some(done) = optimised("admin", connections, seconds) {
        return done;
    }
    println!("Building the server (release) and the plugins");
    let components = guests::build()?;
    run(cargo().args(["build", "--quiet", "--release", "--package", "hookbox"]))?;
    let folder = tempfile::tempdir()?;
    fs::create_dir(folder.path().join("plugins"))?;
    fs::copy(components.join("audit-log.wasm"), folder.path().join("plugins/audit-log.wasm"))?;
    let config = folder.path().join("hookbox.toml");
    fs::write(&config, CONFIG.replace("admin = \"\"", "admin = \"127.0.0.1:0\""))?;
    let server = Server::start(&target().join("release/hookbox"), &config)?;
    let mut addresses = Vec::new();
    for message in ["listening for operators", "listening for webhooks at /hooks/<source>"] {
        let line = server.until(message, |_| {})?;
        addresses.push(text(&line, "address").trim_start_matches("http://").parse()?);
    }
    let [operators, webhooks] = addresses[..] else { bail!("two addresses were expected") };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let load = Load::lasting(connections, Duration::from_secs(seconds));
    runtime.block_on(windows(&load, webhooks, operators))?;
    server.end()
}

async fn windows(load: &Load, webhooks: SocketAddr, operators: SocketAddr) -> Result<()> {
    let counter = Arc::default();
    // Once to warm up.
    load.rate(webhooks, &counter).await?;
    let (mut alone, mut watched, mut requests) = (Vec::new(), Vec::new(), 0);
    for pair in 0..PAIRS {
        // Which comes first changes, since a journal that grows gets slower.
        for looked_at in [pair % 2 == 0, pair % 2 != 0] {
            if looked_at {
                let looking = Looking::start(operators);
                watched.push(load.rate(webhooks, &counter).await?);
                requests += looking.end().await?;
            } else {
                alone.push(load.rate(webhooks, &counter).await?);
            }
        }
    }
    let mut ratios: Vec<f64> =
        watched.iter().zip(&alone).map(|(with, without)| with / without).collect();
    ratios.sort_by(f64::total_cmp);
    let median = |mut rates: Vec<f64>| {
        rates.sort_by(f64::total_cmp);
        rates.get(rates.len() / 2).copied().unwrap_or_default()
    };
    let (least, most) = (ratios.first().copied(), ratios.last().copied());
    println!("\n{PAIRS} pairs of windows by turns; the load comes from the same processors");
    println!("{:<52} {:>8.0} requests/s", "nobody looks on", median(alone));
    println!(
        "{:<52} {:>8.0} requests/s",
        format!("{DASHBOARDS} dashboards, a scraper, {requests} requests read"),
        median(watched)
    );
    println!(
        "ratio: median {:.3}, from {:.3} to {:.3}",
        median(ratios),
        least.unwrap_or_default(),
        most.unwrap_or_default()
    );
    Ok(())
}

/// Those who look on.
struct Looking {
    enough: Arc<AtomicBool>,
    requests: Arc<AtomicU64>,
    tasks: tokio::task::JoinSet<Result<()>>,
}

impl Looking {
    fn start(operators: SocketAddr) -> Self {
        let (enough, requests) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..DASHBOARDS {
            tasks.spawn(stream(operators, Arc::clone(&enough)));
        }
        for (pages, every) in [(&PAGES[..], READ_EVERY), (&["/metrics"][..], SCRAPE_EVERY)] {
            tasks.spawn(read(operators, pages, every, Arc::clone(&enough), Arc::clone(&requests)));
        }
        Self { enough, requests, tasks }
    }

    /// How many answers they got.
    async fn end(mut self) -> Result<u64> {
        self.enough.store(true, Ordering::Relaxed);
        while let Some(ended) = self.tasks.join_next().await {
            ended??;
        }
        Ok(self.requests.load(Ordering::Relaxed))
    }
}

async fn read(
    operators: SocketAddr,
    pages: &[&str],
    every: Duration,
    enough: Arc<AtomicBool>,
    requests: Arc<AtomicU64>,
) -> Result<()> {
    for page in pages.iter().cycle() {
        if enough.load(Ordering::Relaxed) {
            break;
        }
        get(operators, page).await?.collect().await?;
        requests.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(every).await;
    }
    Ok(())
}

/// Reads all that comes, as a dashboard does.
async fn stream(operators: SocketAddr, enough: Arc<AtomicBool>) -> Result<()> {
    let mut body = get(operators, "/api/v1/stream").await?;
    while !enough.load(Ordering::Relaxed) {
        // There is a tick each second.
        body.frame().await.context("the stream ended")??;
    }
    Ok(())
}

async fn get(operators: SocketAddr, page: &str) -> Result<hyper::body::Incoming> {
    let stream = TcpStream::connect(operators).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::get(page).header("host", operators.to_string());
    let response = sender.send_request(request.body(Empty::<Bytes>::new())?).await?;
    if response.status() != StatusCode::OK {
        bail!("{page}: {}", response.status());
    }
    Ok(response.into_body())
}
