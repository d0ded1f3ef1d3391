//! The linear layer: every row of activations times every row of weights.

/// Writes `body` out for `i` in `0..n`, n at most 8. LLVM leaves loops over a tile's sums rolled
/// where the body is large, and then keeps the sums in memory, which halves the speed.
macro_rules! unrolled {
    ($n:expr, $i:ident => $body:expr) => {
        unrolled!($n, $i => $body, 0 1 2 3 4 5 6 7)
    };
    ($n:expr, $i:ident => $body:expr, $($at:literal)*) => {
        $(if $at < $n {
            let $i: usize = $at;
            $body;
        })*
    };
}
mod bands;
mod floats;
mod grouped;
mod halves;
mod quantized;
mod tile;

use crate::activation::{Act8Row, Act8Rows, activation_dtype};
use crate::groups::by_block;
use crate::lanes::{Dots, Generic, Lanes, native};
use crate::weights::supports;
use sidestage_tensor::blocks::{
    BlockIQ1_M, BlockIQ1_S, BlockIQ2_S, BlockIQ2_XS, BlockIQ2_XXS, BlockIQ3_S, BlockIQ3_XXS,
    BlockIQ4_NL, BlockIQ4_XS, BlockMXFP4, BlockNVFP4, BlockQ2_K, BlockQ3_K, BlockQ4_0, BlockQ4_1,
    BlockQ4_K, BlockQ5_0, BlockQ5_1, BlockQ5_K, BlockQ6_K, BlockQ8_0, BlockTQ1_0, BlockTQ2_0,
};
use sidestage_tensor::{DType, SharedOut};
use std::fmt;
use std::ops::Range;

/// The activations of a linear layer: `rows` of `k` values.
#[derive(Clone, Copy)]
pub enum Activations<'a> {
    /// For F32, F16 and BF16 weights, row-major.
    F32(&'a [f32]),
    /// For quantised weights.
    Act8(Act8Rows<'a>),
    /// As `Act8`: a single row, which may be part of a larger one.
    Act8Row(Act8Row<'a>),
}

impl<'a> Activations<'a> {
    /// A row of those in 8 bits.
    fn row(&self, row: usize) -> Act8Row<'a> {
        match self {
            Self::F32(_) => panic!("these are floats"),
            Self::Act8(x) => x.row(row),
            Self::Act8Row(x) => *x,
        }
    }

    fn dtype(&self) -> DType {
        match self {
            Self::F32(_) => DType::F32,
            Self::Act8(_) | Self::Act8Row(_) => DType::Act8,
        }
    }
}

/// `y[r * n + c] = x[r] · weight[c] + bias[c]`.
#[derive(Clone, Copy)]
pub struct Linear<'a> {
    /// `n` rows of `k` values, each row whole blocks, on any address.
    pub weight: &'a [u8],
    /// The weights' type; [`supports`] says which there are.
    pub dtype: DType,
    /// Outputs a row.
    pub n: usize,
    /// Inputs a row.
    pub k: usize,
    /// Rows of activations.
    pub rows: usize,
    /// The activations, in the type that [`activation_dtype`] names.
    pub x: Activations<'a>,
    /// `n` values to add.
    pub bias: Option<&'a [f32]>,
    /// `rows * n` results.
    pub y: SharedOut<'a, f32>,
}

/// Why a [`Linear`] cannot be computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinearError {
    /// There is no kernel for this type of weights.
    Weights {
        /// The type.
        dtype: DType,
    },
    /// The activations have the wrong type for the weights.
    Activations {
        /// The type of the weights.
        weights: DType,
        /// The type given.
        found: DType,
    },
    /// A row of weights is not whole blocks.
    Row {
        /// Its length.
        k: usize,
        /// Values in a block.
        block: usize,
    },
    /// A buffer has the wrong size.
    Size {
        /// Which: `weight`, `x`, `rows of x`, `a row of x`, `bias` or `y`.
        what: &'static str,
        /// Elements it should have (bytes for `weight`, blocks for a row of quantised `x`).
        expected: usize,
        /// Elements it has.
        found: usize,
    },
    /// The sizes multiply to more than the address space.
    TooLarge,
}

impl fmt::Display for LinearError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Weights { dtype } => write!(f, "no linear kernel for weights of type {dtype}"),
            Self::Activations { weights, found } => {
                write!(f, "{weights} weights do not take {found} activations")
            }
            Self::Row { k, block } => write!(f, "rows of {k} are not whole blocks of {block}"),
            Self::Size { what, expected, found } => {
                write!(f, "{what} has {found} elements, {expected} expected")
            }
            Self::TooLarge => f.write_str("sizes exceed the address space"),
        }
    }
}

