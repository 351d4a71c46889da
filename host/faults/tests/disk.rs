//! The disk under real SQLite databases: what it forgets, and how it fails.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use hookbox_faults::{Disk, Fault, RegisterError};
use rusqlite::{Connection, Error, OpenFlags, ffi};
use tempfile::TempDir;

/// A database in WAL mode, on a disk of its own.
struct Bench {
    disk: Disk,
    directory: TempDir,
}

impl Bench {
    fn new() -> Bench {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("faults-test-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let bench =
            Bench { disk: Disk::register(&name).unwrap(), directory: TempDir::new().unwrap() };
        let db = bench.open("FULL");
        db.execute_batch("CREATE TABLE t (id INTEGER PRIMARY KEY, body BLOB NOT NULL)").unwrap();
        bench
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("journal.db")
    }

    fn open(&self, synchronous: &str) -> Connection {
        let db = self.try_open(OpenFlags::default()).unwrap();
        // Before the first read: a database of an earlier generation is recovered here.
        let mode: String = db.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).unwrap();
        assert_eq!(mode, "wal");
        db.execute_batch(&format!("PRAGMA synchronous = {synchronous}")).unwrap();
        db
    }

    fn try_open(&self, flags: OpenFlags) -> rusqlite::Result<Connection> {
        Connection::open_with_flags_and_vfs(self.path(), flags, self.disk.vfs())
    }

    /// Everything on the real disk, but for the WAL index.
    fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files: Vec<_> = fs::read_dir(self.directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| !path.to_string_lossy().ends_with("-shm"))
            .map(|path| (path.clone(), fs::read(path).unwrap()))
            .collect();
        files.sort();
        files
    }
}

fn insert(db: &Connection, id: i64) -> rusqlite::Result<usize> {
    db.execute("INSERT INTO t VALUES (?1, randomblob(500 + (?1 * 7919) % 3000))", [id])
}

fn ids(db: &Connection) -> Vec<i64> {
    let mut statement = db.prepare("SELECT id FROM t ORDER BY id").unwrap();
    let ids = statement.query_map([], |row| row.get(0)).unwrap();
    ids.map(Result::unwrap).collect()
}

fn integrity(db: &Connection) -> String {
    db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap()
}

/// Busy, frames in the WAL, frames checkpointed.
fn checkpoint(db: &Connection, mode: &str) -> rusqlite::Result<(i64, i64, i64)> {
    db.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    })
}

#[track_caller]
fn assert_code<T: std::fmt::Debug>(result: Result<T, Error>, expected: i32) {
    match result {
        Err(Error::SqliteFailure(failure, _)) => assert_eq!(failure.extended_code, expected),
        other => panic!("expected code {expected}, not {other:?}"),
    }
}

#[test]
fn a_power_cut_keeps_committed_rows_and_takes_the_others() {
    let bench = Bench::new();
    let db = bench.open("FULL");
    for id in 1..=20 {
        insert(&db, id).unwrap();
    }
    assert_eq!(bench.disk.unsynced_bytes(), 0);
    // A cache of one page, so that the transaction writes to the WAL before it is committed.
    db.execute_batch("PRAGMA cache_size = 1; BEGIN").unwrap();
    for id in 21..=60 {
        insert(&db, id).unwrap();
    }
    assert!(bench.disk.unsynced_bytes() > 0);
    bench.disk.power_cut();
    drop(db);
    bench.disk.power_on();
    let db = bench.open("FULL");
    assert_eq!(ids(&db), (1..=20).collect::<Vec<_>>());
    assert_eq!(integrity(&db), "ok");
}

#[test]
fn without_syncs_a_power_cut_takes_committed_rows() {
    let bench = Bench::new();
    let db = bench.open("OFF");
    insert(&db, 1).unwrap();
    assert_eq!(ids(&db), [1]);
    bench.disk.power_cut();
    drop(db);
    bench.disk.power_on();
    assert_eq!(ids(&bench.open("OFF")), [0_i64; 0]);
}

#[test]
fn a_database_that_was_never_synced_comes_back_empty() {
    let bench = Bench::new();
    let path = bench.directory.path().join("other.db");
    let flags = OpenFlags::default();
    let db = Connection::open_with_flags_and_vfs(&path, flags, bench.disk.vfs()).unwrap();
    db.execute_batch("PRAGMA synchronous = OFF; CREATE TABLE t (id)").unwrap();
    drop(db);
    assert!(fs::metadata(&path).unwrap().len() > 0);
    // No connection has it open any more: the disk remembers all the same.
    bench.disk.power_cut();
    assert_eq!(fs::metadata(&path).unwrap().len(), 0);
}

