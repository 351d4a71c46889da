//! `hookbox send`

mod body;
mod post;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use hookbox_core::targetvideo::samples;
use serde_json::{Value, json};

pub(super) use self::body::read as read_body;
use self::body::{Setting, body};
use self::post::post;
use super::exit::{NoServer, REFUSED};
use super::journal::{Journal, Place};
use super::paint::{self, in_style};
use super::{ConfigFile, show};
use crate::admin::views::StatusView;
use crate::config::{self, Sending};
use crate::store::records::{DeliverySummary, EventDetail, Query, RequestError, State};

/// Between two looks at what became of it.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Of an id, which any server may have given.
const ID_CHARS_MAX: usize = 100;

/// Tries with a later time of a body that is known already.
const TRIES_MAX: u64 = 10;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
The body gets the source's secret and the time of now, so that it is no duplicate.

Exit status 5: the server refused it; 3: no server; with --wait 1: a plugin did not handle it.

Examples:
  hookbox send --list
  hookbox send add_video --wait
  hookbox send sd_encoded --set /data/Video/id='\"5\"'
  hookbox send captured.json --as-is --source main --secret 2026
  hookbox send add_video --url https://hooks.example.com")]
pub(super) struct Arguments {
    /// The name of a sample, or a file with a body; -: standard input
    #[arg(required_unless_present = "list")]
    what: Option<String>,
    #[command(flatten)]
    config: ConfigFile,
    /// Lists the samples
    #[arg(long)]
    list: bool,
    /// The source to send to [default: the first one]
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Which of its secrets is sent [default: the first one]
    #[arg(long, value_name = "NAME")]
    secret: Option<String>,
    /// Where the server is [default: the one that runs by this configuration]
    #[arg(long)]
    url: Option<String>,
    /// Sets a value: a JSON Pointer, and JSON or else text
    #[arg(long, value_name = "/POINTER=VALUE")]
    set: Vec<Setting>,
    /// Send it again as it is, but for the secret: the same body is a duplicate
    #[arg(long, conflicts_with = "set")]
    as_is: bool,
    /// Wait until its deliveries have ended, and print what became of them
    #[arg(long)]
    wait: bool,
    /// Seconds to wait for that
    #[arg(long, value_name = "SECONDS", default_value_t = 60, requires = "wait")]
    timeout: u64,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Arguments {
    /// To send a sample and wait for what becomes of it.
    pub(super) fn sample(name: &str, config: ConfigFile) -> Self {
        Self {
            what: Some(name.to_owned()),
            config,
            list: false,
            source: None,
            secret: None,
            url: None,
            set: Vec::new(),
            as_is: false,
            wait: true,
            timeout: 60,
            json: false,
        }
    }
}

pub(super) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    if arguments.list {
        let mut out = io::stdout().lock();
        for (name, body) in samples::ALL {
            if arguments.json {
                show::json_to(&mut out, &json!({"name": name, "body": body}))?;
            } else {
                writeln!(out, "{name}")?;
            }
        }
        return Ok(ExitCode::SUCCESS);
    }
    let path = arguments.config.clone().path();
    let (source, secret) = (arguments.source.as_deref(), arguments.secret.as_deref());
    let sending = config::sending(path.as_deref(), source, secret)?;
    let data_dir = config::data_dir(path.as_deref())?;
    let url = url(&arguments, &sending, data_dir.clone())?;
    // Only that server knows; and nothing is sent that could not be waited for.
    let server = arguments.wait.then(|| Place::of(data_dir).server()).transpose()?;
    let text = body::read(arguments.what.as_deref().unwrap_or_default())?;
    let (mut later, mut answer) = (0, None::<Answer>);
    // Another of the same second has the same body.
    while answer.as_ref().is_none_or(|answer| answer.duplicate && !arguments.as_is)
        && later < TRIES_MAX
    {
        let now_s = (!arguments.as_is).then(|| super::now_ms() / 1_000 + later);
        let body = body(&text, &sending.secret, now_s, &arguments.set)?;
        match send(&url, body)? {
            Ok(good) => answer = Some(good),
            Err(problem) => return refused(&problem, arguments.json),
        }
        later += 1;
    }
    let Some(Answer { id, duplicate }) = answer else { bail!("nothing was sent") };
    let shown_id = show::line(&id, ID_CHARS_MAX);
    let Some(server) = server else {
        if arguments.json {
            show::json(&json!({"id": id, "duplicate": duplicate}))?;
        } else {
            writeln!(io::stdout(), "{shown_id}{}", if duplicate { " (a duplicate)" } else { "" })?;
        }
        return Ok(ExitCode::SUCCESS);
    };
    if !arguments.json {
        writeln!(io::stdout(), "{shown_id}")?;
    }
    let journal = Journal::Server(server);
    let deliveries = wait(&journal, &id, Duration::from_secs(arguments.timeout))?;
    outcome(&id, duplicate, &deliveries, arguments.json)
}

