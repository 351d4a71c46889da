//! Which strings, numbers and names of an event are hidden.
//!
//! Nobody has shown a livestream's body, so what is in one is shown only where
//! it is of a kind that tells nothing (ids, numbers, flags, dates) or under a
//! name for what people read. Elsewhere only what its name, or its look as an
//! address, gives away is hidden.

use std::borrow::Cow;

use super::scan::{self, Kind, Piece};
use crate::json::Node;
use crate::targetvideo::EVENT_NAMES;

/// Digits of an id. The vendor's have under ten, and a snowflake has 20; more
/// may be a key.
const ID_DIGITS_MAX: usize = 20;

/// JSON in strings in strings: how often it is looked into. More is hidden.
const INNER_LEVELS_MAX: usize = 4;

/// Characters of a name before `=` that are looked at.
const NAME_CHARS_MAX: usize = 64;

/// Bytes of a part of an address from which it is sought on its own. A shorter
/// one is most often a word, such as `live`.
const PART_BYTES_MIN: usize = 8;

/// The part of a name that says least.
const KEY: &str = "key";

/// Bytes of a value under a name with `key` in it from which it is sought in
/// other text, such as what a plugin printed.
const KEY_BYTES_MIN: usize = 12;

/// Parts of names of members that say what is in them.
const SENSITIVE: [&str; 21] = [
    KEY,
    "token",
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "secret",
    "credential",
    "authorization",
    "cookie",
    "bearer",
    "jwt",
    "sessionid",
    "signature",
    "ingest",
    "rtmp",
    "pushurl",
    "publishurl",
    "srt",
    "rtsp",
    "whip",
];

/// Whole names that say so.
const SENSITIVE_WHOLE: [&str; 6] = ["pass", "pwd", "auth", "sig", "streamid", "streamname"];

/// Words that have `key` in them and mean nothing of the kind.
const HARMLESS: [&str; 7] =
    ["keyword", "keyframe", "keyboard", "keynote", "hockey", "monkey", "turkey"];

/// Schemes of addresses that streams are sent to, or taken from.
const SCHEMES: [&str; 12] = [
    "rtmp", "rtmps", "rtmpt", "rtmpe", "rtmpte", "rtmpts", "srt", "rtsp", "rtsps", "rist", "whip",
    "whips",
];

/// Names of what people read: shown in livestream events too.
const READABLE: [&str; 7] = ["name", "title", "description", "event", "scope", "method", "status"];

/// Where a value stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// In something of a livestream.
    strict: bool,
    /// Its own name is sensitive.
    named: bool,
    /// The name of something around it is.
    within: bool,
    readable: bool,
    /// Its name says that it is an id.
    id: bool,
    /// Whether what is hidden here is so by more than a name with `key` in it.
    firm: bool,
}

impl Place {
    /// Of the document of an event of that name.
    pub(super) fn of_event(name: &str) -> Self {
        let name = squeezed(name);
        let known = EVENT_NAMES.iter().any(|known| squeezed(known) == name);
        let live = name.starts_with("livestream");
        // Events that nobody knows may be of livestreams under another name.
        let strict = live || !known && (name.contains("live") || name.contains("stream"));
        Self { strict, named: false, within: false, readable: false, id: false, firm: strict }
    }

    /// Of the value of a member of what stands here.
    pub(super) fn of_member(self, name: &str) -> Self {
        let name = squeezed(name);
        let named = is_sensitive(&name);
        let strict = self.strict || name.contains("livestream");
        Self {
            strict,
            named,
            firm: self.firm || strict || named && is_firm(&name),
            within: self.within || self.named,
            readable: READABLE.contains(&name.as_str()),
            id: name.ends_with("id") || name.ends_with("ids"),
        }
    }
}

