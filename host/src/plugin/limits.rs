//! What one call may use, and which limit it met.

use hookbox_core::ids::PluginName;
use wasmtime::ResourceLimiter;

use super::engine::{CORE_INSTANCES_MAX, MEMORIES_MAX, TABLE_ENTRIES_MAX, TABLES_MAX};

/// Counts a call's memory. One for each store.
#[derive(Debug)]
pub struct CallLimits {
    memory_bytes_max: usize,
    memory_bytes: usize,
    /// The bytes that were asked for when the limit was met.
    refused: Option<usize>,
    /// The entries of a table that were asked for when their limit was met.
    table_refused: Option<usize>,
}

impl CallLimits {
    /// `memory_bytes_max`: over all linear memories of the call.
    pub fn new(memory_bytes_max: usize) -> Self {
        Self { memory_bytes_max, memory_bytes: 0, refused: None, table_refused: None }
    }

    /// Bytes of all linear memories together. They never shrink, so after the call
    /// it is the peak.
    pub fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// In words, where the memory limit was met.
    /// `plugin`: its name, for the key that changes the limit.
    pub fn memory_refused(&self, plugin: &PluginName) -> Option<String> {
        let asked = self.refused?;
        Some(format!(
            "the call wanted {asked} bytes of memory and may have {}: plugin.{plugin}.memory_bytes_max",
            self.memory_bytes_max
        ))
    }

    /// In words, where the limit of tables was met.
    pub fn table_refused(&self) -> Option<String> {
        let asked = self.table_refused?;
        Some(format!(
            "the call wanted a table of {asked} entries and may have {TABLE_ENTRIES_MAX}; no setting changes this"
        ))
    }
}

impl ResourceLimiter for CallLimits {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let total = self.memory_bytes + desired.saturating_sub(current);
        if total > self.memory_bytes_max {
            self.refused = Some(total);
            return Ok(false);
        }
        self.memory_bytes = total;
        // What was refused before, the guest got over.
        self.refused = None;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let fits = desired <= TABLE_ENTRIES_MAX;
        // What was refused before, the guest got over.
        self.table_refused = (!fits).then_some(desired);
        Ok(fits)
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES_MAX as usize
    }

    fn tables(&self) -> usize {
        TABLES_MAX as usize
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX as usize
    }
}
