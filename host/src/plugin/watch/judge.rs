//! Loading of one file, on a thread of its own.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hookbox_core::ids::{Digest, PluginName};

use crate::config;
use crate::plugin::load::{Code, Loader};
use crate::plugin::verdict::Refused;

/// A file to load.
pub(super) struct Job {
    pub(super) name: PluginName,
    pub(super) digest: Digest,
    pub(super) bytes: Vec<u8>,
    pub(super) settings: config::Plugin,
    pub(super) loader: Arc<Loader>,
}

/// A file's verdict, from the thread that loaded it.
pub(super) struct Judged {
    pub(super) name: PluginName,
    pub(super) digest: Digest,
    pub(super) verdict: Result<Code, Refused>,
    /// Those that it was judged by.
    pub(super) settings: config::Plugin,
    pub(super) took: Duration,
}

impl Job {
    /// Starts the thread, which hands over the verdict.
    pub(super) fn begin(self, done: impl FnOnce(Judged) + Send + 'static) -> io::Result<()> {
        let job = move || done(self.judge());
        std::thread::Builder::new().name("load".to_owned()).spawn(job).map(|_| ())
    }

    fn judge(self) -> Judged {
        let Self { name, digest, bytes, settings, loader } = self;
        let started = Instant::now();
        let load = || loader.load(&name, &bytes, digest, &settings).1;
        // Whatever a file does to the loader, its verdict must come.
        let verdict = catch_unwind(AssertUnwindSafe(load)).unwrap_or_else(|_| {
            let message = "hookbox failed while it loaded the file; this is a mistake in hookbox";
            Err(Refused::new("host-failed", message))
        });
        Judged { name, digest, verdict, settings, took: started.elapsed() }
    }
}
