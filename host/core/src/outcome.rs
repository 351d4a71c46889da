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

/// Whose doing a failure is: where the operator has to look first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Blame {
    /// The plugin's code, which did not come to an answer of its own.
    Guest,
    /// The plugin's own answer: its request to be called again, or its refusal.
    Plugin,
    /// The host, which could not make the call.
    Host,
}

impl Blame {
    /// A stable code for logs.
    pub fn code(self) -> &'static str {
        match self {
            Self::Guest => "guest",
            Self::Plugin => "plugin",
            Self::Host => "host",
        }
    }
}

impl fmt::Display for Blame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
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

    /// Whose doing it is.
    pub fn blame(self) -> Blame {
        match self {
            Self::Retry | Self::RetryAfter(_) | Self::Rejected => Blame::Plugin,
            Self::Trap | Self::Deadline | Self::Cpu | Self::Memory => Blame::Guest,
            Self::Host => Blame::Host,
        }
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_is_the_guests_an_answer_the_plugins_and_the_rest_the_hosts() {
        for (kind, blame) in [
            (FailureKind::Retry, "plugin"),
            (FailureKind::RetryAfter(Duration::from_secs(1)), "plugin"),
            (FailureKind::Rejected, "plugin"),
            (FailureKind::Trap, "guest"),
            (FailureKind::Deadline, "guest"),
            (FailureKind::Cpu, "guest"),
            (FailureKind::Memory, "guest"),
            (FailureKind::Host, "host"),
        ] {
            assert_eq!(kind.blame().to_string(), blame, "{kind}");
        }
    }
}
