//! Models of real shapes with random weights, written as exporters write them.

use sidestage_ir::{Attribute, Body, Call, Model, Port, PortDim, Var};
use sidestage_tensor::{DType, Tensor};

/// A model under construction.
#[derive(Debug)]
pub struct Net {
    model: Model,
    version: i64,
    seed: u64,
}

/// A tensor of these numbers.
///
/// # Panics
/// If they are not as many as the shape says.
pub fn floats(dims: &[usize], values: &[f32]) -> Tensor {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    Tensor::new(DType::F32, dims, &bytes).expect("memory")
}

/// A tensor of these integers.
///
/// # Panics
/// If they are not as many as the shape says.
pub fn integers(dims: &[usize], values: &[i64]) -> Tensor {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    Tensor::new(DType::I64, dims, &bytes).expect("memory")
}

/// Numbers from -1 to 1: xorshift (Marsaglia, 2003).
pub fn random(seed: &mut u64, count: usize) -> Vec<f32> {
    let mut next = || {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        (*seed >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

impl Net {
    /// A model without calls, of this opset.
    pub fn new(version: i64) -> Self {
        let model = Model { bodies: vec![Body::default()], ..Model::default() };
        Self { model, version, seed: 0x9e37_79b9_7f4a_7c15 }
    }

    /// An input.
    pub fn input(&mut self, name: &str, dtype: DType, dims: &[usize]) -> Var {
        let var = self.model.var(name);
        let dims = Some(dims.iter().map(|dim| PortDim::Fixed(*dim)).collect());
        self.model.inputs.push(Port { dtype: Some(dtype), dims, ..Port::of(var) });
        var
    }

    /// A constant.
    pub fn constant(&mut self, tensor: Tensor) -> Var {
        let var = self.model.var(&format!("constant.{}", self.model.names.len()));
        self.model.constants.push((var, tensor));
        var
    }

    /// One number.
    pub fn number(&mut self, value: f32) -> Var {
        self.constant(floats(&[], &[value]))
    }

    /// Random numbers, up to a size.
    pub fn weight(&mut self, dims: &[usize], size: f32) -> Var {
        let values = random(&mut self.seed, dims.iter().product());
        self.constant(floats(dims, &values.iter().map(|value| value * size).collect::<Vec<_>>()))
    }

    /// A call with one result.
    pub fn call(&mut self, op: &str, inputs: &[Var], attributes: &[(&str, Attribute)]) -> Var {
        let var = self.model.var(&format!("{op}.{}", self.model.names.len()));
        self.model.bodies[0].calls.push(Call {
            op: op.into(),
            version: self.version,
            name: String::new(),
            inputs: inputs.iter().map(|input| Some(*input)).collect(),
            outputs: vec![Some(var)],
            attributes: attributes
                .iter()
                .map(|(key, value)| ((*key).into(), value.clone()))
                .collect(),
        });
        var
    }

    /// A call with so many results.
    pub fn calls(&mut self, op: &str, inputs: &[Var], results: usize) -> Vec<Var> {
        let first = self.call(op, inputs, &[]);
        let rest = (1..results).map(|at| self.model.var(&format!("{op}.{}.{at}", first.0)));
        let all: Vec<Var> = [first].into_iter().chain(rest).collect();
        if let Some(call) = self.model.bodies[0].calls.last_mut() {
            call.outputs = all.iter().copied().map(Some).collect();
        }
        all
    }

    /// What a constant is.
    ///
    /// # Panics
    /// If it is none.
    pub fn known(&self, var: Var) -> &Tensor {
        let found = self.model.constants.iter().find(|(of, _)| *of == var);
        &found.expect("a constant").1
    }

    /// The model, which gives these.
    pub fn finish(mut self, outputs: &[Var]) -> Model {
        self.model.outputs = outputs.iter().copied().map(Port::of).collect();
        self.model
    }

    /// `[n, c, h, w]` convolved, with a bias or with a norm of its own behind.
    fn conv(&mut self, x: Var, shape: [usize; 4], stride: i64, group: usize, norm: bool) -> Var {
        let [m, c, k, _] = shape;
        let size = (3.0 / (c * k * k) as f32).sqrt();
        let weight = self.weight(&shape, size);
        let pad = (k / 2) as i64;
        let attributes = [
            ("kernel_shape", Attribute::Ints(vec![k as i64; 2])),
            ("pads", Attribute::Ints(vec![pad; 4])),
            ("strides", Attribute::Ints(vec![stride; 2])),
            ("group", Attribute::Int(group as i64)),
        ];
        let channels = self.weight(&[m], 0.1);
        if !norm {
            return self.call("Conv", &[x, weight, channels], &attributes);
        }
        let y = self.call("Conv", &[x, weight], &attributes);
        let scale = random(&mut self.seed, m).iter().map(|x| 1.0 + x / 4.0).collect::<Vec<_>>();
        let variance = random(&mut self.seed, m).iter().map(|x| 1.0 + x / 4.0).collect::<Vec<_>>();
        let scale = self.constant(floats(&[m], &scale));
        let (mean, variance) = (self.weight(&[m], 0.1), self.constant(floats(&[m], &variance)));
        self.call("BatchNormalization", &[y, scale, channels, mean, variance], &[])
    }

    fn linear(&mut self, x: Var, k: usize, n: usize) -> Var {
        let weight = self.weight(&[k, n], (3.0 / k as f32).sqrt());
        let bias = self.weight(&[n], 0.1);
        let y = self.call("MatMul", &[x, weight], &[]);
        self.call("Add", &[bias, y], &[])
    }

    /// As PyTorch wrote it before ONNX had the operator.
    fn layer_norm(&mut self, x: Var, width: usize) -> Var {
        let (weight, bias) = (self.weight(&[width], 1.0), self.weight(&[width], 0.1));
        if self.version >= 17 {
            return self.call("LayerNormalization", &[x, weight, bias], &[]);
        }
        let axes = [("axes", Attribute::Ints(vec![-1]))];
        let mean = self.call("ReduceMean", &[x], &axes);
        let centered = self.call("Sub", &[x, mean], &[]);
        let two = self.number(2.0);
        let squares = self.call("Pow", &[centered, two], &[]);
        let variance = self.call("ReduceMean", &[squares], &axes);
        let epsilon = self.number(1e-12);
        let sum = self.call("Add", &[variance, epsilon], &[]);
        let root = self.call("Sqrt", &[sum], &[]);
        let y = self.call("Div", &[centered, root], &[]);
        let y = self.call("Mul", &[y, weight], &[]);
        self.call("Add", &[y, bias], &[])
    }

    fn gelu(&mut self, x: Var) -> Var {
        let (root, one, half) =
            (self.number(std::f32::consts::SQRT_2), self.number(1.0), self.number(0.5));
        let inner = self.call("Div", &[x, root], &[]);
        let inner = self.call("Erf", &[inner], &[]);
        let inner = self.call("Add", &[inner, one], &[]);
        let y = self.call("Mul", &[x, inner], &[]);
        self.call("Mul", &[y, half], &[])
    }

    /// `[1, rows, width]` as `[1, heads, rows, width / heads]`, or its last axes turned.
    fn heads(&mut self, x: Var, heads: usize, turned: bool) -> Var {
        let shape = self.constant(integers(&[4], &[0, 0, heads as i64, -1]));
        let x = self.call("Reshape", &[x, shape], &[]);
        let order = if turned { vec![0, 2, 3, 1] } else { vec![0, 2, 1, 3] };
        self.call("Transpose", &[x], &[("perm", Attribute::Ints(order))])
    }
}

/// An encoder as all-MiniLM-L6: `layers` of 384 values, twelve heads, `rows` tokens. Before opset 17
/// norms are written out; from 18 on attention is as PyTorch 2 writes it.
pub fn encoder(version: i64, layers: usize, rows: usize) -> Model {
    let (width, heads, vocab) = (384, 12, 1000);
    let mut net = Net::new(version);
    let ids = net.input("input_ids", DType::I64, &[1, rows]);
    let mask = net.input("attention_mask", DType::I64, &[1, rows]);
    let one = net.number(1.0);
    let axes = net.constant(integers(&[2], &[1, 2]));
    let mask = if version < 13 {
        net.call("Unsqueeze", &[mask], &[("axes", Attribute::Ints(vec![1, 2]))])
    } else {
        net.call("Unsqueeze", &[mask, axes], &[])
    };
    let mask = net.call("Cast", &[mask], &[("to", Attribute::Int(1))]);
    let mask = net.call("Sub", &[one, mask], &[]);
    let least = net.number(f32::MIN);
    let mask = net.call("Mul", &[mask, least], &[]);
    let (words, places) = (net.weight(&[vocab, width], 1.0), net.weight(&[1, rows, width], 1.0));
    let x = net.call("Gather", &[words, ids], &[]);
    let x = net.call("Add", &[x, places], &[]);
    let mut x = net.layer_norm(x, width);
    for _ in 0..layers {
        let [q, k, v] = [(); 3].map(|()| net.linear(x, width, width));
        let (q, k, v) =
            (net.heads(q, heads, false), net.heads(k, heads, true), net.heads(v, heads, false));
        let scores = if version < 18 {
            let scores = net.call("MatMul", &[q, k], &[]);
            let root = net.number(((width / heads) as f32).sqrt());
            net.call("Div", &[scores, root], &[])
        } else {
            let root = net.number(((width / heads) as f32).powf(-0.25));
            let (q, k) = (net.call("Mul", &[q, root], &[]), net.call("Mul", &[k, root], &[]));
            net.call("MatMul", &[q, k], &[])
        };
        let scores = net.call("Add", &[scores, mask], &[]);
        let shares = net.call("Softmax", &[scores], &[("axis", Attribute::Int(-1))]);
        let y = net.call("MatMul", &[shares, v], &[]);
        let y = net.call("Transpose", &[y], &[("perm", Attribute::Ints(vec![0, 2, 1, 3]))]);
        let shape = net.constant(integers(&[3], &[0, 0, width as i64]));
        let y = net.call("Reshape", &[y, shape], &[]);
        let y = net.linear(y, width, width);
        let y = net.call("Add", &[y, x], &[]);
        let y = net.layer_norm(y, width);
        let inner = net.linear(y, width, 4 * width);
        let inner = net.gelu(inner);
        let inner = net.linear(inner, 4 * width, width);
        let inner = net.call("Add", &[inner, y], &[]);
        x = net.layer_norm(inner, width);
    }
    net.finish(&[x])
}

/// As ResNet-18, of pictures of `size` by `size`; with `norm` the norms stand behind the convolutions.
pub fn resnet(size: usize, norm: bool) -> Model {
    let mut net = Net::new(17);
    let x = net.input("input", DType::F32, &[1, 3, size, size]);
    let x = net.conv(x, [64, 3, 7, 7], 2, 1, norm);
    let x = net.call("Relu", &[x], &[]);
    let window = [
        ("kernel_shape", Attribute::Ints(vec![3, 3])),
        ("pads", Attribute::Ints(vec![1; 4])),
        ("strides", Attribute::Ints(vec![2, 2])),
    ];
    let mut x = net.call("MaxPool", &[x], &window);
    let mut from = 64;
    for (stage, channels) in [64, 128, 256, 512].into_iter().enumerate() {
        for block in 0..2 {
            let stride = if stage > 0 && block == 0 { 2 } else { 1 };
            let y = net.conv(x, [channels, from, 3, 3], stride, 1, norm);
            let y = net.call("Relu", &[y], &[]);
            let y = net.conv(y, [channels, channels, 3, 3], 1, 1, norm);
            if stride == 2 {
                x = net.conv(x, [channels, from, 1, 1], stride, 1, norm);
            }
            let y = net.call("Add", &[y, x], &[]);
            x = net.call("Relu", &[y], &[]);
            from = channels;
        }
    }
    let x = net.call("GlobalAveragePool", &[x], &[]);
    let x = net.call("Flatten", &[x], &[]);
    let (weight, bias) = (net.weight(&[1000, 512], 0.05), net.weight(&[1000], 0.05));
    let x = net.call("Gemm", &[x, weight, bias], &[("transB", Attribute::Int(1))]);
    net.finish(&[x])
}

/// As MobileNetV2, of pictures of `size` by `size`; with `norm` the norms stand behind the
/// convolutions.
pub fn mobilenet(size: usize, norm: bool) -> Model {
    let mut net = Net::new(17);
    let x = net.input("input", DType::F32, &[1, 3, size, size]);
    let (zero, six) = (net.number(0.0), net.number(6.0));
    let x = net.conv(x, [32, 3, 3, 3], 2, 1, norm);
    let mut x = net.call("Clip", &[x, zero, six], &[]);
    let mut from = 32;
    let stages = [
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    ];
    for (wider, channels, blocks, first) in stages {
        for block in 0..blocks {
            let (stride, inner) = (if block == 0 { first } else { 1 }, from * wider);
            let mut y = x;
            if wider > 1 {
                y = net.conv(y, [inner, from, 1, 1], 1, 1, norm);
                y = net.call("Clip", &[y, zero, six], &[]);
            }
            y = net.conv(y, [inner, 1, 3, 3], stride, inner, norm);
            y = net.call("Clip", &[y, zero, six], &[]);
            y = net.conv(y, [channels, inner, 1, 1], 1, 1, norm);
            let same = stride == 1 && from == channels;
            x = if same { net.call("Add", &[x, y], &[]) } else { y };
            from = channels;
        }
    }
    let x = net.conv(x, [1280, 320, 1, 1], 1, 1, norm);
    let x = net.call("Clip", &[x, zero, six], &[]);
    let x = net.call("GlobalAveragePool", &[x], &[]);
    let x = net.call("Flatten", &[x], &[]);
    let (weight, bias) = (net.weight(&[1000, 1280], 0.05), net.weight(&[1000], 0.05));
    let x = net.call("Gemm", &[x, weight, bias], &[("transB", Attribute::Int(1))]);
    net.finish(&[x])
}

/// As the nets that find points of faces, of pictures of `size` by `size`: PReLU behind sums.
pub fn landmarks(size: usize) -> Model {
    let mut net = Net::new(17);
    let x = net.input("input", DType::F32, &[1, 3, size, size]);
    let mut x = net.conv(x, [24, 3, 3, 3], 2, 1, false);
    for block in 0..3 {
        if block > 0 {
            let y = net.conv(x, [24, 1, 3, 3], 1, 24, false);
            let y = net.conv(y, [24, 24, 1, 1], 1, 1, false);
            x = net.call("Add", &[x, y], &[]);
        }
        let slopes = net.weight(&[24, 1, 1], 0.3);
        x = net.call("PRelu", &[x, slopes], &[]);
    }
    net.finish(&[x])
}
