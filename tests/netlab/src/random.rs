//! Chance that can be repeated: xorshift64*, seeded. Not for secrets.

/// A stream of numbers that depends on its seed alone.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The stream number `stream` of `seed`: what is drawn from one never changes another.
    pub fn new(seed: u64, stream: u64) -> Self {
        // Spread by odd constants, so that neighbours differ; a state of zero would stay zero.
        let spread = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ stream.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mut random = Self(spread.max(1));
        for _ in 0..8 {
            random.next();
        }
        random
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// From 0 up to, but not including, 1.
    pub fn fraction(&mut self) -> f64 {
        // The upper 32 bits: a f64 holds them without rounding up to 1.
        let upper = u32::try_from(self.next() >> 32).unwrap_or_default();
        f64::from(upper) / 4_294_967_296.0
    }

    /// One of `0..many`; 0 where there is none.
    pub fn pick(&mut self, many: usize) -> usize {
        let many = u64::try_from(many).unwrap_or(u64::MAX).max(1);
        usize::try_from((self.next() >> 16) % many).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_decides_and_streams_differ() {
        let draw = |seed, stream| {
            let mut random = Random::new(seed, stream);
            (0..20).map(|_| random.pick(1000)).collect::<Vec<_>>()
        };
        assert_eq!(draw(7, 0), draw(7, 0));
        assert_ne!(draw(7, 0), draw(7, 1));
        assert_ne!(draw(6, 0), draw(7, 0));
    }

    #[test]
    fn fractions_are_even() {
        let mut random = Random::new(1, 0);
        let below = (0..100_000).filter(|_| random.fraction() < 0.005).count();
        assert!((400..600).contains(&below), "{below} of 100,000 at 0.5 %");
    }
}
