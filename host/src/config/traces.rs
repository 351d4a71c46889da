//! `[traces]`: where spans go, and the header fields that the collector wants.

use std::path::PathBuf;

use http::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::ConfigError;
use super::file::{Traces, TracesLayer};
use super::found::Lookup;
use super::refuse::{at_least, at_most, incomplete, value};

/// Header fields with their values, marked as sensitive: none is ever shown.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Headers(pub(crate) HeaderMap);

impl Traces {
    /// Where spans go. None: traces are off.
    pub fn endpoint(&self) -> Option<&str> {
        self.otlp_endpoint.as_deref().filter(|endpoint| !endpoint.is_empty())
    }
}

/// What was written, without values of header fields.
pub(super) fn check(layer: TracesLayer) -> Result<Traces, ConfigError> {
    let traces = layer.complete().ok_or_else(|| incomplete("traces"))?;
    let key = "traces.otlp_endpoint";
    if let Some(endpoint) = traces.endpoint() {
        let wanted = "write where the collector takes OTLP over HTTP, such as \
                      \"http://127.0.0.1:4318/v1/traces\"";
        let url = Url::parse(endpoint)
            .map_err(|error| value(key, format!("is no URL ({error}): {wanted}")))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(value(key, format!("must begin with http:// or https://: {wanted}")));
        }
        if !url.username().is_empty() || url.password().is_some() {
            let message = "must have no user name and password: give them by traces.headers, which \
                           are never shown";
            return Err(value(key, message));
        }
        if url.fragment().is_some() {
            return Err(value(key, "must have no part after #"));
        }
    }
    if !(0.0..=1.0).contains(&traces.sample_ratio) {
        let message = format!("is {}, must be from 0.0 to 1.0", traces.sample_ratio);
        return Err(value("traces.sample_ratio", message));
    }
    at_least("traces.timeout_ms", traces.timeout_ms, 1)?;
    at_most("traces.timeout_ms", traces.timeout_ms, TIMEOUT_MAX_MS)?;
    if traces.service_name.is_empty() {
        return Err(value("traces.service_name", "is empty: write how this service is called"));
    }
    Ok(traces)
}

/// Longest time for one request to the collector.
const TIMEOUT_MAX_MS: u64 = 60_000;

/// Fetches the values of header fields; `files` gets those that they are in.
pub(super) fn fetch(
    traces: &mut Traces,
    found: &Lookup<'_>,
    files: &mut Vec<PathBuf>,
) -> Result<(), ConfigError> {
    let mut all = HeaderMap::new();
    for header in traces.headers.iter().flatten() {
        let fail = |message: String| ConfigError::Secret {
            section: "traces.headers".to_owned(),
            secret: header.name.clone(),
            message,
        };
        let name: HeaderName = header
            .name
            .parse()
            .map_err(|_| fail("this is no name of a header field".to_owned()))?;
        let text = found.secret(header, files).map_err(fail)?;
        let mut value = HeaderValue::try_from(text)
            .map_err(|_| fail("its value cannot stand in a header field".to_owned()))?;
        value.set_sensitive(true);
        all.insert(name, value);
    }
    traces.header_values = Headers(all);
    Ok(())
}
