use super::{BLOCK_BYTES, Ledger, Undo};
use crate::chance::Chance;

/// A file in memory that keeps its ledger as the disk does.
struct Model {
    bytes: Vec<u8>,
    ledger: Ledger,
}

const BLOCK: usize = BLOCK_BYTES as usize;

impl Model {
    fn new(blocks: &[u8]) -> Model {
        let bytes: Vec<u8> = blocks.iter().flat_map(|byte| vec![*byte; BLOCK]).collect();
        let ledger = Ledger::new(bytes.len() as u64);
        Model { bytes, ledger }
    }

    fn write(&mut self, offset: usize, bytes: usize, byte: u8) {
        let now = &self.bytes;
        let read = |start| Ok(block_at(now, start));
        self.ledger.before_write(offset as u64, bytes as u64, read).unwrap();
        self.bytes.resize(self.bytes.len().max(offset + bytes), 0);
        self.bytes[offset..offset + bytes].fill(byte);
    }

    fn truncate(&mut self, bytes: usize) {
        let now = &self.bytes;
        let read = |start| Ok(block_at(now, start));
        self.ledger.before_truncate(now.len() as u64, bytes as u64, read).unwrap();
        self.bytes.truncate(bytes);
    }

    fn sync(&mut self) {
        self.ledger.synced(self.bytes.len() as u64);
    }

    fn after(&self, undo: &Undo) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        for (offset, write) in &undo.writes {
            let offset = *offset as usize;
            bytes.resize(bytes.len().max(offset + write.len()), 0);
            bytes[offset..offset + write.len()].copy_from_slice(write);
        }
        bytes.resize(undo.file_bytes as usize, 0);
        bytes
    }

    fn after_power_cut(&self) -> Vec<u8> {
        self.after(&self.ledger.undo())
    }
}

fn block_at(bytes: &[u8], start: u64) -> Vec<u8> {
    bytes.iter().skip(start as usize).take(BLOCK).copied().collect()
}

#[test]
fn a_power_cut_takes_back_what_was_not_synced_and_nothing_else() {
    let mut file = Model::new(&[1, 1]);
    file.write(10, BLOCK, 2);
    file.sync();
    let synced = file.bytes.clone();
    file.write(5, 10, 3);
    file.write(2 * BLOCK + 100, 100, 3);
    assert_eq!(file.after_power_cut(), synced);
    file.sync();
    assert_eq!(file.after_power_cut(), file.bytes);
    assert_eq!(file.ledger.unsynced_bytes(), 0);
}

#[test]
fn a_truncation_is_taken_back_until_it_is_synced() {
    let mut file = Model::new(&[1, 2, 3]);
    let before = file.bytes.clone();
    file.truncate(BLOCK + 7);
    file.write(BLOCK, BLOCK, 9);
    assert_eq!(file.after_power_cut(), before);
    file.sync();
    assert_eq!(file.after_power_cut(), file.bytes);
}

#[test]
fn what_a_failed_sync_lost_stays_lost_after_one_that_succeeds() {
    let mut file = Model::new(&[1, 1]);
    file.write(0, 2 * BLOCK + 10, 2);
    file.ledger.sync_failed();
    file.write(BLOCK, 1, 3);
    file.sync();
    let mut expected = vec![1; BLOCK];
    expected.extend_from_slice(&file.bytes[BLOCK..2 * BLOCK]);
    // The length is the file system's, and durable; the lost block behind the old end is zeros.
    expected.extend([0; 10]);
    assert_eq!(file.after_power_cut(), expected);
}

#[test]
fn what_was_lost_is_durable_once_written_again_and_synced() {
    let mut file = Model::new(&[1]);
    file.write(0, 100, 2);
    file.ledger.sync_failed();
    file.write(0, 100, 2);
    assert_eq!(file.after_power_cut(), vec![1; BLOCK]);
    file.sync();
    assert_eq!(file.after_power_cut(), file.bytes);
}

#[test]
fn a_lost_block_that_is_truncated_away_does_not_come_back() {
    let mut file = Model::new(&[1, 1]);
    file.write(0, 2 * BLOCK, 2);
    file.ledger.sync_failed();
    file.truncate(BLOCK);
    file.sync();
    file.write(BLOCK, 10, 3);
    file.sync();
    assert_eq!(file.after_power_cut().len(), BLOCK + 10);
    assert_eq!(file.after_power_cut()[BLOCK..], [3; 10]);
}

#[test]
fn a_block_is_new_or_old_and_at_most_one_is_torn_at_a_sector() {
    let mut torn_in_all = 0;
    for seed in 0..500 {
        let mut file = Model::new(&[1; 8]);
        file.write(0, 4 * BLOCK, 2);
        file.ledger.sync_failed();
        file.write(2 * BLOCK, 10 * BLOCK, 3);
        let cut =
            file.after(&file.ledger.undo_some(file.bytes.len() as u64, &mut Chance::new(seed)));
        assert!(cut.len() >= 8 * BLOCK && cut.len() <= 12 * BLOCK, "seed {seed}");
        assert_eq!(cut[..2 * BLOCK], vec![1; 2 * BLOCK], "seed {seed}: the lost blocks");
        let mut torn = 0;
        for (number, block) in cut.chunks(BLOCK).enumerate().skip(2) {
            let old = if number < 8 { 1 } else { 0 };
            let new = block.iter().take_while(|byte| **byte == 3).count();
            assert!(block[new..].iter().all(|byte| *byte == old), "seed {seed}, block {number}");
            assert_eq!(new % 512, 0, "seed {seed}, block {number}");
            torn += usize::from(new > 0 && new < BLOCK);
        }
        assert!(torn <= 1, "seed {seed}");
        torn_in_all += torn;
    }
    assert!((200..300).contains(&torn_in_all), "{torn_in_all} of 500");
}

#[test]
fn the_same_seed_keeps_the_same_blocks_and_another_does_not() {
    let mut file = Model::new(&[1; 64]);
    file.write(0, 64 * BLOCK, 2);
    let cut = |seed| file.ledger.undo_some(64 * BLOCK_BYTES, &mut Chance::new(seed));
    assert_eq!(cut(7), cut(7));
    assert_ne!(cut(7), cut(8));
}
