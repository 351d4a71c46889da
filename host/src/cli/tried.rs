//! What became of a trial, for people.

use std::io::{self, Write};

use super::paint::{self, in_style};
use super::show::{line, lines, milliseconds};
use crate::trial::state::Shown;
use crate::trial::view::{ChangeView, HANDLED, LogLine, SentView, TriedView};

/// Characters of a line of what a plugin did.
const LINE_CHARS_MAX: usize = 2_000;

/// Lines of a body that are shown.
const BODY_LINES_MAX: usize = 40;

/// All of it.
pub(super) fn show(view: &TriedView, out: &mut impl Write) -> io::Result<()> {
    let style = if view.outcome == HANDLED { paint::GOOD } else { paint::BAD };
    let cpu = view.cpu_us.map(|us| format!("{} of processor time, ", milliseconds(us)));
    writeln!(
        out,
        "{} after {} ({}{} KiB of memory)",
        in_style(view.outcome, style),
        milliseconds(view.duration_us),
        cpu.unwrap_or_default(),
        view.memory_bytes.div_ceil(1024)
    )?;
    if let Some(after) = view.retry_after_ms {
        writeln!(out, "  to be tried again after {after} ms")?;
    }
    for text in view.reason.iter().flat_map(|reason| lines(reason)) {
        writeln!(out, "  {text}")?;
    }
    if !view.log.is_empty() {
        writeln!(out, "{}", in_style("log", paint::HEAD))?;
        show_log(&view.log, "  ", out)?;
    }
    if !view.changes.is_empty() {
        writeln!(out, "{}", in_style("state", paint::HEAD))?;
        view.changes.iter().try_for_each(|change| show_change(change, out))?;
    }
    if !view.calls.is_empty() {
        writeln!(out, "{}", in_style("requests", paint::HEAD))?;
        view.calls.iter().try_for_each(|call| show_call(call, out))?;
    }
    Ok(())
}

/// Log lines, each with its level.
pub(super) fn show_log(log: &[LogLine], indent: &str, out: &mut impl Write) -> io::Result<()> {
    for LogLine { level, text } in log {
        let style = match *level {
            "error" => paint::BAD,
            "warn" => paint::CARE,
            _ => paint::DIM,
        };
        let level = in_style(&format!("{level:5}"), style);
        writeln!(out, "{indent}{level}  {}", line(text, LINE_CHARS_MAX))?;
    }
    Ok(())
}

fn show_change(change: &ChangeView, out: &mut impl Write) -> io::Result<()> {
    let key = line(&change.key, LINE_CHARS_MAX);
    let value = change.value.as_ref().map(|value| line(&value.to_string(), LINE_CHARS_MAX));
    match (value, change.by) {
        (Some(value), Some(by)) => writeln!(out, "  {key} = {value} (+{by})"),
        (Some(value), None) => writeln!(out, "  {key} = {value}"),
        (None, _) => writeln!(out, "  {key} is deleted"),
    }
}

fn show_call(call: &SentView, out: &mut impl Write) -> io::Result<()> {
    let answer = match (call.status, call.code) {
        (Some(status), None) => status.to_string(),
        (Some(status), Some(code)) => format!("{status}, {code}"),
        (None, Some(code)) => code.to_owned(),
        (None, None) => "no answer".to_owned(),
    };
    let (method, url) = (line(&call.method, 20), line(&call.url, LINE_CHARS_MAX));
    writeln!(out, "  {method} {url}: {answer} after {}", milliseconds(call.duration_us))?;
    for text in call.error.iter().flat_map(|error| lines(error)) {
        writeln!(out, "    {text}")?;
    }
    for (name, value) in &call.headers {
        writeln!(out, "    > {name}: {}", line(value, LINE_CHARS_MAX))?;
    }
    show_body('>', call.body.as_ref(), call.bytes, out)?;
    show_body('<', call.response.as_ref(), call.response_bytes, out)
}

fn show_body(mark: char, body: Option<&Shown>, bytes: u64, out: &mut impl Write) -> io::Result<()> {
    match body {
        Some(Shown::Text(text)) => {
            let shown = lines(text).take(BODY_LINES_MAX);
            shown
                .into_iter()
                .try_for_each(|text| writeln!(out, "    {mark} {}", line(&text, LINE_CHARS_MAX)))?;
            match text.lines().count().saturating_sub(BODY_LINES_MAX) {
                0 => Ok(()),
                more => writeln!(out, "    {mark} … {more} more lines"),
            }
        }
        Some(Shown::Bytes { .. }) => writeln!(out, "    {mark} ({bytes} bytes that are no text)"),
        None if bytes > 0 => writeln!(out, "    {mark} ({bytes} bytes)"),
        None => Ok(()),
    }
}
