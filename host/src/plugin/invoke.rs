//! One call of a plugin: a fresh instance, its limits, and what came of it.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use hookbox_core::effects::{OutboundCall, StateChange};
use hookbox_core::event::Event;
use hookbox_core::ids::{DeliveryId, Digest, EventId, PluginName};
use hookbox_core::outcome::{Failure, FailureKind, Outcome};
use hookbox_core::sensitive::Mask;
use hookbox_core::targetvideo::EVENT_NAMES;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tracing::Level;
use wasmtime::component::ResourceTableError;
use wasmtime::{Engine, Store, UpdateDeadline};

use super::backtrace;
use super::bindings::v0_1_0::{self, Guest, GuestPre, types};
use super::clock::clocked;
use super::engine::{GUEST_HANDLES_MAX, TICK};
use super::imports::http::Requests;
use super::imports::{CallState, HANDLES_MAX, State};
use super::limits::CallLimits;
use super::output::{self, CallLog, Origin, SharedLog};
use super::rate::LogRate;
use super::registry::Plugin;
use super::state::{NoState, StateSource};
use super::symbols::Symbols;
use crate::config::{self, Grants};
use crate::outbound::Outbound;
use crate::telemetry::Redactor;
use crate::telemetry::traces::Caller;

/// Bytes of a failure's reason that are kept.
const REASON_BYTES_MAX: usize = 4_096;

/// An event to hand to a plugin.
#[derive(Debug, Clone)]
pub struct Call {
    /// The delivery.
    pub delivery: DeliveryId,
    /// The event's id.
    pub event_id: EventId,
    /// The event.
    pub event: Arc<Event>,
    /// When it arrived: milliseconds since the Unix epoch.
    pub received_at_ms: u64,
    /// 1 at first.
    pub attempt: u32,
    /// Whether an operator asked for it to be handed over once more.
    pub replay: bool,
    /// What requests that it sends belong to.
    pub caller: Caller,
}

/// What became of a call.
#[derive(Debug)]
pub struct Attempt {
    /// How it ended.
    pub outcome: Outcome,
    /// When the plugin's code was entered.
    pub started: SystemTime,
    /// From entering the plugin's code to its end; not the wait before.
    pub duration: Duration,
    /// What the plugin logged.
    pub log: String,
    /// The level of each line of `log`.
    pub log_levels: Vec<Level>,
    /// What it changed in its state; nothing unless it handled the event.
    pub changes: Vec<StateChange>,
    /// The requests that it sent, in order.
    pub calls: Vec<OutboundCall>,
    /// What it took.
    pub used: Used,
}

/// What a call took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Used {
    /// The most bytes of all its linear memories together.
    pub memory_bytes: u64,
    /// Processor time of the thread that ran it, the host's own work for it
    /// included. None: the runner does not [measure](Runner::measuring) it.
    pub cpu: Option<Duration>,
}

/// Calls plugins, on threads of their own.
#[derive(Clone)]
pub struct Runner {
    engine: Engine,
    /// The runtime whose threads run guests and nothing else.
    guests: Handle,
    /// By which lines of plugins' sources are found. None: they are not shown.
    symbols: Option<Arc<Symbols>>,
    /// One permit for each instance that the pool has.
    instances: Arc<Semaphore>,
    state: Arc<dyn StateSource>,
    /// By which plugins send requests. None: they cannot.
    outbound: Option<Arc<Outbound>>,
    measures: bool,
}

#[derive(Debug, thiserror::Error)]
#[error("the call used more processor time than it may have")]
struct CpuLimit;

impl Runner {
    /// `guests`: the runtime whose threads run guests and nothing else. Plugins
    /// have no state until [`Runner::with_state`] gives them some.
    pub fn new(engine: Engine, guests: Handle, instances_max: u32) -> Self {
        let instances = Arc::new(Semaphore::new(instances_max as usize));
        Self {
            engine,
            symbols: None,
            guests,
            instances,
            state: Arc::new(NoState),
            outbound: None,
            measures: false,
        }
    }

    /// The same, whose traps show lines of the plugins' sources.
    #[must_use]
    pub fn with_symbols(mut self, symbols: Arc<Symbols>) -> Self {
        self.symbols = Some(symbols);
        self
    }

    /// The same, whose plugins have state.
    #[must_use]
    pub fn with_state(mut self, state: Arc<dyn StateSource>) -> Self {
        self.state = state;
        self
    }

    /// The same, whose plugins can send requests.
    #[must_use]
    pub fn with_outbound(mut self, outbound: Arc<Outbound>) -> Self {
        self.outbound = Some(outbound);
        self
    }

    /// The same, which measures the processor time of calls. Two questions to the
    /// system each time that a call goes on, so a server leaves it.
    #[must_use]
    pub fn measuring(mut self) -> Self {
        self.measures = true;
        self
    }

