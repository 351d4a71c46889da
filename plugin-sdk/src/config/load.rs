//! Settings into a type, by serde: each value is read from its text.

use std::fmt::Display;

use serde::de::value::{SeqDeserializer, StringDeserializer};
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, Expected, IntoDeserializer, MapAccess,
    Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;

use crate::Failure;

/// All settings and secrets of the plugin as a type of its own, by
/// [serde](https://serde.rs) (feature `json`).
///
/// | field | is read from |
/// |---|---|
/// | text | the text as it is |
/// | a number, `bool` | its text, white space around it left out |
/// | an enum without data | the name of a variant |
/// | `Option` | `None` where it is not set |
/// | `Vec` and the like | parts between commas, white space around them left out |
///
/// Settings that no field takes are passed over, unless the type says
/// `#[serde(deny_unknown_fields)]`.
///
/// ```
/// use hookbox_sdk::{Delivery, Event, Failure, Plugin, Want, config};
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// #[serde(rename_all = "kebab-case")]
/// struct Settings {
///     api_token: String,
///     #[serde(default = "ten")]
///     lines_max: usize,
///     channels: Vec<String>,
///     footer: Option<String>,
/// }
///
/// fn ten() -> usize {
///     10
/// }
///
/// struct Notifier;
/// impl Plugin for Notifier {
///     fn wants() -> Vec<Want> {
///         vec![Want::Secret("api-token".into()), Want::Config("channels".into())]
///     }
///
///     fn handle(_: Event, _: Delivery) -> Result<(), Failure> {
///         let settings: Settings = config::load()?;
///         # assert_eq!((settings.api_token.as_str(), settings.lines_max), ("t0ken", 10));
///         # assert_eq!((settings.channels.len(), settings.footer), (2, None));
///         Ok(())
///     }
/// }
///
/// # use hookbox_sdk::testing::{delivery, sample, FakeHost};
/// let host = FakeHost::new().config("api-token", "t0ken").config("channels", "news, sport");
/// assert_eq!(host.deliver::<Notifier>(sample("add_video"), delivery()), Ok(()));
///
/// let host = FakeHost::new().config("channels", "news");
/// let failed = host.deliver::<Notifier>(sample("add_video"), delivery()).unwrap_err();
/// assert!(failed.reason().contains("`api-token` is missing"));
/// ```
///
/// # Errors
/// [`Failure::Retry`], naming the key and not the value, where one is missing
/// or cannot be read: the operator can mend that before the attempts are used
/// up.
pub fn load<T: DeserializeOwned>() -> Result<T, Failure> {
    let settings = Settings { left: super::all().into_iter(), value: None };
    T::deserialize(settings).map_err(|error| match error {
        Error::Missing(key) => super::missing(key),
        Error::Unreadable { key: Some(key), why } => super::unreadable(&key, why),
        Error::Unreadable { key: None, why } => {
            Failure::retry(format_args!("the settings cannot be read: {why}"))
        }
    })
}

/// What is wrong, without the value. So the values that serde hands to the
/// constructors below are not used.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("`{0}` is missing")]
    Missing(&'static str),
    #[error("{why}")]
    Unreadable { key: Option<String>, why: String },
}

impl Error {
    fn expected(expected: &dyn Expected) -> Self {
        de::Error::custom(format_args!("expected {expected}"))
    }

    /// Of the setting that it came from.
    fn of(self, key: &str) -> Self {
        match self {
            Self::Unreadable { key: None, why } => {
                Self::Unreadable { key: Some(key.to_owned()), why }
            }
            named => named,
        }
    }
}

impl de::Error for Error {
    fn custom<T: Display>(why: T) -> Self {
        Self::Unreadable { key: None, why: why.to_string() }
    }

    fn invalid_type(_: Unexpected, expected: &dyn Expected) -> Self {
        Self::expected(expected)
    }

    fn invalid_value(_: Unexpected, expected: &dyn Expected) -> Self {
        Self::expected(expected)
    }

    fn unknown_variant(_: &str, known: &'static [&'static str]) -> Self {
        Self::custom(format_args!("expected one of {}", listed(known)))
    }

    fn unknown_field(key: &str, known: &'static [&'static str]) -> Self {
        let why = format!("the plugin has no such setting, but {}", listed(known));
        Self::Unreadable { key: Some(key.to_owned()), why }
    }

    fn missing_field(key: &'static str) -> Self {
        Self::Missing(key)
    }
}

fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The settings that are left to be read, as the members of a struct or map.
struct Settings {
    left: std::collections::btree_map::IntoIter<String, String>,
    /// Of the key that was taken last.
    value: Option<(String, String)>,
}

