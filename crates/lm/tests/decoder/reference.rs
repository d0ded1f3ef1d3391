//! Decoders as their papers write them: `f64`, every position anew, no cache, no graph.
//!
//! What a family does stands in [`logits`], [`Layer::run`] and the functions they call, by its
//! name and by nothing that the builder has; rotary pairs are those of its GGUF files.

use crate::tiny::{EPSILON, Model, Shape};

/// The logits after each of `tokens`.
pub(crate) fn logits(model: &Model, tokens: &[u32]) -> Vec<Vec<f64>> {
    let Shape { width, vocab, family, .. } = model.shape;
    let weight = |name: &str| model.get(name).unwrap_or_else(|| panic!("no weight {name}"));
    let table = weight("token_embd.weight");
    let scale = match family {
        "gemma" | "gemma2" | "gemma3" => (width as f64).sqrt(),
        "granite" => 3.0,
        _ => 1.0,
    };
    let row = |(position, &token): (usize, &u32)| {
        let row = table[token as usize * width..][..width].iter();
        let mut x: Vec<f64> = row.map(|&value| f64::from(value) * scale).collect();
        if family == "gpt2" {
            let learned = &weight("position_embd.weight")[position * width..];
            x.iter_mut().zip(learned).for_each(|(x, more)| *x += f64::from(*more));
        }
        x
    };
    let mut xs: Vec<Vec<f64>> = tokens.iter().enumerate().map(row).collect();
    for layer in 0..model.shape.layers {
        xs = Layer { model, layer }.run(&xs);
    }
    let head = model.get("output.weight").unwrap_or(table);
    let logit = |logit: f64| match family {
        "granite" => logit / 2.5,
        "gemma2" => 3.0 * (logit / 3.0).tanh(),
        _ => logit,
    };
    let last = |x: &Vec<f64>| {
        let x = norm(model, if family == "lfm2" { "token_embd_norm" } else { "output_norm" }, x);
        linear(head, model.get("output.bias"), &x, vocab).into_iter().map(logit).collect()
    };
    xs.iter().map(last).collect()
}

struct Layer<'a> {
    model: &'a Model,
    layer: usize,
}

