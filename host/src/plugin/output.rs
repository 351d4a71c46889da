//! A guest's standard output and error as log lines.
//!
//! Invariants:
//! - A line carries the plugin, the event, the delivery and the attempt.
//! - What a call may log is bounded; what is dropped is counted and said.
//! - No value of a secret of the plugin's is in them, and nothing that is hidden
//!   of a livestream's event.
//! - No control character of a guest reaches a terminal or a log file.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use tokio::io::AsyncWrite;
use tracing::{Level, debug, enabled, error, info, trace, warn};
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use super::rate::{Admission, LogRate};
use crate::config;
use crate::telemetry::{GUEST, Redactor, is_harmful};

/// A longer line is broken.
const LINE_BYTES_MAX: usize = 8 * 1024;

/// What a line costs of the call's limit in addition to its text, so that many
/// short lines are not nearly free.
const LINE_COST_BYTES: usize = 64;

/// Bytes that a guest may hand over at once.
const WRITE_BYTES_MAX: usize = 64 * 1024;

/// Bytes of a character in UTF-8.
const CHAR_BYTES_MAX: usize = 4;

/// What the lines of a call belong to.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The plugin's name.
    pub plugin: String,
    /// The event's id; empty where the call handles none.
    pub event: String,
    /// The delivery's id; empty where the call handles none.
    pub delivery: String,
    /// The attempt; 0 where the call handles no event.
    pub attempt: u32,
}

/// All that one call logs.
pub struct CallLog {
    origin: Origin,
    bytes_max: usize,
    redactor: Arc<Redactor>,
    /// Of the plugin, over all its calls.
    rate: Arc<LogRate>,
    bytes: usize,
    dropped_lines: u64,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    /// The lines once more, for the record of the attempt.
    kept: String,
    /// The level of each of them.
    levels: Vec<Level>,
}

/// Shared by the guest's streams, which wasmtime hands out as often as the
/// guest asks; by a lock, since a stream must be `Sync`. Never contended: a
/// guest is on one thread at a time.
pub type SharedLog = Arc<Mutex<CallLog>>;

/// Which stream a line came on.
#[derive(Debug, Clone, Copy)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

fn locked(log: &SharedLog) -> MutexGuard<'_, CallLog> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

impl CallLog {
    /// `settings`: the plugin's. `redactor`: what must not be in its lines.
    pub fn new(
        origin: Origin,
        settings: &config::Plugin,
        redactor: &Arc<Redactor>,
        rate: &Arc<LogRate>,
    ) -> SharedLog {
        Arc::new(Mutex::new(Self {
            origin,
            bytes_max: settings.log_bytes_max,
            redactor: Arc::clone(redactor),
            rate: Arc::clone(rate),
            bytes: 0,
            dropped_lines: 0,
            stdout: Vec::new(),
            stderr: Vec::new(),
            kept: String::new(),
            levels: Vec::new(),
        }))
    }

    fn write(&mut self, stream: Stream, mut bytes: &[u8]) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = bytes.split_at(end);
            self.append(stream, line);
            self.end_line(stream);
            bytes = rest.get(1..).unwrap_or_default();
        }
        self.append(stream, bytes);
    }

    /// Adds to the line that is not complete yet, and breaks it where it grows
    /// too long.
    fn append(&mut self, stream: Stream, mut part: &[u8]) {
        // What may be the beginning of a secret stays with the rest.
        let bytes_max = LINE_BYTES_MAX + self.redactor.overlap();
        while !part.is_empty() {
            let partial = self.partial(stream);
            let room = bytes_max.saturating_sub(partial.len()).max(1);
            let (now, later) = part.split_at(part.len().min(room));
            partial.extend_from_slice(now);
            if partial.len() >= bytes_max {
                self.break_line(stream);
            }
            part = later;
        }
    }

    /// Prints the beginning of a line that is too long. The beginning of a
    /// value that may stand at its end goes with the rest, as it is: what follows
    /// says whether it is one.
    fn break_line(&mut self, stream: Stream) {
        let mut line = std::mem::take(self.partial(stream));
        let cut = boundary(&line, line.len().saturating_sub(self.redactor.overlap()));
        let (shown, end) = self.redactor.beginning(&line, cut);
        let rest = line.split_off(end.min(line.len()));
        self.print(stream, &shown);
        *self.partial(stream) = rest;
    }

    fn partial(&mut self, stream: Stream) -> &mut Vec<u8> {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }

    fn end_line(&mut self, stream: Stream) {
        let line = std::mem::take(self.partial(stream));
        let redactor = Arc::clone(&self.redactor);
        self.print(stream, &redactor.bytes(&line));
    }

    fn print(&mut self, stream: Stream, line: &[u8]) {
        // Such as the one that each panic of Rust begins with.
        if line.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        if !self.pays(line.len()) {
            return;
        }
        let message = printable(line);
        let level = match stream {
            Stream::Stdout => Level::INFO,
            Stream::Stderr => Level::WARN,
        };
        self.keep(level, &message);
        let shown = match stream {
            Stream::Stdout => enabled!(target: GUEST, Level::INFO),
            Stream::Stderr => enabled!(target: GUEST, Level::WARN),
        };
        // What is not shown must not use up the share of what is.
        if !shown || !self.may_print() {
            return;
        }
        let Origin { plugin, event, delivery, attempt } = &self.origin;
        match stream {
            Stream::Stdout => {
                info!(target: GUEST, %plugin, %event, %delivery, attempt, stream = "stdout", "{message}");
            }
            Stream::Stderr => {
                warn!(target: GUEST, %plugin, %event, %delivery, attempt, stream = "stderr", "{message}");
            }
        }
    }

    /// Whether the plugin's share of this second has room for a line.
    fn may_print(&self) -> bool {
        let plugin = &self.origin.plugin;
        let lines_max = self.rate.lines_max;
        let Admission { admitted, first_refused, refused_before } = self.rate.admit(Instant::now());
        if refused_before > 0 {
            warn!(
                target: GUEST, %plugin, lines = refused_before,
                "lines that were not printed; they are kept with their attempts"
            );
        }
        if first_refused {
            warn!(
                target: GUEST, %plugin,
                "log rate met: plugin.{plugin}.log_lines_per_s_max is {lines_max}; no more is printed in this second"
            );
        }
        admitted
    }

    /// `message`: one line.
    fn keep(&mut self, level: Level, message: &str) {
        if self.kept.len() < self.bytes_max {
            self.levels.push(level);
            self.kept.push_str(message);
            self.kept.push('\n');
        }
    }

    /// Whether the call's limit has room for a line of that length.
    fn pays(&mut self, bytes: usize) -> bool {
        let cost = bytes + LINE_COST_BYTES;
        if self.dropped_lines > 0 || self.bytes + cost > self.bytes_max {
            self.dropped_lines += 1;
            return false;
        }
        self.bytes += cost;
        true
    }
}

