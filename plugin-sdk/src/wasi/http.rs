//! One request over `wasi:http`, from its first byte to the last of its answer.
//!
//! The order in which things are dropped matters: a stream before the body that
//! it is of, a pollable before what it waits for; else the host ends the call.

use std::time::Duration;

use super::bindings::wasi::clocks::monotonic_clock;
use super::bindings::wasi::http::outgoing_handler;
use super::bindings::wasi::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingResponse, Method, OutgoingBody,
    OutgoingRequest, RequestOptions, Scheme, http_error_code,
};
use super::bindings::wasi::io::poll::{Pollable, poll};
use super::bindings::wasi::io::streams::{OutputStream, StreamError};
use crate::http::{Error, ErrorKind, Request, Response, Target};

/// Bytes of an answer that are asked for at once.
const READ_BYTES_MAX: u64 = 64 * 1024;

const ADDRESS_DENIED: &str = "its network address is not granted: the operator has to grant \
                              addresses of private networks one by one";

pub(crate) fn send(request: &Request, target: &Target) -> Result<Response, Error> {
    Exchange { request, target, timer: monotonic_clock::subscribe_duration(ns(request.timeout)) }
        .run()
}

/// A request under way.
struct Exchange<'a> {
    request: &'a Request,
    target: &'a Target,
    /// Ready when the time is up.
    timer: Pollable,
}

