//! The journal as the operators' verbs see it: by the server where one runs,
//! else by the file.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::bail;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use super::ConfigFile;
use super::exit::NoServer;
use crate::admin::client::{Client, ClientError};
use crate::config;
use crate::store::records::{Operation, Page, Query};
use crate::store::sqlite::{LockError, Offline, OfflineError};

/// Items that are asked for at once.
const PAGE: u64 = 500;

/// A running server.
pub(super) struct Running {
    pub(super) client: Client,
    pub(super) runtime: Runtime,
}

/// Which journal.
#[derive(Debug, clap::Args)]
pub(super) struct Place {
    #[command(flatten)]
    config: ConfigFile,
    /// The server's data directory, instead of its configuration
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// An open one.
pub(super) enum Journal {
    Server(Running),
    File(Offline),
}

impl Place {
    pub(super) fn open(self) -> anyhow::Result<Journal> {
        let data_dir = self.data_dir()?;
        let (path, error) = match connect(&data_dir)? {
            Ok(running) => return Ok(Journal::Server(running)),
            Err(nobody) => nobody,
        };
        match Offline::open(&data_dir) {
            Ok(offline) => Ok(Journal::File(offline)),
            Err(OfflineError::Lock(LockError::Held { folder, pid })) => bail!(
                "{} is in use{}, but nobody answers at {} ({error}): the server may be starting \
                 or ending, or another command may be at work; try again",
                folder.display(),
                pid.map(|pid| format!(" by process {pid}")).unwrap_or_default(),
                path.display()
            ),
            Err(other) => Err(other.into()),
        }
    }
}

impl Place {
    pub(super) fn of(data_dir: PathBuf) -> Self {
        Self { config: ConfigFile { config: None }, data_dir: Some(data_dir) }
    }

    pub(super) fn data_dir(self) -> anyhow::Result<PathBuf> {
        match self.data_dir {
            Some(data_dir) => Ok(data_dir),
            None => Ok(config::data_dir(self.config.path().as_deref())?),
        }
    }

    /// The configuration, where it is by that and not by the data directory.
    pub(super) fn config_file(&self) -> Option<PathBuf> {
        self.config.clone().path()
    }

    /// For what only a running server can say or do.
    pub(super) fn server(self) -> anyhow::Result<Running> {
        let data_dir = self.data_dir()?;
        connect(&data_dir)?
            .map_err(|(path, error)| NoServer(format!("{}: {error}", path.display())).into())
    }
}

/// Where nobody listens: the socket, and why.
fn connect(data_dir: &Path) -> anyhow::Result<Result<Running, (PathBuf, io::Error)>> {
    let client = Client::new(data_dir);
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let (path, error) = match runtime.block_on(client.check()) {
        Ok(()) => return Ok(Ok(Running { client, runtime })),
        Err(ClientError::Nobody { path, error }) => (path, error),
        Err(other) => return Err(other.into()),
    };
    if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) {
        bail!("{}: {error}; run this as the server's user", path.display());
    }
    Ok(Err((path, error)))
}

impl Running {
    /// Has the client do something.
    pub(super) fn wait<T>(
        &self,
        asking: impl Future<Output = Result<T, ClientError>>,
    ) -> anyhow::Result<T> {
        self.runtime.block_on(asking).map_err(plainly)
    }

    /// An answer of the API.
    pub(super) fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        Ok(serde_json::from_value(self.wait(self.client.get(path))?)?)
    }
}

impl Journal {
    fn query(&self, query: &Query) -> anyhow::Result<Value> {
        match self {
            Self::Server(server) => server.wait(server.client.query(query)),
            Self::File(offline) => Ok(offline.query(query)?),
        }
    }

    /// One answer.
    pub(super) fn ask<T: DeserializeOwned>(&self, query: &Query) -> anyhow::Result<T> {
        Ok(serde_json::from_value(self.query(query)?)?)
    }

    /// Up to `most` items of a list, page by page. Whether there may be more.
    pub(super) fn list<T: DeserializeOwned>(
        &self,
        most: u64,
        query: impl Fn(u32, Option<String>) -> Query,
        mut each: impl FnMut(T) -> anyhow::Result<()>,
    ) -> anyhow::Result<bool> {
        let (mut left, mut after) = (most, None);
        while left > 0 {
            let limit = u32::try_from(left.min(PAGE)).unwrap_or(u32::MAX);
            let page: Page<T> = self.ask(&query(limit, after.take()))?;
            // Whatever the server gives: no more than were asked for.
            for item in page.items {
                if left == 0 {
                    return Ok(true);
                }
                left -= 1;
                each(item)?;
            }
            after = page.next;
            if after.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// All steps of all operations. How many it concerned.
    pub(super) fn operate(
        &self,
        operations: impl IntoIterator<Item = Operation>,
    ) -> anyhow::Result<u64> {
        let mut count = 0;
        for mut operation in operations {
            loop {
                let report = match self {
                    Self::Server(server) => server.wait(server.client.operate(&operation)),
                    Self::File(offline) => offline.operate(&operation).map_err(Into::into),
                };
                let report = match report {
                    Ok(report) => report,
                    Err(error) if count == 0 => return Err(error),
                    Err(error) => {
                        return Err(error.context(format!("stopped after the first {count}")));
                    }
                };
                count += report.count;
                match report.next {
                    Some(next) => operation = operation.resumed(next),
                    None => break,
                }
            }
        }
        Ok(count)
    }
}

/// So that it is known for what it is, however it came.
fn plainly(error: ClientError) -> anyhow::Error {
    match error {
        ClientError::Request(error) => error.into(),
        other => other.into(),
    }
}
