//! Layers of one call, or of a few.

use super::{Builder, Layer, ints, plain, text};
use crate::tfjs::TfjsError;
use crate::tfjs::json::Json;
use sidestage_ir::{Attribute, Var};
use sidestage_tensor::DType;

impl<'a> Builder<'a> {
    /// `None`: the layer is none of these, or refused.
    pub(super) fn simple(
        &mut self,
        layer: &Layer<'a>,
        x: Var,
        vals: &[Var],
    ) -> Result<Option<Var>, TfjsError> {
        let class = layer.class;
        let float = |key: &str, default: f64| layer.number(key).unwrap_or(default);
        let y = match class {
            // What only training has.
            "Dropout"
            | "SpatialDropout1D"
            | "SpatialDropout2D"
            | "SpatialDropout3D"
            | "GaussianNoise"
            | "GaussianDropout"
            | "AlphaDropout"
            | "ActivityRegularization"
            | "InputLayer" => x,
            "Activation" => return self.activation(layer, x),
            "Dense" => {
                let kernel = self.weight(layer, "kernel")?;
                let mut y = self.call("MatMul", &[x, kernel], &[]);
                if layer.truth("use_bias", true) {
                    let bias = self.weight(layer, "bias")?;
                    y = self.call("Add", &[y, bias], &[]);
                }
                return self.activation(layer, y);
            }
            "Embedding" => {
                if layer.truth("mask_zero", false) {
                    self.refuse(layer, "mask_zero");
                    return Ok(None);
                }
                let table = self.weight(layer, "embeddings")?;
                let ids = self.cast(x, DType::I32);
                self.call("Gather", &[table, ids], &[])
            }
            "Flatten" if layer.channels_first() => {
                self.refuse(layer, "channels_first");
                return Ok(None);
            }
            "Flatten" => self.call("Flatten", &[x], &[("axis", Attribute::Int(1))]),
            "Reshape" => {
                let shape = layer.config.get("target_shape").list();
                // Dimensions that are not known are one.
                let shape = shape.iter().map(|dim| dim.int().unwrap_or(-1));
                let shape: Vec<i64> = std::iter::once(0).chain(shape).collect();
                let shape = self.list(&[shape.len()], &shape)?;
                self.call("Reshape", &[x, shape], &[])
            }
            "Permute" => {
                let order = layer.config.get("dims").list().iter().map(Json::int);
                let order: Option<Vec<i64>> = std::iter::once(Some(0)).chain(order).collect();
                let order = order.ok_or_else(|| layer.wrong("its dims are none"))?;
                self.call("Transpose", &[x], &[("perm", Attribute::Ints(order))])
            }
            "RepeatVector" => {
                let count = layer.config.get("n").int();
                let count = count.ok_or_else(|| layer.wrong("its n is none"))?;
                let rows = self.call("Unsqueeze", &[x], &[("axes", ints(&[1]))]);
                let repeats = self.list(&[3], &[1, count, 1])?;
                self.call("Tile", &[rows, repeats], &[])
            }
            "Concatenate" | "Merge" => {
                let axis = layer.config.get("axis").int().unwrap_or(-1);
                self.call("Concat", vals, &[("axis", Attribute::Int(axis))])
            }
            "Add" => self.call("Sum", vals, &[]),
            "Average" => self.call("Mean", vals, &[]),
            "Maximum" => self.call("Max", vals, &[]),
            "Minimum" => self.call("Min", vals, &[]),
            "Multiply" => {
                let others = vals.iter().skip(1);
                others.fold(x, |all, other| self.call("Mul", &[all, *other], &[]))
            }
            "Subtract" if vals.len() == 2 => self.call("Sub", vals, &[]),
            "BatchNormalization" => self.batch_normalization(layer, x)?,
            "LayerNormalization" => {
                let one = self.scalar(1.0)?;
                let scale = self.own(layer, "scale", "gamma")?.unwrap_or(one);
                let axis = layer.config.get("axis");
                let axis = axis.int().or_else(|| axis.list().first()?.int()).unwrap_or(-1);
                let mut operands = vec![x, scale];
                operands.extend(self.own(layer, "center", "beta")?);
                let epsilon = Attribute::Float(float("epsilon", 1e-3) as f32);
                let attributes = [("axis", Attribute::Int(axis)), ("epsilon", epsilon)];
                self.call("LayerNormalization", &operands, &attributes)
            }
            "ReLU" => {
                if float("threshold", 0.0) != 0.0 {
                    self.refuse(layer, "threshold");
                    return Ok(None);
                }
                let slope = float("negative_slope", 0.0);
                let y = if slope == 0.0 {
                    self.call("Relu", &[x], &[])
                } else {
                    self.call("LeakyRelu", &[x], &[("alpha", Attribute::Float(slope as f32))])
                };
                match layer.number("max_value") {
                    Some(most) => {
                        let most = self.scalar(most)?;
                        self.call("Min", &[y, most], &[])
                    }
                    None => y,
                }
            }
            "LeakyReLU" => {
                let slope = float("alpha", float("negative_slope", 0.3)) as f32;
                self.call("LeakyRelu", &[x], &[("alpha", Attribute::Float(slope))])
            }
            "PReLU" => {
                let slope = self.weight(layer, "alpha")?;
                self.call("TF::Prelu", &[x, slope], &[])
            }
            "ELU" => {
                let alpha = Attribute::Float(float("alpha", 1.0) as f32);
                self.call("Elu", &[x], &[("alpha", alpha)])
            }
            "ThresholdedReLU" => {
                let theta = Attribute::Float(float("theta", 1.0) as f32);
                self.call("ThresholdedRelu", &[x], &[("alpha", theta)])
            }
            "Softmax" => {
                let axis = Attribute::Int(layer.config.get("axis").int().unwrap_or(-1));
                self.call("Softmax", &[x], &[("axis", axis)])
            }
            "Rescaling" => {
                let scale = self.scalar(float("scale", 1.0))?;
                let offset = self.scalar(float("offset", 0.0))?;
                let y = self.call("Mul", &[x, scale], &[]);
                self.call("Add", &[y, offset], &[])
            }
            _ => return Ok(None),
        };
        Ok(Some(y))
    }