impl Layer<'_> {
    fn find(&self, name: &str) -> Option<&[f32]> {
        self.model.get(&format!("blk.{}.{name}", self.layer))
    }

    fn weight(&self, name: &str) -> &[f32] {
        self.find(name).unwrap_or_else(|| panic!("no weight {name} in layer {}", self.layer))
    }

    fn linear(&self, name: &str, x: &[f64], n: usize) -> Vec<f64> {
        linear(self.weight(&format!("{name}.weight")), self.find(&format!("{name}.bias")), x, n)
    }

    fn norm(&self, name: &str, x: &[f64]) -> Vec<f64> {
        norm(self.model, &format!("blk.{}.{name}", self.layer), x)
    }

    fn norms(&self, name: &str, xs: &[Vec<f64>]) -> Vec<Vec<f64>> {
        xs.iter().map(|x| self.norm(name, x)).collect()
    }

    fn feed(&self, xs: &[Vec<f64>]) -> Vec<Vec<f64>> {
        xs.iter().map(|x| self.feed_forward(x)).collect()
    }

    fn run(&self, xs: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let parallel = self.model.shape.parallel;
        match self.model.shape.family {
            "olmo2" => {
                let attended = self.norms("post_attention_norm", &self.attention(xs));
                let xs = add(xs, &attended);
                let fed = self.norms("post_ffw_norm", &self.feed(&xs));
                add(&xs, &fed)
            }
            "gemma2" | "gemma3" => {
                let attended = self.attention(&self.norms("attn_norm", xs));
                let xs = add(xs, &self.norms("post_attention_norm", &attended));
                let fed = self.feed(&self.norms("ffn_norm", &xs));
                add(&xs, &self.norms("post_ffw_norm", &fed))
            }
            "granite" => {
                let small = |xs: Vec<Vec<f64>>| -> Vec<Vec<f64>> {
                    let factor = f64::from(0.3f32);
                    xs.into_iter().map(|x| x.iter().map(|x| x * factor).collect()).collect()
                };
                let xs = add(xs, &small(self.attention(&self.norms("attn_norm", xs))));
                add(&xs, &small(self.feed(&self.norms("ffn_norm", &xs))))
            }
            "phi2" | "stablelm" | "falcon" if parallel => {
                let normed = self.norms("attn_norm", xs);
                add(&add(xs, &self.attention(&normed)), &self.feed(&normed))
            }
            // The 40B model: two norms of the same input.
            "falcon" => {
                let attended = self.attention(&self.norms("attn_norm_2", xs));
                add(&add(xs, &attended), &self.feed(&self.norms("attn_norm", xs)))
            }
            "gptneox" if parallel => {
                let attended = self.attention(&self.norms("attn_norm", xs));
                add(&add(xs, &attended), &self.feed(&self.norms("ffn_norm", xs)))
            }
            "lfm2" if self.model.shape.convolves(self.layer) => {
                let xs = add(xs, &self.convolution(&self.norms("attn_norm", xs)));
                add(&xs, &self.feed(&self.norms("ffn_norm", &xs)))
            }
            _ => {
                let xs = add(xs, &self.attention(&self.norms("attn_norm", xs)));
                add(&xs, &self.feed(&self.norms("ffn_norm", &xs)))
            }
        }
    }

    /// LFM2's: two gates, and between them a sum over three positions for each channel.
    fn convolution(&self, xs: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let width = self.model.shape.width;
        let parts: Vec<Vec<f64>> =
            xs.iter().map(|x| self.linear("shortconv.in_proj", x, 3 * width)).collect();
        let weight = self.weight("shortconv.conv.weight");
        let at = |position: usize, i: usize| {
            let (b, x) = (parts[position][i], parts[position][2 * width + i]);
            b * x
        };
        let mixed = |position: usize, i: usize| {
            let back = (0..3).filter(|&back| back <= position);
            back.map(|back| f64::from(weight[3 * i + 2 - back]) * at(position - back, i))
                .sum::<f64>()
        };
        let out = |position: usize| {
            let gated: Vec<f64> =
                (0..width).map(|i| parts[position][width + i] * mixed(position, i)).collect();
            self.linear("shortconv.out_proj", &gated, width)
        };
        (0..xs.len()).map(out).collect()
    }

    /// Query, key and value of one position, before they are rotated.
    fn projections(&self, x: &[f64]) -> [Vec<f64>; 3] {
        let Shape { heads, kv_heads, head_dim, .. } = self.model.shape;
        let (q, kv) = (heads * head_dim, kv_heads * head_dim);
        let [mut q, mut k, v] = if self.find("attn_qkv.weight").is_some() {
            let mut q_k_v = self.linear("attn_qkv", x, q + 2 * kv);
            let v = q_k_v.split_off(q + kv);
            let k = q_k_v.split_off(q);
            [q_k_v, k, v]
        } else {
            [("attn_q", q), ("attn_k", kv), ("attn_v", kv)]
                .map(|(name, size)| self.linear(name, x, size))
        };
        for (all, name) in [(&mut q, "attn_q_norm.weight"), (&mut k, "attn_k_norm.weight")] {
            let Some(weight) = self.find(name) else { continue };
            match self.model.shape.family {
                "olmo2" => *all = rms_norm(weight, all),
                "stablelm" => {
                    let heads = all.chunks_mut(head_dim).zip(weight.chunks(head_dim));
                    heads.for_each(|(head, w)| head.copy_from_slice(&layer_norm(w, None, head)));
                }
                _ => {
                    let heads = all.chunks_mut(head_dim);
                    heads.for_each(|head| head.copy_from_slice(&rms_norm(weight, head)));
                }
            }
        }
        [q, k, v]
    }

    /// How many of the latest positions this layer sees, if not all.
    fn window(&self) -> Option<usize> {
        let every = |period: usize| self.layer % period == period - 1;
        let all = match self.model.shape.family {
            "gemma2" => every(2),
            "gemma3" => every(6),
            "olmo2" => every(4),
            _ => false,
        };
        self.model.shape.window.filter(|_| !all)
    }

    fn attention(&self, xs: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let Shape { family, width, heads, kv_heads, head_dim, .. } = self.model.shape;
        let (mut qs, mut ks, mut vs) = (Vec::new(), Vec::new(), Vec::new());
        for (position, x) in xs.iter().enumerate() {
            let [mut q, mut k, v] = self.projections(x);
            let rotated = family != "gpt2" && !(family == "smollm3" && self.layer % 4 == 3);
            for head in q.chunks_mut(head_dim).chain(k.chunks_mut(head_dim)) {
                if rotated {
                    self.rotate(head, position);
                }
            }
            qs.push(q);
            ks.push(k);
            vs.push(v);
        }
        let mut results = Vec::new();
        for (position, q) in qs.iter().enumerate() {
            let mut mixed = vec![0.0; heads * head_dim];
            for head in 0..heads {
                let q = &q[head * head_dim..][..head_dim];
                let span = head / (heads / kv_heads) * head_dim;
                let seen = match self.window() {
                    Some(window) => (position + 1).saturating_sub(window)..position + 1,
                    None => 0..position + 1,
                };
                let score = |at: usize| {
                    let product = dot(q, &ks[at][span..][..head_dim]);
                    match family {
                        "granite" => product * f64::from(0.4f32),
                        "gemma2" => 2.0 * (product / (head_dim as f64).sqrt() / 2.0).tanh(),
                        _ => product / (head_dim as f64).sqrt(),
                    }
                };
                let scores: Vec<f64> = seen.clone().map(score).collect();
                let top = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let sum: f64 = scores.iter().map(|score| (score - top).exp()).sum();
                for (at, score) in seen.zip(&scores) {
                    let share = (score - top).exp() / sum;
                    for (to, value) in
                        mixed[head * head_dim..].iter_mut().zip(&vs[at][span..][..head_dim])
                    {
                        *to += share * value;
                    }
                }
            }
            results.push(self.linear("attn_output", &mixed, width));
        }
        results
    }

    fn rotate(&self, head: &mut [f64], position: usize) {
        let Shape { family, context, longrope, rotated, rope_divisor, .. } = self.model.shape;
        let size = rotated.unwrap_or(head.len());
        let local = self.window().is_some() && ["gemma3", "olmo2"].contains(&family);
        let base = match family {
            "gemma3" if local => 10_000.0,
            _ => f64::from(self.model.shape.rope_base),
        };
        let factors = match longrope {
            Some(original) if context > original => self.model.get("rope_factors_long.weight"),
            Some(_) => self.model.get("rope_factors_short.weight"),
            None => self.model.get("rope_freqs.weight"),
        };
        let before = head.to_vec();
        for pair in 0..size / 2 {
            let mut angle = position as f64 * base.powf(-2.0 * pair as f64 / size as f64);
            let mut magnitude = 1.0;
            if let Some(factors) = factors {
                angle /= f64::from(factors[pair]);
            }
            if longrope.is_some() {
                magnitude = 1.25;
            }
            if !local {
                angle /= f64::from(rope_divisor.unwrap_or(1.0));
            }
            if let (Some(factor), false) = (self.model.shape.yarn, local) {
                let factor = f64::from(factor);
                angle *= yarn(pair, size, base, factor);
                magnitude = 0.1 * factor.ln() + 1.0;
            }
            let neighbours = ["llama", "smollm3", "granite"].contains(&family);
            let (a, b) =
                if neighbours { (2 * pair, 2 * pair + 1) } else { (pair, pair + size / 2) };
            let (sin, cos) = (angle.sin() * magnitude, angle.cos() * magnitude);
            head[a] = before[a] * cos - before[b] * sin;
            head[b] = before[a] * sin + before[b] * cos;
        }
    }

    fn feed_forward(&self, x: &[f64]) -> Vec<f64> {
        let Shape { family, width, feed_forward: size, .. } = self.model.shape;
        if let Some((_, used)) = self.model.shape.experts {
            return self.experts(x, used);
        }
        let tanh_gelu = |x: f64| {
            let z = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x * x * x);
            0.5 * x * (1.0 + z.tanh())
        };
        let silu = |x: f64| x / (1.0 + (-x).exp());
        let inner: Vec<f64> = match family {
            "gpt2" | "phi2" | "starcoder2" => {
                self.linear("ffn_up", x, size).into_iter().map(tanh_gelu).collect()
            }
            "gptneox" | "falcon" => self.linear("ffn_up", x, size).into_iter().map(gelu).collect(),
            "phi3" => {
                let both = self.linear("ffn_up", x, 2 * size);
                let (gate, up) = both.split_at(size);
                gate.iter().zip(up).map(|(gate, up)| silu(*gate) * up).collect()
            }
            _ => {
                let gate = self.linear("ffn_gate", x, size);
                let up = self.linear("ffn_up", x, size);
                let gemma = family.starts_with("gemma");
                let act = |x: f64| if gemma { tanh_gelu(x) } else { silu(x) };
                gate.iter().zip(&up).map(|(gate, up)| act(*gate) * up).collect()
            }
        };
        self.linear("ffn_down", &inner, width)
    }

    /// Mixtral (arXiv:2401.04088): a softmax over the logits of the experts that are used.
    fn experts(&self, x: &[f64], used: usize) -> Vec<f64> {
        let Shape { width, feed_forward: size, experts, .. } = self.model.shape;
        let count = experts.map_or(0, |(count, _)| count);
        let logits = self.linear("ffn_gate_inp", x, count);
        let mut order: Vec<usize> = (0..count).collect();
        order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]));
        let sum: f64 = order[..used].iter().map(|&at| logits[at].exp()).sum();
        let mut mixed = vec![0.0; width];
        for &expert in &order[..used] {
            let part = |name: &str, n: usize, x: &[f64]| {
                let all = self.weight(name);
                linear(&all[expert * n * x.len()..][..n * x.len()], None, x, n)
            };
            let gate = part("ffn_gate_exps.weight", size, x);
            let up = part("ffn_up_exps.weight", size, x);
            let silu = |x: f64| x / (1.0 + (-x).exp());
            let inner: Vec<f64> = gate.iter().zip(&up).map(|(gate, up)| silu(*gate) * up).collect();
            let down = part("ffn_down_exps.weight", width, &inner);
            let share = logits[expert].exp() / sum;
            mixed.iter_mut().zip(down).for_each(|(to, value)| *to += share * value);
        }
        mixed
    }
}

