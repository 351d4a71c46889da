//! Interfaces that are there to be imported and refuse to be used: nothing can
//! be granted yet. Each refusal is the interface's own error.

use wasmtime::component::Resource;
use wasmtime_wasi_http::{Error, RequestOptions, Result, WasiBody, WasiHttpHooks};

use super::CallState;
use super::generated::wasi::keyvalue::{atomics, batch, store};

/// Outgoing HTTP: `HTTP-request-denied`.
pub(super) struct NoHttp;

type Sent = Result<(http::Response<WasiBody>, Box<dyn Future<Output = Result<()>> + Send>)>;

impl WasiHttpHooks for NoHttp {
    fn send_request(
        &mut self,
        _request: http::Request<WasiBody>,
        _options: Option<RequestOptions>,
        _done: Box<dyn Future<Output = Result<()>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        Box::new(async { Err(Error::HttpRequestDenied) })
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        super::BODY_CHUNK_BYTES_MAX
    }
}

/// Never made, since no bucket can be opened.
#[allow(unreachable_pub, reason = "generated code re-exports it")]
pub enum NoBucket {}

type Key<T> = std::result::Result<T, store::Error>;

impl store::Host for CallState {
    fn open(&mut self, _identifier: String) -> Key<Resource<NoBucket>> {
        Err(store::Error::AccessDenied)
    }
}

impl store::HostBucket for CallState {
    fn get(&mut self, _: Resource<NoBucket>, _: String) -> Key<Option<Vec<u8>>> {
        Err(store::Error::AccessDenied)
    }

    fn set(&mut self, _: Resource<NoBucket>, _: String, _: Vec<u8>) -> Key<()> {
        Err(store::Error::AccessDenied)
    }

    fn delete(&mut self, _: Resource<NoBucket>, _: String) -> Key<()> {
        Err(store::Error::AccessDenied)
    }

    fn exists(&mut self, _: Resource<NoBucket>, _: String) -> Key<bool> {
        Err(store::Error::AccessDenied)
    }

    fn list_keys(&mut self, _: Resource<NoBucket>, _: Option<u64>) -> Key<store::KeyResponse> {
        Err(store::Error::AccessDenied)
    }

    fn drop(&mut self, _: Resource<NoBucket>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl atomics::Host for CallState {
    fn increment(&mut self, _: Resource<NoBucket>, _: String, _: u64) -> Key<u64> {
        Err(store::Error::AccessDenied)
    }
}

impl batch::Host for CallState {
    fn get_many(
        &mut self,
        _: Resource<NoBucket>,
        _: Vec<String>,
    ) -> Key<Vec<Option<(String, Vec<u8>)>>> {
        Err(store::Error::AccessDenied)
    }

    fn set_many(&mut self, _: Resource<NoBucket>, _: Vec<(String, Vec<u8>)>) -> Key<()> {
        Err(store::Error::AccessDenied)
    }

    fn delete_many(&mut self, _: Resource<NoBucket>, _: Vec<String>) -> Key<()> {
        Err(store::Error::AccessDenied)
    }
}
