//! JSON by [serde](https://serde.rs), with the feature `json`, which is on
//! unless turned off. What is not used of it is not part of the plugin.
//!
//! | of | there is | that does not fit is |
//! |---|---|---|
//! | the event | [`Event::json`], [`Event::at`] | rejected |
//! | settings | [`config::load`](crate::config::load) | tried again |
//! | state | [`get_json`](crate::keyvalue::Bucket::get_json), [`set_json`](crate::keyvalue::Bucket::set_json) | tried again |
//! | outgoing HTTP | [`Request::json`](crate::http::Request::json), [`Response::json`](crate::http::Response::json) | tried again |
//!
//! To derive `Deserialize` and `Serialize`, add serde to the plugin's crate:
//! `cargo add serde --features derive`. Without a type of one's own there are
//! [`Value`] and [`json!`].
//!
//! Numbers are those of Rust: what does not fit 64 bits of an integer becomes
//! floating point, unless it is taken as a [`RawValue`], digit for digit.
//!
//! The reasons of failures say which member and what was expected of it, and
//! no value that was found: it may be secret.

use serde::Deserialize;
use serde::de::DeserializeOwned;
pub use serde_json::value::RawValue;
pub use serde_json::{Value, json};

use crate::{Event, Failure};

impl Event {
    /// The whole body, without the secret, as a type of the plugin's own or as
    /// a [`Value`].
    ///
    /// ```
    /// use hookbox_sdk::{Event, Failure};
    /// use serde::Deserialize;
    ///
    /// #[derive(Deserialize)]
    /// struct Body {
    ///     data: Data,
    /// }
    /// #[derive(Deserialize)]
    /// struct Data {
    ///     user: String,
    /// }
    ///
    /// fn who(event: &Event) -> Result<String, Failure> {
    ///     Ok(event.json::<Body>()?.data.user)
    /// }
    ///
    /// # use hookbox_sdk::testing::event;
    /// let known = event(r#"{"event":"user_left","data":{"user":"ada"}}"#);
    /// assert_eq!(who(&known).as_deref(), Ok("ada"));
    /// let Err(Failure::Reject(reason)) = who(&event(r#"{"event":"user_left","data":{}}"#)) else {
    ///     panic!("no attempt will find it");
    /// };
    /// assert!(reason.contains("missing field `user`"), "{reason}");
    /// ```
    ///
    /// # Errors
    /// [`Failure::Reject`] where the body does not fit the type: it will not
    /// at the next attempt either.
    pub fn json<'event, T: Deserialize<'event>>(&'event self) -> Result<T, Failure> {
        let body = serde_json::from_str(&self.document);
        body.map_err(|error| Failure::reject(format_args!("the event's body: {}", told(&error))))
    }

    /// What stands at a JSON Pointer (RFC 6901) in the body, whether or not a
    /// typed field took it; `None` where there is nothing, or null.
    ///
    /// Each call reads the body anew. For several look-ups take
    /// [`Event::json`] once.
    ///
    /// ```
    /// # use hookbox_sdk::testing::event;
    /// # use hookbox_sdk::Failure;
    /// let event = event(r#"{"event":"add_video","data":{"tags":["a","b"],"old":null}}"#);
    /// assert_eq!(event.at("/data/tags")?, Some(vec!["a".to_owned(), "b".to_owned()]));
    /// assert_eq!(event.at::<String>("/data/tags/1")?.as_deref(), Some("b"));
    /// assert_eq!(event.at::<bool>("/data/old")?, None);
    /// # Ok::<(), Failure>(())
    /// ```
    ///
    /// # Errors
    /// [`Failure::Reject`] where it does not fit the type.
    pub fn at<T: DeserializeOwned>(&self, pointer: &str) -> Result<Option<T>, Failure> {
        let mut body: Value = self.json()?;
        let found = body.pointer_mut(pointer).map(Value::take).filter(|value| !value.is_null());
        found.map(serde_json::from_value).transpose().map_err(|error| {
            Failure::reject(format_args!("{pointer} of the event's body: {}", told(&error)))
        })
    }
}

/// What an error says, without the value that was found.
///
/// serde writes `invalid type: string "found", expected u8 at line 1 column 3`,
/// and of variants ``unknown variant `found`, expected `a` or `b` ``.
pub(crate) fn told(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let shows_value = ["invalid type: ", "invalid value: ", "unknown variant "]
        .iter()
        .any(|start| text.starts_with(start));
    match text.rsplit_once(", expected ") {
        Some((found, expected)) if shows_value => {
            let kind = found.find(['"', '`']).map_or(found, |value| found.split_at(value).0);
            format!("{}, expected {expected}", kind.trim_end())
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::event;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Size {
        Small,
        Large,
    }

    #[test]
    fn an_error_does_not_show_what_was_found() {
        fn why<T: DeserializeOwned>(json: &str) -> String {
            told(&serde_json::from_str::<T>(json).err().expect("it does not fit"))
        }
        assert_eq!(why::<u8>(r#""hush""#), "invalid type: string, expected u8 at line 1 column 6");
        assert_eq!(why::<u8>("31337"), "invalid value: integer, expected u8 at line 1 column 5");
        assert_eq!(
            why::<u8>(r#""hush, expected \"or not, expected x""#),
            "invalid type: string, expected u8 at line 1 column 37"
        );
        assert_eq!(
            why::<Size>(r#""hush""#),
            "unknown variant, expected `small` or `large` at line 1 column 6"
        );
        assert_eq!(why::<u8>("[]"), "invalid type: sequence, expected u8 at line 1 column 0");
        assert!(why::<Value>(r#"{"a"}"#).starts_with("expected `:`"), "{}", why::<Value>("{"));
    }

    #[test]
    fn a_value_is_found_wherever_it_stands() {
        let event = event(
            r#"{"event":"add_video","secret":"s","data":{"Video":{"id":"5","a/b":[{"size":"large"}]}}}"#,
        );
        assert_eq!(event.at("/data/Video/a~1b/0/size"), Ok(Some(Size::Large)));
        assert_eq!(event.at("/data/Video/id"), Ok(Some("5".to_owned())), "a typed field has it");
        assert_eq!(event.at::<Value>("/secret"), Ok(None));
        assert_eq!(event.at::<Value>("/data/Video/a/b"), Ok(None));
        assert_eq!(event.extra("/data/Video/a~1b/0/size"), Some(r#""large""#));
        let Err(Failure::Reject(reason)) = event.at::<u8>("/data/Video/a~1b/0/size") else {
            panic!("no number");
        };
        assert!(
            reason.contains("/data/Video/a~1b/0/size") && !reason.contains("large"),
            "{reason}"
        );
    }

    #[test]
    fn a_number_keeps_its_digits_where_it_is_taken_raw() {
        #[derive(Deserialize)]
        struct Body<'event> {
            #[serde(borrow)]
            n: &'event RawValue,
            event: &'event str,
        }
        let event = event(r#"{"event":"new","n":10000000000000000000000000001}"#);
        let body: Body = event.json().expect("it fits");
        assert_eq!((body.event, body.n.get()), ("new", "10000000000000000000000000001"));
    }
}
