//! From texts to one layer: the defaults, then the file, then the environment.
//!
//! Each is read by itself before they are put together, so that an error names
//! the file and line, or the variable, that it comes from. No error quotes a
//! value, since it may be a secret.

use std::path::Path;

use toml::{Table, Value};

use super::ConfigError;
use super::file::Layer;

/// The lowest layer, and what `hookbox config default` prints.
pub const DEFAULTS: &str = include_str!("defaults.toml");

const PREFIX: &str = "HOOKBOX_";

/// Bytes of a name for which a nearest one is sought: no known one is half as
/// long.
const NAME_BYTES_MAX: usize = 200;

/// Reads and puts together all layers.
///
/// `variables`: of the environment; those that do not look like settings are
/// passed over.
pub(super) fn read(
    file: Option<(&Path, &str)>,
    variables: impl Iterator<Item = (String, String)>,
) -> Result<Layer, ConfigError> {
    let mut all = from_text(DEFAULTS, "the built-in defaults")?;
    if let Some((path, text)) = file {
        all = all.under(from_text(text, &path.display().to_string())?);
    }
    for (name, value) in variables {
        if let Some(layer) = from_variable(&name, &value)? {
            all = all.under(layer);
        }
    }
    Ok(all)
}

fn from_text(text: &str, file: &str) -> Result<Layer, ConfigError> {
    toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| {
            let before = text.get(..span.start).unwrap_or(text);
            before.matches('\n').count() + 1
        });
        let place = line.map_or(file.to_owned(), |line| format!("{file}, line {line}"));
        ConfigError::Text { place, message: explain(error.message()) }
    })
}

/// `HOOKBOX_SECTION__KEY`, `HOOKBOX_PLUGIN__NAME__KEY`, `HOOKBOX_SOURCE`.
/// Others that start alike are not ours: container platforms set such as
/// `HOOKBOX_PORT` for a service of that name.
fn from_variable(name: &str, value: &str) -> Result<Option<Layer>, ConfigError> {
    let Some(path) = name.strip_prefix(PREFIX) else { return Ok(None) };
    if path != "SOURCE" && !path.contains("__") {
        return Ok(None);
    }
    let mut keys: Vec<String> = path.to_lowercase().split("__").map(str::to_owned).collect();
    if let [section, plugin, _, ..] = keys.as_mut_slice()
        && section == "plugin"
    {
        *plugin = plugin.replace('_', "-");
    }
    let mut tree = value_of(value);
    for key in keys.into_iter().rev() {
        tree = Value::Table(Table::from_iter([(key, tree)]));
    }
    tree.try_into().map(Some).map_err(|error: toml::de::Error| ConfigError::Text {
        place: format!("environment variable {name}"),
        message: explain(error.message()),
    })
}

/// A variable's text as TOML has it; what is no TOML is a string.
fn value_of(text: &str) -> Value {
    let parsed = format!("value = {text}").parse::<Table>().ok();
    parsed
        .filter(|table| table.len() == 1)
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(text.to_owned()))
}

/// The known name that an unknown one was likely meant to be.
pub(crate) fn nearest<'a>(
    unknown: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // Comparing takes time by the product of the lengths.
    if unknown.len() > NAME_BYTES_MAX {
        return None;
    }
    known
        .into_iter()
        .map(|key| (strsim::damerau_levenshtein(unknown, key), key))
        .min()
        .filter(|(distance, _)| *distance <= unknown.len().div_ceil(2))
        .map(|(_, key)| key)
}

/// The parser's message without any value that it quotes, and for an unknown
/// key with the known one that is nearest.
pub(crate) fn explain(message: &str) -> String {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    if message.starts_with("unknown field")
        && let Some((unknown, known)) = quoted.split_first()
    {
        let nearest =
            nearest(unknown, known.iter().copied()).map(|key| format!("; did you mean `{key}`?"));
        let nearest = nearest.unwrap_or_else(|| format!("; known here: {}", known.join(", ")));
        return format!("unknown key `{unknown}`{nearest}");
    }
    // "invalid type: string "…", expected …" quotes what was written.
    match (message.split_once(": "), message.rsplit_once(", expected ")) {
        (Some((what, found)), Some((_, expected))) if what.starts_with("invalid ") => {
            let kind = found.split([' ', ',']).next().unwrap_or_default();
            format!("{what} ({kind}), expected {expected}")
        }
        _ if message.starts_with("invalid ") && message.contains(": ") => {
            message.split(": ").next().unwrap_or_default().to_owned()
        }
        _ => message.trim_end().to_owned(),
    }
}
