//! From sums to bytes, as LiteRT rounds ([`Multiplier`]).
//!
//! Rounded twice by integers that takes seven instructions a result. Both roundings together are one of
//! the product and a little more than a half ([`Multiplier::real`]), so single precision tells the
//! result, unless the sum is so near to a whole number that its error matters: then, once in some
//! thousand results, the integers are asked.

use crate::Multiplier;
use crate::lanes::{Lanes, Native};
use std::array::from_fn;
use std::ops::Range;

/// Columns whose constants lie together.
pub(crate) const EIGHT: usize = 8;

/// Half of the distance from a whole number at which the integers are asked: four units of the last
/// place of numbers in 256..512. The error is below three: of the sum and the factor as floats, their
/// product, the constant and the sum half a unit each.
const NEAR: f64 = 1.0 / 8192.0;

/// What becomes of sums.
#[derive(Clone, Debug)]
pub struct Requantize {
    multipliers: Vec<Multiplier>,
    zero: i32,
    limits: [i32; 2],
    signed: bool,
    /// Each column's factor, base, and what is taken from the base of negative sums; none, if single
    /// precision does not tell the results.
    columns: Vec<[f32; 3]>,
}

/// Eight columns' constants.
#[derive(Clone, Copy, Default)]
pub(crate) struct Eight {
    scale: [f32; EIGHT],
    base: [f32; EIGHT],
    /// What is taken from the base of negative sums.
    below: [f32; EIGHT],
}

/// The same in lanes: four columns each.
pub(crate) struct Four<L: Lanes> {
    scale: L::F,
    base: L::F,
    below: L::F,
}

/// The limits in lanes, and whether results of negative sums are told apart.
pub(crate) struct Clip<L: Lanes> {
    least: L::F,
    most: L::F,
    negative: bool,
}

impl<L: Lanes> Clone for Four<L> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<L: Lanes> Copy for Four<L> {}

impl<L: Lanes> Clone for Clip<L> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<L: Lanes> Copy for Clip<L> {}

impl Requantize {
    /// With multipliers from sums to the result's unit, for each column or all (at least one), what
    /// stands for 0 in the result, the least and the most, and whether results have a sign.
    pub fn new(multipliers: Vec<Multiplier>, zero: i32, limits: [i32; 2], signed: bool) -> Self {
        let mut new = Self { multipliers, zero, limits, signed, columns: Vec::new() };
        let zero = zero.saturating_add(new.offset());
        let base = 256.5 + f64::from(zero) + NEAR;
        let columns = new.multipliers.iter().map(|multiplier| {
            let (real, first) = multiplier.real().filter(|_| (0..256).contains(&zero))?;
            let above = (base + first) as f32;
            Some([real as f32, above, above - (base - first) as f32])
        });
        new.columns = columns.collect::<Option<_>>().unwrap_or_default();
        new
    }

    /// From sums to the result's unit, for each column or all.
    pub fn multipliers(&self) -> &[Multiplier] {
        &self.multipliers
    }

    /// Whether results have a sign.
    pub fn signed(&self) -> bool {
        self.signed
    }

    /// A result, of a column's sum.
    pub fn of(&self, column: usize, sum: i32) -> u8 {
        let multiplier = self.multipliers.get(column).unwrap_or(&self.multipliers[0]);
        let y = multiplier.of(sum).saturating_add(self.zero);
        y.max(self.limits[0]).min(self.limits[1]) as u8
    }

    /// What is added to results so that they have no sign.
    fn offset(&self) -> i32 {
        if self.signed { 128 } else { 0 }
    }

    /// The limits of results without a sign.
    fn ends(&self) -> [i32; 2] {
        self.limits.map(|limit| limit.saturating_add(self.offset()).clamp(0, 255))
    }

    /// Whether single precision tells the results.
    pub(crate) fn is_quick(&self) -> bool {
        !self.columns.is_empty()
    }

    pub(crate) fn eight(&self, columns: Range<usize>) -> Eight {
        let mut eight = Eight::default();
        let Some(first) = self.columns.first() else { return eight };
        for (lane, column) in columns.enumerate() {
            let [scale, base, below] = *self.columns.get(column).unwrap_or(first);
            (eight.scale[lane], eight.base[lane], eight.below[lane]) = (scale, base, below);
        }
        eight
    }

    pub(crate) fn clip<L: Lanes>(&self) -> Clip<L> {
        let [least, most] = self.ends();
        let limit = |end: i32| L::splat(256.5 + end as f32);
        let negative = least < self.zero.saturating_add(self.offset());
        Clip { least: limit(least), most: limit(most), negative }
    }

    /// Turns results without a sign into those that are wanted.
    #[inline(always)]
    pub(crate) fn signs(&self, bytes: [u8; 16]) -> [u8; 16] {
        let flip = if self.signed { 0x80 } else { 0 };
        bytes.map(|byte| byte ^ flip)
    }
}

impl Eight {
    #[inline(always)]
    pub(crate) fn lanes<L: Lanes>(&self) -> [Four<L>; 2] {
        let four = |from: &[f32; EIGHT], half: usize| L::load(&from.as_chunks().0[half]);
        [0, 1].map(|half| Four {
            scale: four(&self.scale, half),
            base: four(&self.base, half),
            below: four(&self.below, half),
        })
    }
}

/// Results without a sign of sums of four columns each; `None`: the integers must be asked.
#[inline(always)]
pub(crate) fn sixteen<L: Lanes>(
    sums: [L::I; 4],
    of: [Four<L>; 4],
    clip: Clip<L>,
) -> Option<[u8; 16]> {
    let mut flags = L::no_flags();
    let mut values = [clip.least; 4];
    unrolled!(4, i => {
        let mut base = of[i].base;
        if clip.negative {
            base = L::sub(base, L::where_negative(sums[i], of[i].below));
        }
        let value = L::madd(L::to_f(sums[i]), of[i].scale, base);
        values[i] = L::at_most(L::at_least(value, clip.least), clip.most);
        flags = L::flag_whole(flags, values[i]);
    });
    let bytes = L::whole_parts(values);
    (!L::any(flags)).then_some(bytes)
}

/// The bytes of sums that all have the first multiplier.
///
/// # Panics
/// If there are not as many results as sums.
pub fn requantize(of: &Requantize, sums: &[i32], out: &mut [u8]) {
    assert_eq!(sums.len(), out.len(), "as many results as sums");
    let whole = if of.is_quick() { sums.len() / 16 * 16 } else { 0 };
    let [scale, base, below] =
        of.columns.first().copied().unwrap_or_default().map(<Native as Lanes>::splat);
    let four = Four { scale, base, below };
    let clip = of.clip::<Native>();
    let (chunks, cells) = (sums[..whole].as_chunks::<16>().0, out[..whole].as_chunks_mut::<16>().0);
    for (sums, cells) in chunks.iter().zip(cells) {
        let fours = sums.as_chunks::<4>().0;
        let lanes = from_fn(|i| Native::load_i(&fours[i]));
        *cells = match sixteen::<Native>(lanes, [four; 4], clip) {
            Some(bytes) => of.signs(bytes),
            None => sums.map(|sum| of.of(0, sum)),
        };
    }
    for (sum, cell) in sums.iter().zip(out).skip(whole) {
        *cell = of.of(0, *sum);
    }
}