impl Exchange<'_> {
    fn run(&self) -> Result<Response, Error> {
        let outgoing = self.outgoing()?;
        let invalid = |()| self.error(ErrorKind::Request, "the host takes no body");
        let body = match self.request.body.is_empty() {
            true => None,
            false => Some(outgoing.body().map_err(invalid)?),
        };
        let answer = outgoing_handler::handle(outgoing, Some(self.options()))
            .map_err(|code| self.refused(&code))?;
        // Where the answer came before the body was taken, the rest of the body
        // is dropped with this, after the answer was read.
        let _rest = match body {
            Some(body) => self.write(body, &answer)?,
            None => None,
        };
        self.read(&self.answer(&answer)?)
    }

    fn outgoing(&self) -> Result<OutgoingRequest, Error> {
        let invalid = |what: &str| self.error(ErrorKind::Request, format!("invalid {what}"));
        let fields = Fields::new();
        for (name, value) in &self.request.headers {
            let added = fields.append(name, value.as_bytes());
            added.map_err(|_| invalid(&format!("header field {name:?}")))?;
        }
        let outgoing = OutgoingRequest::new(fields);
        let scheme = if self.target.tls { Scheme::Https } else { Scheme::Http };
        let (authority, path) = (&self.target.authority, &self.target.path_with_query);
        outgoing.set_method(&method(&self.request.method)).map_err(|()| invalid("method"))?;
        outgoing.set_scheme(Some(&scheme)).map_err(|()| invalid("scheme"))?;
        outgoing.set_authority(Some(authority)).map_err(|()| invalid("host"))?;
        outgoing.set_path_with_query(Some(path)).map_err(|()| invalid("path"))?;
        Ok(outgoing)
    }

    /// The host's own timeouts: ours covers them all, these let it give up
    /// connections too.
    fn options(&self) -> RequestOptions {
        let options = RequestOptions::new();
        let timeout = Some(ns(self.request.timeout));
        // A host may not support one of them: ours holds nevertheless.
        let _unsupported = options.set_connect_timeout(timeout);
        let _unsupported = options.set_first_byte_timeout(timeout);
        let _unsupported = options.set_between_bytes_timeout(timeout);
        options
    }

    /// Writes the body and finishes it; the body itself where an answer, or a
    /// failure, came before all of it was taken.
    fn write(
        &self,
        body: OutgoingBody,
        answer: &FutureIncomingResponse,
    ) -> Result<Option<OutgoingBody>, Error> {
        let stream = body.write().map_err(|()| self.error(ErrorKind::Protocol, "no stream"))?;
        let answered = answer.subscribe();
        let writable = stream.subscribe();
        let mut left = self.request.body.as_slice();
        while !left.is_empty() {
            let Some(room) = self.room(&stream, &writable, &answered)? else {
                return Ok(Some(body));
            };
            let (now, later) = left.split_at(left.len().min(room));
            if stream.write(now).is_err() {
                return Ok(Some(body));
            }
            left = later;
        }
        // After a flush, room means that all was taken.
        if stream.flush().is_err() || self.room(&stream, &writable, &answered)?.is_none() {
            return Ok(Some(body));
        }
        drop(writable);
        drop(stream);
        OutgoingBody::finish(body, None).map_err(|code| self.refused(&code))?;
        Ok(None)
    }

    /// Waits for room, and says how many bytes; `None` where an answer or a
    /// failure came first.
    fn room(
        &self,
        stream: &OutputStream,
        writable: &Pollable,
        answered: &Pollable,
    ) -> Result<Option<usize>, Error> {
        let ready = self.wait(&[writable, answered]).ok_or_else(|| self.late())?;
        if !ready.contains(&0) {
            return Ok(None);
        }
        // More than the address space: as much as there can be.
        Ok(stream.check_write().ok().map(|room| usize::try_from(room).unwrap_or(usize::MAX)))
    }

    fn answer(&self, future: &FutureIncomingResponse) -> Result<IncomingResponse, Error> {
        let answered = future.subscribe();
        if self.wait(&[&answered]).is_none() {
            return Err(self.late());
        }
        drop(answered);
        match future.get() {
            Some(Ok(answer)) => answer.map_err(|code| self.refused(&code)),
            Some(Err(())) | None => Err(self.error(ErrorKind::Protocol, "no answer")),
        }
    }

    fn read(&self, answer: &IncomingResponse) -> Result<Response, Error> {
        let unreadable = |()| self.error(ErrorKind::Protocol, "no body");
        let status = answer.status();
        let headers = answer.headers().entries();
        let incoming = answer.consume().map_err(unreadable)?;
        let stream = incoming.stream().map_err(unreadable)?;
        let readable = stream.subscribe();
        let mut body = Vec::new();
        loop {
            if self.wait(&[&readable]).is_none() {
                return Err(self.late());
            }
            match stream.read(READ_BYTES_MAX) {
                Ok(more) => body.extend(more),
                Err(StreamError::Closed) => break,
                Err(StreamError::LastOperationFailed(error)) => {
                    return Err(match http_error_code(&error) {
                        Some(code) => self.refused(&code),
                        None => self.error(ErrorKind::Connection, error.to_debug_string()),
                    });
                }
            }
            if body.len() > self.request.body_bytes_max {
                return Err(Error::body_too_large(self.target, self.request.body_bytes_max));
            }
        }
        Ok(Response { status, headers, body, origin: self.target.origin() })
    }

    /// Waits until one of these is ready, and says which, by index; `None` when
    /// the time is up.
    fn wait(&self, pollables: &[&Pollable]) -> Option<Vec<u32>> {
        let mut all = pollables.to_vec();
        all.push(&self.timer);
        let ready = poll(&all);
        let is_of_theirs = |index: &u32| (*index as usize) < pollables.len();
        ready.iter().any(is_of_theirs).then_some(ready)
    }

    fn late(&self) -> Error {
        Error::timeout(self.target, self.request.timeout)
    }

    fn error(&self, kind: ErrorKind, detail: impl Into<String>) -> Error {
        Error::new(kind, self.target.origin(), detail)
    }

    fn refused(&self, code: &ErrorCode) -> Error {
        use ErrorKind::{BodyTooLarge, Connection, Denied, Protocol, Request};
        let (kind, detail): (_, String) = match code {
            ErrorCode::HttpRequestDenied => return Error::denied(self.target),
            ErrorCode::DestinationIpProhibited => (Denied, ADDRESS_DENIED.into()),
            ErrorCode::DnsTimeout
            | ErrorCode::ConnectionTimeout
            | ErrorCode::ConnectionReadTimeout
            | ErrorCode::ConnectionWriteTimeout
            | ErrorCode::HttpResponseTimeout => {
                (ErrorKind::Timeout, "it took longer than the host lets it".into())
            }
            ErrorCode::DnsError(dns) => {
                let why = dns.rcode.as_deref().unwrap_or("no reason given");
                (Connection, format!("its name cannot be resolved: {why}"))
            }
            ErrorCode::DestinationNotFound => (Connection, "it has no address".into()),
            ErrorCode::ConnectionRefused => (Connection, "connection refused".into()),
            ErrorCode::ConnectionTerminated => (Connection, "the connection was cut".into()),
            ErrorCode::ConnectionLimitReached => (Connection, "too many calls at once".into()),
            ErrorCode::TlsCertificateError => (Connection, "its certificate is not trusted".into()),
            ErrorCode::HttpResponseIncomplete => (Connection, "the answer was cut off".into()),
            ErrorCode::DestinationUnavailable
            | ErrorCode::DestinationIpUnroutable
            | ErrorCode::TlsProtocolError
            | ErrorCode::TlsAlertReceived(_) => (Connection, name(code)),
            ErrorCode::HttpRequestLengthRequired
            | ErrorCode::HttpRequestBodySize(_)
            | ErrorCode::HttpRequestMethodInvalid
            | ErrorCode::HttpRequestUriInvalid
            | ErrorCode::HttpRequestUriTooLong
            | ErrorCode::HttpRequestHeaderSectionSize(_)
            | ErrorCode::HttpRequestHeaderSize(_) => (Request, name(code)),
            ErrorCode::HttpResponseBodySize(_) => (BodyTooLarge, name(code)),
            ErrorCode::InternalError(Some(why)) => (Protocol, why.clone()),
            _ => (Protocol, name(code)),
        };
        self.error(kind, detail)
    }
}

/// As the interface names it: `TlsProtocolError`.
fn name(code: &ErrorCode) -> String {
    let code = format!("{code:?}");
    code.trim_start_matches("ErrorCode::").to_owned()
}

/// Nanoseconds, as the host counts.
fn ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "CONNECT" => Method::Connect,
        "OPTIONS" => Method::Options,
        "TRACE" => Method::Trace,
        "PATCH" => Method::Patch,
        other => Method::Other(other.to_owned()),
    }
}