impl std::error::Error for LinearError {}

impl Linear<'_> {
    /// Whether the sizes and types fit together; [`linear`] panics where this is an error.
    ///
    /// # Errors
    /// The first thing that does not fit.
    pub fn check(&self) -> Result<(), LinearError> {
        let (dtype, block) = (self.dtype, self.dtype.block_len());
        if !supports(dtype) {
            return Err(LinearError::Weights { dtype });
        }
        if self.x.dtype() != activation_dtype(dtype) {
            return Err(LinearError::Activations { weights: dtype, found: self.x.dtype() });
        }
        if !self.k.is_multiple_of(block) {
            return Err(LinearError::Row { k: self.k, block });
        }
        let size = |what, factors: [usize; 2], found: usize| {
            let expected = factors[0].checked_mul(factors[1]).ok_or(LinearError::TooLarge)?;
            if found == expected {
                Ok(())
            } else {
                Err(LinearError::Size { what, expected, found })
            }
        };
        let row = (self.k / block).checked_mul(dtype.block_bytes()).ok_or(LinearError::TooLarge)?;
        size("weight", [self.n, row], self.weight.len())?;
        match self.x {
            Activations::F32(x) => size("x", [self.rows, self.k], x.len())?,
            Activations::Act8(x) => {
                size("rows of x", [self.rows, 1], x.rows())?;
                size("a row of x", [self.k / 32, 1], x.per_row())?;
            }
            Activations::Act8Row(x) => {
                size("rows of x", [self.rows, 1], 1)?;
                size("a row of x", [self.k / 32, 1], x.len())?;
            }
        }
        size("bias", [self.n, 1], self.bias.map_or(self.n, <[f32]>::len))?;
        size("y", [self.rows, self.n], self.y.len())
    }
}

/// Computes the given columns of all rows. Threads that work on one layer at once must take
/// disjoint columns; of weights in groups ([`crate::grouped_rows`]) whole groups.
///
/// # Panics
/// If [`Linear::check`] is an error, the columns exceed `n` or have a part of a group.
#[inline(never)]
pub fn linear(args: &Linear<'_>, columns: Range<usize>) {
    native(Columns::<true> { args, columns });
}

/// As [`linear`], for weights of types that [`supports_graphs`](crate::supports_graphs) names: it does
/// not need the others' kernels.
///
/// # Panics
/// As [`linear`], and if the type is another.
#[inline(never)]
pub fn linear_graphs(args: &Linear<'_>, columns: Range<usize>) {
    native(Columns::<false> { args, columns });
}

struct Columns<'a, const ALL: bool> {
    args: &'a Linear<'a>,
    columns: Range<usize>,
}

impl<const ALL: bool> Generic for Columns<'_, ALL> {
    type Output = ();

    #[inline(always)]
    fn run<D: Dots>(self) {
        linear_by::<D, ALL>(self.args, self.columns);
    }
}

/// [`linear`] with a set of products of the caller's choice.
pub(crate) fn linear_by<D: Dots, const ALL: bool>(args: &Linear<'_>, columns: Range<usize>) {
    if let Err(error) = args.check() {
        panic!("{error}");
    }
    assert!(columns.start <= columns.end && columns.end <= args.n, "columns out of range");
    match args.x {
        Activations::F32(x) => match args.dtype {
            DType::F16 => halves::run::<D::L, floats::Half>(args, x, columns),
            DType::BF16 => halves::run::<D::L, floats::Brain>(args, x, columns),
            _ => floats::run::<D::L, floats::Single>(args, x, columns),
        },
        Activations::Act8(_) | Activations::Act8Row(_) => {
            use grouped::run;
            match args.dtype {
                DType::Q4_0 => run::<D, BlockQ4_0>(args, columns),
                DType::Q4_1 => run::<D, BlockQ4_1>(args, columns),
                DType::Q8_0 => run::<D, BlockQ8_0>(args, columns),
                _ if ALL => {
                    by_block!(
                        args.dtype,
                        run::<D>(args, columns),
                        ungrouped::<D::L>(args, columns)
                    );
                }
                other => panic!("graphs have no weights of type {other}"),
            }
        }
    }
}

