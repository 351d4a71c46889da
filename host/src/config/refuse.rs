//! Refusals of values, by the key's full name.

use super::ConfigError;

pub(super) fn incomplete(section: &str) -> ConfigError {
    value(section, "a key is missing in the built-in defaults")
}

pub(super) fn value(key: impl Into<String>, message: impl Into<String>) -> ConfigError {
    ConfigError::Value { key: key.into(), message: message.into() }
}

pub(super) fn at_least(key: &str, have: u64, least: u64) -> Result<(), ConfigError> {
    if have >= least {
        Ok(())
    } else {
        Err(value(key, format!("is {have}, must be at least {least}")))
    }
}

pub(super) fn at_most(key: &str, have: u64, most: u64) -> Result<(), ConfigError> {
    if have <= most {
        Ok(())
    } else {
        Err(value(key, format!("is {have}, must be at most {most}")))
    }
}
