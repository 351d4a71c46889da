//! `wasi:logging`.

use super::CallState;
use super::generated::wasi::logging::logging::{Host, Level};
use crate::plugin::output;

impl Host for CallState {
    fn log(&mut self, level: Level, context: String, message: String) {
        let level = match level {
            Level::Trace => tracing::Level::TRACE,
            Level::Debug => tracing::Level::DEBUG,
            Level::Info => tracing::Level::INFO,
            Level::Warn => tracing::Level::WARN,
            Level::Error | Level::Critical => tracing::Level::ERROR,
        };
        output::record(&self.log, level, &context, &message);
    }
}