/// What the server said of it.
struct Answer {
    id: String,
    duplicate: bool,
}

/// Where to post to.
fn url(arguments: &Arguments, sending: &Sending, data_dir: PathBuf) -> anyhow::Result<url::Url> {
    let base = match &arguments.url {
        Some(url) => url.clone(),
        None => address(sending, data_dir)?,
    };
    let mut url: url::Url = base.parse().with_context(|| format!("--url {base:?}"))?;
    if url.path() == "/" {
        url.set_path(&format!("/hooks/{}", sending.source));
    }
    Ok(url)
}

/// The running server's own word; else where it should be listening.
fn address(sending: &Sending, data_dir: PathBuf) -> anyhow::Result<String> {
    let server = Place::of(data_dir).server()?;
    match server.get::<StatusView>("/api/v1/status") {
        Ok(status) => return Ok(status.address),
        Err(error) if error.is::<RequestError>() || error.is::<serde_json::Error>() => {}
        Err(error) => return Err(error),
    }
    match sending.listen {
        Some(address) if address.port() != 0 => {
            let scheme = if sending.tls { "https" } else { "http" };
            Ok(format!("{scheme}://{address}"))
        }
        _ => bail!("the server does not say where it listens: say it by --url"),
    }
}

/// Its answer; else the problem document that it gave.
fn send(url: &url::Url, body: String) -> anyhow::Result<Result<Answer, Value>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (status, text) = match runtime.block_on(post(url, body)) {
        Ok(answer) => answer,
        Err(error) if error.nobody => return Err(NoServer(error.to_string()).into()),
        Err(error) => return Err(error.into()),
    };
    let answer: Value = serde_json::from_slice(&text)
        .with_context(|| format!("{url} answered {status} with what is no JSON: no hookbox?"))?;
    if status != 200 {
        return Ok(Err(answer));
    }
    let id = answer.get("id").and_then(Value::as_str).context("the answer has no id")?;
    let duplicate = answer.get("duplicate") == Some(&Value::Bool(true));
    Ok(Ok(Answer { id: id.to_owned(), duplicate }))
}

fn refused(problem: &Value, json: bool) -> anyhow::Result<ExitCode> {
    if json {
        show::json(problem)?;
    }
    let text = |member| problem.get(member).and_then(Value::as_str).unwrap_or_default();
    let (code, detail) = (show::line(text("code"), 100), show::line(text("detail"), 500));
    writeln!(io::stderr(), "hookbox: refused ({code}): {detail}")?;
    Ok(ExitCode::from(REFUSED))
}

/// Its deliveries, once all have ended or it took too long.
fn wait(journal: &Journal, id: &str, patience: Duration) -> anyhow::Result<Vec<DeliverySummary>> {
    let begin = Instant::now();
    loop {
        let event: EventDetail = journal.ask(&Query::Event { id: id.to_owned() })?;
        let deliveries = event.summary.deliveries;
        if deliveries.iter().all(ended) || begin.elapsed() >= patience {
            return Ok(deliveries);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

fn ended(delivery: &DeliverySummary) -> bool {
    matches!(delivery.state, State::Succeeded | State::Dead | State::Discarded)
}

fn outcome(
    id: &str,
    duplicate: bool,
    deliveries: &[DeliverySummary],
    json: bool,
) -> anyhow::Result<ExitCode> {
    if json {
        show::json(&json!({"id": id, "duplicate": duplicate, "deliveries": deliveries}))?;
    } else {
        let mut out = anstream::stdout().lock();
        for delivery in deliveries {
            let DeliverySummary { plugin, state, attempts, reason, .. } = delivery;
            let state = in_style(state.code(), paint::state(*state));
            let attempts = show::count((*attempts).into(), "attempt");
            let reason = reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
            writeln!(out, "  {plugin}: {state} after {attempts}{reason}")?;
        }
        if deliveries.is_empty() {
            writeln!(out, "  no plugin gets it")?;
        }
        if !deliveries.iter().all(ended) {
            writeln!(io::stderr(), "hookbox: not all have ended; --timeout says how long to wait")?;
        }
    }
    let good = deliveries.iter().all(|delivery| delivery.state == State::Succeeded);
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
