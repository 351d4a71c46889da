//! What calls read of their plugin's state, from the store.

use std::sync::Arc;

use hookbox_core::ids::PluginName;

use crate::plugin::state::{Measured, Reading, StateError, StateSource};
use crate::store::sqlite::SqliteStore;

/// The state that was committed.
pub(super) struct Committed(pub(super) Arc<SqliteStore>);

impl StateSource for Committed {
    fn values(
        &self,
        plugin: &PluginName,
        keys: Vec<String>,
        bytes_max: u64,
    ) -> Reading<Vec<Option<Vec<u8>>>> {
        let (store, plugin) = (Arc::clone(&self.0), plugin.clone());
        Box::pin(async move {
            let values = store.state_values(&plugin, keys, bytes_max).await;
            values.map_err(StateError::Unavailable)?.ok_or(StateError::TooLarge { bytes_max })
        })
    }

    fn measure(&self, plugin: &PluginName, keys: Vec<String>) -> Reading<Measured> {
        let (store, plugin) = (Arc::clone(&self.0), plugin.clone());
        Box::pin(async move {
            let lengths = store.state_lengths(&plugin, keys).await;
            let (bytes, values) = lengths.map_err(StateError::Unavailable)?;
            Ok(Measured { bytes, values })
        })
    }

    fn keys_after(&self, plugin: &PluginName, after: String, limit: usize) -> Reading<Vec<String>> {
        let (store, plugin) = (Arc::clone(&self.0), plugin.clone());
        Box::pin(async move {
            let keys = store.state_keys(&plugin, after, limit).await;
            keys.map_err(StateError::Unavailable)
        })
    }
}