    /// A weight that is there if the layer says so.
    fn own(&mut self, layer: &Layer<'_>, key: &str, which: &str) -> Result<Option<Var>, TfjsError> {
        if !layer.truth(key, true) {
            return Ok(None);
        }
        self.weight(layer, which).map(Some)
    }

    fn batch_normalization(&mut self, layer: &Layer<'_>, x: Var) -> Result<Var, TfjsError> {
        let (zero, one) = (self.scalar(0.0)?, self.scalar(1.0)?);
        let scale = self.own(layer, "scale", "gamma")?.unwrap_or(one);
        let offset = self.own(layer, "center", "beta")?.unwrap_or(zero);
        let mean = self.weight(layer, "moving_mean")?;
        let variance = self.weight(layer, "moving_variance")?;
        let axis = layer.config.get("axis");
        let axis = axis.int().or_else(|| axis.list().first()?.int()).unwrap_or(-1);
        let epsilon = layer.number("epsilon").unwrap_or(1e-3) as f32;
        let attributes = [("epsilon", Attribute::Float(epsilon)), ("axis", Attribute::Int(axis))];
        Ok(self.call("TF::FusedBatchNormV3", &[x, scale, offset, mean, variance], &attributes))
    }

    /// The function that a layer names, of its result.
    pub(super) fn activation(
        &mut self,
        layer: &Layer<'_>,
        x: Var,
    ) -> Result<Option<Var>, TfjsError> {
        let named = layer.config.get("activation");
        let name = named.text().or_else(|| named.get("class_name").text()).unwrap_or("linear");
        let float = |value: f32| Attribute::Float(value);
        let (op, attributes) = match plain(name).as_str() {
            "linear" => return Ok(Some(x)),
            "elu" => ("Elu", vec![]),
            "exponential" => ("Exp", vec![]),
            "gelu" => ("Gelu", vec![]),
            "gelunew" => ("Gelu", vec![("approximate", text("tanh"))]),
            "hardsigmoid" => ("HardSigmoid", vec![("alpha", float(0.2)), ("beta", float(0.5))]),
            "leakyrelu" => ("LeakyRelu", vec![("alpha", float(0.2))]),
            "logsoftmax" => ("LogSoftmax", vec![("axis", Attribute::Int(-1))]),
            "mish" => ("Mish", vec![]),
            "relu" => ("Relu", vec![]),
            "relu6" => ("TF::Relu6", vec![]),
            "selu" => ("Selu", vec![]),
            "sigmoid" => ("Sigmoid", vec![]),
            "softmax" => ("Softmax", vec![("axis", Attribute::Int(-1))]),
            "softplus" => ("Softplus", vec![]),
            "softsign" => ("Softsign", vec![]),
            "swish" | "silu" => ("Swish", vec![]),
            "tanh" => ("Tanh", vec![]),
            _ => {
                self.refuse(layer, name);
                return Ok(None);
            }
        };
        Ok(Some(self.call(op, &[x], &attributes)))
    }
}
