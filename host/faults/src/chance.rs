//! Chance that a seed repeats: the same seed keeps and loses the same blocks.

/// Marsaglia's xorshift64* (<https://doi.org/10.18637/jss.v008.i14>).
#[derive(Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    /// Any seed, also 0 and the small ones, which a xorshift by itself takes badly.
    pub(crate) fn new(seed: u64) -> Chance {
        let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Chance((mixed ^ (mixed >> 31)).max(1))
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn coin(&mut self) -> bool {
        self.next() >> 63 == 1
    }

    /// A number under `end`, or 0 if there is none.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 32).checked_rem(end).unwrap_or(0)
    }
}
