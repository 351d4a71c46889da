//! Faults while the process runs: a Unix socket that takes a command a line.
//!
//! Each is answered with `ok`, or `error: ` and why; one that ends the process is answered first.
//!
//! - `full`, `io`, `sync`, `read-only`: what the disk does wrong from now on; `heal`: nothing.
//! - `hang`: the disk stands still from now on, for ever.
//! - `power-cut`, `power-cut <seed>`: cut the power, and end; see [`Disk::power_cut_keeping`].
//! - `kill`: end at once.
//! - `arm <point> <n>`: end at the n-th pass of that point from now, in the plan's mode.
//!
//! Whoever can reach the socket can end the process: it is for a directory of the test's own.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;

use crate::disk::{Disk, Fault};
use crate::points::{self, Crash};

/// What a connection needs: a clone for each.
#[derive(Clone)]
struct Control {
    disk: Option<Disk>,
    /// The plan's mode, for points that are armed later.
    crash: Crash,
}

/// What is left to do after the answer.
enum Then {
    Go,
    Kill,
    PowerCut { disk: Disk, seed: Option<u64> },
}

/// Listens at `path` from a thread of its own, and for each connection one more. A socket that a
/// crash has left there is replaced.
pub(crate) fn listen(path: &Path, disk: Option<Disk>, crash: Crash) -> io::Result<()> {
    if fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket()) {
        fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    let control = Control { disk, crash };
    thread::Builder::new().name("faults-control".into()).spawn(move || {
        for stream in listener.incoming().flatten() {
            let control = control.clone();
            // A test that does not wait for its answer has gone: there is nobody to tell.
            thread::spawn(move || control.serve(&stream).unwrap_or_default());
        }
    })?;
    Ok(())
}

impl Control {
    fn serve(&self, mut stream: &UnixStream) -> io::Result<()> {
        for line in BufReader::new(stream).lines() {
            match self.obey(line?.trim()) {
                Ok(then) => {
                    stream.write_all(b"ok\n")?;
                    then.go();
                }
                Err(error) => stream.write_all(format!("error: {error}\n").as_bytes())?,
            }
        }
        Ok(())
    }

    fn obey(&self, line: &str) -> Result<Then, String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["full"] => self.disk()?.fail(Fault::Full),
            ["io"] => self.disk()?.fail(Fault::Io),
            ["sync"] => self.disk()?.fail(Fault::Sync),
            ["read-only"] => self.disk()?.fail(Fault::ReadOnly),
            ["hang"] => self.disk()?.hang(),
            ["heal"] => self.disk()?.heal(),
            ["power-cut"] => {
                return Ok(Then::PowerCut { disk: self.disk()?.clone(), seed: None });
            }
            ["power-cut", seed] => {
                let seed = Some(number(seed)?);
                return Ok(Then::PowerCut { disk: self.disk()?.clone(), seed });
            }
            ["kill"] => return Ok(Then::Kill),
            ["arm", point, pass] => match number(pass)? {
                0 => return Err("passes count from 1".to_owned()),
                pass => points::arm(point, pass, self.crash.clone()),
            },
            _ => return Err(format!("there is no command `{line}`")),
        }
        Ok(Then::Go)
    }

    fn disk(&self) -> Result<&Disk, String> {
        self.disk.as_ref().ok_or_else(|| "the plan has no disk".to_owned())
    }
}

impl Then {
    fn go(self) {
        match self {
            Then::Go => {}
            Then::Kill => Crash::Kill.now(),
            Then::PowerCut { disk, seed: None } => disk.power_cut_and_abort(),
            Then::PowerCut { disk, seed: Some(seed) } => disk.power_cut_keeping_and_abort(seed),
        }
    }
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("`{text}` is not a number"))
}
