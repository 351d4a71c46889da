//! `hookbox serve`

use std::path::PathBuf;
use std::process::ExitCode;

use tokio::runtime::Builder;

use crate::pipeline::server;
use crate::{config, telemetry};

pub(super) fn run(path: Option<PathBuf>) -> anyhow::Result<ExitCode> {
    #[cfg(feature = "faults")]
    hookbox_faults::start();
    let config = config::read(path.as_deref())?;
    let level = telemetry::start(&config.live.log)?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = match config.settings.runtime.threads {
        0 => cores,
        threads => threads,
    };
    // Apart from each other, so that a guest that spins delays no request.
    let guests = Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name("guest")
        .enable_time()
        .build()?;
    let serving = Builder::new_multi_thread().thread_name("serve").enable_all().build()?;
    let result = serving.block_on(server::serve(path, config, level, guests.handle().clone()));
    // A guest that is still in a call would hold up a usual end.
    guests.shutdown_background();
    serving.shutdown_background();
    result.map(|()| ExitCode::SUCCESS)
}
