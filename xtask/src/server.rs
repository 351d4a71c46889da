//! A running server, and what it logs.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Nothing that the demo waits for takes this long, compiling included.
const PATIENCE: Duration = Duration::from_secs(120);

/// A hookbox process. Killed when dropped.
pub(crate) struct Server {
    child: Child,
    lines: Receiver<Value>,
}

impl Server {
    /// Starts one.
    pub(crate) fn start(program: &Path, config: &Path) -> Result<Self> {
        let mut child = Command::new(program)
            .arg("serve")
            .arg("--config")
            .arg(config)
            .env("HOOKBOX_LOG__FORMAT", "json")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let stderr = child.stderr.take().context("the server's log")?;
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                // What is no log line is a message of last resort.
                let value = serde_json::from_str(&line).unwrap_or(Value::String(line));
                if sender.send(value).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child, lines })
    }

    /// The process.
    pub(crate) fn process(&self) -> &Child {
        &self.child
    }

    /// A figure of its memory in bytes, such as `VmRSS:` (`/proc/<pid>/status`).
    pub(crate) fn memory(&self, name: &str) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find(|line| line.starts_with(name)).context("its memory")?;
        let kib: String = line.chars().filter(char::is_ascii_digit).collect();
        Ok(kib.parse::<u64>()? * 1024)
    }

    /// The next log line.
    pub(crate) fn line(&self) -> Result<Value> {
        self.lines.recv_timeout(PATIENCE).context("the server is silent or has ended")
    }

    /// The next log line, however long it takes; none when the server has ended.
    pub(crate) fn line_whenever(&self) -> Option<Value> {
        self.lines.recv().ok()
    }

    /// Shows log lines up to one with that message, which is returned.
    pub(crate) fn until(&self, message: &str, mut show: impl FnMut(&Value)) -> Result<Value> {
        loop {
            let line = self.line()?;
            if let Value::String(text) = &line {
                bail!("the server said: {text}");
            }
            show(&line);
            if text(&line, "message") == message {
                return Ok(line);
            }
        }
    }

    /// Shows log lines until each message has come that many times, in any order.
    pub(crate) fn until_all(
        &self,
        messages: &[(&str, usize)],
        mut show: impl FnMut(&Value),
    ) -> Result<()> {
        let mut left = messages.to_vec();
        while left.iter().any(|(_, times)| *times > 0) {
            let line = self.line()?;
            show(&line);
            for (message, times) in &mut left {
                if text(&line, "message") == *message {
                    *times = times.saturating_sub(1);
                }
            }
        }
        Ok(())
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn end(mut self) -> Result<()> {
        let pid =
            i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("a process id")?;
        kill_process(pid, Signal::TERM)?;
        let status = self.child.wait()?;
        if !status.success() {
            bail!("the server ended with {status}");
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _ended_already = self.child.wait();
    }
}

/// A member of a log line as text; empty where there is none.
pub(crate) fn text<'a>(line: &'a Value, member: &str) -> &'a str {
    line.get(member).and_then(Value::as_str).unwrap_or_default()
}