/// The types whose rows lie as in the file.
fn ungrouped<L: Lanes>(args: &Linear<'_>, columns: Range<usize>) {
    match args.dtype {
        DType::Q2_K => quantized::run::<L, BlockQ2_K>(args, columns),
        DType::Q3_K => quantized::run::<L, BlockQ3_K>(args, columns),
        DType::TQ1_0 => quantized::run::<L, BlockTQ1_0>(args, columns),
        DType::TQ2_0 => quantized::run::<L, BlockTQ2_0>(args, columns),
        DType::MXFP4 => quantized::run::<L, BlockMXFP4>(args, columns),
        DType::NVFP4 => quantized::run::<L, BlockNVFP4>(args, columns),
        DType::IQ1_S => quantized::run::<L, BlockIQ1_S>(args, columns),
        DType::IQ1_M => quantized::run::<L, BlockIQ1_M>(args, columns),
        DType::IQ2_XXS => quantized::run::<L, BlockIQ2_XXS>(args, columns),
        DType::IQ2_XS => quantized::run::<L, BlockIQ2_XS>(args, columns),
        DType::IQ2_S => quantized::run::<L, BlockIQ2_S>(args, columns),
        DType::IQ3_XXS => quantized::run::<L, BlockIQ3_XXS>(args, columns),
        DType::IQ3_S => quantized::run::<L, BlockIQ3_S>(args, columns),
        DType::IQ4_NL => quantized::run::<L, BlockIQ4_NL>(args, columns),
        DType::IQ4_XS => quantized::run::<L, BlockIQ4_XS>(args, columns),
        other => panic!("no linear kernel for weights of type {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sidestage_tensor::blocks::Act8;

    /// A layer of 2 outputs, 32 inputs and 3 rows.
    fn with<'a>(dtype: DType, weight: &'a [u8], x: &'a [f32], y: &'a mut [f32]) -> Linear<'a> {
        let (x, y) = (Activations::F32(x), SharedOut::new(y));
        Linear { weight, dtype, n: 2, k: 32, rows: 3, x, bias: None, y }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let (weight, x) = ([0; 256], [0.0; 96]);
        let blocks: [Act8; 3] = bytemuck::Zeroable::zeroed();
        let (mut y, mut short) = ([0.0; 6], [0.0; 5]);
        let good = with(DType::F32, &weight, &x, &mut y);
        assert_eq!(good.check(), Ok(()));

        let size = |what, expected, found| Err(LinearError::Size { what, expected, found });
        let bad = Linear { weight: &weight[..255], ..good };
        assert_eq!(bad.check(), size("weight", 256, 255));
        let bad = Linear { x: Activations::F32(&x[..95]), ..good };
        assert_eq!(bad.check(), size("x", 96, 95));
        let bad = Linear { bias: Some(&x[..3]), ..good };
        assert_eq!(bad.check(), size("bias", 2, 3));
        let bad = Linear { y: SharedOut::new(&mut short), ..good };
        assert_eq!(bad.check(), size("y", 6, 5));
        let bad = Linear { n: usize::MAX, ..good };
        assert_eq!(bad.check(), Err(LinearError::TooLarge));

        let bad = Linear { dtype: DType::Q8_K, ..good };
        assert_eq!(bad.check(), Err(LinearError::Weights { dtype: DType::Q8_K }));
        let (weights, found) = (DType::Q8_0, DType::F32);
        let bad = Linear { dtype: weights, ..good };
        assert_eq!(bad.check(), Err(LinearError::Activations { weights, found }));
        let x = |blocks| Activations::Act8(Act8Rows::new(blocks, blocks.len()));
        let q8 = Linear { weight: &weight[..68], x: x(&blocks), ..bad };
        assert_eq!(q8.check(), Ok(()));
        let bad = Linear { dtype: DType::Q6_K, ..q8 };
        assert_eq!(bad.check(), Err(LinearError::Row { k: 32, block: 256 }));
        let bad = Linear { x: x(&blocks[..2]), ..q8 };
        assert_eq!(bad.check(), size("rows of x", 3, 2));
        let bad = Linear { x: Activations::Act8(Act8Rows::new(&blocks, 1)), rows: 1, ..q8 };
        assert_eq!(bad.check(), size("a row of x", 1, 3));
    }

    #[test]
    fn threads_write_their_own_columns() {
        let weight: Vec<u8> = [1.0f32; 64].iter().flat_map(|w| w.to_le_bytes()).collect();
        let x = [1.0; 96];
        let mut y = [0.0; 6];
        let layer = with(DType::F32, &weight, &x, &mut y);
        let pool = sidestage_pool::Pool::native(2);
        pool.run(2, &|part| linear(&layer, part..part + 1));
        assert_eq!(y, [32.0; 6]);
    }
}