    /// Hands an event to a plugin. Once begun, the call goes on to its end even
    /// when the returned future is dropped.
    pub async fn handle(&self, plugin: Arc<Plugin>, call: Call) -> Attempt {
        let failed = |message: &str| Attempt {
            outcome: Outcome::Failed(Failure {
                kind: FailureKind::Host,
                message: message.to_owned(),
            }),
            started: SystemTime::now(),
            duration: Duration::ZERO,
            log: String::new(),
            log_levels: Vec::new(),
            changes: Vec::new(),
            calls: Vec::new(),
            used: Used::default(),
        };
        let Ok(permit) = Arc::clone(&self.instances).acquire_owned().await else {
            return failed("the server is ending");
        };
        let runner = self.clone();
        let running = self.guests.spawn(async move {
            let attempt = attempt(&runner, &plugin, &call).await;
            drop(permit);
            attempt
        });
        running.await.unwrap_or_else(|_| {
            failed("the host failed during the call; this is a mistake in hookbox")
        })
    }

    /// Asks what a plugin says of itself, on the thread that calls.
    ///
    /// # Errors
    /// As for a call with an event.
    pub fn describe(
        &self,
        pre: &GuestPre<CallState>,
        name: &PluginName,
        settings: &config::Plugin,
    ) -> Result<types::Description, Failure> {
        let origin = Origin {
            plugin: name.to_string(),
            event: String::new(),
            delivery: String::new(),
            attempt: 0,
        };
        let rate = Arc::new(LogRate::new(settings.log_lines_per_s_max));
        let log = CallLog::new(origin, settings, settings.grants.redactor(), &rate);
        let call = async |store: &mut Store<CallState>, guest: &Guest| {
            guest.hookbox_plugin_about().call_describe(store).await
        };
        let work = async {
            let _permit = self.instances.acquire().await;
            // Nothing is granted: it must say the same whatever it may do.
            let (grants, state) = (&Arc::default(), &self.state);
            let about = About {
                name,
                settings,
                grants,
                state,
                requests: None,
                measures: false,
                lines: None,
            };
            enter(&self.engine, pre, &about, &log, call).await.0
        };
        let said = self.guests.block_on(work);
        let _printed = output::finish(&log);
        said.map_err(|failure| bounded(failure, settings.grants.redactor()))
    }
}

async fn attempt(runner: &Runner, plugin: &Plugin, call: &Call) -> Attempt {
    let origin = Origin {
        plugin: plugin.name.to_string(),
        event: call.event_id.to_string(),
        delivery: call.delivery.to_string(),
        attempt: call.attempt,
    };
    let redactor = &redactor(plugin, &call.event);
    let log = CallLog::new(origin, &plugin.settings, redactor, &plugin.log_rate);
    let event = v0_1_0::event_to_wit(call.event.typed());
    let delivery = v0_1_0::delivery_to_wit(call);
    let (started, began) = (SystemTime::now(), Instant::now());
    let guest = async |store: &mut Store<CallState>, guest: &Guest| {
        let handler = guest.hookbox_targetvideo_handler();
        let answer = handler.call_handle(&mut *store, &event, &delivery).await?;
        Ok((answer, store.data_mut().state.take_changes()))
    };
    let (grants, state) = (&plugin.settings.grants, &runner.state);
    let requests = runner.outbound.as_deref().map(|outbound| {
        Requests::new(outbound, &plugin.name, &plugin.settings, redactor, &call.caller, &log)
    });
    let requests = requests.as_ref();
    let (name, settings, measures) = (&plugin.name, &plugin.settings, runner.measures);
    let lines = runner.symbols.as_deref().map(|symbols| (symbols, plugin.code.digest));
    let about = About { name, settings, grants, state, requests, measures, lines };
    let (answer, used) = enter(&runner.engine, &plugin.code.pre, &about, &log, guest).await;
    let duration = began.elapsed();
    let (log, log_levels) = output::finish(&log);
    let (outcome, changes) = match answer {
        Ok((answer, changes)) => (v0_1_0::outcome(answer), changes),
        Err(failure) => (Outcome::Failed(failure), Vec::new()),
    };
    let (outcome, changes) = match outcome {
        Outcome::Handled => (Outcome::Handled, changes),
        Outcome::Failed(failure) => (Outcome::Failed(bounded(failure, redactor)), Vec::new()),
    };
    let calls = requests.map(|requests| requests.calls()).unwrap_or_default();
    Attempt { outcome, started, duration, log, log_levels, changes, calls, used }
}

/// What must not be in anything that the call prints or leaves: the plugin's
/// secrets, and what is hidden of the event. Those that are documented and not of
/// streams hold nothing of that kind, and are not looked through.
pub(crate) fn redactor(plugin: &Plugin, event: &Event) -> Arc<Redactor> {
    let secrets = plugin.settings.grants.redactor();
    let name = event.name();
    if EVENT_NAMES.contains(&name) && !name.contains("stream") {
        return Arc::clone(secrets);
    }
    let mask = Mask::of(name, &event.typed().document);
    Arc::new(secrets.with_mask(mask))
}

