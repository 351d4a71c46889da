//! Exit statuses, and which error leads to which.

use std::process::ExitCode;

use crate::admin::client::ClientError;
use crate::store::records::RequestError;

/// A mistake on the command line; clap's own too.
const MISTAKE: u8 = 2;

/// No server runs, and the verb needs one.
pub(super) const NO_SERVER: u8 = 3;

/// There is no such event, delivery, plugin or key.
pub(super) const NOT_FOUND: u8 = 4;

/// A file is no plugin that would be made live, or a webhook was refused.
pub(super) const REFUSED: u8 = 5;

/// The server runs, and a part of it does not work.
pub(super) const NOT_READY: u8 = 6;

/// A plugin did not handle an event that it was tried with, or a case does not
/// hold.
pub(super) const NOT_HANDLED: u8 = 7;

/// All of them, for `--help`.
pub(super) const HELP: &str = "\
Exit status:
  0  done
  1  failed, or not all of it was done; the message says why
  2  a mistake on the command line
  3  no server runs, and the command needs one
  4  there is no such event, delivery, plugin or key
  5  refused: a plugin's file, or a webhook
  6  the server runs, and is not ready: a part of it does not work
  7  a plugin that was tried did not handle the event, or not as its case expects";

/// No server answers.
#[derive(Debug, thiserror::Error)]
#[error(
    "no server answers: {0}; `hookbox serve` starts one, --data-dir or --config say which is meant"
)]
pub(super) struct NoServer(pub(super) String);

/// What was asked for makes no sense: as where clap itself refuses it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Mistake(pub(super) String);

/// A file of which no plugin can be made.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct NoPlugin(pub(super) String);

/// Of a verb that failed.
pub(super) fn of(error: &anyhow::Error) -> ExitCode {
    let not_found = |error: &RequestError| error.code == RequestError::NOT_FOUND;
    if error.is::<NoServer>() || matches!(error.downcast_ref(), Some(ClientError::Nobody { .. })) {
        ExitCode::from(NO_SERVER)
    } else if error.is::<Mistake>() {
        ExitCode::from(MISTAKE)
    } else if error.is::<NoPlugin>() {
        ExitCode::from(REFUSED)
    } else if error.downcast_ref().is_some_and(not_found) {
        ExitCode::from(NOT_FOUND)
    } else {
        ExitCode::FAILURE
    }
}
