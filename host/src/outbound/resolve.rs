//! From names to addresses.

use std::io;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::pin::Pin;

/// The addresses of a name, when they are found.
pub type Found = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Finds the addresses of names. None of them is trusted.
pub trait Resolve: Send + Sync {
    /// The addresses of a name, in the order in which they should be tried.
    fn resolve(&self, name: &str) -> Found;
}

/// As the system does it (`getaddrinfo`): files, DNS, whatever is set up.
pub struct System;

impl Resolve for System {
    fn resolve(&self, name: &str) -> Found {
        let name = name.to_owned();
        Box::pin(async move {
            let find = move || {
                let found = (name.as_str(), 0).to_socket_addrs()?;
                Ok(found.map(|address| address.ip()).collect())
            };
            tokio::task::spawn_blocking(find).await.map_err(io::Error::other)?
        })
    }
}