/// A reason is kept up to a length and without secrets: a guest chooses its
/// words, and the names of its functions.
fn bounded(mut failure: Failure, redactor: &Redactor) -> Failure {
    failure.message = redactor.text(&failure.message).into_owned();
    failure.message.truncate(failure.message.floor_char_boundary(REASON_BYTES_MAX));
    failure
}

/// Who is called.
struct About<'a> {
    name: &'a PluginName,
    settings: &'a config::Plugin,
    /// What it may do in this call.
    grants: &'a Arc<Grants>,
    state: &'a Arc<dyn StateSource>,
    /// What it sends. None: it may not send.
    requests: Option<&'a Arc<Requests>>,
    /// Whether its processor time is measured.
    measures: bool,
    /// By which lines of its source are found, and as which component. None: they
    /// are not shown.
    lines: Option<(&'a Symbols, Digest)>,
}

/// Makes an instance with its limits, and calls it. What it took is known
/// however it ended.
async fn enter<T>(
    engine: &Engine,
    pre: &GuestPre<CallState>,
    about: &About<'_>,
    log: &SharedLog,
    call: impl AsyncFnOnce(&mut Store<CallState>, &Guest) -> wasmtime::Result<T>,
) -> (Result<T, Failure>, Used) {
    let &About { name, settings, grants, state, requests, measures, lines } = about;
    let limits = CallLimits::new(settings.memory_bytes_max);
    let state = CallState::new(log, limits, grants, State::new(state, name, settings));
    let state = requests.into_iter().fold(state, CallState::sending);
    let mut store = Store::new(engine, state);
    store.limiter(|state| &mut state.limits);
    store.set_hostcall_fuel(settings.transfer_bytes_max);
    store.set_max_component_handles(GUEST_HANDLES_MAX);
    store.set_epoch_deadline(1);
    let ticks_max = settings.cpu_ms.div_ceil(TICK.as_millis() as u64);
    store.epoch_deadline_callback(move |mut context| {
        let state = context.data_mut();
        state.ticks += 1;
        if state.ticks > ticks_max {
            return Err(CpuLimit.into());
        }
        // Lets the timer of the deadline and other guests run.
        Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
    });
    let work = async {
        let guest = pre.instantiate_async(&mut store).await?;
        call(&mut store, &guest).await
    };
    let mut cpu = measures.then_some(Duration::ZERO);
    let ended = tokio::time::timeout(settings.deadline(), clocked(work, cpu.as_mut())).await;
    if let Some(requests) = requests {
        requests.end(matches!(ended, Ok(Ok(_))));
    }
    let memory_bytes = store.data().limits.memory_bytes() as u64;
    let answer = match ended {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => {
            let resolved = match lines {
                Some((symbols, digest)) => symbols.resolve(digest, backtrace::points(&error)).await,
                None => None,
            };
            let trap = backtrace::trap_text(&error, resolved);
            Err(explain(&error, trap, &store.data().limits, settings, name))
        }
        Err(_) => Err(Failure {
            kind: FailureKind::Deadline,
            message: format!(
                "the call took over {} ms: plugin.{name}.deadline_ms",
                settings.deadline_ms
            ),
        }),
    };
    (answer, Used { memory_bytes, cpu })
}

/// Which limit was met, or what went wrong in the plugin.
fn explain(
    error: &wasmtime::Error,
    trap: String,
    limits: &CallLimits,
    settings: &config::Plugin,
    name: &PluginName,
) -> Failure {
    if error.is::<CpuLimit>() {
        return Failure {
            kind: FailureKind::Cpu,
            message: format!(
                "the call used over {} ms of processor time: plugin.{name}.cpu_ms",
                settings.cpu_ms
            ),
        };
    }
    if let Some(refused) = limits.memory_refused(name) {
        return Failure { kind: FailureKind::Memory, message: format!("{refused} ({trap})") };
    }
    let message = match other_limit(error, limits, settings, name) {
        Some(limit) => format!("{limit} ({trap})"),
        None => trap,
    };
    Failure { kind: FailureKind::Trap, message }
}

/// The limit behind an error that does not say which it is, in words. wasmtime
/// tells some of them apart by their texts alone; tests notice if those change.
fn other_limit(
    error: &wasmtime::Error,
    limits: &CallLimits,
    settings: &config::Plugin,
    name: &PluginName,
) -> Option<String> {
    let cause = error.root_cause().to_string();
    if cause.contains("fuel allocated for hostcalls has been exhausted") {
        return Some(format!(
            "more than {} bytes in one call between plugin and host: \
             plugin.{name}.transfer_bytes_max",
            settings.transfer_bytes_max
        ));
    }
    if cause.contains("store handle limit exceeded") {
        return Some(format!(
            "the call held over {GUEST_HANDLES_MAX} handles; no setting changes this"
        ));
    }
    if matches!(error.downcast_ref(), Some(ResourceTableError::Full)) {
        return Some(format!(
            "the call held over {HANDLES_MAX} of the host's streams, requests, header fields and \
             the like; no setting changes this"
        ));
    }
    limits.table_refused()
}
