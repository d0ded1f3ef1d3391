//! Weights by their names, and the layers that take one.

use super::Builder;
use crate::{LmError, Norm};
use sidestage_formats::TensorInfo;
use sidestage_ir::{Operator, ValueId};
use sidestage_kernels::activation_dtype;
use sidestage_ops::{LayerNormalization, Linear, Quantize, RmsNormalization};
use sidestage_tensor::DType;
use std::ops::Range;

impl Builder<'_> {
    /// `x * weight + bias`, the bias if there is one.
    pub(super) fn linear(
        &mut self,
        name: &str,
        x: ValueId,
        n: usize,
        k: usize,
    ) -> Result<ValueId, LmError> {
        let weight = self.matrix(&format!("{name}.weight"), n, k)?;
        self.product(name, x, (weight, n), None)
    }

    /// `x * weight + bias` for some of the weight's `n` rows. Quantised weights take quantised
    /// activations; a value is quantised once for all its readers.
    pub(super) fn product(
        &mut self,
        name: &str,
        x: ValueId,
        (weight, n): (ValueId, usize),
        outputs: Option<Range<usize>>,
    ) -> Result<ValueId, LmError> {
        let x = self.activations(name, x, weight)?;
        let bias = format!("{name}.bias");
        let mut inputs = vec![x, weight];
        if self.has(&bias) {
            inputs.push(self.vector(&bias, n)?);
        }
        self.apply(name, Linear::<true> { outputs }, &inputs)
    }

    /// `x` in the type that a weight takes.
    pub(super) fn activations(
        &mut self,
        name: &str,
        x: ValueId,
        weight: ValueId,
    ) -> Result<ValueId, LmError> {
        if activation_dtype(self.graph.ty(weight).dtype) != DType::Act8 {
            return Ok(x);
        }
        match self.graph.reader(x, Quantize.name()) {
            Some(quantized) => Ok(quantized),
            None => self.apply(name, Quantize, &[x]),
        }
    }

    /// The norm of whole rows.
    pub(super) fn norm(&mut self, name: &str, x: ValueId) -> Result<ValueId, LmError> {
        let width = self.config.width;
        let weight = self.vector(&format!("{name}.weight"), width)?;
        self.norm_by(name, x, weight, width)
    }

    /// The norm of queries or keys, if the model has one: of each head with one weight for all, of
    /// each head with its own, or of all heads together.
    pub(super) fn query_norm(
        &mut self,
        name: &str,
        x: ValueId,
        heads: usize,
    ) -> Result<ValueId, LmError> {
        let tensor = format!("{name}.weight");
        let Some(info) = self.weights.get(&tensor) else { return Ok(x) };
        let head_dim = self.config.head_dim;
        let width = heads * head_dim;
        let (shape, group) = match info.extents[..] {
            [length] if length == head_dim as u64 => (vec![head_dim], head_dim),
            [_] => (vec![width], width),
            _ => (vec![heads, head_dim], head_dim),
        };
        let length = shape.iter().product();
        let weight = self.weight(&tensor, &shape, &[length], |dtype| dtype == DType::F32)?;
        self.norm_by(name, x, weight, group)
    }

    fn norm_by(
        &mut self,
        name: &str,
        x: ValueId,
        weight: ValueId,
        group: usize,
    ) -> Result<ValueId, LmError> {
        let epsilon = self.config.epsilon;
        let bias = format!("{name}.bias");
        match self.config.family.norm {
            Norm::Rms => self.apply(name, RmsNormalization { epsilon }, &[x, weight]),
            Norm::Layer => {
                let mut inputs = vec![x, weight];
                if self.has(&bias) {
                    inputs.push(self.vector(&bias, group)?);
                }
                self.apply(name, LayerNormalization { group, epsilon }, &inputs)
            }
        }
    }

    pub(super) fn matrix(&mut self, name: &str, n: usize, k: usize) -> Result<ValueId, LmError> {
        self.weight(name, &[n, k], &[n, k], sidestage_kernels::supports)
    }

    pub(super) fn vector(&mut self, name: &str, n: usize) -> Result<ValueId, LmError> {
        self.weight(name, &[n], &[n], |dtype| dtype == DType::F32)
    }

    /// A weight that has one shape in the file, and may have another with as many elements here.
    pub(super) fn weight(
        &mut self,
        name: &str,
        shape: &[usize],
        here: &[usize],
        supported: impl Fn(DType) -> bool,
    ) -> Result<ValueId, LmError> {
        let missing = || LmError::MissingTensor { name: name.into() };
        let TensorInfo { dtype, extents, .. } = self.weights.get(name).ok_or_else(missing)?;
        let expected: Vec<u64> = shape.iter().map(|&dim| dim as u64).collect();
        if *extents != expected {
            return Err(LmError::Shape { name: name.into(), found: extents.clone(), expected });
        }
        if !supported(*dtype) {
            return Err(LmError::Type { name: name.into(), dtype: *dtype });
        }
        Ok(self.graph.weight(name, *dtype, here))
    }
}
