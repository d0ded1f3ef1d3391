//! Functions of two elements.

use super::{Wide, WideKind, wide_kind};
use crate::Strides;
use sidestage_tensor::DType;

/// A function of two elements, by ONNX's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "ONNX's names")]
pub enum Binary {
    Add,
    And,
    /// Shifts to the left, or to the right.
    BitShift {
        left: bool,
    },
    BitwiseAnd,
    BitwiseOr,
    BitwiseXor,
    Div,
    Equal,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Max,
    Min,
    /// With the sign of the divisor (Python's `%`), or of the dividend (C's `fmod`).
    Mod {
        fmod: bool,
    },
    Mul,
    Or,
    /// `a * b` where a is below 0.
    PRelu,
    Pow,
    Sub,
    Xor,
}

impl Binary {
    /// The type of its result; `None`: it is not defined for such elements.
    pub fn result(self, dtype: DType) -> Option<DType> {
        let kind = wide_kind(dtype)?;
        let bool = dtype == DType::Bool;
        match self {
            Self::And | Self::Or | Self::Xor => bool.then_some(DType::Bool),
            Self::Equal => Some(DType::Bool),
            Self::Greater | Self::GreaterOrEqual | Self::Less | Self::LessOrEqual => {
                (!bool).then_some(DType::Bool)
            }
            Self::BitShift { .. } | Self::BitwiseAnd | Self::BitwiseOr | Self::BitwiseXor => {
                (kind != WideKind::Float && !bool).then_some(dtype)
            }
            _ => (!bool).then_some(dtype),
        }
    }

    fn compares(self) -> bool {
        matches!(
            self,
            Self::Equal | Self::Greater | Self::GreaterOrEqual | Self::Less | Self::LessOrEqual
        )
    }

    /// Computes the result's elements from `first` on.
    ///
    /// # Panics
    /// If it is not defined for `dtype`.
    pub fn run(
        self,
        dtype: DType,
        strides: &Strides<2>,
        [a, b]: [&[u8]; 2],
        first: usize,
        out: &mut [u8],
    ) {
        if dtype == DType::F32 {
            let (x, y) = (bytemuck::cast_slice(a), bytemuck::cast_slice(b));
            match self {
                Self::Add => return floats(strides, [x, y], first, out, |a, b| a + b),
                Self::Sub => return floats(strides, [x, y], first, out, |a, b| a - b),
                Self::Mul => return floats(strides, [x, y], first, out, |a, b| a * b),
                Self::Div => return floats(strides, [x, y], first, out, |a, b| a / b),
                Self::Max => return floats(strides, [x, y], first, out, most),
                // Of what is left, the one without a number counts.
                Self::Min => return floats(strides, [x, y], first, out, |a, b| -most(-a, -b)),
                Self::PRelu => {
                    let slope = |a, b| if a < 0.0 { a * b } else { a };
                    return floats(strides, [x, y], first, out, slope);
                }
                Self::Equal => return compare(strides, [x, y], first, out, |a, b| a == b),
                Self::Greater => return compare(strides, [x, y], first, out, |a, b| a > b),
                Self::GreaterOrEqual => return compare(strides, [x, y], first, out, |a, b| a >= b),
                Self::Less => return compare(strides, [x, y], first, out, |a, b| a < b),
                Self::LessOrEqual => return compare(strides, [x, y], first, out, |a, b| a <= b),
                _ => {}
            }
        }
        match wide_kind(dtype) {
            Some(WideKind::Float) => {
                wide::<f64>(self, dtype, strides, [a, b], first, out, Self::float, |a, b| {
                    a.partial_cmp(&b)
                })
            }
            Some(WideKind::Int) => {
                wide::<i64>(self, dtype, strides, [a, b], first, out, Self::int, |a, b| {
                    Some(a.cmp(&b))
                })
            }
            Some(WideKind::Uint) => {
                wide::<u64>(self, dtype, strides, [a, b], first, out, Self::uint, |a, b| {
                    Some(a.cmp(&b))
                })
            }
            None => unreachable!("{self:?} of {dtype}"),
        }
    }

    fn float(self, a: f64, b: f64) -> f64 {
        match self {
            Self::Add => a + b,
            Self::Div => a / b,
            Self::Max => {
                if a.is_nan() || b.is_nan() {
                    f64::NAN
                } else {
                    a.max(b)
                }
            }
            Self::Min => {
                if a.is_nan() || b.is_nan() {
                    f64::NAN
                } else {
                    a.min(b)
                }
            }
            Self::Mod { fmod: true } => a % b,
            Self::Mod { fmod: false } => {
                let rest = a % b;
                // The sum, not `a - b * floor(a / b)`: that has no value where b is infinite.
                match rest {
                    0.0 => rest.copysign(b),
                    _ if (rest < 0.0) != (b < 0.0) => rest + b,
                    _ => rest,
                }
            }
            Self::Mul => a * b,
            Self::PRelu => {
                if a < 0.0 {
                    a * b
                } else {
                    a
                }
            }
            Self::Pow => a.powf(b),
            _ => a - b,
        }
    }

