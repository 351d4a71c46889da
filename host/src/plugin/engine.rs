//! The one engine that compiles and runs all plugins.

use std::num::NonZeroUsize;
use std::sync::OnceLock;
use std::time::Duration;

use tracing::warn;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig,
    WasmBacktraceDetails,
};

use crate::config::Runtime;

/// How often guests are interrupted to let others run, and the unit in which
/// their processor time is counted.
pub const TICK: Duration = Duration::from_millis(10);

/// Core instances, memories and tables that one component may have. A component
/// made from Rust has 2 to 4 core instances and 1 memory; those made from
/// JavaScript or Python some more.
pub const CORE_INSTANCES_MAX: u32 = 64;
/// See [`CORE_INSTANCES_MAX`].
pub const MEMORIES_MAX: u32 = 4;
/// See [`CORE_INSTANCES_MAX`].
pub const TABLES_MAX: u32 = 16;
/// Entries of one table. The table of a 12 MB JavaScript engine has about
/// 14,000.
pub const TABLE_ENTRIES_MAX: usize = 100_000;
/// Handles that a call may hold in the tables of its own components, resources
/// that it defines itself among them. Each takes some 24 bytes of the host's
/// memory; what the host holds behind one is bounded by `imports`.
pub const GUEST_HANDLES_MAX: usize = 10_000;

/// Bytes of the stack that a guest's calls may use, and of the whole stack that
/// it and the host functions it calls share.
const GUEST_STACK_BYTES: usize = 512 * 1024;
const STACK_BYTES: usize = 2 * 1024 * 1024;

/// Memory that stays mapped between calls, so that the next one need not fault
/// it in. Only worth it where the kernel can say which pages were written.
const MEMORY_KEPT_BYTES: usize = 1024 * 1024;
const TABLE_KEPT_BYTES: usize = 64 * 1024;

/// What decides about the machine code: the same in the server and in the
/// child process that compiles.
fn common() -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .epoch_interruption(true)
        .max_wasm_stack(GUEST_STACK_BYTES)
        .async_stack_size(STACK_BYTES)
        // What the file says of its source is read elsewhere: see `symbols`.
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .wasm_backtrace_max_frames(NonZeroUsize::new(32));
    config
}

/// An engine that only compiles.
///
/// # Errors
/// Where the processor is not supported.
pub fn compiler() -> wasmtime::Result<Engine> {
    Engine::new(&common())
}

/// The engine that runs plugins, and a thread that advances its epoch for as
/// long as the process lives.
///
/// # Errors
/// Where the processor is not supported, or no thread can be started.
pub fn start(runtime: &Runtime) -> wasmtime::Result<Engine> {
    let engine = if runtime.pooling { pooled(runtime.instances_max) } else { compiler() }?;
    let weak = engine.weak();
    // A plain thread: a timer of an async runtime can be late just when a guest
    // needs to be interrupted.
    std::thread::Builder::new().name("epoch".to_owned()).spawn(move || {
        while let Some(engine) = weak.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    })?;
    Ok(engine)
}

fn pooled(instances_max: u32) -> wasmtime::Result<Engine> {
    let mut pool = PoolingAllocationConfig::new();
    // Everything that one component may have is there for each instance, so
    // that the pool can run out of instances only, of which `invoke` never
    // takes more.
    pool.total_component_instances(instances_max)
        .total_stacks(instances_max)
        .total_core_instances(instances_max * CORE_INSTANCES_MAX)
        .total_memories(instances_max * MEMORIES_MAX)
        .total_tables(instances_max * TABLES_MAX)
        .max_core_instances_per_component(CORE_INSTANCES_MAX)
        .max_memories_per_component(MEMORIES_MAX)
        .max_memories_per_module(MEMORIES_MAX)
        .max_tables_per_component(TABLES_MAX)
        .max_tables_per_module(TABLES_MAX)
        .table_elements(TABLE_ENTRIES_MAX)
        .max_memory_size(1 << 32);
    if pagemap_scan() {
        pool.pagemap_scan(Enabled::Auto)
            .linear_memory_keep_resident(MEMORY_KEPT_BYTES)
            .table_keep_resident(TABLE_KEPT_BYTES);
    }
    let mut config = common();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Engine::new(&config).or_else(|error| {
        warn!(
            error = format!("{error:#}"),
            "memory for plugin calls cannot be prepared, so that each call takes longer; \
             lower runtime.instances_max, or set runtime.pooling = false to be rid of this line"
        );
        compiler()
    })
}

/// Whether the kernel has `PAGEMAP_SCAN` (Linux 6.7 and later).
fn pagemap_scan() -> bool {
    static AVAILABLE: OnceLock<bool> = OnceLock::new();
    *AVAILABLE.get_or_init(PoolingAllocationConfig::is_pagemap_scan_available)
}
