//! State of the plugin's own that lasts: keys with values of bytes.
//!
//! It has to be granted: name [`Want::Keyvalue`](crate::Want::Keyvalue) in
//! [`Plugin::wants`](crate::Plugin::wants).
//!
//! **What a call writes is kept exactly if the call succeeds.** It is committed
//! together with the outcome `Ok`; of a call that fails, traps, meets a limit or
//! is cut off by a crash, nothing stays. So state sees each delivery once,
//! however often it was tried, and a handler need not clean up before it
//! returns an error. Within the call, reads see its writes.
//!
//! ```
//! use hookbox_sdk::{keyvalue, Delivery, Event, Failure, Plugin, Want};
//!
//! struct Counter;
//! impl Plugin for Counter {
//!     fn wants() -> Vec<Want> {
//!         vec![Want::Keyvalue]
//!     }
//!
//!     fn handle(event: Event, _: Delivery) -> Result<(), Failure> {
//!         let state = keyvalue::open()?;
//!         let seen = state.increment(&format!("event:{}", event.name), 1)?;
//!         state.set("last", &event.name)?;
//!         println!("{} {}", event.name, seen);
//!         Ok(())
//!     }
//! }
//!
//! # use hookbox_sdk::testing::{delivery, sample, FakeHost};
//! let host = FakeHost::new();
//! assert_eq!(host.deliver::<Counter>(sample("add_video"), delivery()), Ok(()));
//! let state = keyvalue::open()?;
//! assert_eq!(state.get("last")?, Some(b"add_video".to_vec()));
//! assert_eq!(state.counter("event:add_video")?, 1);
//! # Ok::<(), keyvalue::Error>(())
//! ```

use crate::Failure;
use crate::host::keyvalue as host;

/// Why an operation on state failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operator has not granted it.
    #[error(
        "key-value state is not granted to this plugin: the operator can grant it by \
         `keyvalue = true` in its section of the configuration"
    )]
    AccessDenied,
    /// There is no such bucket. That of [`open`] is always there.
    #[error("key-value state: the host knows no such bucket")]
    NoSuchStore,
    /// Any other reason, in the host's words: a limit was met, the disk failed,
    /// the value is no counter.
    #[error("key-value state: {0}")]
    Other(String),
    /// A value is not the JSON that was expected, or cannot be written as JSON.
    /// The text names the key and never shows the value.
    #[error("key-value state: {0}")]
    Json(String),
}

/// Tried again: granted, or freed of old keys, it may work later.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Retry(error.to_string())
    }
}

impl From<host::Error> for Error {
    fn from(error: host::Error) -> Self {
        match error {
            host::Error::NoSuchStore => Error::NoSuchStore,
            host::Error::AccessDenied => Error::AccessDenied,
            host::Error::Other(reason) => Error::Other(reason),
        }
    }
}

/// The plugin's state. Keys of other plugins are never in it.
#[derive(Debug)]
pub struct Bucket(host::Bucket);

/// Opens the plugin's state.
///
/// # Errors
/// [`Error::AccessDenied`] where it is not granted.
pub fn open() -> Result<Bucket, Error> {
    Ok(Bucket(host::open("")?))
}

