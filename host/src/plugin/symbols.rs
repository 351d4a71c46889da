//! Which functions and lines of a plugin's source a place in its code belongs
//! to, by the debug information (DWARF) of its component.
//!
//! That information is a hostile input like the rest of the file: a few kilobytes
//! of it can ask for hours and gigabytes. So it is read by this same program in a
//! process of its own, with limits, and only once a call has trapped. Without an
//! answer in time a trap shows the names of functions alone.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use addr2line::{Context, LookupResult};
use gimli::{Dwarf, EndianSlice, LittleEndian};
use hookbox_core::ids::Digest;
use rustix::process::{Resource, Rlimit, Signal};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use wasmparser::{Encoding, Parser, Payload};

use super::backtrace::Frame;
use super::compile;

/// The verb with which the program calls itself. Not for users.
pub const VERB: &str = "resolve-frames";

/// Processor time and memory of one look-up. The template's plugin in Rust, which
/// carries the lines of the standard library, takes 20 ms and 30 MB.
const CPU_S: u64 = 2;
const MEMORY_BYTES: u64 = 1 << 30;

/// How long a trap waits for those before it: they are looked up one at a time.
const TURN_MS: u64 = 2_000;

/// Functions that were inlined at one place.
const INLINED_MAX: usize = 16;

/// Of a function's name and of a file's.
const TEXT_BYTES_MAX: usize = 512;

/// Of an answer: more than all frames with names of that length.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// A place in a component's code.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Point {
    /// Bytes from the beginning of the component.
    pub(super) offset: u64,
}

/// Looks places up, one trap at a time.
pub struct Symbols {
    folder: PathBuf,
    turn: Semaphore,
}

impl Symbols {
    /// `folder`: where components with debug information are kept.
    pub(super) fn new(folder: &Path) -> Arc<Self> {
        Arc::new(Self { folder: folder.to_owned(), turn: Semaphore::new(1) })
    }

    /// For each place the functions that it belongs to, the innermost of inlined
    /// ones first, without a name where only the line is known; none where nothing
    /// is. None at all where the component
    /// has no debug information, or reading it met a limit.
    pub(super) async fn resolve(
        &self,
        digest: Digest,
        points: Vec<Point>,
    ) -> Option<Vec<Vec<Frame>>> {
        let file = file(&self.folder, digest);
        if points.is_empty() || !file.exists() {
            return None;
        }
        let turn = tokio::time::timeout(Duration::from_millis(TURN_MS), self.turn.acquire());
        let _turn = turn.await.ok()?.ok()?;
        let asked = file.clone();
        let answer = tokio::task::spawn_blocking(move || ask(&asked, &points)).await;
        let answer = answer.ok().and_then(Result::ok).flatten();
        if answer.is_none() {
            // The next trap would meet the same limit.
            let _gone = fs::remove_file(&file);
        }
        answer
    }
}

/// Keeps a component's debug information, where it has any.
///
/// # Errors
/// It cannot be written.
pub(super) fn keep(folder: &Path, digest: Digest, bytes: &[u8]) -> io::Result<()> {
    const LINES: &[u8] = b".debug_line";
    if !bytes.windows(LINES.len()).any(|part| part == LINES) {
        return Ok(());
    }
    let mut new = tempfile::Builder::new().prefix(compile::TEMPORARY).tempfile_in(folder)?;
    new.write_all(bytes)?;
    new.persist(file(folder, digest))?;
    Ok(())
}

/// Where it is kept. The whole component: sections refer to each other.
pub(super) fn file(folder: &Path, digest: Digest) -> PathBuf {
    folder.join(format!("{digest}.{EXTENSION}"))
}

/// Of the files that are kept.
pub(super) const EXTENSION: &str = "debug";

fn ask(file: &Path, points: &[Point]) -> io::Result<Option<Vec<Vec<Frame>>>> {
    let mut child = Command::new(compile::own_program()?)
        .arg(VERB)
        .arg(file)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    if let Some(mut input) = child.stdin.take() {
        // A child that died early is seen by its status.
        let _closed = input.write_all(&serde_json::to_vec(points)?);
    }
    let mut answer = Vec::new();
    if let Some(output) = child.stdout.take() {
        output.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    }
    let status = child.wait()?;
    Ok(status.success().then(|| serde_json::from_slice(&answer).ok()).flatten())
}

