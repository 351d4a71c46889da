//! `hookbox tail`

use std::io::{self, Write as _};
use std::time::Duration;

use anstyle::Style;
use clap::value_parser;
use serde_json::Value;

use super::journal::{Place, Running};
use super::paint::{self, in_style};
use super::show::{escaped, line, lines, milliseconds, time};
use crate::admin::client::{ClientError, Stream};
use crate::admin::sse::ServerEvent;
use crate::store::records::RequestError;

/// Between two tries to reach a server that is gone.
const RETRY: Duration = Duration::from_millis(500);

/// Kinds of notices, as in [`Notice`](crate::telemetry::live::Notice).
const KINDS: [&str; 7] =
    ["received", "refused", "attempt", "dead", "plugin", "journal", "operator"];

/// Characters of a text that others chose.
const TEXT_CHARS_MAX: usize = 500;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
It begins with what happens from now on, and goes on when the server was restarted.

Examples:
  hookbox tail
  hookbox tail --plugin catalog --kind attempt --kind dead
  hookbox tail --json | jq -r 'select(.kind == \"refused\") | .code'")]
pub(super) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// Only about this plugin
    #[arg(long, value_name = "NAME")]
    plugin: Option<String>,
    /// Only of this kind; can be given several times
    #[arg(long, value_name = "KIND", value_parser = KINDS)]
    kind: Vec<String>,
    /// One JSON object for each line
    #[arg(long)]
    json: bool,
    /// End when the server ends
    #[arg(long)]
    once: bool,
    /// End after so many
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    limit: Option<u64>,
}

pub(super) fn run(arguments: Arguments) -> anyhow::Result<()> {
    let Arguments { place, plugin, kind, json, once, limit } = arguments;
    let server = place.server()?;
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    if !kind.is_empty() {
        query.append_pair("kinds", &kind.join(","));
    }
    if let Some(plugin) = plugin {
        query.append_pair("plugin", &plugin);
    }
    let path = format!("/api/v1/stream?{}", query.finish());
    let mut left = limit.unwrap_or(u64::MAX);
    // Its first failure is one; a later one is a restart.
    let mut stream = server.wait(server.client.stream(&path))?;
    loop {
        let ended = follow(&server, &mut stream, json, &mut left)?;
        if left == 0 || once {
            return Ok(());
        }
        let why = ended.map(|error| format!(" ({error})")).unwrap_or_default();
        writeln!(io::stderr(), "The server is gone{why}; waiting for it.")?;
        stream = again(&server, &path)?;
        writeln!(io::stderr(), "It is back; what happened meanwhile is in `hookbox events list`.")?;
    }
}

/// Prints until the stream ends, or enough was printed. Why it broke off.
fn follow(
    server: &Running,
    stream: &mut Stream,
    json: bool,
    left: &mut u64,
) -> anyhow::Result<Option<ClientError>> {
    while *left > 0 {
        let event = match server.runtime.block_on(stream.next()) {
            Ok(Some(event)) => event,
            Ok(None) => return Ok(None),
            Err(error) => return Ok(Some(error)),
        };
        if print(&event, json)? {
            *left -= 1;
        }
    }
    Ok(None)
}

/// Waits for a server.
fn again(server: &Running, path: &str) -> anyhow::Result<Stream> {
    loop {
        match server.wait(server.client.stream(path)) {
            Ok(stream) => return Ok(stream),
            // Nobody yet, or one that is starting or ending.
            Err(error) if error.is::<ClientError>() || is_unavailable(&error) => {
                server.runtime.block_on(async { tokio::time::sleep(RETRY).await });
            }
            Err(error) => return Err(error),
        }
    }
}

fn is_unavailable(error: &anyhow::Error) -> bool {
    let request = error.downcast_ref::<RequestError>();
    request.is_some_and(|error| error.code == RequestError::UNAVAILABLE)
}

/// Whether it was a notice.
fn print(event: &ServerEvent, json: bool) -> anyhow::Result<bool> {
    let data: Value = match event.name.as_str() {
        "tick" => return Ok(false),
        _ => serde_json::from_str(&event.data).unwrap_or_default(),
    };
    if event.name == "missed" {
        let count = data.get("count").and_then(Value::as_u64).unwrap_or_default();
        writeln!(io::stderr(), "Missed {count}: they came faster than they could be printed.")?;
        return Ok(false);
    }
    if json {
        // One line, as the server writes it.
        writeln!(io::stdout(), "{}", escaped(&event.data.replace('\n', " ")))?;
    } else {
        let mut out = anstream::stdout().lock();
        say(&event.name, &data, &mut out)?;
        // Whoever reads it waits for it.
        out.flush()?;
    }
    Ok(true)
}

