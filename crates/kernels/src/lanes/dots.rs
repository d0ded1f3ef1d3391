//! Integer products of weights in groups of four rows with activations, a lane for each row.
//!
//! All sets are exact, so that a set may be chosen by what the machine can do.

mod portable;
#[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
mod relaxed;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd128;
#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
mod x86;

use super::Lanes;
use super::Portable;
#[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
use relaxed::{Chained, Saturating};
#[cfg(all(
    target_arch = "wasm32",
    target_feature = "simd128",
    not(target_feature = "relaxed-simd")
))]
use simd128::Simd128;
#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
use x86::{Avx2, Sse2};

/// One set of products.
pub(crate) trait Dots {
    /// Its name.
    const NAME: &'static str;
    /// The lanes for all else.
    type L: Lanes;
    /// Four activations, in every lane.
    type X: Copy;
    /// Four sums under way.
    type D: Copy;
    /// Four values of each of four rows of weights, ready for `dot`.
    type W: Copy;
    /// What `dot` takes values of eight bits minus: 128 where it takes them as they are.
    const BYTE_ZERO: i16 = 128;
    /// Whether groups are computed one by one, which keeps tiles of every type out of the build.
    const SINGLE: bool = Self::L::REFERENCE;
    /// Whether activations are widened once for many weights: `x` is then what [`Dots::wide_chunk`]
    /// gives. Without relaxed instructions a prompt of Q4_0 is 1.2 times as fast.
    const WIDENS_ACTIVATIONS: bool = false;
    /// In so many steps a chunk's products can be added, by [`Dots::dot_step`].
    const STEPS: usize = 1;
    /// What `finish` leaves out, a power of two.
    const FACTOR: f32 = 1.0;

    fn chunk(from: &[i8; 4]) -> Self::X;
    /// Sums that begin at `sums[0] * by[0] + sums[1] * by[1]`.
    fn begin(sums: &[i16; 2], by: [i16; 2]) -> Self::D;
    /// Values of `bits` bits.
    fn weights(bits: u32, from: <Self::L as Lanes>::B) -> Self::W;
    /// Adds each row's four products of activations and values of `bits` bits.
    fn dot(sums: Self::D, bits: u32, x: Self::X, w: Self::W) -> Self::D;
    /// A step of `dot`.
    #[inline(always)]
    fn dot_step(_step: usize, sums: Self::D, bits: u32, x: Self::X, w: Self::W) -> Self::D {
        Self::dot(sums, bits, x, w)
    }
    /// Where activations are widened for it: adds the products of two chunks of four bits. `low` are
    /// the activations of the low halves of the bytes, `high` those of the high ones.
    #[inline(always)]
    fn dot_nibbles(
        sums: Self::D,
        low: Self::X,
        high: Self::X,
        w: <Self::L as Lanes>::B,
    ) -> Self::D {
        let [first, last] = [0, 4].map(|shift| Self::L::shr_and(w, shift, 15));
        let sums = Self::dot(sums, 4, low, Self::weights(4, first));
        Self::dot(sums, 4, high, Self::weights(4, last))
    }
    /// Activations as `wide_chunk` reads them, for `dot` or for `dot_nibbles`.
    #[inline(always)]
    fn widen(from: &[i8; 32], _nibbles: bool) -> Wide {
        bytemuck::cast([*from, [0; 32]])
    }
    /// One of eight chunks.
    #[inline(always)]
    fn wide_chunk(from: &Wide, chunk: usize) -> Self::X {
        Self::chunk(&bytemuck::cast_ref::<Wide, [[i8; 4]; 16]>(from)[chunk])
    }
    /// To be called after as many `dot`s as cannot overflow 16 bits: eight of four bits, four of
    /// five, two of six.
    #[inline(always)]
    fn settle(sums: Self::D) -> Self::D {
        sums
    }
    /// The sums by [`Self::FACTOR`], exactly: they are under 2^22.
    fn finish(sums: Self::D) -> <Self::L as Lanes>::F;

    /// Whole bytes of activations: four in every lane, or four for each.
    type Y: Copy;
    /// Whole bytes of weights, four for each lane.
    type V: Copy;
    /// Four whole bytes of activations in memory, once they are what products take.
    type Z: Copy;
    /// Whether whole bytes of activations have a sign.
    const SIGNED: bool = false;
    /// Whether bytes are made wider for products, so that who takes them more than once keeps that.
    const WIDENS_BYTES: bool = false;

