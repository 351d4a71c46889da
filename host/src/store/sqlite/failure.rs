//! What an error of SQLite's says: whose doing it is, whether the file must be
//! doubted, and what an operator can do.

use rusqlite::ErrorCode;

/// Whether what is in the file must be doubted: not where nothing could be
/// written for want of room or leave, or since another had the file.
pub(super) fn is_doubtful(error: &rusqlite::Error) -> bool {
    !matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DiskFull
                | ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
        )
    )
}

/// Whether the disk is to blame, and not what was to be written.
pub(super) fn is_of_the_disk(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DiskFull
                | ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
                | ErrorCode::SystemIoFailure
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::OutOfMemory
                | ErrorCode::PermissionDenied
                | ErrorCode::FileLockingProtocolFailed
        )
    )
}

/// What is wrong, and what to do.
pub(super) fn explain(error: &rusqlite::Error) -> String {
    let what_to_do = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "make room on the disk of server.data_dir",
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            "make server.data_dir writable"
        }
        Some(ErrorCode::SystemIoFailure) => "look for the disk's errors in the system's log",
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            "the file is damaged: restore it from a backup"
        }
        _ => return error.to_string(),
    };
    format!("{error}: {what_to_do}")
}
