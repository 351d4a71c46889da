//! Where secrets' values come from: the environment, a file, or the
//! configuration itself.

use std::path::{Path, PathBuf};

use super::file::Secret;

/// In place of a value that is not looked up.
const PLACEHOLDER: &str = "(not looked up)";

/// What a configuration refers to.
pub(super) struct Lookup<'a> {
    /// Where relative paths start.
    pub(super) base: &'a Path,
    /// Looks up the environment.
    pub(super) variable: &'a dyn Fn(&str) -> Option<String>,
    /// Else each value is a placeholder, and nothing is looked up.
    pub(super) values_needed: bool,
}

impl Lookup<'_> {
    /// A secret's value; `files` gets the file that it is in. Empty where it
    /// is.
    ///
    /// # Errors
    /// What is wrong, and what to do; without the value.
    pub(super) fn secret(
        &self,
        secret: &Secret,
        files: &mut Vec<PathBuf>,
    ) -> Result<String, String> {
        let Secret { env, file, value, .. } = secret;
        let text = match (env, file, value) {
            (Some(_), None, None) | (None, Some(_), None) if !self.values_needed => {
                return Ok(PLACEHOLDER.to_owned());
            }
            (Some(name), None, None) => (self.variable)(name).ok_or_else(|| {
                format!("the environment variable {name} is not set, or not UTF-8")
            })?,
            (None, Some(path), None) => {
                let path = self.base.join(path);
                files.push(path.clone());
                let text = std::fs::read_to_string(&path)
                    .map_err(|error| format!("{}: {error}", path.display()))?;
                let line = text.strip_suffix('\n').unwrap_or(&text);
                line.strip_suffix('\r').unwrap_or(line).to_owned()
            }
            (None, None, Some(value)) => value.clone(),
            _ => return Err("give exactly one of `env`, `file` and `value`".to_owned()),
        };
        if text.trim() != text {
            return Err("it begins or ends with white space or a line end, which no sender \
                        sends: copy it again without"
                .to_owned());
        }
        Ok(text)
    }
}