/// Every operation can fail with [`Error::AccessDenied`] where the grant is
/// gone, and with [`Error::Other`] where the host's limits on keys and values
/// are met.
impl Bucket {
    /// The value of a key; `None` where it is not there.
    ///
    /// # Errors
    /// See [`Bucket`].
    pub fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.0.get(key)?)
    }

    /// Sets a key, whether or not it was there.
    ///
    /// # Errors
    /// See [`Bucket`].
    pub fn set(&self, key: &str, value: impl AsRef<[u8]>) -> Result<(), Error> {
        Ok(self.0.set(key, value.as_ref())?)
    }

    /// The value of a key, read as JSON; `None` where it is not there. Feature
    /// `json`.
    ///
    /// ```
    /// use hookbox_sdk::{Failure, keyvalue};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Default, Serialize, Deserialize)]
    /// struct Seen {
    ///     times: u32,
    /// }
    ///
    /// fn see(id: &str) -> Result<u32, Failure> {
    ///     let state = keyvalue::open()?;
    ///     let mut seen: Seen = state.get_json(id)?.unwrap_or_default();
    ///     seen.times += 1;
    ///     state.set_json(id, &seen)?;
    ///     Ok(seen.times)
    /// }
    ///
    /// # let _host = hookbox_sdk::testing::FakeHost::new();
    /// assert_eq!((see("video:5"), see("video:5")), (Ok(1), Ok(2)));
    /// ```
    ///
    /// # Errors
    /// See [`Bucket`]; also [`Error::Json`].
    #[cfg(feature = "json")]
    pub fn get_json<T: serde::de::DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        let read = |bytes: Vec<u8>| {
            serde_json::from_slice(&bytes).map_err(|error| {
                Error::Json(format!("the value of {key:?}: {}", crate::json::told(&error)))
            })
        };
        self.get(key)?.map(read).transpose()
    }

    /// Sets a key to a value, written as JSON. Feature `json`. See
    /// [`Bucket::get_json`].
    ///
    /// # Errors
    /// See [`Bucket`]; also [`Error::Json`].
    #[cfg(feature = "json")]
    pub fn set_json<T: serde::Serialize + ?Sized>(
        &self,
        key: &str,
        value: &T,
    ) -> Result<(), Error> {
        let json = serde_json::to_vec(value).map_err(|error| {
            Error::Json(format!("the new value of {key:?} cannot be written as JSON: {error}"))
        })?;
        self.set(key, json)
    }

    /// Removes a key. One that is not there is no error.
    ///
    /// # Errors
    /// See [`Bucket`].
    pub fn delete(&self, key: &str) -> Result<(), Error> {
        Ok(self.0.delete(key)?)
    }

    /// Whether a key is there.
    ///
    /// # Errors
    /// See [`Bucket`].
    pub fn exists(&self, key: &str) -> Result<bool, Error> {
        Ok(self.0.exists(key)?)
    }

    /// All keys, in no particular order. It reads every page, so its cost grows
    /// with the state.
    ///
    /// # Errors
    /// See [`Bucket`].
    pub fn keys(&self) -> Result<Vec<String>, Error> {
        let mut keys = Vec::new();
        let mut cursor = None;
        loop {
            let page = self.0.list_keys(cursor)?;
            keys.extend(page.keys);
            cursor = page.cursor;
            if cursor.is_none() {
                return Ok(keys);
            }
        }
    }

    /// Adds to a counter, and says its new value. One that is not there is 0.
    ///
    /// How the host writes a counter down is its own affair: read it by
    /// [`Bucket::counter`].
    ///
    /// # Errors
    /// See [`Bucket`]; also where the key's value is no counter.
    pub fn increment(&self, key: &str, delta: u64) -> Result<u64, Error> {
        Ok(host::increment(&self.0, key, delta)?)
    }

    /// What a counter stands at: 0 where it is not there.
    ///
    /// # Errors
    /// As [`Bucket::increment`].
    pub fn counter(&self, key: &str) -> Result<u64, Error> {
        if self.exists(key)? { self.increment(key, 0) } else { Ok(0) }
    }

    /// The values of several keys, in the order of the keys; `None` for each
    /// that is not there.
    ///
    /// # Errors
    /// See [`Bucket`].
    pub fn get_many<K: AsRef<str>>(&self, keys: &[K]) -> Result<Vec<Option<Vec<u8>>>, Error> {
        let pairs = host::get_many(&self.0, &owned(keys))?;
        Ok(pairs.into_iter().map(|pair| pair.map(|(_, value)| value)).collect())
    }

    /// Sets several keys.
    ///
    /// # Errors
    /// See [`Bucket`]. Some of the keys may be set then; they stay only if the
    /// call succeeds nevertheless.
    pub fn set_many<K, V>(&self, pairs: &[(K, V)]) -> Result<(), Error>
    where
        K: AsRef<str>,
        V: AsRef<[u8]>,
    {
        let owned = |(key, value): &(K, V)| (key.as_ref().to_owned(), value.as_ref().to_vec());
        Ok(host::set_many(&self.0, &pairs.iter().map(owned).collect::<Vec<_>>())?)
    }

    /// Removes several keys. Those that are not there are no error.
    ///
    /// # Errors
    /// As [`Bucket::set_many`].
    pub fn delete_many<K: AsRef<str>>(&self, keys: &[K]) -> Result<(), Error> {
        Ok(host::delete_many(&self.0, &owned(keys))?)
    }
}

