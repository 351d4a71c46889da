//! The connections of one plugin, and what may go over them.
//!
//! Invariant: all connections of a pool were made under the same grants, so that
//! which one serves a request makes no difference.

use std::sync::Arc;
use std::time::Duration;

use hookbox_core::grants::{Origin, OriginError, Scheme};
use http::uri::PathAndQuery;
use http::{Method, Uri};
use hyper::rt::Executor;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioTimer;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::body::RequestBody;
use super::connect::{Connector, Parts};
use super::failure::{Failure, Kind};
use crate::config::HttpGrant;

/// What is read from a connection at once, and so the longest head of a response.
pub(super) const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Idle connections that are kept for each origin.
const IDLE_PER_ORIGIN_MAX: usize = 8;

/// Bytes of an authority that are shown.
const SHOWN_BYTES_MAX: usize = 300;

/// The connections of one plugin under one set of grants.
pub struct Pool {
    plugin: String,
    grants: Vec<HttpGrant>,
    concurrency: usize,
    turns: Arc<Semaphore>,
    client: Client<Connector, RequestBody>,
    runtime: Handle,
}

/// Where an allowed request goes.
#[derive(Debug, Clone)]
pub struct Target {
    /// Scheme, host and port.
    pub origin: Origin,
    /// The rest.
    pub path: PathAndQuery,
}

impl Pool {
    pub(super) fn new(
        parts: Parts,
        concurrency: usize,
        idle_timeout: Duration,
        runtime: Handle,
    ) -> Arc<Self> {
        let (plugin, grants) = (parts.plugin.clone(), parts.grants.clone());
        let client = Client::builder(OnRuntime(runtime.clone()))
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(idle_timeout)
            .pool_max_idle_per_host(IDLE_PER_ORIGIN_MAX)
            .http1_max_buf_size(HEAD_BYTES_MAX)
            .set_host(false)
            .build(Connector::new(parts));
        let turns = Arc::new(Semaphore::new(concurrency));
        Arc::new(Self { plugin, grants, concurrency, turns, client, runtime })
    }

    /// Whether it was made for these.
    pub(super) fn is_for(&self, grants: &[HttpGrant], concurrency: usize) -> bool {
        self.grants == grants && self.concurrency == concurrency
    }

    /// Where a request goes, if it may.
    ///
    /// # Errors
    /// What is not granted, or cannot be understood.
    pub fn target(&self, method: &Method, uri: &Uri) -> Result<Target, Failure> {
        let origin = origin(uri)?;
        let Some(grant) = self.grants.iter().find(|grant| grant.origin == origin) else {
            let message = format!("{origin} is not granted: {}", self.key("http"));
            return Err(Failure::new(Kind::NotGranted, message));
        };
        // CONNECT would make a proxy of the server, to wherever the path says.
        if *method == Method::CONNECT || !grant.allows(method) {
            let granted = match &grant.methods {
                Some(methods) => {
                    methods.iter().map(Method::as_str).collect::<Vec<_>>().join(" and ")
                }
                None => "every method but CONNECT".to_owned(),
            };
            let message =
                format!("granted for {origin} is {granted}: {} methods", self.key("http"));
            return Err(Failure::new(Kind::MethodNotGranted, message));
        }
        let path = uri.path_and_query().cloned();
        Ok(Target { origin, path: path.unwrap_or_else(|| PathAndQuery::from_static("/")) })
    }

    /// Whether it may have one more exchange at once.
    pub(super) fn turn_now(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.turns).try_acquire_owned().ok()
    }

    /// Waits until it may have one more exchange.
    pub(super) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        // It is never closed.
        Arc::clone(&self.turns).acquire_owned().await.ok()
    }

    /// How many exchanges there may be at once.
    pub(super) fn concurrency(&self) -> usize {
        self.concurrency
    }

    pub(super) fn client(&self) -> &Client<Connector, RequestBody> {
        &self.client
    }

    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// The full name of a key of its section.
    pub fn key(&self, name: &str) -> String {
        format!("plugin.{}.{name}", self.plugin)
    }
}

fn origin(uri: &Uri) -> Result<Origin, Failure> {
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let scheme = match uri.scheme_str() {
        Some("http") => Scheme::Http,
        Some("https") => Scheme::Https,
        _ => return Err(Failure::new(Kind::BadAuthority, "its scheme is not http or https")),
    };
    Origin::of_authority(scheme, authority).map_err(|error| match error {
        OriginError::Userinfo => Failure::new(Kind::Userinfo, error.to_string()),
        _ => Failure::new(Kind::BadAuthority, error.to_string()),
    })
}

/// Origin and path of a request, for people, whether or not they can be
/// understood: without user names, passwords and the query.
pub fn shown(uri: &Uri) -> (String, &str) {
    if let Ok(origin) = origin(uri) {
        return (origin.to_string(), uri.path());
    }
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let host = match authority.rsplit_once('@') {
        Some((_, host)) => format!("…@{host}"),
        None => authority.to_owned(),
    };
    let host = host.get(..host.floor_char_boundary(SHOWN_BYTES_MAX)).unwrap_or(&host);
    (format!("{}://{host}", uri.scheme_str().unwrap_or("?")), uri.path())
}

/// Drives connections on one runtime, whoever begins them.
#[derive(Clone)]
struct OnRuntime(Handle);

impl<F> Executor<F> for OnRuntime
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        self.0.spawn(future);
    }
}
