//! Why a request of a plugin was refused, or failed.

use std::error::Error;
use std::fmt;
use std::io;

use hookbox_core::grants::AddressRule;

/// What went wrong, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The origin is not granted.
    NotGranted,
    /// The origin is granted, the method is not.
    MethodNotGranted,
    /// No address that the name leads to may be used; the rule of the first.
    AddressForbidden(AddressRule),
    /// A user name or password before the host.
    Userinfo,
    /// The authority cannot be understood, or could be in two ways.
    BadAuthority,
    /// The call sent as many as it may.
    CallsLimit,
    /// The plugin has as many under way as it may, and none ended in time.
    ConcurrencyLimit,
    /// The request's body has more bytes than these.
    RequestTooLarge(u64),
    /// The response's body has more bytes than these.
    ResponseTooLarge(u64),
    /// The response's head has more bytes than these, or too many fields.
    HeadTooLarge(u32),
    /// It took too long.
    Timeout(Stage),
    /// No connection.
    ConnectFailed,
    /// No address.
    DnsFailed,
    /// No TLS; whether the certificate was the reason.
    TlsFailed {
        /// Whether it was.
        certificate: bool,
    },
    /// The exchange did not come to its end.
    Broken,
    /// The plugin let go of the request before its response came.
    GivenUp,
    /// The call ended before the response was there.
    CallEnded,
    /// A script stands in for the network, and has no answer to it.
    NoAnswer,
}

/// How far a request had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// To a connection.
    Connecting,
    /// Before the head of the response.
    Waiting,
    /// In the body of the response.
    Reading,
}

/// What went wrong, for people too: what, and where there is one the key of the
/// configuration that would change it. It may hold secrets of the plugin's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What.
    pub kind: Kind,
    /// Why.
    pub message: String,
}

/// Bytes of a failure's message.
const MESSAGE_BYTES_MAX: usize = 1_024;

impl Failure {
    /// The message is cut where it is too long: parts of it come from others.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        let mut message = message.into();
        message.truncate(message.floor_char_boundary(MESSAGE_BYTES_MAX));
        Self { kind, message }
    }

    /// For programs; stable.
    pub fn code(&self) -> &'static str {
        match self.kind {
            Kind::NotGranted => "not-granted",
            Kind::MethodNotGranted => "method-not-granted",
            Kind::AddressForbidden(_) => "address-forbidden",
            Kind::Userinfo => "userinfo",
            Kind::BadAuthority => "bad-authority",
            Kind::CallsLimit => "calls-limit",
            Kind::ConcurrencyLimit => "concurrency-limit",
            Kind::RequestTooLarge(_) => "request-too-large",
            Kind::ResponseTooLarge(_) => "response-too-large",
            Kind::HeadTooLarge(_) => "response-head-too-large",
            Kind::Timeout(_) => "timeout",
            Kind::ConnectFailed => "connect-failed",
            Kind::DnsFailed => "dns-failed",
            Kind::TlsFailed { .. } => "tls-failed",
            Kind::Broken => "broken",
            Kind::GivenUp => "given-up",
            Kind::CallEnded => "call-ended",
            Kind::NoAnswer => "no-answer",
        }
    }

    /// Whether nothing was sent because of a rule.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self.kind,
            Kind::NotGranted
                | Kind::MethodNotGranted
                | Kind::AddressForbidden(_)
                | Kind::Userinfo
                | Kind::BadAuthority
                | Kind::CallsLimit
                | Kind::ConcurrencyLimit
        )
    }

    /// The code, and what more a program could want.
    pub fn label(&self) -> String {
        match self.kind {
            Kind::AddressForbidden(rule) => format!("{}, {rule}", self.code()),
            _ => self.code().to_owned(),
        }
    }

    /// The failure that is somewhere among an error's causes.
    pub(super) fn within(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            // An error of a stream names as its source what is behind its cause,
            // and never the cause.
            let cause = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            let cause = cause.and_then(|cause| cause.downcast_ref::<Self>());
            if let Some(failure) = cause.or_else(|| error.downcast_ref()) {
                return Some(failure.clone());
            }
            next = error.source();
        }
        None
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Failure {}
