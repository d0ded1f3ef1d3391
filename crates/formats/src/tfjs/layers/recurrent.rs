//! Layers with a state, both ways, and layers of each step.

use super::{Builder, Layer, ints, plain, text};
use crate::tfjs::TfjsError;
use crate::tfjs::json::Json;
use sidestage_ir::{Attribute, Var};

impl<'a> Builder<'a> {
    /// `None`: the layer is none of these, or refused.
    pub(super) fn recurrent(
        &mut self,
        layer: &Layer<'a>,
        vals: &[Var],
    ) -> Result<Option<Vec<Var>>, TfjsError> {
        match layer.class {
            "SimpleRNN" | "GRU" | "LSTM" => {
                let backwards = layer.truth("go_backwards", false);
                let Some(mut all) = self.cell(layer, vals, backwards)? else { return Ok(None) };
                if backwards && layer.truth("return_sequences", false) {
                    // The steps in the order in which they were taken.
                    all[0] = self.reversed(all[0])?;
                }
                Ok(Some(all))
            }
            "Bidirectional" => self.both_ways(layer, vals),
            "TimeDistributed" => self.each_step(layer, vals),
            _ => Ok(None),
        }
    }

    /// The steps in the other order.
    fn reversed(&mut self, x: Var) -> Result<Var, TfjsError> {
        let axes = self.list(&[1], &[1])?;
        Ok(self.call("TF::ReverseV2", &[x, axes], &[]))
    }

    /// What ONNX calls the functions of a layer.
    fn functions(&mut self, layer: &Layer<'_>, keys: &[&str]) -> Option<Attribute> {
        let mut all = Vec::new();
        for key in keys {
            let default = if *key == "activation" { "tanh" } else { "hard_sigmoid" };
            let name = layer.config.get(key).text().unwrap_or(default);
            all.push(match plain(name).as_str() {
                "elu" => b"Elu".to_vec(),
                "hardsigmoid" => b"HardSigmoid".to_vec(),
                "linear" => b"Affine".to_vec(),
                "relu" => b"Relu".to_vec(),
                "sigmoid" => b"Sigmoid".to_vec(),
                "softplus" => b"Softplus".to_vec(),
                "softsign" => b"Softsign".to_vec(),
                "tanh" => b"Tanh".to_vec(),
                _ => {
                    self.refuse(layer, name);
                    return None;
                }
            });
        }
        Some(Attribute::Texts(all))
    }

    /// Weights of all gates, in ONNX's order, as `[1, gates…]`.
    fn gates(&mut self, x: Var, axis: i64, order: &[usize]) -> Var {
        let axis = Attribute::Int(axis);
        if order.is_sorted() {
            return x;
        }
        let parts = self.calls("Split", vec![Some(x)], &[("axis", axis.clone())], order.len());
        let parts: Vec<Var> = order.iter().map(|gate| parts[*gate]).collect();
        self.call("Concat", &parts, &[("axis", axis)])
    }

    /// One direction: the result, and what is left of the state if that is wanted.
    fn cell(
        &mut self,
        layer: &Layer<'_>,
        vals: &[Var],
        backwards: bool,
    ) -> Result<Option<Vec<Var>>, TfjsError> {
        if layer.truth("stateful", false) {
            self.refuse(layer, "stateful");
            return Ok(None);
        }
        let (op, order, keys): (_, &[usize], &[&str]) = match layer.class {
            "SimpleRNN" => ("RNN", &[0], &["activation"]),
            "GRU" => ("GRU", &[0, 1, 2], &["recurrent_activation", "activation"]),
            _ => ("LSTM", &[0, 3, 1, 2], &["recurrent_activation", "activation", "activation"]),
        };
        let Some(functions) = self.functions(layer, keys) else { return Ok(None) };
        let after = layer.truth("reset_after", false);
        let mut attributes = vec![
            ("activations", functions),
            ("layout", Attribute::Int(1)),
            ("direction", text(if backwards { "reverse" } else { "forward" })),
            ("linear_before_reset", Attribute::Int(after.into())),
        ];
        if let Some(units) = layer.config.get("units").int() {
            attributes.push(("hidden_size", Attribute::Int(units)));
        }
        let mut weights = Vec::new();
        for which in ["kernel", "recurrent_kernel"] {
            let weight = self.weight(layer, which)?;
            let weight = self.gates(weight, 1, order);
            let weight = self.call("Transpose", &[weight], &[("perm", ints(&[1, 0]))]);
            weights.push(self.call("Unsqueeze", &[weight], &[("axes", ints(&[0]))]));
        }
        let mut inputs = vec![Some(vals[0]), Some(weights[0]), Some(weights[1]), None, None];
        if layer.truth("use_bias", true) {
            let bias = self.weight(layer, "bias")?;
            let row = if layer.class == "GRU" && after {
                // A row of the input, and one of the state.
                let row = self.list(&[2], &[1, -1])?;
                self.call("Reshape", &[bias, row], &[])
            } else {
                let bias = self.gates(bias, 0, order);
                let zero = self.scalar(0.0)?;
                let none = self.call("Mul", &[bias, zero], &[]);
                let both = self.call("Concat", &[bias, none], &[("axis", Attribute::Int(0))]);
                self.call("Unsqueeze", &[both], &[("axes", ints(&[0]))])
            };
            inputs[3] = Some(row);
        }
        for state in vals.iter().skip(1).take(if op == "LSTM" { 2 } else { 1 }) {
            inputs.push(Some(self.call("Unsqueeze", &[*state], &[("axes", ints(&[1]))])));
        }
        let results = self.calls(op, inputs, &attributes, if op == "LSTM" { 3 } else { 2 });
        let last = |builder: &mut Self, at: usize, axis: i64| {
            builder.call("Squeeze", &[results[at]], &[("axes", ints(&[axis]))])
        };
        let state = last(self, 1, 1);
        let mut all = vec![match layer.truth("return_sequences", false) {
            true => last(self, 0, 2),
            false => state,
        }];
        if layer.truth("return_state", false) {
            all.push(state);
            if op == "LSTM" {
                all.push(last(self, 2, 1));
            }
        }
        Ok(Some(all))
    }

