//! Which log lines are written, changeable while the server runs.
//!
//! Invariant: what [`Level::get`] says is what is in force.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::reload::{self, Handle};

use super::GUEST;

/// What a plugin could make a library say as often as it likes, past the limits
/// of its own log: that requests it asks for are malformed, which it is told.
const QUIET: &str = "wasmtime_wasi_http=error";

/// The library. A filter that names it goes for it.
const QUIET_TARGET: &str = "wasmtime_wasi_http";

/// Bytes of a filter. Each of its parts is looked at for each new place that
/// logs.
const FILTER_BYTES_MAX: usize = 4_096;

/// Bytes of a filter that cannot be used, as its error shows them.
const SHOWN_BYTES_MAX: usize = 100;

/// Why a level cannot be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LevelError {
    /// It cannot be understood.
    #[error(
        "log.level: {0:?} is no level and no filter: write one of error, warn, info, debug and trace, or such as \"info,hookbox::ingress=debug\""
    )]
    Unknown(String),
    /// It is too long.
    #[error("log.level: it has over {FILTER_BYTES_MAX} bytes")]
    TooLong,
    /// Log lines do not go by it: another one was set up before in the process.
    #[error("log.level: log lines of this process are not under its control")]
    Gone,
}

/// The level of log lines. Cheap to clone; all clones are the same one.
#[derive(Clone)]
pub struct Level(Arc<Inner>);

struct Inner {
    /// The text in force. Held while it is put in force, so that of two who set
    /// it at once the last one is also the one that is told.
    text: Mutex<String>,
    apply: Box<dyn Fn(EnvFilter) -> Result<(), reload::Error> + Send + Sync>,
}

impl Level {
    /// `handle`: of the filter that was made of `text`.
    pub(super) fn new<S: 'static>(text: &str, handle: Handle<EnvFilter, S>) -> Self {
        Self(Arc::new(Inner {
            text: Mutex::new(text.to_owned()),
            apply: Box::new(move |filter| handle.reload(filter)),
        }))
    }

    /// The level or filter in force, as it was written.
    pub fn get(&self) -> String {
        self.0.text.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts another one in force, at once and until the next call.
    ///
    /// `text`: as `[log] level`.
    ///
    /// # Errors
    /// See [`LevelError`]; then the old one stays.
    pub fn set(&self, text: &str) -> Result<(), LevelError> {
        let filter = filter(text)?;
        let mut now = self.0.text.lock().unwrap_or_else(PoisonError::into_inner);
        (self.0.apply)(filter).map_err(|_| LevelError::Gone)?;
        text.clone_into(&mut now);
        Ok(())
    }
}

impl fmt::Debug for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Level").field(&self.get()).finish()
    }
}

/// A level alone goes for hookbox and its plugins; the libraries below it are
/// heard from `warn` on.
pub(super) fn filter(level: &str) -> Result<EnvFilter, LevelError> {
    let error = || {
        let shown = level.get(..level.floor_char_boundary(SHOWN_BYTES_MAX)).unwrap_or_default();
        LevelError::Unknown(shown.to_owned())
    };
    if level.len() > FILTER_BYTES_MAX {
        return Err(LevelError::TooLong);
    }
    let word = !level.contains(['=', ',']);
    let alone = word && level.parse::<tracing::Level>().is_ok();
    // A word that is no level would be taken for the name of a module, and all
    // other lines would be missing.
    if word && !alone {
        return Err(error());
    }
    let text = if alone {
        format!("warn,{QUIET},hookbox={level},{GUEST}={level}")
    } else if level.contains(QUIET_TARGET) {
        level.to_owned()
    } else {
        format!("{level},{QUIET}")
    };
    EnvFilter::builder().parse(text).map_err(|_| error())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, reason = "a test fails by panicking")]

    use std::io;

    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    /// Lines that a test's own subscriber wrote.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("lines").extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Lines {
        type Writer = Self;
        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    #[test]
    fn lines_go_by_the_level_that_was_set_last() {
        let lines = Lines::default();
        let builder = tracing_subscriber::fmt()
            .with_writer(lines.clone())
            .with_env_filter(filter("info").expect("a level"))
            .with_filter_reloading();
        let level = Level::new("info", builder.reload_handle());
        let said =
            |text: &str| String::from_utf8_lossy(&lines.0.lock().expect("lines")).contains(text);
        tracing::subscriber::with_default(builder.finish(), || {
            tracing::debug!(target: GUEST, "first");
            level.set("debug").expect("a level");
            tracing::debug!(target: GUEST, "second");
            level.set("warn,guest=info").expect("a filter");
            tracing::debug!(target: GUEST, "third");
            tracing::info!(target: GUEST, "fourth");
        });
        assert_eq!(
            (said("first"), said("second"), said("third"), said("fourth")),
            (false, true, false, true)
        );
        assert_eq!(level.get(), "warn,guest=info");
    }

    #[test]
    fn what_plugins_make_a_library_say_is_heard_only_where_a_filter_names_it() {
        for (text, heard) in [
            ("debug", false),
            ("debug,hookbox=trace", false),
            ("debug,hookbox=trace,", false),
            ("warn,wasmtime_wasi_http=warn", true),
            ("info,wasmtime_wasi_http::p2=info", true),
        ] {
            let lines = Lines::default();
            let subscriber = tracing_subscriber::fmt()
                .with_writer(lines.clone())
                .with_env_filter(filter(text).expect("a filter"))
                .finish();
            tracing::subscriber::with_default(subscriber, || {
                tracing::warn!(target: "wasmtime_wasi_http::p2", "malformed");
            });
            assert_eq!(!lines.0.lock().expect("lines").is_empty(), heard, "{text}");
        }
    }

    #[test]
    fn what_is_no_level_changes_nothing() {
        let builder = tracing_subscriber::fmt()
            .with_env_filter(filter("info").expect("a level"))
            .with_filter_reloading();
        let level = Level::new("info", builder.reload_handle());
        let subscriber = builder.finish();
        for text in ["", "loud", "hookbox=loud", "="] {
            assert_eq!(level.set(text), Err(LevelError::Unknown(text.to_owned())));
        }
        assert_eq!(level.set(&"a=debug,".repeat(1_000)), Err(LevelError::TooLong));
        assert_eq!(level.get(), "info");
        drop(subscriber);
        assert_eq!(level.set("debug"), Err(LevelError::Gone));
    }
}