    fn int(self, a: i64, b: i64) -> i64 {
        match self {
            Self::Add => a.wrapping_add(b),
            Self::And | Self::BitwiseAnd => a & b,
            // All bits are shifted out by as many as there are, and by a number below 0.
            Self::BitShift { left: true } => {
                u32::try_from(b).ok().and_then(|b| a.checked_shl(b)).unwrap_or(0)
            }
            Self::BitShift { left: false } => a >> u32::try_from(b).map_or(63, |b| b.min(63)),
            Self::BitwiseOr | Self::Or => a | b,
            Self::BitwiseXor | Self::Xor => a ^ b,
            Self::Div => a.checked_div(b).unwrap_or(0),
            Self::Max => a.max(b),
            Self::Min => a.min(b),
            Self::Mod { fmod: true } => a.checked_rem(b).unwrap_or(0),
            Self::Mod { fmod: false } => {
                let rest = a.checked_rem(b).unwrap_or(0);
                if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest }
            }
            Self::Mul => a.wrapping_mul(b),
            Self::PRelu => {
                if a < 0 {
                    a.wrapping_mul(b)
                } else {
                    a
                }
            }
            Self::Pow => (a as f64).powf(b as f64) as i64,
            _ => a.wrapping_sub(b),
        }
    }

    fn uint(self, a: u64, b: u64) -> u64 {
        let shift = |shifted: Option<u64>| shifted.unwrap_or(0);
        match self {
            Self::Add => a.wrapping_add(b),
            Self::BitShift { left: true } => {
                shift(u32::try_from(b).ok().and_then(|b| a.checked_shl(b)))
            }
            Self::BitShift { left: false } => {
                shift(u32::try_from(b).ok().and_then(|b| a.checked_shr(b)))
            }
            Self::BitwiseAnd => a & b,
            Self::BitwiseOr => a | b,
            Self::BitwiseXor => a ^ b,
            Self::Div => a.checked_div(b).unwrap_or(0),
            Self::Max => a.max(b),
            Self::Min => a.min(b),
            Self::Mod { .. } => a.checked_rem(b).unwrap_or(0),
            Self::Mul => a.wrapping_mul(b),
            Self::Pow => (a as f64).powf(b as f64) as u64,
            Self::PRelu => a,
            _ => a.wrapping_sub(b),
        }
    }
}

/// The larger number; where one is none, none.
fn most(a: f32, b: f32) -> f32 {
    if a > b || a.is_nan() { a } else { b }
}

fn compare(
    strides: &Strides<2>,
    [a, b]: [&[f32]; 2],
    first: usize,
    out: &mut [u8],
    f: impl Fn(f32, f32) -> bool,
) {
    strides.rows(first..first + out.len(), |at, [x, y], count, [i, j]| {
        for (n, out) in out[at - first..][..count].iter_mut().enumerate() {
            *out = f(a[x + n * i as usize], b[y + n * j as usize]).into();
        }
    });
}

fn floats(
    strides: &Strides<2>,
    [a, b]: [&[f32]; 2],
    first: usize,
    out: &mut [u8],
    f: impl Fn(f32, f32) -> f32,
) {
    let out: &mut [f32] = bytemuck::cast_slice_mut(out);
    strides.rows(first..first + out.len(), |at, [x, y], count, steps| {
        let out = out[at - first..][..count].iter_mut();
        match steps {
            [1, 1] => {
                let (a, b) = (&a[x..x + count], &b[y..y + count]);
                out.zip(a).zip(b).for_each(|((out, a), b)| *out = f(*a, *b));
            }
            [1, 0] => out.zip(&a[x..x + count]).for_each(|(out, a)| *out = f(*a, b[y])),
            [0, 1] => out.zip(&b[y..y + count]).for_each(|(out, b)| *out = f(a[x], *b)),
            [i, j] => out.enumerate().for_each(|(n, out)| {
                *out = f(a[x + n * i as usize], b[y + n * j as usize]);
            }),
        }
    });
}

#[allow(clippy::too_many_arguments, reason = "one loop for all kinds")]
fn wide<W: Wide>(
    of: Binary,
    dtype: DType,
    strides: &Strides<2>,
    [a, b]: [&[u8]; 2],
    first: usize,
    out: &mut [u8],
    f: fn(Binary, W, W) -> W,
    compare: fn(W, W) -> Option<std::cmp::Ordering>,
) {
    let (Some(load), Some(store)) = (W::load(dtype), W::store(dtype)) else {
        unreachable!("{dtype} is of another kind")
    };
    let size = if of.compares() { 1 } else { dtype.block_bytes() };
    let span = first..first + out.len() / size;
    strides.rows(span, |at, [x, y], count, [i, j]| {
        for n in 0..count {
            let (a, b) = (load(a, x + n * i as usize), load(b, y + n * j as usize));
            let to = at - first + n;
            if of.compares() {
                let order = compare(a, b);
                out[to] = u8::from(match of {
                    Binary::Equal => order.is_some_and(std::cmp::Ordering::is_eq),
                    Binary::Greater => order.is_some_and(std::cmp::Ordering::is_gt),
                    Binary::GreaterOrEqual => order.is_some_and(std::cmp::Ordering::is_ge),
                    Binary::Less => order.is_some_and(std::cmp::Ordering::is_lt),
                    _ => order.is_some_and(std::cmp::Ordering::is_le),
                });
            } else {
                store(out, to, f(of, a, b));
            }
        }
    });
}