#[test]
fn a_connection_from_before_a_power_cut_changes_nothing_and_stays_dead() {
    let bench = Bench::new();
    let db = bench.open("FULL");
    let writer = bench.open("OFF");
    insert(&db, 1).unwrap();
    writer.execute_batch("PRAGMA cache_size = 1; BEGIN").unwrap();
    for id in 2..=40 {
        insert(&writer, id).unwrap();
    }
    bench.disk.power_cut();
    let after = bench.files();
    assert_code(bench.try_open(OpenFlags::default()), ffi::SQLITE_IOERR);
    assert!(writer.execute_batch("COMMIT").is_err());
    assert!(db.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0)).is_err());
    drop(writer);
    assert_eq!(bench.files(), after);
    bench.disk.power_on();
    assert!(db.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0)).is_err());
    assert!(checkpoint(&db, "TRUNCATE").is_err());
    drop(db);
    assert_eq!(bench.files(), after);
    assert_eq!(ids(&bench.open("FULL")), [1]);
}

#[test]
fn a_new_connection_starts_from_the_files_while_a_dead_one_is_open() {
    let bench = Bench::new();
    let dead = bench.open("OFF");
    for id in 1..=10 {
        insert(&dead, id).unwrap();
    }
    bench.disk.power_cut();
    bench.disk.power_on();
    let db = bench.open("FULL");
    assert_eq!(ids(&db), [0_i64; 0]);
    insert(&db, 11).unwrap();
    assert!(insert(&dead, 12).is_err());
    drop(dead);
    let second = bench.open("FULL");
    assert_eq!(ids(&second), [11]);
    assert_eq!(integrity(&second), "ok");
}

#[test]
fn a_fault_fails_the_commit_and_costs_no_acknowledged_row() {
    for (fault, code) in [
        (Fault::Full, ffi::SQLITE_FULL),
        (Fault::Io, ffi::SQLITE_IOERR_WRITE),
        (Fault::Sync, ffi::SQLITE_IOERR_FSYNC),
        (Fault::ReadOnly, ffi::SQLITE_IOERR_WRITE),
    ] {
        let bench = Bench::new();
        let db = bench.open("FULL");
        insert(&db, 1).unwrap();
        bench.disk.fail(fault);
        assert_code(insert(&db, 2), code);
        assert_eq!(ids(&db), [1], "{fault:?}");
        bench.disk.heal();
        insert(&db, 3).unwrap();
        bench.disk.power_cut();
        drop(db);
        bench.disk.power_on();
        let db = bench.open("FULL");
        assert_eq!(ids(&db), [1, 3], "{fault:?}");
        assert_eq!(integrity(&db), "ok", "{fault:?}");
    }
}

#[test]
fn a_fault_begins_with_the_operation_it_was_set_for() {
    let bench = Bench::new();
    let db = bench.open("FULL");
    insert(&db, 1).unwrap();
    // The commit of one short row: a frame's header and its page, and a sync.
    bench.disk.fail_after(3, Fault::Io);
    db.execute_batch("UPDATE t SET body = x'00' WHERE id = 1").unwrap();
    assert_code(insert(&db, 2), ffi::SQLITE_IOERR_WRITE);
    assert_code(insert(&db, 2), ffi::SQLITE_IOERR_WRITE);
    bench.disk.heal();
    insert(&db, 2).unwrap();
}

#[test]
fn on_a_read_only_disk_a_database_opens_for_reading() {
    let bench = Bench::new();
    let db = bench.open("FULL");
    insert(&db, 1).unwrap();
    bench.disk.fail(Fault::ReadOnly);
    let second = bench.try_open(OpenFlags::default()).unwrap();
    assert_eq!(ids(&second), [1]);
    assert_code(insert(&second, 2), ffi::SQLITE_READONLY);
    drop(second);
    let other = bench.directory.path().join("other.db");
    let flags = OpenFlags::default();
    let opened = Connection::open_with_flags_and_vfs(other, flags, bench.disk.vfs());
    assert_code(opened, ffi::SQLITE_CANTOPEN);
    bench.disk.heal();
    assert_eq!(ids(&bench.open("FULL")), [1]);
}

/// Rows whose sync failed, in the WAL of a connection that has gone on as if nothing were.
fn with_lost_rows() -> (Bench, Connection) {
    let bench = Bench::new();
    let db = bench.open("NORMAL");
    for id in 1..=10 {
        insert(&db, id).unwrap();
    }
    bench.disk.fail(Fault::Sync);
    assert_code(checkpoint(&db, "PASSIVE"), ffi::SQLITE_IOERR_FSYNC);
    bench.disk.heal();
    (bench, db)
}

#[test]
fn a_sync_that_succeeds_does_not_make_up_for_one_that_failed() {
    let (bench, db) = with_lost_rows();
    db.execute_batch("PRAGMA synchronous = FULL").unwrap();
    // Acknowledged after a sync, and yet behind frames that the disk does not have.
    insert(&db, 11).unwrap();
    assert_eq!(ids(&db).len(), 11);
    assert!(bench.disk.unsynced_bytes() > 0);
    bench.disk.power_cut();
    drop(db);
    bench.disk.power_on();
    let db = bench.open("FULL");
    assert_eq!(ids(&db), [0_i64; 0]);
    assert_eq!(integrity(&db), "ok");
}