fn owned<K: AsRef<str>>(keys: &[K]) -> Vec<String> {
    keys.iter().map(|key| key.as_ref().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeHost;

    #[test]
    fn what_is_set_is_there_until_it_is_deleted() {
        let _host = FakeHost::new();
        let state = open().expect("granted");
        assert_eq!(state.get("a"), Ok(None));
        state.set("a", "1").expect("set");
        state.set("a", [0xff]).expect("set over it");
        assert_eq!((state.get("a"), state.exists("a")), (Ok(Some(vec![0xff])), Ok(true)));
        state.delete("a").expect("deleted");
        state.delete("a").expect("deleted, though not there");
        assert_eq!((state.get("a"), state.exists("a")), (Ok(None), Ok(false)));
    }

    #[test]
    fn keys_come_from_all_pages() {
        let _host = FakeHost::new();
        let state = open().expect("granted");
        assert_eq!(state.keys(), Ok(vec![]));
        let pairs: Vec<_> = (0..7).map(|n| (format!("k{n}"), "v")).collect();
        state.set_many(&pairs).expect("set");
        let mut keys = state.keys().expect("keys");
        keys.sort();
        assert_eq!(keys, ["k0", "k1", "k2", "k3", "k4", "k5", "k6"]);
    }

    #[test]
    fn several_values_come_in_the_order_of_the_keys() {
        let _host = FakeHost::new();
        let state = open().expect("granted");
        state.set_many(&[("a", "1"), ("b", "2")]).expect("set");
        let values = state.get_many(&["b", "none", "a"]);
        assert_eq!(values, Ok(vec![Some(b"2".to_vec()), None, Some(b"1".to_vec())]));
        state.delete_many(&["a", "none"]).expect("deleted");
        assert_eq!(state.keys(), Ok(vec!["b".to_owned()]));
    }

    #[test]
    fn a_counter_begins_at_nothing() {
        let _host = FakeHost::new();
        let state = open().expect("granted");
        assert_eq!((state.counter("n"), state.exists("n")), (Ok(0), Ok(false)));
        assert_eq!((state.increment("n", 2), state.increment("n", 3)), (Ok(2), Ok(5)));
        assert_eq!(state.counter("n"), Ok(5));
        state.set("text", "no number").expect("set");
        assert!(matches!(state.increment("text", 1), Err(Error::Other(_))));
        state.set("n", u64::MAX.to_string()).expect("set");
        assert!(matches!(state.increment("n", 1), Err(Error::Other(_))), "past the end");
    }

    #[cfg(feature = "json")]
    #[test]
    fn json_is_kept_and_what_is_none_is_told_by_its_key() {
        let _host = FakeHost::new();
        let state = open().expect("granted");
        assert_eq!(state.get_json::<Vec<u8>>("a"), Ok(None));
        state.set_json("a", &[1, 2]).expect("set");
        assert_eq!(state.get("a"), Ok(Some(b"[1,2]".to_vec())));
        assert_eq!(state.get_json("a"), Ok(Some(vec![1_u8, 2])));
        state.set("a", r#""hush""#).expect("set");
        let error = state.get_json::<u8>("a").expect_err("no number");
        let Failure::Retry(reason) = Failure::from(error) else { panic!("to be tried again") };
        assert!(reason.contains(r#""a""#) && !reason.contains("hush"), "{reason}");
        let unwritable = std::collections::BTreeMap::from([((), 1)]);
        assert!(matches!(state.set_json("b", &unwritable), Err(Error::Json(_))));
        assert_eq!(state.get("b"), Ok(None));
    }

    #[test]
    fn a_missing_grant_is_told_and_tried_again() {
        let _host = FakeHost::new().deny_keyvalue();
        let error = open().expect_err("denied");
        assert_eq!(error, Error::AccessDenied);
        let Failure::Retry(reason) = Failure::from(error) else { panic!("to be tried again") };
        assert!(reason.contains("not granted"), "{reason}");
    }
}
