//! From one type to another.

use super::{Wide, WideKind, wide_kind};
use sidestage_tensor::DType;

/// Writes the elements of `x` as `to`: numbers with a fraction are rounded towards 0, what a type
/// cannot hold is cut to its lowest bits, and truth is whatever is not 0 (ONNX, "Cast").
///
/// # Panics
/// If a type is quantised, or the bytes are not as many elements.
pub fn cast(from: DType, x: &[u8], to: DType, out: &mut [u8]) {
    match (wide_kind(from), wide_kind(to)) {
        _ if from == to => out.copy_from_slice(x),
        (Some(WideKind::Float), _) => each::<f64>(from, x, to, out),
        (Some(WideKind::Int), _) => each::<i64>(from, x, to, out),
        (Some(WideKind::Uint), _) => each::<u64>(from, x, to, out),
        (None, _) => unreachable!("a cast of {from}"),
    }
}

trait Number: Wide {
    fn float(self) -> f64;
    fn int(self) -> i64;
    fn uint(self) -> u64;
    fn truth(self) -> i64;
}

impl Number for f64 {
    fn float(self) -> f64 {
        self
    }
    fn int(self) -> i64 {
        self as i64
    }
    fn uint(self) -> u64 {
        if self < 0.0 { self as i64 as u64 } else { self as u64 }
    }
    fn truth(self) -> i64 {
        (self != 0.0).into()
    }
}

impl Number for i64 {
    fn float(self) -> f64 {
        self as f64
    }
    fn int(self) -> i64 {
        self
    }
    fn uint(self) -> u64 {
        self as u64
    }
    fn truth(self) -> i64 {
        (self != 0).into()
    }
}

impl Number for u64 {
    fn float(self) -> f64 {
        self as f64
    }
    fn int(self) -> i64 {
        self as i64
    }
    fn uint(self) -> u64 {
        self
    }
    fn truth(self) -> i64 {
        (self != 0).into()
    }
}

fn each<W: Number>(from: DType, x: &[u8], to: DType, out: &mut [u8]) {
    let Some(load) = W::load(from) else { unreachable!("{from} is of another kind") };
    let count = out.len() / to.block_bytes();
    if let Some(store) = f64::store(to) {
        (0..count).for_each(|i| store(out, i, load(x, i).float()));
    } else if to == DType::Bool {
        (0..count).for_each(|i| out[i] = load(x, i).truth() as u8);
    } else if let Some(store) = i64::store(to) {
        (0..count).for_each(|i| store(out, i, load(x, i).int()));
    } else if let Some(store) = u64::store(to) {
        (0..count).for_each(|i| store(out, i, load(x, i).uint()));
    }
}
