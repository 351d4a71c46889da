//! Machine code for a component: from the cache, or made by a child process.
//!
//! Compiling takes a hostile file as input and can take any amount of time and
//! memory, so it is done by this same program in a process of its own, with
//! limits. The result goes into the data directory, by digest and by what the
//! code depends on, so that a restart does not compile again.
//!
//! Invariant: what is read from the cache was written by this program, complete
//! and synced before it got its name. The plugins directory is never read for
//! compiled code.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hookbox_core::ids::Digest;
use rustix::process::{Resource, Rlimit, Signal};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::runtime::Handle;
use tracing::{debug, warn};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::engine::{self, CORE_INSTANCES_MAX, MEMORIES_MAX, TABLE_ENTRIES_MAX, TABLES_MAX};
use super::symbols::{self, Symbols};
use super::verdict::Refused;
use crate::config::Reload;

/// Code of a refusal that is the host's fault and may pass.
pub const FAILED: &str = "compile-failed";

/// The verb with which the program calls itself. Not for users.
pub const VERB: &str = "compile-component";

/// Compiled files that are kept, and their bytes: beyond, those not used for
/// longest are deleted.
const CACHE_FILES_MAX: usize = 512;
const CACHE_BYTES_MAX: u64 = 2 << 30;

/// How the names of compiled files end.
const CODE: &str = "cwasm";

/// How the name of an unfinished file begins.
pub(super) const TEMPORARY: &str = ".compiling-";

/// Of a child's error text.
const MESSAGE_BYTES_MAX: usize = 4_096;

/// Gets machine code for components.
pub struct Compiler {
    engine: Engine,
    folder: PathBuf,
    /// What compiled code depends on beside its source, as a file name.
    compatibility: String,
    limits: Reload,
    handle: Handle,
}

impl Compiler {
    /// Keeps compiled code in a folder below `data_dir`.
    ///
    /// # Errors
    /// Where the folder cannot be made.
    pub fn new(
        engine: &Engine,
        data_dir: &Path,
        limits: Reload,
        handle: Handle,
    ) -> std::io::Result<Self> {
        let folder = data_dir.join("compiled");
        private_folder(&folder)?;
        let hasher = BuildHasherDefault::<DefaultHasher>::default();
        let compatibility =
            format!("{:016x}", hasher.hash_one(engine.precompile_compatibility_hash()));
        let compiler = Self { engine: engine.clone(), folder, compatibility, limits, handle };
        compiler.tidy();
        Ok(compiler)
    }

    /// What looks up lines of the sources of what was compiled here.
    pub fn symbols(&self) -> Arc<Symbols> {
        Symbols::new(&self.folder)
    }

    /// The component, compiled.
    ///
    /// # Errors
    /// Where the bytes are no valid component, or compiling them meets a limit.
    pub fn compiled(&self, bytes: &[u8], digest: Digest) -> Result<Component, Refused> {
        let path = self.folder.join(format!("{digest}-{}.{CODE}", self.compatibility));
        if let Some(component) = self.cached(&path) {
            let _unchanged = File::open(symbols::file(&self.folder, digest))
                .and_then(|file| file.set_modified(SystemTime::now()));
            return Ok(component);
        }
        self.compile(bytes, &path)?;
        if let Err(error) = symbols::keep(&self.folder, digest, bytes) {
            warn!(%digest, %error, "a trap of this plugin will not show lines of its source");
        }
        self.read(&path).map_err(|error| {
            let _gone = fs::remove_file(&path);
            unfit(&error)
        })
    }

    fn cached(&self, path: &Path) -> Option<Component> {
        let file = File::open(path).ok()?;
        // For `tidy`, which goes by it; a clock that cannot be written is no loss.
        let _unchanged = file.set_modified(SystemTime::now());
        match self.read(path) {
            Ok(component) => Some(component),
            Err(error) => {
                warn!(file = %path.display(), error = format!("{error:#}"), "compiled code is of no use and is made again");
                let _gone = fs::remove_file(path);
                None
            }
        }
    }