/// What the child process does: places from standard input, their functions to
/// standard output. Gives the exit status.
pub fn child(file: &Path) -> i32 {
    let limits = [(Resource::As, MEMORY_BYTES), (Resource::Cpu, CPU_S), (Resource::Core, 0)];
    for (resource, limit) in limits {
        let limit = Rlimit { current: Some(limit), maximum: Some(limit) };
        if rustix::process::setrlimit(resource, limit).is_err() {
            return 1;
        }
    }
    #[cfg(target_os = "linux")]
    if rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).is_err() {
        return 1;
    }
    let answer = || -> Option<()> {
        let mut asked = Vec::new();
        io::stdin().read_to_end(&mut asked).ok()?;
        let points: Vec<Point> = serde_json::from_slice(&asked).ok()?;
        let found = look_up(&fs::read(file).ok()?, &points)?;
        io::stdout().write_all(&serde_json::to_vec(&found).ok()?).ok()
    };
    i32::from(answer().is_none())
}

/// A core module in a component.
#[derive(Default)]
struct Module<'a> {
    /// Where its code section begins and ends, in bytes from the beginning of the
    /// component. DWARF counts from that begin.
    code: std::ops::Range<u64>,
    /// Custom sections by their names.
    sections: BTreeMap<&'a str, &'a [u8]>,
}

fn look_up(component: &[u8], points: &[Point]) -> Option<Vec<Vec<Frame>>> {
    let modules = modules(component)?;
    let mut found = vec![Vec::new(); points.len()];
    for module in modules.iter().filter(|module| module.sections.contains_key(".debug_line")) {
        let within = |point: &&Point| module.code.contains(&point.offset);
        if !points.iter().any(|point| within(&point)) {
            continue;
        }
        let section = |id: gimli::SectionId| {
            let bytes = module.sections.get(id.name()).copied().unwrap_or_default();
            Ok::<_, gimli::Error>(EndianSlice::new(bytes, LittleEndian))
        };
        let context = Context::from_dwarf(Dwarf::load(section).ok()?).ok()?;
        for (point, frames) in points.iter().zip(&mut found) {
            if within(&point) {
                *frames = frames_at(&context, point.offset - module.code.start);
            }
        }
    }
    Some(found)
}

type Slice<'a> = EndianSlice<'a, LittleEndian>;

fn frames_at(context: &Context<Slice<'_>>, address: u64) -> Vec<Frame> {
    let mut found = Vec::new();
    // Split debug information is in other files, of which there are none.
    let LookupResult::Output(Ok(mut frames)) = context.find_frames(address) else {
        return found;
    };
    while let Ok(Some(frame)) = frames.next()
        && found.len() < INLINED_MAX
    {
        let name = frame.function.and_then(|function| {
            let name = function.raw_name().ok()?;
            Some(super::backtrace::demangled(cut(&name)))
        });
        let place = frame.location.and_then(|location| {
            let (file, line) = (location.file?, location.line?);
            // Its end says more than its beginning.
            let from = file.len().saturating_sub(TEXT_BYTES_MAX);
            let from = (from..file.len()).find(|at| file.is_char_boundary(*at))?;
            Some(format!("{}:{line}", file.get(from..)?))
        });
        found.push(Frame { name: name.unwrap_or_default(), place });
    }
    found
}

fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(TEXT_BYTES_MAX)).unwrap_or_default()
}

fn modules(component: &[u8]) -> Option<Vec<Module<'_>>> {
    let (mut done, mut open) = (Vec::new(), Vec::<Option<Module<'_>>>::new());
    for payload in Parser::new(0).parse_all(component) {
        match payload.ok()? {
            Payload::Version { encoding, .. } => {
                open.push((encoding == Encoding::Module).then(Module::default));
            }
            Payload::CodeSectionStart { range, .. } => {
                if let Some(Some(module)) = open.last_mut() {
                    module.code = range.start as u64..range.end as u64;
                }
            }
            Payload::CustomSection(section) => {
                if let Some(Some(module)) = open.last_mut() {
                    module.sections.insert(section.name(), section.data());
                }
            }
            Payload::End(_) => done.extend(open.pop().flatten()),
            _ => {}
        }
    }
    Some(done)
}