/// What a frequency is multiplied by (arXiv:2309.00071, 3.2): 1 where a pair turns more than four
/// times within 24 positions, `1 / factor` where it turns less than once, between them by pairs.
fn yarn(pair: usize, size: usize, base: f64, factor: f64) -> f64 {
    let pair_of = |turns: f64| {
        size as f64 * (24.0 / (turns * 2.0 * std::f64::consts::PI)).ln() / (2.0 * base.ln())
    };
    let (low, high) = (pair_of(4.0).floor().max(0.0), pair_of(1.0).ceil());
    let ramp = ((pair as f64 - low) / (high - low)).clamp(0.0, 1.0);
    ramp / factor + (1.0 - ramp)
}

/// By the series of the error function (DLMF 7.6.2).
fn gelu(x: f64) -> f64 {
    let z = x.abs() / 2f64.sqrt();
    if z > 6.0 {
        return x.max(0.0);
    }
    let mut term = z * (-z * z).exp() * 2.0 / std::f64::consts::PI.sqrt();
    let mut erf = term;
    for n in 1..200 {
        term *= 2.0 * z * z / f64::from(2 * n + 1);
        erf += term;
    }
    0.5 * x * (1.0 + erf.copysign(x))
}

fn linear(weight: &[f32], bias: Option<&[f32]>, x: &[f64], n: usize) -> Vec<f64> {
    assert_eq!(weight.len(), n * x.len());
    let rows = weight.chunks_exact(x.len());
    let row = |row: &[f32]| row.iter().zip(x).map(|(w, x)| f64::from(*w) * x).sum::<f64>();
    let mut out: Vec<f64> = rows.map(row).collect();
    for (out, bias) in out.iter_mut().zip(bias.unwrap_or_default()) {
        *out += f64::from(*bias);
    }
    out
}