#[test]
fn a_checkpoint_makes_durable_what_a_failed_sync_had_lost() {
    let (bench, db) = with_lost_rows();
    assert_eq!(checkpoint(&db, "TRUNCATE").unwrap().0, 0);
    assert_eq!(fs::metadata(bench.path().with_extension("db-wal")).unwrap().len(), 0);
    bench.disk.power_cut();
    drop(db);
    bench.disk.power_on();
    let db = bench.open("FULL");
    assert_eq!(ids(&db), (1..=10).collect::<Vec<_>>());
    assert_eq!(integrity(&db), "ok");
}

/// Commits rows until the power is to be cut. `rows` gains what was acknowledged; the result is
/// what was under way.
fn commit_until_cut(bench: &Bench, db: &Connection, seed: u64, rows: &mut Vec<i64>) -> Vec<i64> {
    let mut next = rows.last().map_or(1, |last| last + 1);
    let fault = match seed % 3 {
        0 => None,
        1 => Some(Fault::Io),
        _ => Some(Fault::Full),
    };
    if let Some(fault) = fault {
        bench.disk.fail_after(3 + seed * 7 % 61, fault);
    }
    let mut commits_left = if fault.is_none() { seed * 7 % 13 } else { u64::MAX };
    loop {
        if commits_left == 0 {
            // Written in full, and cut before the commit's sync. Not OFF: a WAL that starts again
            // must sync its header, or its old frames come back over a newer database.
            db.execute_batch("PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0").unwrap();
        }
        let batch: Vec<i64> = (next..=next + next % 3).collect();
        next += batch.len() as i64;
        let transaction = db.unchecked_transaction().unwrap();
        let written = batch.iter().try_for_each(|id| insert(db, *id).map(drop));
        if written.and_then(|()| transaction.commit()).is_err() || commits_left == 0 {
            return batch;
        }
        rows.extend(batch);
        commits_left -= 1;
    }
}

#[test]
fn whatever_part_of_the_last_writes_the_disk_keeps_acknowledged_rows_are_there() {
    let bench = Bench::new();
    let (mut cuts_with_loss, mut kept_in_full) = (0, 0);
    let mut acknowledged = Vec::new();
    for seed in 0..200 {
        let db = bench.open("FULL");
        // Checkpoints often, so that the database and the start of the WAL are cut as well.
        db.execute_batch("PRAGMA wal_autocheckpoint = 8; PRAGMA cache_size = 2").unwrap();
        let under_way = commit_until_cut(&bench, &db, seed, &mut acknowledged);
        cuts_with_loss += usize::from(bench.disk.unsynced_bytes() > 0);
        bench.disk.power_cut_keeping(seed);
        drop(db);
        bench.disk.heal();
        bench.disk.power_on();
        let db = bench.open("FULL");
        assert_eq!(integrity(&db), "ok", "seed {seed}");
        let found = ids(&db);
        if found.ends_with(&under_way) {
            kept_in_full += 1;
            acknowledged.extend(under_way);
        }
        assert_eq!(found, acknowledged, "seed {seed}");
    }
    println!("{cuts_with_loss} cuts of 200 had something to undo, {kept_in_full} kept it in full");
    assert!(cuts_with_loss > 100);
    assert!(kept_in_full > 0);
}

#[test]
fn readers_go_on_while_a_writer_commits_and_checkpoints() {
    let bench = Bench::new();
    let writer = bench.open("FULL");
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let reader = bench.open("FULL");
                let mut last = 0;
                while last < 200 {
                    let rows = ids(&reader);
                    assert_eq!(rows, (1..=rows.len() as i64).collect::<Vec<_>>());
                    assert!(rows.len() >= last);
                    last = rows.len();
                }
            });
        }
        for id in 1..=200 {
            insert(&writer, id).unwrap();
            if id % 50 == 0 {
                checkpoint(&writer, "PASSIVE").unwrap();
            }
        }
    });
    assert_eq!(integrity(&writer), "ok");
}

#[test]
fn a_rollback_journal_is_on_the_disk_too() {
    let bench = Bench::new();
    let db = bench.open("FULL");
    db.execute_batch("PRAGMA journal_mode = DELETE").unwrap();
    insert(&db, 1).unwrap();
    db.execute_batch("PRAGMA cache_size = 1; BEGIN").unwrap();
    for id in 2..=60 {
        insert(&db, id).unwrap();
    }
    bench.disk.power_cut_keeping(1);
    drop(db);
    bench.disk.power_on();
    let db = bench.try_open(OpenFlags::default()).unwrap();
    assert_eq!(ids(&db), [1]);
    assert_eq!(integrity(&db), "ok");
}

#[test]
fn memory_mapping_is_declined() {
    let bench = Bench::new();
    let db = bench.open("FULL");
    let size: i64 = db.query_row("PRAGMA mmap_size = 1000000", [], |row| row.get(0)).unwrap();
    assert_eq!(size, 0);
}

#[test]
fn a_name_is_registered_once() {
    let name = Bench::new().disk.vfs().to_owned();
    assert_eq!(Disk::register(&name).unwrap_err(), RegisterError::Taken(name));
    assert_eq!(Disk::register("a\0b").unwrap_err(), RegisterError::Name);
}
