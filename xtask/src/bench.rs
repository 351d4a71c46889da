//! `cargo xtask bench`: measures, and prints ratios against a bare baseline in
//! the same run, since machines are shared and noisy.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

use crate::server::{Server, text};
use crate::{cargo, guests, run, target};

/// Rounds of each server; the median counts.
const ROUNDS: usize = 3;

/// The verb with which this program runs the baseline.
pub(crate) const BARE_VERB: &str = "bare-server";

/// Log lines of each request would measure who reads them, and the start of a
/// server that waits for a plugin's file to settle, that wait.
pub(crate) const CONFIG: &str = r#"[server]
listen = "127.0.0.1:0"
admin = ""
[reload]
settle_ms = 5
[plugin_defaults]
backlog_max = 10000000
[log]
level = "info,guest=off,hookbox::pipeline=off,hookbox::pipeline::server=info"
[[source]]
name = "main"
secrets = [{ name = "bench", value = "your_secret_key" }]
"#;

/// What one round measured.
#[derive(Clone, Copy)]
struct Round {
    per_second: f64,
    p50: Duration,
    p99: Duration,
    /// Processor time of the server for each request.
    cpu: Duration,
}

/// `cargo xtask bench accept`: requests that are answered, against a server of
/// bare hyper that reads the body and answers as many bytes.
pub(crate) fn accept(connections: usize, seconds: u64) -> Result<()> {
    if let Some(done) = optimised("accept", connections, seconds) {
        return done;
    }
    println!("Building the server (release) and the plugins");
    let components = guests::build()?;
    run(cargo().args(["build", "--quiet", "--release", "--package", "hookbox"]))?;
    let program = target().join("release/hookbox");
    let load = Load::lasting(connections, Duration::from_secs(seconds));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;

    let (mut bare, mut alone, mut plugin) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        println!("Round {round} of {ROUNDS}");
        bare.push(load.on_bare(&runtime)?);
        alone.push(load.on_hookbox(&runtime, &program, None)?);
        let audit_log = components.join("audit-log.wasm");
        plugin.push(load.on_hookbox(&runtime, &program, Some(&audit_log))?);
    }
    let bare = median(bare);
    println!(
        "\n{connections} connections, {seconds} s a round, median of {ROUNDS} rounds; the load comes from the same processors"
    );
    println!(
        "{:<34} {:>10} {:>7} {:>9} {:>9} {:>12}",
        "", "requests/s", "ratio", "p50", "p99", "server cpu"
    );
    show("bare hyper", bare, bare);
    show("hookbox, no plugin", median(alone), bare);
    show("hookbox, audit-log handles each", median(plugin), bare);
    Ok(())
}

/// This program is the load and the baseline, so it is optimised too: where it
/// is not, one that is does the work.
pub(crate) fn optimised(verb: &str, connections: usize, seconds: u64) -> Option<Result<()>> {
    if !cfg!(debug_assertions) {
        return None;
    }
    println!("Building the load generator (release)");
    let mut command = cargo();
    command
        .args(["run", "--quiet", "--release", "--package", "xtask", "--", "bench", verb])
        .args(["--connections", &connections.to_string()])
        .args(["--seconds", &seconds.to_string()]);
    Some(run(&mut command))
}

fn median(mut rounds: Vec<Round>) -> Round {
    rounds.sort_by(|a, b| a.per_second.total_cmp(&b.per_second));
    let middle = rounds.len() / 2;
    rounds.swap_remove(middle)
}

fn show(name: &str, round: Round, bare: Round) {
    println!(
        "{name:<34} {:>10.0} {:>7.2} {:>6} us {:>6} us {:>6.1} us/req",
        round.per_second,
        round.per_second / bare.per_second,
        round.p50.as_micros(),
        round.p99.as_micros(),
        round.cpu.as_nanos() as f64 / 1e3,
    );
}

pub(crate) struct Load {
    connections: usize,
    duration: Duration,
    /// Requests in all.
    requests_max: u64,
}

impl Load {
    /// That many requests, however long they take.
    pub(crate) fn new(connections: usize, requests_max: u64) -> Self {
        Self { connections, duration: Duration::from_secs(3_600), requests_max }
    }

    /// As many requests as there can be in that time.
    pub(crate) fn lasting(connections: usize, duration: Duration) -> Self {
        Self { connections, duration, requests_max: u64::MAX }
    }

    /// Requests answered in a second.
    pub(crate) async fn rate(&self, address: SocketAddr, counter: &Arc<AtomicU64>) -> Result<f64> {
        let body = guests::sample("sd_encoded")?;
        let began = Instant::now();
        let answered = self.burst(address, &body, counter, self.duration).await?.len();
        Ok(answered as f64 / began.elapsed().as_secs_f64())
    }

    /// Sends them, and returns how many were answered.
    pub(crate) async fn send(&self, address: SocketAddr) -> Result<usize> {
        let body = guests::sample("sd_encoded")?;
        Ok(self.burst(address, &body, &Arc::default(), self.duration).await?.len())
    }

