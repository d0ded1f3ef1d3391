//! Functions of one element.

use super::{Wide, WideKind, single, wide_kind};
use sidestage_tensor::DType;

/// A function of one element, by ONNX's name.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "ONNX's names")]
pub enum Unary {
    Abs,
    Acos,
    Acosh,
    Asin,
    Asinh,
    Atan,
    Atanh,
    BitwiseNot,
    Ceil,
    /// `max(0, x) + min(0, alpha * (exp(x / alpha) - 1))`.
    Celu(f32),
    /// Cut to the least and the most.
    Clip(f32, f32),
    Cos,
    Cosh,
    /// `alpha * (exp(x) - 1)` below 0.
    Elu(f32),
    Erf,
    Exp,
    Floor,
    Gelu,
    GeluTanh,
    /// `max(0, min(1, alpha * x + beta))`.
    HardSigmoid(f32, f32),
    HardSwish,
    IsInf {
        negative: bool,
        positive: bool,
    },
    IsNaN,
    /// `alpha * x` below 0.
    LeakyRelu(f32),
    Log,
    Mish,
    Neg,
    Not,
    Reciprocal,
    Relu,
    Round,
    /// `gamma * (alpha * exp(x) - alpha)` below 0, else `gamma * x`.
    Selu(f32, f32),
    /// `x + bias` below `-lambd`, `x - bias` over `lambd`, else 0.
    Shrink {
        bias: f32,
        lambd: f32,
    },
    Sigmoid,
    Sign,
    Sin,
    Sinh,
    Softplus,
    Softsign,
    Sqrt,
    /// `x * sigmoid(alpha * x)`.
    Swish(f32),
    Tan,
    Tanh,
    /// 0 up to alpha.
    ThresholdedRelu(f32),
}

impl Unary {
    /// The type of its result; `None`: it is not defined for such elements.
    pub fn result(self, dtype: DType) -> Option<DType> {
        let kind = wide_kind(dtype)?;
        let float = kind == WideKind::Float;
        match self {
            Self::Not => (dtype == DType::Bool).then_some(DType::Bool),
            Self::IsInf { .. } | Self::IsNaN => float.then_some(DType::Bool),
            Self::BitwiseNot => (!float && dtype != DType::Bool).then_some(dtype),
            Self::Abs | Self::Neg | Self::Sign | Self::Relu => {
                (dtype != DType::Bool).then_some(dtype)
            }
            _ => float.then_some(dtype),
        }
    }

    /// Computes elements `first..` of the result.
    ///
    /// # Panics
    /// If it is not defined for `dtype`, or the bytes are not as many elements.
    pub fn run(self, dtype: DType, x: &[u8], out: &mut [u8]) {
        if dtype == DType::F32
            && self.result(dtype) == Some(dtype)
            && single::run(self, bytemuck::cast_slice(x), bytemuck::cast_slice_mut(out))
        {
            return;
        }
        let result = self.result(dtype);
        match (wide_kind(dtype), result) {
            (Some(WideKind::Float), Some(DType::Bool)) => {
                let load = f64::load(dtype);
                for (i, out) in out.iter_mut().enumerate() {
                    *out = load.is_some_and(|load| self.test(load(x, i))).into();
                }
            }
            (Some(WideKind::Float), _) => each(dtype, x, out, |x| self.float(x)),
            (Some(WideKind::Int), _) => each(dtype, x, out, |x| self.int(x)),
            (Some(WideKind::Uint), _) => each(dtype, x, out, |x| self.uint(x)),
            (None, _) => unreachable!("{self:?} of {dtype}"),
        }
    }

    fn test(self, x: f64) -> bool {
        match self {
            Self::IsInf { negative, positive } => {
                x == f64::INFINITY && positive || x == f64::NEG_INFINITY && negative
            }
            _ => x.is_nan(),
        }
    }

