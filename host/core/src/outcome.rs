//! What became of one attempt at a delivery.

use std::fmt;
use std::time::Duration;

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The plugin handled the event.
    Handled,
    /// It did not.
    Failed(Failure),
}

/// Whose doing a failure was, and what it calls for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What happened.
    pub kind: FailureKind,
    /// In words, for the operator.
    pub message: String,
}

/// What happened, told apart since each calls for something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The plugin asked to be called again.
    Retry,
    /// The plugin asked to be called again, not before that much time.
    RetryAfter(Duration),
    /// The plugin refused the event for good.
    Rejected,
    /// The plugin's code trapped: a panic, an invalid memory access.
    Trap,
    /// The call took longer than it may.
    Deadline,
    /// The call used more processor time than it may.
    Cpu,
    /// The call wanted more memory than it may have.
    Memory,
    /// The host could not make the call; the plugin is not to blame.
    Host,
}

impl FailureKind {
    /// A stable code for logs.
    pub fn code(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::RetryAfter(_) => "retry-after",
            Self::Rejected => "rejected",
            Self::Trap => "trap",
            Self::Deadline => "deadline",
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Host => "host",
        }
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
