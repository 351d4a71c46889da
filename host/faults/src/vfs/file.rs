//! An open file as SQLite sees it: a header of ours, and behind it the system's file.

use std::ffi::{c_int, c_void};
use std::ptr;

use rusqlite::ffi;

use super::App;
use crate::state::Ticket;

/// At the start of the memory that SQLite gives for a file.
#[repr(C)]
struct Header {
    base: ffi::sqlite3_file,
    app: &'static App,
    /// None for a temporary file, which is not on the disk.
    ticket: Option<Ticket>,
}

/// A few words: what the cast could cut off is not there.
pub(super) const HEADER_BYTES: c_int = size_of::<Header>() as c_int;

/// What a WAL index begins with: two copies of its header
/// (<https://www.sqlite.org/walformat.html#the_wal_index_header>). SQLite builds the index anew
/// from the WAL when they are zeros.
const INDEX_HEADERS_BYTES: usize = 96;

/// Version 2, which has the WAL index but not `xFetch`: nothing is read or written through a
/// mapping of the file.
static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// Writes a header without methods, with which SQLite does not close the file, and gives the place
/// of the system's file.
///
/// # Safety
///
/// `file` has room for `szOsFile` bytes of our VFS, aligned to 8.
pub(super) unsafe fn begin(
    file: *mut ffi::sqlite3_file,
    app: &'static App,
) -> *mut ffi::sqlite3_file {
    let header = file.cast::<Header>();
    let base = ffi::sqlite3_file { pMethods: ptr::null() };
    // SAFETY: the caller's promise; the header is aligned to 8, and so is its size.
    unsafe {
        header.write(Header { base, app, ticket: None });
        let system = header.add(1).cast::<ffi::sqlite3_file>();
        (*system).pMethods = ptr::null();
        system
    }
}

/// Gives the file its methods.
///
/// # Safety
///
/// `file` has been through [`begin`], and the system's file is open.
pub(super) unsafe fn finish(file: *mut ffi::sqlite3_file, ticket: Option<Ticket>) {
    // SAFETY: the caller's promise.
    unsafe {
        (*file.cast::<Header>()).ticket = ticket;
        (*file).pMethods = &raw const METHODS;
    }
}

/// The header, and the system's file with its methods.
///
/// # Safety
///
/// `file` has been through [`finish`], and its system file is not closed.
unsafe fn parts(
    file: *mut ffi::sqlite3_file,
) -> (&'static App, Option<Ticket>, *mut ffi::sqlite3_file, &'static ffi::sqlite3_io_methods) {
    let header = file.cast::<Header>();
    // SAFETY: the caller's promise; the methods of the system's VFS are static.
    unsafe {
        let system = header.add(1).cast::<ffi::sqlite3_file>();
        ((*header).app, (*header).ticket, system, &*(*system).pMethods)
    }
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: SQLite closes an open file, once.
    let (app, ticket, system, methods) = unsafe { parts(file) };
    let real = || match methods.xClose {
        // SAFETY: as above.
        Some(close) => unsafe { close(system) },
        None => ffi::SQLITE_IOERR_CLOSE,
    };
    match ticket {
        Some(ticket) => app.disk.state().close(ticket, real),
        None => real(),
    }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    buffer: *const c_void,
    bytes: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite writes to an open file.
    let (app, ticket, system, methods) = unsafe { parts(file) };
    let real = || match methods.xWrite {
        // SAFETY: SQLite's own arguments.
        Some(write) => unsafe { write(system, buffer, bytes, offset) },
        None => ffi::SQLITE_IOERR_WRITE,
    };
    let Some(ticket) = ticket else { return real() };
    match (u64::try_from(offset), u64::try_from(bytes)) {
        (Ok(offset), Ok(bytes)) => app.disk.state().write(ticket, offset, bytes, real),
        _ => ffi::SQLITE_IOERR_WRITE,
    }
}

unsafe extern "C" fn truncate(
    file: *mut ffi::sqlite3_file,
    file_bytes: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite truncates an open file.
    let (app, ticket, system, methods) = unsafe { parts(file) };
    let real = || match methods.xTruncate {
        // SAFETY: SQLite's own arguments.
        Some(truncate) => unsafe { truncate(system, file_bytes) },
        None => ffi::SQLITE_IOERR_TRUNCATE,
    };
    let Some(ticket) = ticket else { return real() };
    match u64::try_from(file_bytes) {
        Ok(file_bytes) => app.disk.state().truncate(ticket, file_bytes, real),
        Err(_) => ffi::SQLITE_IOERR_TRUNCATE,
    }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: SQLite syncs an open file.
    let (app, ticket, system, methods) = unsafe { parts(file) };
    let real = || match methods.xSync {
        // SAFETY: SQLite's own arguments.
        Some(sync) => unsafe { sync(system, flags) },
        None => ffi::SQLITE_IOERR_FSYNC,
    };
    match ticket {
        Some(ticket) => app.disk.state().sync(ticket, real),
        None => real(),
    }
}

