//! A host for tests: what a plugin asks for is answered from a script, and what
//! it did is kept to be looked at.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::time::Duration;

use super::fake::{self, Fake};
use crate::http::{ErrorKind, Request};
use crate::log::Level;
use crate::{Delivery, Event, Failure, Plugin};

/// What stands in for the host on this thread, from its making until it is
/// dropped. A new one begins empty, in place of the one before.
///
/// Without one there are no settings, state begins empty, log lines are thrown
/// away, and a request is a panic.
///
/// ```
/// use hookbox_sdk::testing::{Answer, FakeHost};
/// use hookbox_sdk::{config, http::Request, log};
///
/// let host = FakeHost::new()
///     .config("url", "https://example.com/hook")
///     .answer(Answer::status(500))
///     .answer(Answer::status(200).body("welcome"));
///
/// let url = config::get("url").unwrap();
/// assert_eq!(Request::post(&url).send()?.status, 500);
/// assert_eq!(Request::post(&url).body("hello").send()?.text(), "welcome");
/// log::info("", "done");
///
/// assert_eq!(host.requests()[1].text(), "hello");
/// assert_eq!(host.log()[0].message, "done");
/// # Ok::<(), hookbox_sdk::http::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "it stands in for the host until it is dropped"]
pub struct FakeHost {
    /// Which of the thread's hosts it is.
    number: u64,
    /// It belongs to its thread.
    _thread: PhantomData<*const ()>,
}

impl FakeHost {
    /// An empty host that grants everything.
    #[expect(clippy::new_without_default, reason = "it changes the thread, so it is asked for")]
    pub fn new() -> Self {
        let number = fake::with(|host| {
            let number = host.number.wrapping_add(1);
            *host = Fake { number, is_made: true, ..Fake::default() };
            number
        });
        Self { number, _thread: PhantomData }
    }

    /// Sets a setting or secret.
    pub fn config(self, key: &str, value: &str) -> Self {
        fake::with(|host| host.config.insert(key.to_owned(), value.to_owned()));
        self
    }

    /// Takes the grant of key-value state away.
    pub fn deny_keyvalue(self) -> Self {
        fake::with(|host| host.keyvalue_denied = true);
        self
    }

    /// Adds the answer to the next request that has none. A request beyond the
    /// last is a panic.
    pub fn answer(self, answer: Answer) -> Self {
        fake::with(|host| host.answers.push_back(answer));
        self
    }

    /// Hands an event to a plugin as the host does: what the call writes to
    /// key-value state is kept only if it returns `Ok`.
    ///
    /// # Errors
    /// What the plugin returns.
    pub fn deliver<P: Plugin>(&self, event: Event, delivery: Delivery) -> Result<(), Failure> {
        let before = Restore(Some(fake::with(|host| host.keyvalue.clone())));
        let result = P::handle(event, delivery);
        if result.is_ok() {
            before.keep();
        }
        result
    }

    /// All key-value state.
    pub fn keyvalue(&self) -> BTreeMap<String, Vec<u8>> {
        fake::with(|host| host.keyvalue.clone())
    }

    /// The requests so far, in order.
    pub fn requests(&self) -> Vec<Sent> {
        fake::with(|host| host.requests.clone())
    }

    /// The lines logged by [`crate::log`] so far. What was printed is not here.
    pub fn log(&self) -> Vec<LogLine> {
        fake::with(|host| host.log.clone())
    }
}

impl Drop for FakeHost {
    fn drop(&mut self) {
        let number = self.number;
        fake::with(|host| {
            // Not where a newer one has taken its place.
            if host.number == number {
                *host = Fake { number, ..Fake::default() };
            }
        });
    }
}

/// Puts the state back, also where the plugin panics.
struct Restore(Option<BTreeMap<String, Vec<u8>>>);

impl Restore {
    fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Restore {
    fn drop(&mut self) {
        if let Some(before) = self.0.take() {
            fake::with(|host| host.keyvalue = before);
        }
    }
}

/// The answer to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub(super) outcome: Result<u16, ErrorKind>,
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// An answer without header fields and body.
    pub fn status(status: u16) -> Self {
        Self { outcome: Ok(status), headers: Vec::new(), body: Vec::new() }
    }