fn norm(model: &Model, name: &str, x: &[f64]) -> Vec<f64> {
    let weight = model.get(&format!("{name}.weight")).unwrap_or_else(|| panic!("no norm {name}"));
    match model.get(&format!("{name}.bias")) {
        Some(bias) => layer_norm(weight, Some(bias), x),
        None => rms_norm(weight, x),
    }
}

fn rms_norm(weight: &[f32], x: &[f64]) -> Vec<f64> {
    let square = x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64;
    let factor = 1.0 / (square + f64::from(EPSILON)).sqrt();
    x.iter().zip(weight).map(|(x, w)| x * factor * f64::from(*w)).collect()
}

fn layer_norm(weight: &[f32], bias: Option<&[f32]>, x: &[f64]) -> Vec<f64> {
    let mean = x.iter().sum::<f64>() / x.len() as f64;
    let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / x.len() as f64;
    let factor = 1.0 / (variance + f64::from(EPSILON)).sqrt();
    let scaled = x.iter().zip(weight).map(|(x, w)| (x - mean) * factor * f64::from(*w));
    let mut out: Vec<f64> = scaled.collect();
    out.iter_mut().zip(bias.unwrap_or_default()).for_each(|(out, b)| *out += f64::from(*b));
    out
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(xs: &[Vec<f64>], more: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let sum = |(x, more): (&Vec<f64>, &Vec<f64>)| x.iter().zip(more).map(|(x, m)| x + m).collect();
    xs.iter().zip(more).map(sum).collect()
}
