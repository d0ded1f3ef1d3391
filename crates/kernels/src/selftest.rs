//! A check of this build's kernels on the machine they run on.
//!
//! `cargo test` runs it natively; the wasm module exports it, so that every wasm build runs it in
//! every engine it meets.

mod attention;
mod int8;
mod linear;
mod rows;

/// Compares the native kernels with the reference and with `f64` arithmetic, on seeded random data
/// of many shapes; gives the number of results compared.
///
/// # Errors
/// What differed, and where.
pub fn selftest() -> Result<usize, String> {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let layers = int8::check(&mut random)? + linear::check(&mut random)?;
    Ok(layers + attention::check(&mut random)? + rows::check(&mut random)?)
}

/// Xorshift (Marsaglia, 2003): the same numbers on every build.
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// `0..end`.
    fn below(&mut self, end: usize) -> usize {
        (self.bits() >> 11) as usize % end
    }

    /// -1 to 1.
    fn float(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    fn floats(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.float()).collect()
    }
}

/// The first place where two results are further apart than `tolerance` times a size that belongs
/// to the place.
fn compare(
    what: &str,
    ours: &[f32],
    theirs: impl Iterator<Item = f64>,
    tolerance: f64,
    size: impl Fn(usize) -> f64,
) -> Result<usize, String> {
    let theirs: Vec<f64> = theirs.collect();
    if ours.len() != theirs.len() {
        return Err(format!("{what}: {} elements, expected {}", ours.len(), theirs.len()));
    }
    for (i, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
        let error = (f64::from(*ours) - theirs).abs();
        if error.is_nan() || error > tolerance * size(i) {
            return Err(format!("{what}: element {i} is {ours}, expected {theirs}"));
        }
    }
    Ok(ours.len())
}

#[cfg(test)]
mod tests {
    #[test]
    fn this_build_passes() {
        let compared = super::selftest().unwrap();
        assert!(compared > 10_000, "only {compared}");
    }
}
