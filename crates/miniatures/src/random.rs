/// SplitMix64 (<https://prng.di.unimi.it/splitmix64.c>), seeded by a name.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(name: &str) -> Self {
        // FNV-1a.
        let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        Self(name.bytes().fold(0xcbf2_9ce4_8422_2325, step))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: u32) -> u32 {
        (((self.next() >> 32) * u64::from(limit)) >> 32) as u32
    }

    /// About the standard normal distribution: the sum of four even ones. It takes no function of
    /// the system's library, so that every machine makes the same bits.
    pub(crate) fn normal(&mut self) -> f32 {
        let bits = self.next();
        let sum: i32 = (0..4).map(|at| i32::from((bits >> (16 * at)) as i16)).sum();
        // Four variances of 65536² / 12.
        sum as f32 / 37_837.23
    }
}
