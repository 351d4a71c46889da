//! What those who write plugins use, through the real program and with real
//! plugins.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod build;
mod docs;
mod export;
mod invoke;
mod test;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use hookbox_tests::{plugin, program};
use serde_json::Value;
use tempfile::TempDir;

/// A folder of somebody who writes plugins.
struct Desk {
    folder: TempDir,
}

/// What a command printed, and its exit status.
#[derive(Debug)]
struct Said {
    status: i32,
    out: String,
    err: String,
}

impl Desk {
    /// With these plugins of the repository in `dist`.
    fn new(plugins: &[&str]) -> Self {
        let folder =
            tempfile::Builder::new().prefix("hookbox-author-").tempdir().expect("a folder");
        let desk = Self { folder };
        for name in plugins {
            desk.put(&format!("dist/{name}.wasm"), plugin(name));
        }
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        hookbox_tests::put(&path, bytes.as_ref());
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(arguments).current_dir(self.folder.path()).env_clear();
        command
    }

    fn run(&self, arguments: &[&str]) -> Said {
        self.run_with(arguments, "")
    }

    /// With something on standard input.
    fn run_with(&self, arguments: &[&str], input: &str) -> Said {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("running the program");
        let mut stdin = child.stdin.take().expect("standard input");
        // Whoever does not read it has no use for it.
        let _unread = stdin.write_all(input.as_bytes());
        drop(stdin);
        Said::of(child.wait_with_output().expect("its end"))
    }
}

impl Said {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("text");
        let status = output.status.code().expect("a status");
        Self { status, out: text(output.stdout), err: text(output.stderr) }
    }

    /// What it printed, which must have ended so.
    fn ended(&self, status: i32) -> &str {
        assert_eq!(self.status, status, "{self:?}");
        &self.out
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A file of the repository.
fn repository(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