    fn on_bare(&self, runtime: &Runtime) -> Result<Round> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(BARE_VERB)
            .stdout(Stdio::piped())
            .spawn()
            .context("starting the bare server")?;
        let mut line = String::new();
        let stdout = child.stdout.take().context("its output")?;
        std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line)?;
        let address = line.trim().parse().context("its address")?;
        let round = runtime.block_on(self.drive(address, &child));
        child.kill()?;
        child.wait()?;
        round
    }

    fn on_hookbox(
        &self,
        runtime: &Runtime,
        program: &Path,
        plugin: Option<&Path>,
    ) -> Result<Round> {
        let folder = tempfile::tempdir()?;
        fs::create_dir(folder.path().join("plugins"))?;
        if let Some(plugin) = plugin {
            fs::copy(plugin, folder.path().join("plugins/audit-log.wasm"))?;
        }
        let config = folder.path().join("hookbox.toml");
        fs::write(&config, CONFIG)?;
        let server = Server::start(program, &config)?;
        let line = server.until("listening for webhooks at /hooks/<source>", |_| {})?;
        let address = text(&line, "address").trim_start_matches("http://").parse()?;
        runtime.block_on(self.drive(address, server.process()))
    }

    async fn drive(&self, address: SocketAddr, server: &Child) -> Result<Round> {
        let body = guests::sample("sd_encoded")?;
        let counter = Arc::new(AtomicU64::new(0));
        // Once to warm up.
        self.burst(address, &body, &counter, Duration::from_millis(500)).await?;
        let cpu_before = cpu_time(server)?;
        let began = Instant::now();
        let mut latencies = self.burst(address, &body, &counter, self.duration).await?;
        let elapsed = began.elapsed();
        let cpu = cpu_time(server)?.saturating_sub(cpu_before);
        latencies.sort_unstable();
        let count = latencies.len();
        if count == 0 {
            bail!("no request was answered");
        }
        let at = |part: usize| latencies.get((count - 1) * part / 100).copied().unwrap_or_default();
        Ok(Round {
            per_second: count as f64 / elapsed.as_secs_f64(),
            p50: at(50),
            p99: at(99),
            cpu: cpu / u32::try_from(count).unwrap_or(u32::MAX),
        })
    }

    async fn burst(
        &self,
        address: SocketAddr,
        body: &str,
        counter: &Arc<AtomicU64>,
        duration: Duration,
    ) -> Result<Vec<Duration>> {
        let until = Instant::now() + duration;
        let mut senders = tokio::task::JoinSet::new();
        for _ in 0..self.connections {
            senders.spawn(sender(
                address,
                body.to_owned(),
                Arc::clone(counter),
                until,
                self.requests_max,
            ));
        }
        let mut latencies = Vec::new();
        while let Some(sender) = senders.join_next().await {
            latencies.extend(sender??);
        }
        Ok(latencies)
    }
}

/// Posts one body after another on one connection, each with a timestamp of its
/// own, so that no two are the same.
async fn sender(
    address: SocketAddr,
    body: String,
    counter: Arc<AtomicU64>,
    until: Instant,
    requests_max: u64,
) -> Result<Vec<Duration>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let mut latencies = Vec::new();
    while Instant::now() < until {
        let number = counter.fetch_add(1, Ordering::Relaxed);
        if number >= requests_max {
            break;
        }
        let number = 1_700_000_000 + number;
        let body = body.replace("1614908944", &number.to_string());
        let request = Request::post("/hooks/main")
            .header("host", "bench")
            .body(Full::new(Bytes::from(body)))?;
        let began = Instant::now();
        let response = sender.send_request(request).await?;
        let status = response.status();
        response.into_body().collect().await?;
        latencies.push(began.elapsed());
        if !status.is_success() {
            bail!("the server answered {status}");
        }
    }
    Ok(latencies)
}

/// User and system time of a process (`/proc/<pid>/stat`, fields 14 and 15, in
/// ticks of 10 ms).
fn cpu_time(process: &Child) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.id()))?;
    let (_, fields) = stat.rsplit_once(") ").context("the process's status")?;
    let ticks: u64 =
        fields.split(' ').skip(11).take(2).map(|field| field.parse().unwrap_or(0)).sum();
    Ok(Duration::from_millis(ticks * 10))
}

/// The baseline: hyper as hookbox uses it, which reads the body and answers as
/// many bytes.
pub(crate) fn bare_server() -> Result<()> {
    const ANSWER: &[u8] = br#"{"id":"00000000-0000-7000-8000-000000000000","duplicate":false}"#;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let service = service_fn(async |request: Request<hyper::body::Incoming>| {
                let _body = request.into_body().collect().await?;
                Ok::<_, hyper::Error>(Response::new(Full::new(Bytes::from_static(ANSWER))))
            });
            tokio::spawn(
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service),
            );
        }
    })
}
