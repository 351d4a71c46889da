//! Requests that plugins send: checks them by what the operator granted, and
//! sends them over connections of each plugin's own.
//!
//! In the order that a request takes: [`pool`] says whether it may go,
//! [`exchange`] waits for its turn and drives it, `connect` makes a connection
//! to an address that it judged itself, [`body`] counts what passes, and
//! [`record`] keeps what is to be known of it. Where a [`script`] stands in for
//! the network, `connect` hands over a connection to it instead; all else is the
//! same.
//!
//! Invariants:
//! - A connection goes to an address that was judged, and to no other.
//! - No connection serves two plugins, or two sets of grants.
//! - Every wait ends with the request's own timeout.
//! - Nothing here runs on the threads that run guests.

pub mod body;
mod connect;
pub mod exchange;
pub mod failure;
pub mod pool;
pub mod record;
pub mod resolve;
pub mod script;
pub mod trust;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hookbox_core::ids::PluginName;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use self::connect::Via;
use self::pool::Pool;
use self::resolve::Resolve;
use self::script::Script;
use self::trust::Trust;
use crate::config::HttpGrant;

/// Pools that are kept; past it, those go that no call uses. There is one for
/// each plugin that may send requests, and files come and go.
const POOLS_MAX: usize = 1_000;

/// Lookups of all plugins at once. While no name can be resolved each holds a
/// thread of those on which state is read and operators are answered too, of
/// which there are 512.
const LOOKUPS_MAX: usize = 64;

/// What all plugins' requests have in common.
pub struct Outbound {
    runtime: Handle,
    via: Via,
    connect_timeout: Duration,
    idle_timeout: Duration,
    /// Lookups of all plugins at once.
    lookups: Arc<Semaphore>,
    /// Held for the time of a look.
    pools: Mutex<BTreeMap<PluginName, Arc<Pool>>>,
}

impl Outbound {
    /// `runtime`: drives the connections; it must have time and I/O.
    /// `connect_timeout`: for a lookup, the connection and TLS together.
    /// `idle_timeout`: how long a connection is kept for the next request.
    pub fn new(
        runtime: Handle,
        resolver: Arc<dyn Resolve>,
        trust: Trust,
        connect_timeout: Duration,
        idle_timeout: Duration,
    ) -> Arc<Self> {
        Self::via(runtime, Via::Network { resolver, trust }, connect_timeout, idle_timeout)
    }

    /// The same without a network: what may be sent is answered by a script.
    ///
    /// `runtime`: carries the exchanges; it must have time.
    pub fn scripted(runtime: Handle, script: Arc<dyn Script>) -> Arc<Self> {
        // Nothing is waited for, and a connection is not kept for a later trial.
        Self::via(runtime, Via::Script(script), Duration::MAX, Duration::ZERO)
    }

    fn via(
        runtime: Handle,
        via: Via,
        connect_timeout: Duration,
        idle_timeout: Duration,
    ) -> Arc<Self> {
        let pools = Mutex::default();
        let lookups = Arc::new(Semaphore::new(LOOKUPS_MAX));
        Arc::new(Self { runtime, via, connect_timeout, idle_timeout, lookups, pools })
    }

    /// The connections of a plugin. They are the same ones for as long as its
    /// grants are, whatever becomes of its code.
    pub fn pool(&self, plugin: &PluginName, grants: &[HttpGrant], concurrency: usize) -> Arc<Pool> {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = pools.get(plugin)
            && pool.is_for(grants, concurrency)
        {
            return Arc::clone(pool);
        }
        if pools.len() >= POOLS_MAX {
            pools.retain(|_, pool| Arc::strong_count(pool) > 1);
        }
        let parts = connect::Parts {
            plugin: plugin.to_string(),
            grants: grants.to_vec(),
            via: self.via.clone(),
            timeout: self.connect_timeout,
            lookups: connect::Parts::lookups(),
            all_lookups: Arc::clone(&self.lookups),
        };
        let pool = Pool::new(parts, concurrency, self.idle_timeout, self.runtime.clone());
        pools.insert(plugin.clone(), Arc::clone(&pool));
        pool
    }
}