    fn read(&self, path: &Path) -> wasmtime::Result<Component> {
        // SAFETY: the file was made by this program's own compiler, in a folder
        // that only this user can write to, and got its name when complete.
        #[expect(unsafe_code, reason = "loading machine code is what this function is for")]
        unsafe {
            Component::deserialize_file(&self.engine, path)
        }
    }

    fn compile(&self, bytes: &[u8], path: &Path) -> Result<(), Refused> {
        let failed =
            |what: &str, error: std::io::Error| Refused::new(FAILED, format!("{what}: {error}"));
        // By kind only: its text would name another temporary file each time.
        let no_room = |error: std::io::Error| {
            failed("no room for compiled code in data_dir", error.kind().into())
        };
        private_folder(&self.folder).map_err(|error| failed("data_dir", error))?;
        let temporary = tempfile::Builder::new()
            .prefix(TEMPORARY)
            .tempfile_in(&self.folder)
            .map_err(no_room)?;
        self.handle.block_on(self.child(bytes, temporary.path()))?;
        temporary
            .as_file()
            .sync_all()
            .map_err(|error| failed("compiled code cannot be written", error))?;
        temporary
            .persist(path)
            .map_err(|error| failed("compiled code cannot be kept", error.error))?;
        self.tidy();
        Ok(())
    }

    async fn child(&self, bytes: &[u8], output: &Path) -> Result<(), Refused> {
        let failed = |error: std::io::Error| {
            Refused::new(FAILED, format!("the compiler cannot be started: {error}"))
        };
        let mut child = Command::new(own_program().map_err(failed)?)
            .arg(VERB)
            .arg(output)
            .arg(self.limits.compile_memory_bytes_max.to_string())
            .arg(self.limits.compile_timeout_ms.div_ceil(1_000).to_string())
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let mut input = child.stdin.take();
        let work = async {
            if let Some(mut input) = input.take() {
                // A child that died early is seen by its status.
                let _closed = input.write_all(bytes).await;
            }
            child.wait_with_output().await
        };
        let limit = Duration::from_millis(self.limits.compile_timeout_ms);
        let output = match tokio::time::timeout(limit, work).await {
            Ok(output) => output.map_err(failed)?,
            Err(_) => {
                return Err(Refused::new(
                    "compile-timeout",
                    format!(
                        "compiling took over {} ms: reload.compile_timeout_ms",
                        limit.as_millis()
                    ),
                ));
            }
        };
        if output.status.success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&output.stderr);
        let text: String = text.trim().chars().take(MESSAGE_BYTES_MAX).collect();
        Err(match output.status.code() {
            Some(EXIT_INVALID) => Refused::new("invalid", format!("not a valid component: {text}")),
            // Its own report of the host's fault, or killed by the system, which
            // most likely ran out of memory.
            Some(EXIT_FAILED) => Refused::new(FAILED, format!("the compiler failed: {text}")),
            None if output.status.signal() == Some(Signal::KILL.as_raw()) => Refused::new(
                FAILED,
                "the compiler was killed; the system may have run out of memory",
            ),
            _ => Refused::new(
                "compile-limit",
                format!(
                    "compiling it failed ({}); it may have met reload.compile_memory_bytes_max, {} bytes: {text}",
                    output.status, self.limits.compile_memory_bytes_max
                ),
            ),
        })
    }

    /// Whether an unfinished file may belong to a compiler that still runs.
    fn may_be_written(&self, modified: SystemTime) -> bool {
        let limit = Duration::from_millis(self.limits.compile_timeout_ms);
        modified.elapsed().is_ok_and(|age| age <= limit)
    }

    /// Deletes what has not been used for longest, and what a process that was
    /// killed left behind.
    fn tidy(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        let mut files: Vec<(SystemTime, u64, PathBuf)> = entries
            .flatten()
            .filter_map(|entry| {
                let about = entry.metadata().ok()?;
                Some((about.modified().ok()?, about.len(), entry.path()))
            })
            .collect();
        files.sort();
        files.reverse();
        let mut bytes = 0;
        for (index, (modified, length, path)) in files.iter().enumerate() {
            bytes += length;
            let complete = [CODE, symbols::EXTENSION]
                .iter()
                .any(|end| path.extension() == Some(OsStr::new(end)));
            if !complete && self.may_be_written(*modified) {
                continue;
            }
            if !complete || index >= CACHE_FILES_MAX || bytes > CACHE_BYTES_MAX {
                debug!(file = %path.display(), "deleted from the cache of compiled code");
                let _gone = fs::remove_file(path);
            }
        }
    }
}

