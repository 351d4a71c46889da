//! What plugins may import. All of it is there, so that no component is refused
//! for what it imports; what is not granted refuses when it is used.
//!
//! - Clocks, random numbers, standard output and error work; files, sockets,
//!   environment and arguments are empty or refuse (`wasmtime-wasi` with
//!   nothing granted).
//! - [`logging`] is `wasi:logging`, [`settings`] is `wasi:config`, [`keyvalue`]
//!   is `wasi:keyvalue`, [`http`] is `wasi:http/outgoing-handler`. What was not
//!   granted refuses by the interface's own error.

pub mod http;
mod keyvalue;
mod logging;
mod settings;

use std::sync::Arc;

use wasmtime::Engine;
use wasmtime::component::{HasSelf, Linker, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

pub use self::keyvalue::State;
use super::limits::CallLimits;
use super::output::{Pipe, SharedLog, Stream};
use crate::config::Grants;

/// Random bytes that a guest may ask for at once: more must be asked for in
/// parts, so that no call makes the host allocate without bound.
const RANDOM_BYTES_MAX: u64 = 64 * 1024;

/// Handles that a call may hold: streams, pollables, requests, bodies. Each
/// takes memory of the host's, which the limit on the guest's own does not see.
pub(super) const HANDLES_MAX: usize = 1_000;

/// Bytes of one set of header fields, which the host holds.
const FIELDS_BYTES_MAX: usize = 16 * 1024;

/// Bytes that a guest may hand to an outgoing body at once, which the host holds.
const BODY_CHUNK_BYTES_MAX: usize = 16 * 1024;

/// What a call's imports work on: one for each store.
pub struct CallState {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: http::Hooks,
    table: ResourceTable,
    log: SharedLog,
    /// What the operator granted; nothing while the plugin only describes
    /// itself.
    grants: Arc<Grants>,
    /// The plugin's key-value state.
    pub state: State,
    /// What the call may use.
    pub limits: CallLimits,
    /// Ticks of the epoch that found the call in guest code.
    pub ticks: u64,
}

impl CallState {
    /// The state of a fresh call.
    pub fn new(log: &SharedLog, limits: CallLimits, grants: &Arc<Grants>, state: State) -> Self {
        let wasi = WasiCtx::builder()
            .stdout(Pipe::new(log, Stream::Stdout))
            .stderr(Pipe::new(log, Stream::Stderr))
            .max_random_size(RANDOM_BYTES_MAX)
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .build();
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES_MAX);
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(FIELDS_BYTES_MAX);
        Self {
            wasi,
            http,
            hooks: http::Hooks::describing(log),
            table,
            log: SharedLog::clone(log),
            grants: Arc::clone(grants),
            state,
            limits,
            ticks: 0,
        }
    }

    /// The same, which may send requests.
    #[must_use]
    pub fn sending(mut self, requests: &Arc<http::Requests>) -> Self {
        self.hooks = http::Hooks::sending(requests);
        self
    }
}

impl WasiView for CallState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for CallState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.hooks, table: &mut self.table, ctx: &mut self.http }
    }
}

mod generated {
    #![allow(missing_docs, reason = "generated; the WIT text documents the types")]

    wasmtime::component::bindgen!({
        path: "../wit/targetvideo-0.1.0",
        inline: "
            package hookbox:host;
            world provided {
                import wasi:logging/logging@0.1.0-draft;
                import wasi:config/store@0.2.0-rc.1;
                import wasi:keyvalue/store@0.2.0-draft;
                import wasi:keyvalue/atomics@0.2.0-draft;
                import wasi:keyvalue/batch@0.2.0-draft;
            }
        ",
        world: "hookbox:host/provided",
        imports: { "wasi:keyvalue": async },
        with: { "wasi:keyvalue/store.bucket": super::keyvalue::Bucket },
    });
}

/// A linker with all of it.
///
/// # Errors
/// Where two interfaces clash, which a test would have shown.
pub fn linker(engine: &Engine) -> wasmtime::Result<Linker<CallState>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    generated::Provided::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    Ok(linker)
}
