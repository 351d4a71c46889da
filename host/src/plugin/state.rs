//! Where calls read their plugin's key-value state. Changes go another way: with
//! the end of the call, since they count only with it.

use std::future::Future;
use std::pin::Pin;

use hookbox_core::ids::PluginName;

/// A read that is under way.
pub type Reading<T> = Pin<Box<dyn Future<Output = Result<T, StateError>> + Send>>;

/// The committed state of all plugins.
///
/// Invariants:
/// - No read blocks the thread that asks, which runs guests.
/// - How many read at once is bounded by the source.
pub trait StateSource: Send + Sync + 'static {
    /// The values of keys, in the keys' order: of `bytes_max` bytes in all.
    fn values(
        &self,
        plugin: &PluginName,
        keys: Vec<String>,
        bytes_max: u64,
    ) -> Reading<Vec<Option<Vec<u8>>>>;

    /// How much there is, and how long the values of keys are.
    fn measure(&self, plugin: &PluginName, keys: Vec<String>) -> Reading<Measured>;

    /// The first keys after `after`, in the order of their bytes; `limit` of
    /// them where there are as many.
    fn keys_after(&self, plugin: &PluginName, after: String, limit: usize) -> Reading<Vec<String>>;
}

/// What [`StateSource::measure`] says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Measured {
    /// What the plugin keeps in all, by `effects::state_bytes`.
    pub bytes: u64,
    /// Bytes of the values of the keys that were asked for, in their order.
    pub values: Vec<Option<u64>>,
}

/// Why state cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// The values are longer than they may be together.
    #[error("the values have over {bytes_max} bytes in all: ask for fewer keys at once")]
    TooLarge {
        /// What they may be.
        bytes_max: u64,
    },
    /// It may work later.
    #[error("the plugin's state cannot be read now: {0}")]
    Unavailable(String),
}

/// No state at all: for hosts that make no calls with events.
pub struct NoState;

impl StateSource for NoState {
    fn values(&self, _: &PluginName, keys: Vec<String>, _: u64) -> Reading<Vec<Option<Vec<u8>>>> {
        Box::pin(async move { Ok(vec![None; keys.len()]) })
    }

    fn measure(&self, _: &PluginName, keys: Vec<String>) -> Reading<Measured> {
        Box::pin(async move { Ok(Measured { bytes: 0, values: vec![None; keys.len()] }) })
    }

    fn keys_after(&self, _: &PluginName, _: String, _: usize) -> Reading<Vec<String>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}