impl<'de> Deserializer<'de> for Settings {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de> MapAccess<'de> for Settings {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        let Some((key, value)) = self.left.next() else { return Ok(None) };
        let name: StringDeserializer<Error> = key.clone().into_deserializer();
        self.value = Some((key, value));
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let (key, value) = self.value.take().unwrap_or_default();
        seed.deserialize(Text(value)).map_err(|error| error.of(&key))
    }
}

/// The text of one setting, or of a part of it.
struct Text(String);

impl IntoDeserializer<'_, Error> for Text {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// Reads what has a `FromStr` of its own.
macro_rules! parsed {
    ($($method:ident $visit:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.$visit(self.0.trim().parse().map_err(de::Error::custom)?)
        }
    )*};
}

impl<'de> Deserializer<'de> for Text {
    type Error = Error;

    parsed! {
        deserialize_bool visit_bool
        deserialize_i8 visit_i8
        deserialize_i16 visit_i16
        deserialize_i32 visit_i32
        deserialize_i64 visit_i64
        deserialize_i128 visit_i128
        deserialize_u8 visit_u8
        deserialize_u16 visit_u16
        deserialize_u32 visit_u32
        deserialize_u64 visit_u64
        deserialize_u128 visit_u128
        deserialize_f32 visit_f32
        deserialize_f64 visit_f64
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_string(self.0)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_enum(IntoDeserializer::<Error>::into_deserializer(self.0.trim()))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let parts = self.0.split(',').map(str::trim).filter(|part| !part.is_empty());
        visitor.visit_seq(SeqDeserializer::new(parts.map(|part| Text(part.to_owned()))))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use serde::Deserialize;

    use super::*;
    use crate::testing::FakeHost;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Mode {
        Fast,
        VeryFast,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Token(String);

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Whole {
        token: Token,
        port: Option<u16>,
        ratio: f64,
        quiet: bool,
        mode: Mode,
        #[serde(default)]
        ids: BTreeSet<u64>,
        at: (i8, i8),
    }

    fn whole() -> FakeHost {
        [
            ("token", " t "),
            ("ratio", "0.5"),
            ("quiet", "true\n"),
            ("mode", "very-fast"),
            ("at", "-1,1"),
        ]
        .iter()
        .fold(FakeHost::new(), |host, (key, value)| host.config(key, value))
    }

    fn why(_host: FakeHost) -> String {
        let Err(Failure::Retry(reason)) = load::<Whole>() else {
            panic!("the operator can mend it")
        };
        reason
    }

    #[test]
    fn each_kind_of_field_is_read_from_text() {
        let host = whole();
        let read = Whole {
            token: Token(" t ".to_owned()),
            port: None,
            ratio: 0.5,
            quiet: true,
            mode: Mode::VeryFast,
            ids: BTreeSet::new(),
            at: (-1, 1),
        };
        assert_eq!(load(), Ok(read));
        let _host = host.config("port", "8080").config("ids", "3, 5,,");
        let read: Whole = load().expect("it fits");
        assert_eq!((read.port, read.ids), (Some(8080), BTreeSet::from([3, 5])));
    }

    #[test]
    fn a_map_has_all_settings() {
        let _host = FakeHost::new().config("a", "1").config("b", "x");
        let all =
            BTreeMap::from([("a", "1"), ("b", "x")].map(|(k, v)| (k.to_owned(), v.to_owned())));
        assert_eq!(load::<BTreeMap<String, String>>(), Ok(all.clone()));
        assert_eq!(crate::config::all(), all);
        assert_eq!(load::<()>().map_err(|f| f.reason().contains("expected unit")), Err(true));
    }

    #[test]
    fn what_is_wrong_is_told_by_its_key_and_never_by_its_value() {
        for (key, value, what) in [
            ("port", "hush", "the setting `port` cannot be read: invalid digit"),
            ("port", "70000", "the setting `port` cannot be read: number too large"),
            ("quiet", "hush", "the setting `quiet` cannot be read: provided string was not"),
            (
                "mode",
                "hush",
                "the setting `mode` cannot be read: expected one of `fast`, `very-fast`",
            ),
            ("ids", "1,hush", "the setting `ids` cannot be read: invalid digit"),
            ("at", "1", "the setting `at` cannot be read: invalid length 1"),
            (
                "prot",
                "hush",
                "the setting `prot` cannot be read: the plugin has no such setting, but `token`, ",
            ),
        ] {
            let reason = why(whole().config(key, value));
            assert!(reason.starts_with(what) && !reason.contains("hush"), "{reason}");
        }
        let reason = why(FakeHost::new());
        assert!(reason.starts_with("the setting `token` is missing: the operator can"), "{reason}");
    }
}
