//! HTTP requests, as the event asks for them: scheme, authority and path go to
//! the host separately and untouched.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::bindings::wasi::http::outgoing_handler;
use crate::bindings::wasi::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingBody, IncomingResponse, Method,
    OutgoingBody, OutgoingRequest, RequestOptions, Scheme,
};
use crate::bindings::wasi::io::streams::{InputStream, OutputStream, StreamError};

/// Bytes of an answer that are read where `read_max` is not given.
const READ_MAX: u64 = 4_096;

/// A request.
#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Call {
    /// `GET` where it is not given.
    method: String,
    /// Split at `://` and at the first `/` or `?` after it, with no other care.
    url: String,
    /// These stand in place of the part of `url`.
    scheme: Option<String>,
    authority: Option<String>,
    path: Option<String>,
    /// Of one value each; several of one name by `more_headers`.
    headers: BTreeMap<String, String>,
    more_headers: Vec<(String, String)>,
    body: Option<String>,
    /// A body of that many letters.
    body_bytes: Option<usize>,
    /// Drops the request's body without finishing it.
    unfinished: bool,
    /// How often: once where it is not given.
    count: Option<u32>,
    /// Bytes of the answer's body that are read; then it is dropped.
    read_max: Option<u64>,
    /// For connecting, the first byte, and between bytes alike.
    timeout_ms: Option<u64>,
    connect_timeout_ms: Option<u64>,
    first_byte_timeout_ms: Option<u64>,
    between_bytes_timeout_ms: Option<u64>,
    /// Names of the answer's fields to print, as `call header <name>=<value>`.
    show: Vec<String>,
    /// Prints `body_bytes=<length>` instead of `body=<text>`.
    brief: bool,
    /// Begins the request and drops it: `call abandoned`.
    abandon: bool,
}

/// Makes the calls, and prints a line for each.
pub(crate) fn call(calls: &[Call], at_once: bool) {
    let each = |call: &Call| vec![call.clone(); call.count.unwrap_or(1) as usize];
    let calls: Vec<Call> = calls.iter().flat_map(each).collect();
    if at_once {
        let begun: Vec<_> = calls.iter().map(|call| (call, begin(call))).collect();
        begun.into_iter().for_each(|(call, begun)| finish(call, begun));
    } else {
        calls.iter().for_each(|call| finish(call, begin(call)));
    }
}

/// Sends head and body.
fn begin(call: &Call) -> Result<FutureIncomingResponse, String> {
    let request = request(call)?;
    let text = match call.body_bytes {
        Some(count) => Some("x".repeat(count)),
        None => call.body.clone(),
    };
    let body = match &text {
        Some(_) => Some(request.body().map_err(|()| "no body")?),
        None => None,
    };
    let options = options(call)?;
    let answer = outgoing_handler::handle(request, Some(options)).map_err(|e| format!("{e:?}"))?;
    if let (Some(body), Some(text)) = (body, text) {
        let stream = body.write().map_err(|()| "no stream")?;
        let written = write(&stream, text.as_bytes());
        drop(stream);
        // Where writing failed the answer says why.
        if written && !call.unfinished {
            OutgoingBody::finish(body, None).map_err(|e| format!("{e:?}"))?;
        }
    }
    Ok(answer)
}

fn request(call: &Call) -> Result<OutgoingRequest, String> {
    let fields = Fields::new();
    let headers = call.headers.iter().chain(call.more_headers.iter().map(|(n, v)| (n, v)));
    for (name, value) in headers {
        fields.append(name, value.as_bytes()).map_err(|e| format!("header {name}: {e:?}"))?;
    }
    let (scheme, rest) = match call.url.split_once("://") {
        Some((scheme, rest)) => (Some(scheme.to_owned()), Some(rest)),
        None => (None, None),
    };
    let split = rest.map(|rest| rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len())));
    let authority = call.authority.clone().or(split.map(|(authority, _)| authority.to_owned()));
    let path = call.path.clone().or(split.map(|(_, path)| path.to_owned()));

    let request = OutgoingRequest::new(fields);
    request.set_method(&method(&call.method)).map_err(|()| "invalid method")?;
    let scheme = call.scheme.clone().or(scheme).map(|scheme| match scheme.as_str() {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        _ => Scheme::Other(scheme),
    });
    request.set_scheme(scheme.as_ref()).map_err(|()| "invalid scheme")?;
    request.set_authority(authority.as_deref()).map_err(|()| "invalid authority")?;
    request.set_path_with_query(path.as_deref()).map_err(|()| "invalid path")?;
    Ok(request)
}