/// Lower case, without `_`, `-` and all else that is no letter or digit.
fn squeezed(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// By a squeezed name.
fn is_sensitive(name: &str) -> bool {
    let mut name = Cow::Borrowed(name);
    for word in HARMLESS {
        if name.contains(word) {
            name = Cow::Owned(name.replace(word, " "));
        }
    }
    SENSITIVE_WHOLE.contains(&name.as_ref()) || SENSITIVE.iter().any(|part| name.contains(part))
}

/// Whether a name that is sensitive is so by more than `key`, which is also the
/// name of what is no secret at all, such as a key of a table. By a squeezed name.
fn is_firm(name: &str) -> bool {
    name.contains("stream")
        || SENSITIVE_WHOLE.contains(&name)
        || SENSITIVE.iter().any(|part| *part != KEY && name.contains(part))
}

/// Whether a value looks like a key: ordinary text has words and numbers.
fn is_like_a_key(text: &str) -> bool {
    text.len() >= KEY_BYTES_MIN && !text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Decides piece by piece.
#[derive(Debug, Default)]
pub(super) struct Rules {
    /// The values that were hidden so far, and those in them that could stand
    /// on their own.
    pub(super) values: Vec<String>,
    /// Those that are hidden only where they are in the document: under a name
    /// with `key` in it, of nothing about a stream, and not like a key.
    pub(super) weak: Vec<String>,
    level: usize,
}

impl Rules {
    pub(super) fn hide(&mut self, piece: &Piece<'_>) -> bool {
        let text = piece.text.as_ref();
        let hidden = match piece.kind {
            // An address can stand there too.
            Kind::Name => self.is_address(text),
            Kind::Number => number_is_hidden(piece.place, text),
            Kind::String => self.string_is_hidden(piece.place, text),
        };
        if hidden {
            let weak = piece.kind != Kind::Name && !piece.place.firm && !is_like_a_key(text);
            let values =
                if weak && !self.is_address(text) { &mut self.weak } else { &mut self.values };
            values.push(text.to_owned());
        }
        hidden
    }

    fn string_is_hidden(&mut self, place: Place, text: &str) -> bool {
        if is_flag(text) {
            return false;
        }
        // Both are asked in any case, since they collect values.
        let address = self.is_address(text);
        let inner = self.has_hidden_inside(place, text);
        if address || inner || place.named {
            return true;
        }
        if place.within {
            return !(place.id && is_id(text));
        }
        let plain = is_id(text)
            || is_number(text)
            || is_date(text)
            || place.id && (is_id_list(text) || is_uuid(text));
        place.strict && !place.readable && !plain
    }

    /// Whether a string is JSON in which something is hidden.
    fn has_hidden_inside(&mut self, place: Place, text: &str) -> bool {
        let begin = text.trim_start();
        // Quoted once more, or a list or an object.
        if !begin.starts_with(['{', '[', '"']) {
            return false;
        }
        if Node::parse(text).is_err() {
            return begin.starts_with('{') && is_sensitive(&squeezed(text));
        }
        if self.level == INNER_LEVELS_MAX {
            return true;
        }
        self.level += 1;
        let mut hidden = false;
        for piece in scan::pieces(text, place) {
            hidden |= self.hide(&piece);
        }
        self.level -= 1;
        hidden
    }

    /// Whether there is an address in a text that something is sent to, or one
    /// with a user, or `name=value` with a name that is sensitive.
    fn is_address(&mut self, text: &str) -> bool {
        if !text.contains(['=', '@', '%', '/']) {
            return false;
        }
        let text = unescaped(text);
        let mut found = false;
        for (at, mark) in text.match_indices("://") {
            let before = text.get(..at).unwrap_or_default();
            let after = text.get(at + mark.len()..).unwrap_or_default();
            let scheme = before
                .char_indices()
                .rev()
                .take(NAME_CHARS_MAX)
                .take_while(|(_, c)| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
                .last()
                .and_then(|(begin, _)| before.get(begin..))
                .unwrap_or_default();
            let authority = after.split(AFTER_AUTHORITY).next().unwrap_or_default();
            found |= scheme.split('+').any(|scheme| SCHEMES.contains(&scheme));
            if let Some((user, _)) = authority.rsplit_once('@') {
                found = true;
                self.values.extend(user.split(':').map(str::to_owned));
            }
        }
        if let Some((user, host)) = text.rsplit_once('@')
            && let Some((_, password)) = user.split_once(':')
            && !text.contains(char::is_whitespace)
            && !host.is_empty()
        {
            found = true;
            self.values.push(password.to_owned());
        }
        for pair in text.split(|c: char| "?&;,#".contains(c) || c.is_whitespace()) {
            let Some((name, value)) = pair.split_once('=') else { continue };
            let begin = name.char_indices().rev().nth(NAME_CHARS_MAX).map_or(0, |(at, _)| at);
            let name = squeezed(name.get(begin..).unwrap_or_default());
            if is_sensitive(&name) && !is_flag(value) {
                found = true;
                self.values.push(value.to_owned());
            }
        }
        if found {
            let parts = text.split(|c: char| "/?&=#@:;,".contains(c) || c.is_whitespace());
            let telling = parts.filter(|part| {
                part.len() >= PART_BYTES_MIN && part.contains(|c: char| c.is_ascii_digit())
            });
            self.values.extend(telling.map(str::to_owned));
        }
        found
    }
}

/// What ends the part of an address with user and host, in a text of any kind.
const AFTER_AUTHORITY: [char; 9] = ['/', '?', '#', ' ', '\t', '\n', '"', '\'', '<'];

/// Lower case, with what an address is made of no longer escaped.
fn unescaped(text: &str) -> String {
    let mut text = text.to_ascii_lowercase().replace("\\/", "/");
    if text.contains('%') {
        // Escaped once more, as a parameter of a parameter.
        for (escape, plain) in
            [("%25", "%"), ("%3a", ":"), ("%2f", "/"), ("%40", "@"), ("%3d", "="), ("%26", "&")]
        {
            text = text.replace(escape, plain);
        }
    }
    text
}

fn number_is_hidden(place: Place, digits: &str) -> bool {
    if is_flag(digits) {
        return false;
    }
    let many = digits.bytes().filter(u8::is_ascii_digit).count() > ID_DIGITS_MAX;
    place.named || place.within && !(place.id && is_id(digits)) || place.strict && many
}

fn is_flag(text: &str) -> bool {
    const FLAGS: [&str; 14] = [
        "", "0", "1", "true", "false", "yes", "no", "on", "off", "null", "none", "enabled",
        "disabled", "active",
    ];
    FLAGS.iter().any(|flag| text.eq_ignore_ascii_case(flag))
}

fn is_id(text: &str) -> bool {
    (1..=ID_DIGITS_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `1, 2,,3`
fn is_id_list(text: &str) -> bool {
    text.split(',').map(str::trim).all(|id| id.is_empty() || is_id(id))
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()
}

/// `-1.5`
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    digits.len() <= ID_DIGITS_MAX && is_id(whole) && is_id(part)
}

/// A date, a time of day, or both: RFC 3339 and its relatives.
fn is_date(text: &str) -> bool {
    const DAYS: [&str; 5] = ["9999-99-99", "9999/99/99", "99-99-9999", "99/99/9999", "99.99.9999"];
    const TIMES: [&str; 2] = ["99:99:99", "99:99"];
    const ZONES: [&str; 4] = ["", "z", "+99:99", "+9999"];
    // A fraction of a second can be left out of any.
    if text.len() > 40 {
        return false;
    }
    let shape: String = text
        .chars()
        .map(|c| match c {
            '0'..='9' => '9',
            '-' | '+' => c,
            _ => c.to_ascii_lowercase(),
        })
        .collect();
    let rest = match DAYS.iter().find_map(|day| shape.strip_prefix(day)) {
        Some("") => return true,
        Some(rest) => rest.strip_prefix(['t', ' ']).unwrap_or("?"),
        None => shape.as_str(),
    };
    TIMES.iter().any(|time| {
        rest.strip_prefix(time).is_some_and(|rest| {
            let rest = match rest.strip_prefix('.') {
                Some(rest) => rest.trim_start_matches('9'),
                None => rest,
            };
            let zone = rest.trim_start().replace('-', "+");
            ZONES.contains(&zone.as_str())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_is_in_them_however_they_are_written() {
        for name in [
            "stream_key",
            "StreamKey",
            "STREAM-KEY",
            "api key",
            "accessToken",
            "Password",
            "secret",
            "ingest_url",
            "rtmpUrl",
            "push_url",
            "publishURL",
            "SRT",
            "auth",
            "stream_id",
        ] {
            assert!(is_sensitive(&squeezed(name)), "{name}");
        }
        for name in ["keyword", "meta_keywords", "keyframe_interval", "author", "sort", "passage"] {
            assert!(!is_sensitive(&squeezed(name)), "{name}");
        }
        assert!(is_sensitive(&squeezed("keyword_key")));
    }

    #[test]
    fn dates_numbers_and_ids_are_known_by_their_shape() {
        for date in [
            "2021-03-06",
            "2021-03-06 09:00:00",
            "2021-03-06T09:00:00.123Z",
            "06-03-2021 09:00",
            "2021-03-06T09:00:00+01:00",
            "2021-03-06T09:00:00-0100",
            "09:30",
            "06/03/2021",
            "2021-03-06 09:00:00 +01:00",
        ] {
            assert!(is_date(date), "{date}");
        }
        for other in ["2021-03-06x", "2021-0306-0900", "", "1234-5678-9012", "2021-03-06T", "T"] {
            assert!(!is_date(other), "{other}");
        }
        assert!(is_number("-29.97") && is_number("1080") && !is_number("1.") && !is_number("x"));
        assert!(is_id_list("1, 2,,3") && !is_id_list("1, b"));
        assert!(is_id("12345678901234567890") && !is_id("123456789012345678901"));
    }
}