    /// A layer forwards, and another of its kind backwards.
    fn both_ways(
        &mut self,
        layer: &Layer<'a>,
        vals: &[Var],
    ) -> Result<Option<Vec<Var>>, TfjsError> {
        let inner = Layer::read(layer.config.get("layer"), &layer.names);
        if !matches!(inner.class, "SimpleRNN" | "GRU" | "LSTM") || vals.len() != 1 {
            self.refuse(layer, inner.class);
            return Ok(None);
        }
        if inner.truth("return_state", false) {
            self.refuse(layer, "return_state");
            return Ok(None);
        }
        let turned = inner.truth("go_backwards", false);
        let mut sides = Vec::new();
        for (backwards, side) in [(turned, "forward"), (!turned, "backward")] {
            let name = format!("{side}_{}", inner.name());
            let names = layer.names.iter().copied().chain([name.as_str()]).collect();
            let one = Layer { class: inner.class, names, config: inner.config };
            let Some(all) = self.cell(&one, vals, backwards)? else { return Ok(None) };
            sides.push(all[0]);
        }
        let mode = layer.config.get("merge_mode").text();
        let y = match mode {
            Some("concat") => self.call("Concat", &sides, &[("axis", Attribute::Int(-1))]),
            Some("sum") => self.call("Sum", &sides, &[]),
            Some("mul") => self.call("Mul", &sides, &[]),
            Some("ave") => self.call("Mean", &sides, &[]),
            _ if *layer.config.get("merge_mode") == Json::Null => return Ok(Some(sides)),
            _ => return Err(layer.wrong("its merge_mode is none")),
        };
        Ok(Some(vec![y]))
    }

    /// A layer of each step: the steps become sequences of their own, and are put together again.
    fn each_step(
        &mut self,
        layer: &Layer<'a>,
        vals: &[Var],
    ) -> Result<Option<Vec<Var>>, TfjsError> {
        let inner = Layer::read(layer.config.get("layer"), &layer.names);
        let free = self.list(&[1], &[-1])?;
        let from = |builder: &mut Self, x: Var, start: i64, end: i64| {
            let shape = builder.call("Shape", &[x], &[]);
            let (start, end) = (builder.list(&[1], &[start])?, builder.list(&[1], &[end])?);
            Ok(builder.call("Slice", &[shape, start, end], &[]))
        };
        let axis = [("axis", Attribute::Int(0))];
        let steps = from(self, vals[0], 0, 2)?;
        let rest = from(self, vals[0], 2, i64::MAX)?;
        let flat = self.call("Concat", &[free, rest], &axis);
        let x = self.call("Reshape", &[vals[0], flat], &[]);
        let y = match self.layer(&inner, vec![x])?.first() {
            Some(y) => *y,
            None => return Err(layer.wrong("its layer gives nothing")),
        };
        let rest = from(self, y, 1, i64::MAX)?;
        let shape = self.call("Concat", &[steps, rest], &axis);
        Ok(Some(vec![self.call("Reshape", &[y, shape], &[])]))
    }
}
