//! The VFS that SQLite sees: opens and deletes files through a [`Disk`], and leaves the rest to
//! the system's VFS. See <https://www.sqlite.org/vfs.html>.

#![expect(unsafe_code, reason = "SQLite's VFS is an interface of C")]

mod file;

use std::ffi::{CStr, CString, OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;

use rusqlite::ffi;

use crate::disk::{Disk, RegisterError};

/// What the VFS has in `pAppData`, for the life of the process.
struct App {
    disk: Disk,
    system: *mut ffi::sqlite3_vfs,
}

/// The files a power cut is about. Others are temporary: nobody looks for them after a crash.
const KEPT_FILES: c_int = ffi::SQLITE_OPEN_MAIN_DB
    | ffi::SQLITE_OPEN_MAIN_JOURNAL
    | ffi::SQLITE_OPEN_SUPER_JOURNAL
    | ffi::SQLITE_OPEN_WAL;

pub(crate) fn register(disk: &Disk) -> Result<(), RegisterError> {
    let name = CString::new(disk.vfs()).map_err(|_| RegisterError::Name)?;
    // SAFETY: `name` ends with a NUL; SQLite initialises itself first.
    if !unsafe { ffi::sqlite3_vfs_find(name.as_ptr()) }.is_null() {
        return Err(RegisterError::Taken(disk.vfs().to_owned()));
    }
    // SAFETY: a null name is allowed, and asks for the default VFS.
    let system = unsafe { ffi::sqlite3_vfs_find(ptr::null()) };
    if system.is_null() {
        return Err(RegisterError::NoSystem);
    }
    // SAFETY: a registered VFS is not freed, and these fields do not change.
    let (file_bytes, path_bytes) = unsafe { ((*system).szOsFile, (*system).mxPathname) };
    let app = Box::new(App { disk: disk.clone(), system });
    let vfs = Box::new(ffi::sqlite3_vfs {
        // 2: with the time in milliseconds, without the table of system calls.
        iVersion: 2,
        szOsFile: file::HEADER_BYTES + file_bytes,
        mxPathname: path_bytes,
        pNext: ptr::null_mut(),
        zName: name.into_raw(),
        pAppData: Box::into_raw(app).cast(),
        xOpen: Some(open),
        xDelete: Some(delete),
        xAccess: Some(access),
        xFullPathname: Some(full_pathname),
        xDlOpen: Some(dl_open),
        xDlError: Some(dl_error),
        xDlSym: Some(dl_sym),
        xDlClose: Some(dl_close),
        xRandomness: Some(randomness),
        xSleep: Some(sleep),
        xCurrentTime: Some(current_time),
        xGetLastError: Some(get_last_error),
        xCurrentTimeInt64: Some(current_time_int64),
        xSetSystemCall: None,
        xGetSystemCall: None,
        xNextSystemCall: None,
    });
    // SAFETY: the VFS, its name and its data are leaked: they live as long as the process.
    match unsafe { ffi::sqlite3_vfs_register(Box::into_raw(vfs), 0) } {
        ffi::SQLITE_OK => Ok(()),
        code => Err(RegisterError::Sqlite(code)),
    }
}

/// The data of our VFS.
///
/// # Safety
///
/// `vfs` is the one that [`register`] made.
unsafe fn app(vfs: *mut ffi::sqlite3_vfs) -> &'static App {
    // SAFETY: `register` put a leaked `App` there, and it is never written again.
    unsafe { &*(*vfs).pAppData.cast::<App>() }
}

