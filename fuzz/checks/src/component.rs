//! Bytes of a plugin's file, through all that loading does, and where a plugin
//! comes out of it, through one call. Compiled in this process, with the same
//! settings as in the child process of the server.
//!
//! Bytes that begin with [`MADE`] choose a core module instead, which has the
//! exports of a plugin, calls what the host offers, and is made into a component.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use hookbox::config::{self, Plugin as PluginSettings};
use hookbox::plugin::compile::Compiler;
use hookbox::plugin::invoke::{Call, Runner};
use hookbox::plugin::load::{Code, Loader};
use hookbox::plugin::registry::Plugin;
use hookbox::plugin::verdict::Refused;
use hookbox::plugin::{engine, imports};
use hookbox::telemetry::traces::Caller;
use hookbox_core::event::Event;
use hookbox_core::ids::{DeliveryId, Digest, EventId, PluginName};
use hookbox_core::outcome::{FailureKind, Outcome};
use hookbox_core::targetvideo::samples;
use hookbox_core::verify::{Secrets, verify};
use tokio::runtime::Runtime;
use wasm_smith::{Config, Module};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::skeleton;

/// Files are cut at this: larger ones take longer and show nothing new.
const FILE_BYTES_MAX: usize = 64 * 1024;

/// The first byte of input that chooses a core module.
const MADE: u8 = b'm';

/// Limits so narrow that the fuzzer meets them, and soon.
const SETTINGS: &str = r#"
    [[source]]
    name = "main"
    secrets = [{ name = "test", value = "your_secret_key" }]
    [plugin_defaults]
    concurrency = 1
    cpu_ms = 20
    deadline_ms = 100
    memory_bytes_max = 16_777_216
    transfer_bytes_max = 1_048_576
    log_bytes_max = 4_096
    [runtime]
    instances_max = 1
    threads = 1
"#;

/// No input takes longer to load and to call, on a slow machine. Compiling has
/// no limit of its own here.
const PATIENCE: Duration = Duration::from_secs(20);

struct Host {
    /// Where the compiler that is not used would keep its files.
    _folder: tempfile::TempDir,
    _runtime: Runtime,
    compiling: Engine,
    running: Engine,
    loader: Loader,
    runner: Runner,
    name: PluginName,
    settings: PluginSettings,
    event: Arc<Event>,
    guests: tokio::runtime::Handle,
}

/// One for the process: what the server has at its start.
static HOST: LazyLock<Host> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("hookbox.toml");
    std::fs::write(&file, SETTINGS).expect("a file");
    let config = config::read(Some(&file)).expect("a configuration");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let guests = runtime.handle().clone();
    let running = engine::start(&config.settings.runtime).expect("an engine");
    let runner =
        Runner::new(running.clone(), guests.clone(), config.settings.runtime.instances_max);
    let compiler =
        Compiler::new(&running, folder.path(), config.settings.reload.clone(), guests.clone())
            .expect("a folder");
    let linker = imports::linker(&running).expect("a linker");
    let name: PluginName = "fuzzed".parse().expect("a name");
    let secrets = Secrets::new([("test", samples::SECRET)]).expect("secrets");
    let body = samples::body("sd_encoded").expect("a sample");
    let verified = verify(&"main".parse().expect("a name"), &secrets, body.as_bytes());
    Host {
        compiling: engine::compiler().expect("an engine"),
        loader: Loader::new(compiler, linker, runner.clone()),
        settings: config.live.plugins.of(&name).clone(),
        event: Arc::new(Event::decode(verified.expect("verified")).expect("an event")),
        _folder: folder,
        _runtime: runtime,
        running,
        runner,
        name,
        guests,
    }
});

