//! The plugin's settings and secrets, as the operator set them.
//!
//! Settings and secrets are read alike. What a plugin cannot do without belongs
//! into [`Plugin::wants`](crate::Plugin::wants) as [`Want::Config`] or
//! [`Want::Secret`]: then the file is refused at load where it is missing, and
//! not each event on its own.
//!
//! ```
//! use hookbox_sdk::{config, Delivery, Event, Failure, Plugin, Want};
//!
//! struct Notifier;
//! impl Plugin for Notifier {
//!     fn wants() -> Vec<Want> {
//!         vec![Want::Secret("token".into())]
//!     }
//!
//!     fn handle(_: Event, _: Delivery) -> Result<(), Failure> {
//!         let token = config::required("token")?;
//!         let channel = config::get("channel").unwrap_or_else(|| "general".to_owned());
//!         let lines: usize = config::parsed("lines")?.unwrap_or(10);
//!         # assert_eq!((token.as_str(), channel.as_str(), lines), ("t0ken", "general", 25));
//!         Ok(())
//!     }
//! }
//!
//! # use hookbox_sdk::testing::{delivery, sample, FakeHost};
//! let host = FakeHost::new().config("token", "t0ken").config("lines", "25");
//! assert_eq!(host.deliver::<Notifier>(sample("add_video"), delivery()), Ok(()));
//! ```
//!
//! Many settings are easier to read all at once: with the feature `json`, `load`
//! makes a type of the plugin's own of them.
//!
//! [`Want::Config`]: crate::Want::Config
//! [`Want::Secret`]: crate::Want::Secret

#[cfg(feature = "json")]
mod load;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

#[cfg(feature = "json")]
pub use load::load;

use crate::Failure;
use crate::host::config as host;

/// The value of a setting or secret; `None` where the operator has not set it.
///
/// # Panics
/// Where the host cannot read its settings, which hookbox's always can. The
/// call ends, and is tried again.
pub fn get(key: &str) -> Option<String> {
    match host::get(key) {
        Ok(value) => value,
        #[expect(clippy::panic, reason = "as if it were not set would be a wrong answer")]
        Err(error) => panic!("the host cannot read the setting {key:?}: {error:?}"),
    }
}

/// The value of a setting or secret that the plugin cannot do without.
///
/// # Errors
/// [`Failure::Retry`], naming the key, where it is not set: the operator can
/// mend that before the attempts are used up.
pub fn required(key: &str) -> Result<String, Failure> {
    get(key).ok_or_else(|| missing(key))
}

/// The value of a setting that is a number, a flag, or of any type that can be
/// read from text; `None` where it is not set. White space around it is not a
/// part of it.
///
/// # Errors
/// [`Failure::Retry`], naming the key and not the value, where it cannot be
/// read.
pub fn parsed<T>(key: &str) -> Result<Option<T>, Failure>
where
    T: FromStr,
    T::Err: Display,
{
    let read = |value: String| value.trim().parse().map_err(|error| unreadable(key, error));
    get(key).map(read).transpose()
}

/// All settings and secrets, by key.
///
/// # Panics
/// As [`get`].
pub fn all() -> BTreeMap<String, String> {
    match host::get_all() {
        Ok(pairs) => pairs.into_iter().collect(),
        #[expect(clippy::panic, reason = "as if none were set would be a wrong answer")]
        Err(error) => panic!("the host cannot read the settings: {error:?}"),
    }
}

fn missing(key: &str) -> Failure {
    Failure::retry(format_args!(
        "the setting `{key}` is missing: the operator can set it by `config` or `secrets` in this \
         plugin's section of the configuration"
    ))
}

fn unreadable(key: &str, why: impl Display) -> Failure {
    Failure::retry(format_args!("the setting `{key}` cannot be read: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeHost;

    #[test]
    fn a_missing_key_is_named_and_tried_again() {
        let _host = FakeHost::new().config("other", "x");
        assert_eq!(get("url"), None);
        let Err(Failure::Retry(reason)) = required("url") else { panic!("it is not set") };
        assert!(reason.contains("`url`"), "{reason}");
    }

    #[test]
    fn a_value_that_cannot_be_read_is_not_shown() {
        let _host = FakeHost::new().config("lines", " 25\n").config("port", "hunter2");
        assert_eq!(parsed::<u8>("lines"), Ok(Some(25)));
        assert_eq!(parsed::<u8>("nothing"), Ok(None));
        let Err(Failure::Retry(reason)) = parsed::<u16>("port") else { panic!("no number") };
        assert!(reason.contains("`port`") && !reason.contains("hunter2"), "{reason}");
    }
}
