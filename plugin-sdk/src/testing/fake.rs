//! What the host gives, for tests: of the same shape as `wasi`, from what
//! [`FakeHost`](super::FakeHost) put there.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};

use super::host::{Answer, LogLine, Sent};

/// The host of one thread.
#[derive(Debug, Default)]
pub(super) struct Fake {
    /// Counted up by each that a test makes.
    pub(super) number: u64,
    /// Whether a test made it; else nothing is recorded.
    pub(super) is_made: bool,
    pub(super) config: BTreeMap<String, String>,
    pub(super) keyvalue: BTreeMap<String, Vec<u8>>,
    pub(super) keyvalue_denied: bool,
    pub(super) answers: VecDeque<Answer>,
    pub(super) requests: Vec<Sent>,
    pub(super) log: Vec<LogLine>,
}

thread_local! {
    /// One for each thread: tests run side by side.
    static HOST: RefCell<Fake> = RefCell::default();
}

pub(super) fn with<T>(use_it: impl FnOnce(&mut Fake) -> T) -> T {
    HOST.with_borrow_mut(use_it)
}

pub(crate) mod config {
    /// Never made here: the same type as the host's.
    #[derive(Debug)]
    pub(crate) enum Error {}

    pub(crate) fn get(key: &str) -> Result<Option<String>, Error> {
        Ok(super::with(|host| host.config.get(key).cloned()))
    }

    pub(crate) fn get_all() -> Result<Vec<(String, String)>, Error> {
        Ok(super::with(|host| host.config.clone().into_iter().collect()))
    }
}

pub(crate) mod log {
    use super::LogLine;
    use crate::log::Level;

    pub(crate) fn log(level: Level, context: &str, message: &str) {
        let line = LogLine { level, context: context.to_owned(), message: message.to_owned() };
        super::with(|host| {
            if host.is_made {
                host.log.push(line);
            }
        });
    }
}

pub(crate) mod http {
    use super::Sent;
    use crate::http::{Error, ErrorKind, Request, Response, Target};

    #[expect(clippy::panic, reason = "a test that does not say what is answered is wrong")]
    pub(crate) fn send(request: &Request, target: &Target) -> Result<Response, Error> {
        let answer = super::with(|host| {
            host.requests.push(Sent::from(request));
            host.answers.pop_front()
        });
        let Some(answer) = answer else {
            panic!("no answer to {} {}: see FakeHost::answer", request.method, request.url);
        };
        match answer.outcome {
            Ok(_) if answer.body.len() > request.body_bytes_max => {
                Err(Error::body_too_large(target, request.body_bytes_max))
            }
            Ok(status) => Ok(Response {
                status,
                headers: answer.headers,
                body: answer.body,
                origin: target.origin(),
            }),
            Err(ErrorKind::Denied) => Err(Error::denied(target)),
            Err(ErrorKind::Timeout) => Err(Error::timeout(target, request.timeout)),
            Err(ErrorKind::BodyTooLarge) => {
                Err(Error::body_too_large(target, request.body_bytes_max))
            }
            Err(kind) => Err(Error::new(kind, target.origin(), format!("{kind:?}, by the test"))),
        }
    }
}

pub(crate) mod keyvalue {
    use std::collections::BTreeMap;
    use std::collections::btree_map::Entry;

    /// Keys of a page: few, so that tests see several pages.
    const PAGE_KEYS: usize = 3;

    #[derive(Debug)]
    #[expect(dead_code, reason = "the same type as the host's")]
    pub(crate) enum Error {
        NoSuchStore,
        AccessDenied,
        Other(String),
    }

    #[derive(Debug)]
    pub(crate) struct Bucket(());

    pub(crate) struct KeyResponse {
        pub(crate) keys: Vec<String>,
        pub(crate) cursor: Option<u64>,
    }

    type Pairs = BTreeMap<String, Vec<u8>>;

    fn granted<T>(use_it: impl FnOnce(&mut Pairs) -> T) -> Result<T, Error> {
        super::with(|host| match host.keyvalue_denied {
            true => Err(Error::AccessDenied),
            false => Ok(use_it(&mut host.keyvalue)),
        })
    }

    pub(crate) fn open(_: &str) -> Result<Bucket, Error> {
        granted(|_| Bucket(()))
    }

    impl Bucket {
        pub(crate) fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
            granted(|pairs| pairs.get(key).cloned())
        }

        pub(crate) fn set(&self, key: &str, value: &[u8]) -> Result<(), Error> {
            granted(|pairs| {
                pairs.insert(key.to_owned(), value.to_vec());
            })
        }

        pub(crate) fn delete(&self, key: &str) -> Result<(), Error> {
            granted(|pairs| {
                pairs.remove(key);
            })
        }

        pub(crate) fn exists(&self, key: &str) -> Result<bool, Error> {
            granted(|pairs| pairs.contains_key(key))
        }

        pub(crate) fn list_keys(&self, cursor: Option<u64>) -> Result<KeyResponse, Error> {
            let from = cursor.map_or(0, |cursor| usize::try_from(cursor).unwrap_or(usize::MAX));
            granted(|pairs| {
                let keys: Vec<String> = pairs.keys().skip(from).take(PAGE_KEYS).cloned().collect();
                let next = from.saturating_add(keys.len());
                KeyResponse { keys, cursor: (next < pairs.len()).then_some(next as u64) }
            })
        }
    }

    /// A counter is a number in decimal digits.
    pub(crate) fn increment(_: &Bucket, key: &str, delta: u64) -> Result<u64, Error> {
        granted(|pairs| {
            let entry = pairs.entry(key.to_owned());
            let now = match &entry {
                Entry::Vacant(_) => Some(0),
                Entry::Occupied(value) => {
                    std::str::from_utf8(value.get()).ok().and_then(|text| text.parse().ok())
                }
            };
            let now: u64 = now.ok_or_else(|| Error::Other(format!("{key:?} is no counter")))?;
            let sum = now.checked_add(delta);
            let sum = sum.ok_or_else(|| Error::Other(format!("{key:?} is at its end")))?;
            entry.insert_entry(sum.to_string().into_bytes());
            Ok(sum)
        })?
    }

    type Pair = (String, Vec<u8>);

    pub(crate) fn get_many(_: &Bucket, keys: &[String]) -> Result<Vec<Option<Pair>>, Error> {
        let pair = |pairs: &Pairs, key: &String| Some((key.clone(), pairs.get(key)?.clone()));
        granted(|pairs| keys.iter().map(|key| pair(pairs, key)).collect())
    }

    pub(crate) fn set_many(_: &Bucket, new: &[Pair]) -> Result<(), Error> {
        granted(|pairs| pairs.extend(new.iter().cloned()))
    }

    pub(crate) fn delete_many(_: &Bucket, keys: &[String]) -> Result<(), Error> {
        granted(|pairs| keys.iter().for_each(|key| drop(pairs.remove(key))))
    }
}