    /// No answer, such as after a timeout.
    pub fn fails(kind: ErrorKind) -> Self {
        Self { outcome: Err(kind), headers: Vec::new(), body: Vec::new() }
    }

    /// Adds a header field.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_ascii_lowercase(), value.as_ref().to_vec()));
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets the body to a value, written as JSON. Feature `json`.
    ///
    /// # Panics
    /// Where it cannot be written as JSON.
    #[cfg(feature = "json")]
    pub fn json<T: serde::Serialize + ?Sized>(self, value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => self.header("Content-Type", "application/json").body(body),
            #[expect(clippy::panic, reason = "a test with such a value is wrong")]
            Err(error) => panic!("the answer cannot be written as JSON: {error}"),
        }
    }
}

/// A request that the plugin sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sent {
    /// Such as `POST`.
    pub method: String,
    /// The whole address.
    pub url: String,
    /// The header fields, as they were given, and `Content-Length` where there
    /// is a body.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// How long it may take.
    pub timeout: Duration,
}

impl Sent {
    /// The first value of a header field; upper and lower case do not matter.
    pub fn header(&self, name: &str) -> Option<&str> {
        let named = self.headers.iter().find(|(field, _)| field.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str())
    }

    /// The body as text; what is not UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body read as JSON. Feature `json`.
    ///
    /// # Errors
    /// What is wrong, where it is not the JSON that was expected.
    #[cfg(feature = "json")]
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, String> {
        serde_json::from_slice(&self.body).map_err(|error| error.to_string())
    }
}

impl From<&Request> for Sent {
    fn from(request: &Request) -> Self {
        Self {
            method: request.method.clone(),
            url: request.url.clone(),
            headers: request.headers.clone(),
            body: request.body.clone(),
            timeout: request.timeout,
        }
    }
}

/// A line that was logged by [`crate::log`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// How much it matters.
    pub level: Level,
    /// Which part of the plugin spoke.
    pub context: String,
    /// The line.
    pub message: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{delivery, sample};
    use crate::{config, keyvalue};

    struct Writer;
    impl Plugin for Writer {
        fn handle(_: Event, delivery: Delivery) -> Result<(), Failure> {
            keyvalue::open()?.increment("calls", 1)?;
            assert!(delivery.attempt != 2, "as asked");
            if delivery.attempt == 1 { Err(Failure::Retry("as asked".to_owned())) } else { Ok(()) }
        }
    }

    #[test]
    fn what_a_failed_call_wrote_is_gone() {
        let host = FakeHost::new();
        let attempt = |attempt| {
            let delivery = Delivery { attempt, ..delivery() };
            host.deliver::<Writer>(sample("add_video"), delivery)
        };
        assert!(attempt(1).is_err());
        assert_eq!(host.keyvalue(), BTreeMap::new());
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| attempt(2)));
        assert!(panicked.is_err());
        assert_eq!(host.keyvalue(), BTreeMap::new());
        assert_eq!(attempt(3), Ok(()));
        assert_eq!(keyvalue::open().and_then(|state| state.counter("calls")), Ok(1));
    }

    #[test]
    fn a_new_host_begins_empty_and_a_dropped_one_is_gone() {
        let old = FakeHost::new().config("a", "1");
        keyvalue::open().and_then(|state| state.set("k", "v")).expect("set");
        drop(old);
        assert_eq!(config::get("a"), None);
        let mut host = FakeHost::new().config("a", "2");
        assert!(host.keyvalue().is_empty() && host.log().is_empty());
        host = FakeHost::new().config("a", "3");
        assert_eq!(config::get("a").as_deref(), Some("3"), "the older one was dropped later");
        drop(host);
        assert_eq!(config::get("a"), None);
    }

    #[test]
    #[should_panic(expected = "no answer to GET https://a.example")]
    fn a_request_without_an_answer_is_a_wrong_test() {
        let _host = FakeHost::new();
        let _sent = Request::get("https://a.example").send();
    }
}
