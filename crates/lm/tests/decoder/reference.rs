//! A decoder as its papers write it: `f64`, every position anew, no cache, no graph.
//!
//! Llama (arXiv:2302.13971), Qwen2 (biases of queries, keys and values) and Qwen3 (norms of each
//! head's query and key), with the sliding window of Mistral (arXiv:2310.06825), and the rotary
//! pairs of their GGUF files: neighbours for Llama, halves for Qwen.

use crate::tiny::{EPSILON, Model, Shape};

/// The logits after each of `tokens`.
pub(crate) fn logits(model: &Model, tokens: &[u32]) -> Vec<Vec<f64>> {
    let Shape { width, vocab, .. } = model.shape;
    let weight = |name: &str| model.get(name).unwrap_or_else(|| panic!("no weight {name}"));
    let table = weight("token_embd.weight");
    let row = |&token: &u32| {
        let row = &table[token as usize * width..][..width];
        row.iter().map(|&value| f64::from(value)).collect()
    };
    let mut xs: Vec<Vec<f64>> = tokens.iter().map(row).collect();
    for layer in 0..model.shape.layers {
        let layer = Layer { model, layer };
        let attended = layer.attention(&xs);
        add(&mut xs, &attended);
        let fed: Vec<Vec<f64>> = xs.iter().map(|x| layer.feed_forward(x)).collect();
        add(&mut xs, &fed);
    }
    let head = model.get("output.weight").unwrap_or(table);
    let last = weight("output_norm.weight");
    xs.iter().map(|x| linear(head, None, &norm(last, x), vocab)).collect()
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

    fn attention(&self, xs: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let Shape { width, heads, kv_heads, head_dim, window, .. } = self.model.shape;
        let (mut qs, mut ks, mut vs) = (Vec::new(), Vec::new(), Vec::new());
        for (position, x) in xs.iter().enumerate() {
            let x = norm(self.weight("attn_norm.weight"), x);
            let mut q = self.linear("attn_q", &x, heads * head_dim);
            let mut k = self.linear("attn_k", &x, kv_heads * head_dim);
            for (all, name) in [(&mut q, "attn_q_norm.weight"), (&mut k, "attn_k_norm.weight")] {
                for head in all.chunks_mut(head_dim) {
                    if let Some(weight) = self.find(name) {
                        head.copy_from_slice(&norm(weight, head));
                    }
                    self.rotate(head, position);
                }
            }
            qs.push(q);
            ks.push(k);
            vs.push(self.linear("attn_v", &x, kv_heads * head_dim));
        }
        let mut results = Vec::new();
        for (position, q) in qs.iter().enumerate() {
            let mut mixed = vec![0.0; heads * head_dim];
            for head in 0..heads {
                let q = &q[head * head_dim..][..head_dim];
                let span = head / (heads / kv_heads) * head_dim;
                let seen = match window {
                    Some(window) => (position + 1).saturating_sub(window)..position + 1,
                    None => 0..position + 1,
                };
                let scale = (head_dim as f64).sqrt();
                let score = |at: usize| dot(q, &ks[at][span..][..head_dim]) / scale;
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
        let Shape { rope_base, rope_divisor, family, .. } = self.model.shape;
        let half = head.len() / 2;
        let before = head.to_vec();
        for pair in 0..half {
            let exponent = -2.0 * pair as f64 / head.len() as f64;
            let factor =
                self.model.get("rope_freqs.weight").map_or(1.0, |all| f64::from(all[pair]));
            let divisor = f64::from(rope_divisor.unwrap_or(1.0)) * factor;
            let angle = position as f64 * f64::from(rope_base).powf(exponent) / divisor;
            let (a, b) =
                if family == "llama" { (2 * pair, 2 * pair + 1) } else { (pair, pair + half) };
            head[a] = before[a] * angle.cos() - before[b] * angle.sin();
            head[b] = before[a] * angle.sin() + before[b] * angle.cos();
        }
    }

    fn feed_forward(&self, x: &[f64]) -> Vec<f64> {
        let Shape { width, feed_forward, .. } = self.model.shape;
        let x = norm(self.weight("ffn_norm.weight"), x);
        let gate = self.linear("ffn_gate", &x, feed_forward);
        let up = self.linear("ffn_up", &x, feed_forward);
        let silu = |x: f64| x / (1.0 + (-x).exp());
        let inner: Vec<f64> = gate.iter().zip(&up).map(|(gate, up)| silu(*gate) * up).collect();
        self.linear("ffn_down", &inner, width)
    }
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

fn norm(weight: &[f32], x: &[f64]) -> Vec<f64> {
    let square = x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64;
    let factor = 1.0 / (square + f64::from(EPSILON)).sqrt();
    x.iter().zip(weight).map(|(x, w)| x * factor * f64::from(*w)).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(xs: &mut [Vec<f64>], more: &[Vec<f64>]) {
    for (x, more) in xs.iter_mut().zip(more) {
        x.iter_mut().zip(more).for_each(|(x, more)| *x += more);
    }
}
