//! What one file would be after a power cut: pure bookkeeping, without I/O.
//!
//! The unit is a block of the page cache. A block that is not in the ledger is on the disk as the
//! file shows it. A block in the ledger is there with what the disk has in its place, in one of
//! two states:
//!
//! - dirty: written (or truncated away) since the last sync; the next sync that succeeds takes it.
//! - lost: it was dirty when a sync failed. Linux then marks the page clean, so that no later
//!   fsync writes it, though every read still shows it: see
//!   <https://wiki.postgresql.org/wiki/Fsync_Errors>. Written again, it is dirty again.
//!
//! Not modelled: the eviction of a lost page, after which reads would show the old bytes.

use std::collections::BTreeMap;
use std::io;

use crate::chance::Chance;

/// A page of Linux's page cache, in bytes.
pub(crate) const BLOCK_BYTES: u64 = 4096;
/// The least that a disk writes as a whole, in bytes: where a torn block is torn.
const SECTOR_BYTES: u64 = 512;

/// The blocks of one file that a power cut would take back.
#[derive(Debug)]
pub(crate) struct Ledger {
    durable_bytes: u64,
    blocks: BTreeMap<u64, Saved>,
}

#[derive(Debug)]
struct Saved {
    /// What the disk has; short where the file ended.
    durable: Vec<u8>,
    lost: bool,
}

/// How to bring a file back: first the writes, then the length.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Undo {
    pub(crate) writes: Vec<(u64, Vec<u8>)>,
    pub(crate) file_bytes: u64,
}

impl Ledger {
    /// A file of which that many bytes are on the disk.
    pub(crate) fn new(durable_bytes: u64) -> Ledger {
        Ledger { durable_bytes, blocks: BTreeMap::new() }
    }

    /// Saves what `[offset, offset + bytes)` is about to cover. `read` gives the block that starts
    /// at an offset, short where the file ends.
    pub(crate) fn before_write(
        &mut self,
        offset: u64,
        bytes: u64,
        read: impl FnMut(u64) -> io::Result<Vec<u8>>,
    ) -> io::Result<()> {
        self.dirty(offset, offset.saturating_add(bytes), read)
    }

    /// Saves what a truncation is about to take away.
    pub(crate) fn before_truncate(
        &mut self,
        old_bytes: u64,
        new_bytes: u64,
        read: impl FnMut(u64) -> io::Result<Vec<u8>>,
    ) -> io::Result<()> {
        self.dirty(new_bytes, old_bytes, read)
    }

    fn dirty(
        &mut self,
        from: u64,
        to: u64,
        mut read: impl FnMut(u64) -> io::Result<Vec<u8>>,
    ) -> io::Result<()> {
        if from >= to {
            return Ok(());
        }
        for number in from / BLOCK_BYTES..to.div_ceil(BLOCK_BYTES) {
            if let Some(saved) = self.blocks.get_mut(&number) {
                saved.lost = false;
            } else {
                let durable = read(number * BLOCK_BYTES)?;
                self.blocks.insert(number, Saved { durable, lost: false });
            }
        }
        Ok(())
    }

    /// A sync has succeeded, on a file of this length. The length is durable in any case: it is
    /// the file system's, and not in the pages that a failed sync has lost.
    pub(crate) fn synced(&mut self, file_bytes: u64) {
        self.durable_bytes = file_bytes;
        self.blocks.retain(|number, saved| {
            let within = file_bytes.saturating_sub(number * BLOCK_BYTES);
            saved.durable.truncate(usize::try_from(within).unwrap_or(usize::MAX));
            saved.lost && within > 0
        });
    }

    /// A sync has failed: what was dirty is lost unless written again.
    pub(crate) fn sync_failed(&mut self) {
        for saved in self.blocks.values_mut() {
            saved.lost = true;
        }
    }

    /// Whether a power cut would change nothing in a file of this length.
    pub(crate) fn is_clean(&self, file_bytes: u64) -> bool {
        self.blocks.is_empty() && self.durable_bytes == file_bytes
    }

    /// What a power cut would take back, in whole blocks.
    pub(crate) fn unsynced_bytes(&self) -> u64 {
        BLOCK_BYTES.saturating_mul(u64::try_from(self.blocks.len()).unwrap_or(u64::MAX))
    }

    /// Back to what is durable, and no more.
    pub(crate) fn undo(&self) -> Undo {
        let writes = self.blocks.iter().map(|(number, saved)| saved.undo(*number, 0)).collect();
        Undo { writes, file_bytes: self.durable_bytes }
    }

    /// Back to what is durable and to some of what is dirty, for a disk that had begun to write:
    /// each block by itself, at most one of them torn between two sectors. `file_bytes` is the length now.
    pub(crate) fn undo_some(&self, file_bytes: u64, chance: &mut Chance) -> Undo {
        let dirty = self.blocks.values().filter(|saved| !saved.lost).count();
        let mut until_torn = u64::MAX;
        if chance.coin() {
            until_torn = chance.below(u64::try_from(dirty).unwrap_or(u64::MAX));
        }
        let truncated = file_bytes < self.durable_bytes && chance.coin();
        let mut undo = Undo {
            writes: Vec::new(),
            file_bytes: if truncated { file_bytes } else { self.durable_bytes },
        };
        for (number, saved) in &self.blocks {
            let start = number * BLOCK_BYTES;
            let mut kept = 0;
            if !saved.lost {
                kept = if until_torn == 0 {
                    SECTOR_BYTES * (1 + chance.below(BLOCK_BYTES / SECTOR_BYTES - 1))
                } else {
                    BLOCK_BYTES * u64::from(chance.coin())
                };
                until_torn = until_torn.checked_sub(1).unwrap_or(u64::MAX);
            }
            if start >= file_bytes {
                // Truncated away: there is nothing new to keep.
                kept = 0;
            }
            if kept < BLOCK_BYTES {
                undo.writes.push(saved.undo(*number, kept));
            }
            if kept > 0 {
                undo.file_bytes = undo.file_bytes.max(file_bytes.min(start + kept));
            }
        }
        undo
    }
}

impl Saved {
    /// The write that brings the block back, but for its first `kept` bytes.
    fn undo(&self, number: u64, kept: u64) -> (u64, Vec<u8>) {
        let mut bytes = self.durable.clone();
        // What the file has gained behind its durable end is zeros to a disk that has not seen it.
        bytes.resize(usize::try_from(BLOCK_BYTES).unwrap_or_default(), 0);
        bytes.drain(..usize::try_from(kept).unwrap_or_default().min(bytes.len()));
        (number * BLOCK_BYTES + kept, bytes)
    }
}

#[cfg(test)]
mod tests;