/// Why code that was compiled a moment ago cannot be loaded: the host's fault
/// where it cannot be read; else the component has more of something than there
/// is room for.
fn unfit(error: &wasmtime::Error) -> Refused {
    let of_the_host =
        error.chain().any(|cause| cause.is::<std::io::Error>() || cause.is::<rustix::io::Errno>());
    if of_the_host {
        return Refused::new(FAILED, format!("compiled code could not be read back: {error:#}"));
    }
    Refused::new(
        "component-limit",
        format!(
            "it is larger than a component may be: {error:#}; a component may have \
             {CORE_INSTANCES_MAX} core instances, {MEMORIES_MAX} memories, {TABLES_MAX} tables, and \
             {TABLE_ENTRIES_MAX} entries in a table; no setting changes this"
        ),
    )
}

/// Makes the folder for machine code, or checks the one that is there: whoever
/// else can write to it can run anything as this user.
fn private_folder(folder: &Path) -> std::io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let about = fs::metadata(folder)?;
    let own = about.uid() == rustix::process::geteuid().as_raw();
    if !own || about.mode() & 0o022 != 0 {
        return Err(std::io::Error::other(format!(
            "{} must belong to the user that hookbox runs as, and nobody else may write to it: \
             delete it, or give it to that user with mode 0700",
            folder.display()
        )));
    }
    Ok(())
}

/// This program, even when its file has been replaced since it started.
pub(super) fn own_program() -> std::io::Result<PathBuf> {
    let running = Path::new("/proc/self/exe");
    if running.exists() { Ok(running.to_owned()) } else { std::env::current_exe() }
}

/// Exit status of the child where the file is at fault.
const EXIT_INVALID: i32 = 3;
/// Exit status of the child where anything else is.
const EXIT_FAILED: i32 = 4;

/// The child process: reads a component from standard input, and writes machine
/// code to a file. Returns the exit status.
///
/// `seconds_max`: for each processor, should the parent not be there to end it.
pub fn child(output: &Path, memory_bytes_max: u64, seconds_max: u64) -> i32 {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let limits = [
        (Resource::As, memory_bytes_max),
        (Resource::Cpu, seconds_max.saturating_mul(cores)),
        // A dump of it is of no use to anyone.
        (Resource::Core, 0),
    ];
    for (resource, limit) in limits {
        let limit = Rlimit { current: Some(limit), maximum: Some(limit) };
        if rustix::process::setrlimit(resource, limit).is_err() {
            return EXIT_FAILED;
        }
    }
    #[cfg(target_os = "linux")]
    if rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).is_err() {
        return EXIT_FAILED;
    }
    let mut bytes = Vec::new();
    let result = std::io::stdin()
        .read_to_end(&mut bytes)
        .map_err(|error| (EXIT_FAILED, error.to_string()))
        .and_then(|_| engine::compiler().map_err(|error| (EXIT_FAILED, format!("{error:#}"))))
        .and_then(|engine| {
            engine
                .precompile_component(&bytes)
                .map_err(|error| (EXIT_INVALID, format!("{error:#}")))
        })
        .and_then(|code| {
            let write = File::create(output).and_then(|mut file| file.write_all(&code));
            write.map_err(|error| (EXIT_FAILED, error.to_string()))
        });
    match result {
        Ok(()) => 0,
        Err((status, message)) => {
            let _nobody_listens = writeln!(std::io::stderr(), "{message}");
            status
        }
    }
}