/// One record of `wasi:logging`.
pub fn record(log: &SharedLog, level: Level, context: &str, message: &str) {
    let mut log = locked(log);
    if !log.pays(context.len() + message.len()) {
        return;
    }
    let redactor = Arc::clone(&log.redactor);
    let message = printable(shortened(&redactor.text(message)).as_bytes());
    let context = printable(shortened(&redactor.text(context)).as_bytes());
    let line = if context.is_empty() {
        format!("{level} {message}")
    } else {
        format!("{level} {context}: {message}")
    };
    log.keep(level, &line);
    let shown = match level {
        Level::TRACE => enabled!(target: GUEST, Level::TRACE),
        Level::DEBUG => enabled!(target: GUEST, Level::DEBUG),
        Level::INFO => enabled!(target: GUEST, Level::INFO),
        Level::WARN => enabled!(target: GUEST, Level::WARN),
        Level::ERROR => enabled!(target: GUEST, Level::ERROR),
    };
    // What is not shown must not use up the share of what is.
    if !shown || !log.may_print() {
        return;
    }
    let Origin { plugin, event, delivery, attempt } = &log.origin;
    macro_rules! line {
        ($macro:ident) => {
            $macro!(target: GUEST, %plugin, %event, %delivery, attempt, context, "{message}")
        };
    }
    match level {
        Level::TRACE => line!(trace),
        Level::DEBUG => line!(debug),
        Level::INFO => line!(info),
        Level::WARN => line!(warn),
        Level::ERROR => line!(error),
    }
}

/// Not longer than a line may be.
fn shortened(text: &str) -> &str {
    text.get(..text.floor_char_boundary(LINE_BYTES_MAX)).unwrap_or(text)
}

/// Ends the log of a call: prints what has no line end, and what was dropped.
/// All lines that were printed, and the level of each.
pub fn finish(log: &SharedLog) -> (String, Vec<Level>) {
    let mut log = locked(log);
    for stream in [Stream::Stdout, Stream::Stderr] {
        if !log.partial(stream).is_empty() {
            log.end_line(stream);
        }
    }
    if log.dropped_lines > 0 {
        let Origin { plugin, event, delivery, attempt } = &log.origin;
        warn!(
            target: GUEST, %plugin, %event, %delivery, attempt,
            dropped_lines = log.dropped_lines,
            "log limit met: plugin.{plugin}.log_bytes_max is {}; further lines were dropped",
            log.bytes_max
        );
        let dropped = format!("({} more lines were dropped)", log.dropped_lines);
        log.keep(Level::WARN, &dropped);
    }
    (std::mem::take(&mut log.kept), std::mem::take(&mut log.levels))
}

/// Where the character begins in which a place is; the place itself where there
/// is none.
fn boundary(bytes: &[u8], place: usize) -> usize {
    let continues = |at: &usize| bytes.get(*at).is_some_and(|byte| byte & 0xc0 == 0x80);
    let first = place.saturating_sub(CHAR_BYTES_MAX - 1);
    (first..=place).rev().find(|at| !continues(at)).unwrap_or(place)
}

/// As text in which nothing can move a cursor or end a line.
fn printable(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_end_matches('\r');
    if !text.chars().any(|c| is_harmful(c) && c != '\t') {
        return text.to_owned();
    }
    text.chars()
        .flat_map(|c| {
            let escape = is_harmful(c) && c != '\t';
            let escaped = escape.then(|| c.escape_default());
            let plain = (!escape).then_some(c);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect()
}

/// One of the two streams, for the guest.
pub struct Pipe {
    log: SharedLog,
    stream: Stream,
}

impl Pipe {
    /// A stream whose lines go to that log.
    pub fn new(log: &SharedLog, stream: Stream) -> Self {
        Self { log: Arc::clone(log), stream }
    }
}

impl IsTerminal for Pipe {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Pipe {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(Self::new(&self.log, self.stream))
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(Self::new(&self.log, self.stream))
    }
}

#[async_trait]
impl Pollable for Pipe {
    async fn ready(&mut self) {}
}

impl OutputStream for Pipe {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        locked(&self.log).write(self.stream, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES_MAX)
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        locked(&self.log).write(self.stream, bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests;