    fn float(self, x: f64) -> f64 {
        match self {
            Self::Abs => x.abs(),
            Self::Acos => x.acos(),
            Self::Acosh => x.acosh(),
            Self::Asin => x.asin(),
            Self::Asinh => x.asinh(),
            Self::Atan => x.atan(),
            Self::Atanh => x.atanh(),
            Self::Ceil => x.ceil(),
            Self::Clip(least, most) => {
                if x < least.into() {
                    least.into()
                } else if x > most.into() {
                    most.into()
                } else {
                    x
                }
            }
            Self::Celu(alpha) => {
                let alpha = f64::from(alpha);
                x.max(0.0) + (alpha * (x / alpha).exp_m1()).min(0.0)
            }
            Self::Cos => x.cos(),
            Self::Cosh => x.cosh(),
            Self::Elu(alpha) => {
                if x < 0.0 {
                    f64::from(alpha) * x.exp_m1()
                } else {
                    x
                }
            }
            Self::Erf => erf(x),
            Self::Exp => x.exp(),
            Self::Floor => x.floor(),
            Self::Gelu => 0.5 * x * (1.0 + erf(x * std::f64::consts::FRAC_1_SQRT_2)),
            Self::GeluTanh => {
                let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x * x * x);
                0.5 * x * (1.0 + inner.tanh())
            }
            Self::HardSigmoid(alpha, beta) => {
                (f64::from(alpha) * x + f64::from(beta)).clamp(0.0, 1.0)
            }
            Self::HardSwish => x * (x / 6.0 + 0.5).clamp(0.0, 1.0),
            Self::LeakyRelu(alpha) => {
                if x < 0.0 {
                    f64::from(alpha) * x
                } else {
                    x
                }
            }
            Self::Log => x.ln(),
            Self::Mish => x * softplus(x).tanh(),
            Self::Neg => -x,
            Self::Reciprocal => 1.0 / x,
            Self::Relu => {
                if x < 0.0 {
                    0.0
                } else {
                    x
                }
            }
            Self::Round => x.round_ties_even(),
            Self::Selu(alpha, gamma) => {
                let (alpha, gamma) = (f64::from(alpha), f64::from(gamma));
                gamma * if x <= 0.0 { alpha * x.exp_m1() } else { x }
            }
            Self::Shrink { bias, lambd } => {
                let (bias, lambd) = (f64::from(bias), f64::from(lambd));
                if x < -lambd {
                    x + bias
                } else if x > lambd {
                    x - bias
                } else {
                    0.0
                }
            }
            Self::Sigmoid => 1.0 / (1.0 + (-x).exp()),
            Self::Sign => {
                if x == 0.0 || x.is_nan() {
                    x
                } else {
                    x.signum()
                }
            }
            Self::Sin => x.sin(),
            Self::Sinh => x.sinh(),
            Self::Softplus => softplus(x),
            Self::Softsign => x / (1.0 + x.abs()),
            Self::Sqrt => x.sqrt(),
            Self::Swish(alpha) => x / (1.0 + (-f64::from(alpha) * x).exp()),
            Self::Tan => x.tan(),
            Self::Tanh => x.tanh(),
            Self::ThresholdedRelu(alpha) => {
                if x > f64::from(alpha) {
                    x
                } else {
                    0.0
                }
            }
            Self::BitwiseNot | Self::IsInf { .. } | Self::IsNaN | Self::Not => x,
        }
    }

    fn int(self, x: i64) -> i64 {
        match self {
            Self::Abs => x.wrapping_abs(),
            Self::Neg => x.wrapping_neg(),
            Self::Relu => x.max(0),
            Self::Sign => x.signum(),
            Self::Not => i64::from(x == 0),
            _ => !x,
        }
    }

    fn uint(self, x: u64) -> u64 {
        match self {
            Self::Abs | Self::Relu => x,
            Self::Neg => x.wrapping_neg(),
            Self::Sign => x.min(1),
            _ => !x,
        }
    }
}

/// `ln(1 + exp(x))`, without an overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// The error function: Abramowitz and Stegun 7.1.5 near 0, else the continued fraction 7.1.14.
fn erf(x: f64) -> f64 {
    let size = x.abs();
    if x.is_nan() || size > 6.0 {
        return if x.is_nan() { x } else { x.signum() };
    }
    let value = if size < 2.5 {
        let (mut term, mut sum, mut n) = (size, size, 0.0);
        while term.abs() > 1e-17 * sum.abs() && n < 100.0 {
            n += 1.0;
            term *= -size * size / n;
            sum += term / (2.0 * n + 1.0);
        }
        sum * std::f64::consts::FRAC_2_SQRT_PI
    } else {
        let mut fraction = 0.0;
        for n in (1..=60).rev() {
            fraction = f64::from(n) / 2.0 / (size + fraction);
        }
        let pi = std::f64::consts::PI.sqrt();
        1.0 - (-size * size).exp() / ((size + fraction) * pi)
    };
    value.copysign(x)
}

fn each<W: Wide>(dtype: DType, x: &[u8], out: &mut [u8], f: impl Fn(W) -> W) {
    let (Some(load), Some(store)) = (W::load(dtype), W::store(dtype)) else {
        unreachable!("{dtype} is of another kind")
    };
    for i in 0..out.len() / dtype.block_bytes() {
        store(out, i, f(load(x, i)));
    }
}
