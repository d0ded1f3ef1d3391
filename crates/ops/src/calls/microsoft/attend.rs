use super::super::softmax::along;
use super::{Two, cast, expand, joined, scalar, slice, transpose, two};
use crate::Unary;
use crate::calls::matmul::matmul;
use sidestage_ir::{Scope, Stop, Traced};
use sidestage_kernels::Unary as One;
use sidestage_tensor::{DType, Tensor};

/// What attention adds to the products of queries and keys.
pub(super) struct Attend {
    /// Multiplies the scores.
    pub(super) scale: f32,
    /// Scores become `cap * tanh(score / cap)`.
    pub(super) softcap: Option<f32>,
    /// Added to the scores; broadcast to `[n, heads, s, total]`.
    pub(super) biases: Vec<Traced>,
    /// A score of each head that takes a share of nothing: `[heads]`.
    pub(super) sink: Option<Traced>,
}

impl Attend {
    /// `q[n, heads, s, width]`, `k[n, kv_heads, total, width]` and `v[n, kv_heads, total, values]`
    /// give `[n, heads, s, values]`. In single precision, whatever they are.
    pub(super) fn apply(
        &self,
        scope: &mut Scope<'_, '_>,
        q: &Traced,
        k: &Traced,
        v: &Traced,
    ) -> Result<Traced, Stop> {
        let wrong = || Stop::Refused(format!("q of {:?}, k of {:?}", q.dims(), k.dims()));
        let (&[n, heads, s, width], &[_, own, total, _]) = (q.dims(), k.dims()) else {
            return Err(wrong());
        };
        if own == 0 || heads % own != 0 || v.dims().len() != 4 {
            return Err(wrong());
        }
        let (group, values) = (heads / own, v.dims()[3]);
        // Rows of the heads that share a key head are rows of one matrix.
        let mut wide = [q, k, v].map(|x| cast(scope, x, DType::F32)).into_iter();
        let mut next = || wide.next().unwrap_or_else(|| Err("".into()));
        let (q, k, v) = (next()?, next()?, next()?);
        let q = scope.view(&q, &[n, own, group * s, width])?;
        let k = transpose(scope, &k, &[0, 1, 3, 2])?;
        let scores = matmul(scope, &q, &k)?;
        let mut scores = scope.view(&scores, &[n, heads, s, total])?;
        let scale = scalar(scope, DType::F32, self.scale.into())?;
        scores = two(scope, Two::Mul, &scores, &scale)?;
        if let Some(cap) = self.softcap {
            let cap = scalar(scope, DType::F32, cap.into())?;
            scores = two(scope, Two::Div, &scores, &cap)?;
            scores = scope.apply(Unary { function: One::Tanh }, &[scores])?;
            scores = two(scope, Two::Mul, &scores, &cap)?;
        }
        for bias in &self.biases {
            let bias = cast(scope, bias, DType::F32)?;
            scores = two(scope, Two::Add, &scores, &bias)?;
            if scores.dims() != [n, heads, s, total] {
                return Err(Stop::Refused(format!("a bias of {:?}", bias.dims())));
            }
        }
        let mut shares = match &self.sink {
            None => along(scope, &scores, 3, false)?,
            Some(sink) => {
                let sink = cast(scope, sink, DType::F32)?;
                let sink = scope.view(&sink, &[1, heads, 1, 1])?;
                let sink = expand(scope, &sink, &[n, heads, s, 1])?;
                let all = joined(scope, &[scores, sink], 3)?;
                let shares = along(scope, &all, 3, false)?;
                slice(scope, &shares, 3, (0, total))?
            }
        };
        shares = scope.view(&shares, &[n, own, group * s, total])?;
        let y = matmul(scope, &shares, &v)?;
        scope.view(&y, &[n, heads, s, values])
    }
}

/// `[n, s, heads * width]` as `[n, heads, s, width]`.
pub(super) fn heads(scope: &mut Scope<'_, '_>, x: &Traced, heads: usize) -> Result<Traced, Stop> {
    let [n, s, all] = *x.dims() else {
        return Err(Stop::Refused(format!("heads of {:?}", x.dims())));
    };
    if heads == 0 || all % heads != 0 {
        return Err(Stop::Refused(format!("{heads} heads of {all}")));
    }
    let x = scope.view(x, &[n, s, heads, all / heads])?;
    transpose(scope, &x, &[0, 2, 1, 3])
}

/// The other way.
pub(super) fn flat(scope: &mut Scope<'_, '_>, x: &Traced) -> Result<Traced, Stop> {
    let [n, heads, s, width] = *x.dims() else { return Err("x needs four dimensions".into()) };
    let x = transpose(scope, x, &[0, 2, 1, 3])?;
    scope.view(&x, &[n, s, heads * width])
}

/// What is added to scores: 0 where a query sees a key, else `never`.
pub(super) fn seen(
    scope: &Scope<'_, '_>,
    dims: &[usize],
    never: f32,
    sees: impl Iterator<Item = bool>,
) -> Result<Traced, Stop> {
    let bytes = sees.flat_map(|sees| if sees { 0.0 } else { never }.to_le_bytes());
    let bytes: Vec<u8> = bytes.collect();
    let tensor = Tensor::new(DType::F32, dims, &bytes).map_err(|_| "no memory")?;
    Ok(scope.constant(tensor))
}

/// Of a mask that is 0 where nobody looks: `never` there, else 0.
pub(super) fn masked(
    scope: &mut Scope<'_, '_>,
    mask: &Traced,
    dims: &[usize],
    never: f32,
) -> Result<Traced, Stop> {
    let mask = scope.view(mask, dims)?;
    let mask = cast(scope, &mask, DType::Bool)?;
    let zero = scalar(scope, DType::F32, 0.0)?;
    let never = scalar(scope, DType::F32, never.into())?;
    scope.apply(crate::Where, &[mask, zero, never])
}