    fn kept(from: <Self::L as Lanes>::B) -> [Self::Z; 4];
    fn four(from: &Self::Z) -> Self::Y;
    /// The bytes of four vectors, four of one place side by side.
    fn mixed(from: [<Self::L as Lanes>::B; 4]) -> [Self::Y; 4];
    /// Weights with a sign.
    fn whole(from: <Self::L as Lanes>::B) -> Self::V;
    /// Adds each lane's four products of activations and weights, all of eight bits, exactly.
    fn add_products(sums: IntsOf<Self>, x: Self::Y, w: Self::V) -> IntsOf<Self>;

    /// Runs a task where the set's instructions may be used. All that is to use them must be
    /// `inline(always)`.
    #[inline(always)]
    fn enter<T: Task>(task: T) -> T::Output {
        task.run()
    }
}

/// 32 activations, widened to 16 bits in the way of a set.
pub(crate) type Wide = [[i8; 16]; 4];

/// Four bytes in memory.
type Bytes = [u8; 4];

/// Two bytes and two more, as 16 bits.
#[cfg(any(target_arch = "wasm32", target_arch = "x86_64"))]
type Pairs = [[u8; 4]; 2];

#[inline(always)]
fn mixed_bytes<L: Lanes>([a, b, c, d]: [L::B; 4]) -> [L::B; 4] {
    let (first, second) = (L::interleave(a, b), L::interleave(c, d));
    let low = L::interleave_pairs(first[0], second[0]);
    let high = L::interleave_pairs(first[1], second[1]);
    [low[0], low[1], high[0], high[1]]
}

/// [`Dots::kept`] as 16 bits without a sign.
#[cfg(any(target_arch = "wasm32", target_arch = "x86_64"))]
#[inline(always)]
fn kept_pairs<L: Lanes>(from: L::B) -> [Pairs; 4] {
    bytemuck::cast(L::interleave(from, L::bytes(&[0; 16])).map(L::store_bytes))
}

/// [`Dots::mixed`] as 16 bits without a sign.
#[cfg(any(target_arch = "wasm32", target_arch = "x86_64"))]
#[inline(always)]
fn mixed_pairs<L: Lanes>([a, b, c, d]: [L::B; 4]) -> [[L::B; 2]; 4] {
    let zero = L::bytes(&[0; 16]);
    let wide = |of: [L::B; 2]| of.map(|half| L::interleave(half, zero));
    let [first, second] = [wide(L::interleave(a, b)), wide(L::interleave(c, d))];
    std::array::from_fn(|i| [first[i / 2][i % 2], second[i / 2][i % 2]])
}

/// Four sums of a set of products.
pub(crate) type IntsOf<D> = <<D as Dots>::L as Lanes>::I;

/// Work for [`Dots::enter`].
pub(crate) trait Task {
    /// What comes out.
    type Output;
    /// Does it; to be implemented `inline(always)`.
    fn run(self) -> Self::Output;
}

/// Work that is written over a set of products.
pub(crate) trait Generic {
    /// What comes out.
    type Output;
    /// Does it with one set.
    fn run<D: Dots>(self) -> Self::Output;
}

/// Does it with every set that this machine can run, its own one first; not with the reference
/// where that is another.
pub(crate) fn every<T: Generic + Copy>(task: T) -> Vec<T::Output> {
    #[allow(unused_mut, reason = "some builds have one set")]
    let mut all = vec![native(task)];
    #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
    all.push(task.run::<Saturating>());
    #[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
    all.push(task.run::<Sse2>());
    all
}

/// Does it with this machine's set.
#[inline(always)]
pub(crate) fn native<T: Generic>(task: T) -> T::Output {
    #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
    return match relaxed::semantics() {
        relaxed::Semantics::Unsigned => task.run::<Chained<false>>(),
        relaxed::Semantics::Signed => task.run::<Chained<true>>(),
        relaxed::Semantics::Saturating => task.run::<Saturating>(),
    };
    #[cfg(all(
        target_arch = "wasm32",
        target_feature = "simd128",
        not(target_feature = "relaxed-simd")
    ))]
    return task.run::<Simd128>();
    #[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
    return if Avx2::is_there() { task.run::<Avx2>() } else { task.run::<Sse2>() };
    #[cfg(not(any(
        all(target_arch = "wasm32", target_feature = "simd128"),
        all(target_arch = "x86_64", target_feature = "sse2")
    )))]
    task.run::<Portable>()
}