/// Loads a file, and hands an event to the plugin that it may be. Returns what
/// became of it: the code of a refusal, `handled`, or the code of a failure.
///
/// # Panics
/// Where something that must hold does not.
pub fn check(bytes: &[u8]) -> &'static str {
    let made = match bytes.split_first() {
        Some((&MADE, chosen)) => match made(chosen) {
            Some(made) => made,
            None => return "not-made",
        },
        _ => bytes.to_vec(),
    };
    if made.len() > FILE_BYTES_MAX {
        return "too-large";
    }
    let started = Instant::now();
    let end = match HOST.load(&made) {
        Ok(code) => HOST.call(code),
        Err(refused) => is_said_well(&refused),
    };
    let took = started.elapsed();
    assert!(took < PATIENCE, "it took {took:?}");
    end
}

impl Host {
    fn load(&self, bytes: &[u8]) -> Result<Code, Refused> {
        let digest = Digest::of(bytes);
        self.loader
            .load_by(&self.name, bytes, digest, &self.settings, || {
                let refused = |code, error: wasmtime::Error| {
                    let message = format!("{error:#}").chars().take(1_000).collect();
                    Refused { code, message, fix: Vec::new() }
                };
                let code = self
                    .compiling
                    .precompile_component(bytes)
                    .map_err(|error| refused("invalid", error))?;
                // SAFETY: this process made it, a line above.
                #[expect(unsafe_code, reason = "the server loads machine code like this")]
                let component = unsafe { Component::deserialize(&self.running, code) };
                component.map_err(|error| refused("component-limit", error))
            })
            .1
    }

    fn call(&self, code: Code) -> &'static str {
        let said = &code.description;
        assert!(said.events.len() <= 1_000 && said.name.chars().count() <= 64);
        let plugin = Plugin::new(&self.name, Arc::new(code), &self.settings, 1, 1);
        let call = Call {
            delivery: DeliveryId::new(1, [0; 10]),
            event_id: EventId::new(1, [0; 10]),
            event: Arc::clone(&self.event),
            received_at_ms: 1,
            attempt: 1,
            replay: false,
            caller: Caller::default(),
        };
        let attempt = self.guests.block_on(self.runner.handle(plugin, call));
        let log_bytes = attempt.log.len();
        // The limit, and the line that says how many were dropped.
        assert!(log_bytes <= self.settings.log_bytes_max + 200, "{log_bytes} bytes of log");
        let Outcome::Failed(failure) = attempt.outcome else { return "handled" };
        assert_ne!(failure.kind, FailureKind::Host, "{}", failure.message);
        assert!(failure.message.len() <= 4_096, "{} bytes", failure.message.len());
        failure.kind.code()
    }
}

fn is_said_well(refused: &Refused) -> &'static str {
    let code = refused.code;
    assert!(code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-') && !code.is_empty());
    assert!(!refused.message.is_empty() && refused.message.len() <= 4_096, "{code}");
    code
}

/// A component around a core module that the bytes choose.
fn made(chosen: &[u8]) -> Option<Vec<u8>> {
    static SHAPE: LazyLock<(Vec<u8>, Vec<u8>)> = LazyLock::new(|| {
        let parse = |text: &str| wat::parse_str(text).expect("a valid text");
        (parse(include_str!("host_functions.wat")), parse(&skeleton::core("")))
    });
    let config = Config {
        available_imports: Some(SHAPE.0.clone()),
        exports: Some(SHAPE.1.clone()),
        max_memory32_bytes: 32 << 20,
        max_imports: 30,
        max_memories: 1,
        // What the engine does not have by default.
        exceptions_enabled: false,
        gc_enabled: false,
        memory64_enabled: false,
        reference_types_enabled: false,
        shared_everything_threads_enabled: false,
        threads_enabled: false,
        ..Config::default()
    };
    let mut chosen = arbitrary::Unstructured::new(chosen);
    let mut module = Module::new(config, &mut chosen).ok()?;
    // Else most would end at the first loop.
    let _all_bounded = module.ensure_termination(10_000);
    skeleton::component(&module.to_bytes()).ok()
}