/// A path that SQLite gave.
///
/// # Safety
///
/// `name` ends with a NUL and outlives `'a`.
unsafe fn path<'a>(name: *const c_char) -> &'a Path {
    // SAFETY: the caller's promise.
    Path::new(OsStr::from_bytes(unsafe { CStr::from_ptr(name) }.to_bytes()))
}

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: SQLite calls this with our VFS.
    let app = unsafe { app(vfs) };
    // SAFETY: SQLite gives `szOsFile` bytes for the file, aligned to 8.
    let system_file = unsafe { file::begin(file, app) };
    let open_system = |read_only: bool| {
        let flags = if read_only && flags & ffi::SQLITE_OPEN_READWRITE != 0 {
            flags & !(ffi::SQLITE_OPEN_READWRITE | ffi::SQLITE_OPEN_CREATE)
                | ffi::SQLITE_OPEN_READONLY
        } else {
            flags
        };
        // SAFETY: SQLite's own arguments, and the part of the file's memory behind our header.
        unsafe {
            match (*app.system).xOpen {
                Some(open) => open(app.system, name, system_file, flags, out_flags),
                None => ffi::SQLITE_CANTOPEN,
            }
        }
    };
    let ticket = if name.is_null() || flags & KEPT_FILES == 0 {
        match open_system(false) {
            ffi::SQLITE_OK => None,
            code => return code,
        }
    } else {
        // SAFETY: SQLite's names end with a NUL, and live until the file is closed.
        match app.disk.state().open(unsafe { path(name) }, open_system) {
            Ok(ticket) => Some(ticket),
            Err(code) => return code,
        }
    };
    // SAFETY: the memory that `begin` has had, with an open system file in it.
    unsafe { file::finish(file, ticket) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn delete(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    sync_directory: c_int,
) -> c_int {
    // SAFETY: SQLite calls this with our VFS.
    let app = unsafe { app(vfs) };
    // SAFETY: SQLite's name ends with a NUL, and is used only during this call.
    let path = unsafe { path(name) };
    app.disk.state().delete(path, || {
        // SAFETY: SQLite's own arguments.
        unsafe {
            match (*app.system).xDelete {
                Some(delete) => delete(app.system, name, sync_directory),
                None => ffi::SQLITE_IOERR_DELETE,
            }
        }
    })
}

unsafe extern "C" fn access(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: SQLite calls this with our VFS.
    let app = unsafe { app(vfs) };
    app.disk.state().access(|| {
        // SAFETY: SQLite's own arguments.
        unsafe {
            match (*app.system).xAccess {
                Some(access) => access(app.system, name, flags, out),
                None => ffi::SQLITE_IOERR_ACCESS,
            }
        }
    })
}

/// A method of the VFS that is the system's as it is.
macro_rules! system_method {
    ($name:ident, $method:ident($($arg:ident: $type:ty),*) -> $result:ty, $missing:expr) => {
        unsafe extern "C" fn $name(vfs: *mut ffi::sqlite3_vfs, $($arg: $type),*) -> $result {
            // SAFETY: SQLite calls this with our VFS and its own arguments.
            unsafe {
                let system = app(vfs).system;
                match (*system).$method {
                    Some(method) => method(system, $($arg),*),
                    None => $missing,
                }
            }
        }
    };
}

/// What `xDlSym` finds.
type Symbol = Option<unsafe extern "C" fn(*mut ffi::sqlite3_vfs, *mut c_void, *const c_char)>;

system_method!(
    full_pathname,
    xFullPathname(name: *const c_char, bytes: c_int, out: *mut c_char) -> c_int,
    ffi::SQLITE_CANTOPEN
);
system_method!(dl_open, xDlOpen(name: *const c_char) -> *mut c_void, ptr::null_mut());
system_method!(dl_error, xDlError(bytes: c_int, out: *mut c_char) -> (), ());
system_method!(dl_sym, xDlSym(library: *mut c_void, name: *const c_char) -> Symbol, None);
system_method!(dl_close, xDlClose(library: *mut c_void) -> (), ());
system_method!(randomness, xRandomness(bytes: c_int, out: *mut c_char) -> c_int, 0);
system_method!(sleep, xSleep(microseconds: c_int) -> c_int, 0);
system_method!(current_time, xCurrentTime(out: *mut f64) -> c_int, ffi::SQLITE_ERROR);
system_method!(
    get_last_error,
    xGetLastError(bytes: c_int, out: *mut c_char) -> c_int,
    ffi::SQLITE_OK
);
system_method!(
    current_time_int64,
    xCurrentTimeInt64(out: *mut ffi::sqlite3_int64) -> c_int,
    ffi::SQLITE_ERROR
);