fn method(name: &str) -> Method {
    match name {
        "" | "GET" => Method::Get,
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

fn options(call: &Call) -> Result<RequestOptions, &'static str> {
    let options = RequestOptions::new();
    let ns = |ms: Option<u64>| ms.or(call.timeout_ms).map(|ms| ms.saturating_mul(1_000_000));
    options.set_connect_timeout(ns(call.connect_timeout_ms)).map_err(|()| "connect timeout")?;
    options
        .set_first_byte_timeout(ns(call.first_byte_timeout_ms))
        .map_err(|()| "first byte timeout")?;
    options
        .set_between_bytes_timeout(ns(call.between_bytes_timeout_ms))
        .map_err(|()| "between bytes timeout")?;
    Ok(options)
}

/// Whether all was taken.
fn write(stream: &OutputStream, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        stream.subscribe().block();
        let Ok(permitted) = stream.check_write() else { return false };
        let count = bytes.len().min(usize::try_from(permitted).unwrap_or(usize::MAX));
        let (now, later) = bytes.split_at(count);
        if stream.write(now).is_err() {
            return false;
        }
        bytes = later;
    }
    stream.blocking_flush().is_ok()
}

/// Waits for the answer, and prints its line.
fn finish(call: &Call, begun: Result<FutureIncomingResponse, String>) {
    let answer = match begun {
        Ok(_) if call.abandon => return println!("call abandoned"),
        Ok(future) => wait(&future),
        Err(e) => Err(e),
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(e) => return println!("call error={e}"),
    };
    let status = answer.status();
    let headers = answer.headers();
    for name in &call.show {
        for value in headers.get(name) {
            println!("call header {name}={}", String::from_utf8_lossy(&value));
        }
    }
    match read(&answer, call.read_max.unwrap_or(READ_MAX)) {
        Ok(body) if call.brief => println!("call status={status} body_bytes={}", body.len()),
        Ok(body) => {
            let text = String::from_utf8_lossy(&body);
            println!("call status={status} body={}", text.escape_debug());
        }
        Err(e) => println!("call error={e} status={status}"),
    }
}

fn wait(future: &FutureIncomingResponse) -> Result<IncomingResponse, String> {
    future.subscribe().block();
    match future.get() {
        Some(Ok(answer)) => answer.map_err(|e: ErrorCode| format!("{e:?}")),
        Some(Err(())) => Err("the answer was taken before".to_owned()),
        None => Err("ready, and no answer".to_owned()),
    }
}

fn read(answer: &IncomingResponse, max: u64) -> Result<Vec<u8>, String> {
    let body: IncomingBody = answer.consume().map_err(|()| "no body")?;
    let stream: InputStream = body.stream().map_err(|()| "no stream")?;
    let mut bytes = Vec::new();
    loop {
        let wanted = max.saturating_sub(bytes.len() as u64);
        if wanted == 0 {
            return Ok(bytes);
        }
        match stream.blocking_read(wanted) {
            Ok(more) => bytes.extend(more),
            Err(StreamError::Closed) => return Ok(bytes),
            Err(StreamError::LastOperationFailed(e)) => {
                let code = crate::bindings::wasi::http::types::http_error_code(&e);
                return Err(match code {
                    Some(code) => format!("{code:?}"),
                    None => e.to_debug_string(),
                });
            }
        }
    }
}