/// A notice in a line, and what a plugin logged below it.
fn say(kind: &str, notice: &Value, out: &mut impl io::Write) -> io::Result<()> {
    let text = |member: &str| {
        let value = notice.get(member).and_then(Value::as_str).unwrap_or_default();
        line(value, TEXT_CHARS_MAX)
    };
    let number = |member: &str| notice.get(member).and_then(Value::as_u64).unwrap_or_default();
    let error = match text("error") {
        error if error.is_empty() => error,
        error => format!(": {error}"),
    };
    let (plain, style, rest): (String, Style, String) = match kind {
        "received" => {
            let duplicate = notice.get("duplicate") == Some(&Value::Bool(true));
            let to = match number("plugins") {
                _ if duplicate => "a duplicate".to_owned(),
                0 => "for no plugin".to_owned(),
                1 => "for 1 plugin".to_owned(),
                plugins => format!("for {plugins} plugins"),
            };
            let style = if duplicate { paint::DIM } else { Style::new() };
            (text("name"), style, format!("of {}, {to}, event {}", text("source"), text("event")))
        }
        "refused" => {
            let (source, peer) = (text("source"), text("peer"));
            let status = number("status");
            (text("code"), paint::CARE, format!("{status} for {source} from {peer}"))
        }
        "attempt" => {
            let outcome = text("outcome");
            let style = if outcome == "handled" { paint::GOOD } else { paint::BAD };
            let (plugin, attempt, took) =
                (text("plugin"), number("attempt"), number("duration_us"));
            let (name, event, took) = (text("name"), text("event"), milliseconds(took));
            (
                outcome,
                style,
                format!("by {plugin} #{attempt} after {took}: {name}, event {event}{error}"),
            )
        }
        "dead" => {
            let (plugin, event, delivery) = (text("plugin"), text("event"), text("delivery"));
            (text("reason"), paint::BAD, format!("by {plugin}, event {event}, delivery {delivery}"))
        }
        "plugin" => {
            let change = text("change");
            let style = match change.as_str() {
                "live" | "resumed" | "breaker-closed" => paint::GOOD,
                "refused" | "breaker-open" => paint::BAD,
                _ => paint::CARE,
            };
            (text("plugin"), style, format!("{change} {}", text("text")))
        }
        "journal" => {
            let good = notice.get("good") == Some(&Value::Bool(true));
            let (word, style) = if good {
                ("can be written", paint::GOOD)
            } else {
                ("cannot be written", paint::BAD)
            };
            (word.to_owned(), style, error)
        }
        "operator" => {
            (text("change"), Style::new(), format!("by {}: {}", text("actor"), text("text")))
        }
        // Of a newer server.
        _ => (String::new(), Style::new(), line(&notice.to_string(), TEXT_CHARS_MAX)),
    };
    let at = in_style(&time(number("at_ms")), paint::DIM);
    let kind = line(kind, 20);
    let said = format!("{at}  {kind:8}  {} {rest}", in_style(&plain, style));
    writeln!(out, "{}", said.trim_end())?;
    let log = notice.get("log").and_then(Value::as_str).unwrap_or_default();
    lines(log).try_for_each(|text| writeln!(out, "    | {text}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::telemetry::live::Notice;

    fn said(notice: &Notice) -> String {
        let value = serde_json::to_value(notice).expect("JSON");
        let kind = value["kind"].as_str().expect("a kind");
        assert!(KINDS.contains(&kind), "{kind}");
        let mut out = Vec::new();
        say(kind, &value, &mut out).expect("written");
        anstream::adapter::strip_str(&String::from_utf8(out).expect("text")).to_string()
    }

    #[test]
    fn each_notice_is_a_line_that_cannot_move_the_cursor() {
        let at_ms = 1_790_000_000_999;
        let text = |text: &str| text.to_owned();
        let received = Notice::Received {
            at_ms,
            event: text("e1"),
            name: text("sd_encoded"),
            source: text("main"),
            plugins: 2,
            duplicate: false,
        };
        let attempt = Notice::Attempt {
            at_ms,
            event: text("e1"),
            name: text("sd_encoded"),
            delivery: text("d1"),
            plugin: text("probe"),
            attempt: 3,
            outcome: text("trap"),
            duration_us: 1_500,
            error: Some(text("un\u{1b}[2Jreachable\n")),
            log: Some(text("one\ntwo")),
        };
        let refused = Notice::Refused {
            at_ms,
            peer: text("127.0.0.1:7"),
            source: text("main"),
            status: 401,
            code: text("secret-wrong"),
        };
        let journal = Notice::Journal { at_ms, good: false, error: Some(text("full")) };
        let time = "2026-09-21T14:13:20Z";
        let expected = [
            (&received, "  received  sd_encoded of main, for 2 plugins, event e1\n"),
            (
                &attempt,
                "  attempt   trap by probe #3 after 1.500 ms: sd_encoded, event e1: \
                 un\u{fffd}[2Jreachable\u{fffd}\n    | one\n    | two\n",
            ),
            (&refused, "  refused   secret-wrong 401 for main from 127.0.0.1:7\n"),
            (&journal, "  journal   cannot be written : full\n"),
        ];
        for (notice, expected) in expected {
            assert_eq!(said(notice), format!("{time}{expected}"));
        }
    }
}