unsafe extern "C" fn file_control(
    file: *mut ffi::sqlite3_file,
    operation: c_int,
    argument: *mut c_void,
) -> c_int {
    match operation {
        // These grow the file behind the ledger's back, and are hints.
        ffi::SQLITE_FCNTL_SIZE_HINT | ffi::SQLITE_FCNTL_CHUNK_SIZE => ffi::SQLITE_NOTFOUND,
        ffi::SQLITE_FCNTL_MMAP_SIZE => {
            // SAFETY: the argument of this operation is an `sqlite3_int64`.
            unsafe { argument.cast::<ffi::sqlite3_int64>().write(0) };
            ffi::SQLITE_OK
        }
        _ => {
            // SAFETY: SQLite asks an open file, with its own arguments.
            unsafe {
                let (_, _, system, methods) = parts(file);
                match methods.xFileControl {
                    Some(control) => control(system, operation, argument),
                    None => ffi::SQLITE_NOTFOUND,
                }
            }
        }
    }
}

unsafe extern "C" fn shm_map(
    file: *mut ffi::sqlite3_file,
    region: c_int,
    region_bytes: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    // SAFETY: SQLite maps the index of an open file.
    let (app, ticket, system, methods) = unsafe { parts(file) };
    let Some(map) = methods.xShmMap else { return ffi::SQLITE_IOERR_SHMMAP };
    let real = |stale: bool| {
        // SAFETY: SQLite's own arguments. A region is 32 KiB, and the first begins with the
        // headers; whoever has it mapped too takes them for torn, as at any change.
        unsafe {
            let code = map(system, region, region_bytes, extend, out);
            if stale && region == 0 && code == ffi::SQLITE_OK && !(*out).is_null() {
                (*out).cast::<u8>().write_bytes(0, INDEX_HEADERS_BYTES);
            }
            code
        }
    };
    match ticket {
        Some(ticket) => app.disk.state().map_index(ticket, real),
        None => real(false),
    }
}

unsafe extern "C" fn shm_lock(
    file: *mut ffi::sqlite3_file,
    offset: c_int,
    count: c_int,
    flags: c_int,
) -> c_int {
    // SAFETY: SQLite locks the index of an open file.
    let (app, ticket, system, methods) = unsafe { parts(file) };
    let real = || match methods.xShmLock {
        // SAFETY: SQLite's own arguments.
        Some(lock) => unsafe { lock(system, offset, count, flags) },
        None => ffi::SQLITE_IOERR_SHMLOCK,
    };
    match ticket {
        Some(ticket) if flags & ffi::SQLITE_SHM_LOCK != 0 => {
            app.disk.state().if_live(ticket, ffi::SQLITE_IOERR_SHMLOCK, real)
        }
        _ => real(),
    }
}

unsafe extern "C" fn shm_barrier(file: *mut ffi::sqlite3_file) {
    // SAFETY: SQLite asks an open file.
    unsafe {
        let (_, _, system, methods) = parts(file);
        if let Some(barrier) = methods.xShmBarrier {
            barrier(system);
        }
    }
}

/// A method of a file that fails on a dead one, and is otherwise the system's as it is.
macro_rules! live_method {
    ($name:ident, $method:ident($($arg:ident: $type:ty),*), $dead:expr) => {
        unsafe extern "C" fn $name(file: *mut ffi::sqlite3_file, $($arg: $type),*) -> c_int {
            // SAFETY: SQLite calls this on an open file.
            let (app, ticket, system, methods) = unsafe { parts(file) };
            let real = || match methods.$method {
                // SAFETY: SQLite's own arguments.
                Some(method) => unsafe { method(system, $($arg),*) },
                None => $dead,
            };
            match ticket {
                Some(ticket) => app.disk.state().if_live(ticket, $dead, real),
                None => real(),
            }
        }
    };
}

live_method!(
    read,
    xRead(buffer: *mut c_void, bytes: c_int, offset: ffi::sqlite3_int64),
    ffi::SQLITE_IOERR_READ
);
live_method!(file_size, xFileSize(out: *mut ffi::sqlite3_int64), ffi::SQLITE_IOERR_FSTAT);
live_method!(lock, xLock(level: c_int), ffi::SQLITE_IOERR_LOCK);

/// A method of a file that is the system's as it is.
macro_rules! system_method {
    ($name:ident, $method:ident($($arg:ident: $type:ty),*), $missing:expr) => {
        unsafe extern "C" fn $name(file: *mut ffi::sqlite3_file, $($arg: $type),*) -> c_int {
            // SAFETY: SQLite calls this on an open file, with its own arguments.
            unsafe {
                let (_, _, system, methods) = parts(file);
                match methods.$method {
                    Some(method) => method(system, $($arg),*),
                    None => $missing,
                }
            }
        }
    };
}

system_method!(unlock, xUnlock(level: c_int), ffi::SQLITE_IOERR_UNLOCK);
system_method!(
    check_reserved_lock,
    xCheckReservedLock(out: *mut c_int),
    ffi::SQLITE_IOERR_CHECKRESERVEDLOCK
);
system_method!(sector_size, xSectorSize(), 0);
system_method!(device_characteristics, xDeviceCharacteristics(), 0);
system_method!(shm_unmap, xShmUnmap(delete: c_int), ffi::SQLITE_IOERR_SHMMAP);
