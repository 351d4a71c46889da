//! The functions of `wasi:keyvalue`, for guests.

use tracing::Level;
use wasmtime::component::Resource;

use super::super::CallState;
use super::super::generated::wasi::keyvalue::{atomics, batch, store};
use super::{Problem, batch_size};
use crate::plugin::output;

/// The bucket: all of them are the same.
#[allow(unreachable_pub, reason = "generated code re-exports it")]
pub struct Bucket;

type Answer<T> = Result<T, store::Error>;

impl CallState {
    /// What a guest is told. Of a limit, the call's log is too.
    fn answer<T>(&self, result: Result<T, Problem>) -> Answer<T> {
        result.map_err(|problem| match problem {
            Problem::Limit(message) => {
                output::record(&self.log, Level::WARN, "keyvalue", &message);
                store::Error::Other(message)
            }
            Problem::Other(message) => store::Error::Other(message),
        })
    }
}

impl store::Host for CallState {
    async fn open(&mut self, identifier: String) -> Answer<Resource<Bucket>> {
        if !self.grants.keyvalue() {
            return Err(store::Error::AccessDenied);
        }
        if !matches!(identifier.as_str(), "" | "default") {
            return Err(store::Error::NoSuchStore);
        }
        // There can be too many handles.
        self.table.push(Bucket).map_err(|error| store::Error::Other(error.to_string()))
    }
}

impl store::HostBucket for CallState {
    async fn get(&mut self, _: Resource<Bucket>, key: String) -> Answer<Option<Vec<u8>>> {
        let value = async {
            self.state.check_key(&key)?;
            Ok(self.state.values(&[key]).await?.into_iter().next().flatten())
        };
        let value = value.await;
        self.answer(value)
    }

    async fn set(&mut self, _: Resource<Bucket>, key: String, value: Vec<u8>) -> Answer<()> {
        let done = self.state.set(vec![(key, value)]).await;
        self.answer(done)
    }

    async fn delete(&mut self, _: Resource<Bucket>, key: String) -> Answer<()> {
        let done = self.state.delete(vec![key]).await;
        self.answer(done)
    }

    async fn exists(&mut self, _: Resource<Bucket>, key: String) -> Answer<bool> {
        let there = async {
            self.state.check_key(&key)?;
            if let Some(value) = self.state.changes.value(&key) {
                return Ok(value.is_some());
            }
            let (_, there) = self.state.measure(std::slice::from_ref(&key)).await?;
            Ok(there.contains_key(&key))
        };
        let there = there.await;
        self.answer(there)
    }

    async fn list_keys(
        &mut self,
        _: Resource<Bucket>,
        cursor: Option<u64>,
    ) -> Answer<store::KeyResponse> {
        let page = self.state.list(cursor).await;
        self.answer(page)
    }

    async fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
        self.table.delete(bucket)?;
        Ok(())
    }
}

impl atomics::Host for CallState {
    async fn increment(&mut self, _: Resource<Bucket>, key: String, delta: u64) -> Answer<u64> {
        let sum = self.state.increment(key, delta).await;
        self.answer(sum)
    }
}

/// A key and its value, where there is one.
type Found = Option<(String, Vec<u8>)>;

impl batch::Host for CallState {
    async fn get_many(&mut self, _: Resource<Bucket>, keys: Vec<String>) -> Answer<Vec<Found>> {
        let found = async {
            batch_size(keys.len())?;
            keys.iter().try_for_each(|key| self.state.check_key(key))?;
            let values = self.state.values(&keys).await?;
            Ok(keys.into_iter().zip(values).map(|(key, value)| Some((key, value?))).collect())
        };
        let found = found.await;
        self.answer(found)
    }

    async fn set_many(
        &mut self,
        _: Resource<Bucket>,
        key_values: Vec<(String, Vec<u8>)>,
    ) -> Answer<()> {
        let done = match batch_size(key_values.len()) {
            Ok(()) => self.state.set(key_values).await,
            Err(problem) => Err(problem),
        };
        self.answer(done)
    }

    async fn delete_many(&mut self, _: Resource<Bucket>, keys: Vec<String>) -> Answer<()> {
        let done = match batch_size(keys.len()) {
            Ok(()) => self.state.delete(keys).await,
            Err(problem) => Err(problem),
        };
        self.answer(done)
    }
}
