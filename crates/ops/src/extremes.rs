//! Operators that find their places by values compute whatever these are.

use crate::{
    Col2Im, DeformIm2Col, Det, Dft, GridSample, LinearAttention, Padding, RoiAlign, Sampling,
};
use sidestage_ir::{Args, Operand, Operator, ValueType};
use sidestage_kernels::Windows;
use sidestage_tensor::{AlignedBytes, DType, SharedOut, Tensor, TensorOut};

const EXTREMES: [f32; 8] =
    [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN, -0.0, 1e-40, 1e9];

/// Runs an operator over tensors of extremes, each beginning with another.
fn run(op: &dyn Operator, dims: &[(DType, &[usize])]) {
    for first in 0..EXTREMES.len() {
        let tensor = |(at, &(dtype, dims)): (usize, &(DType, &[usize]))| {
            let count = dims.iter().product::<usize>();
            let values = (0..count).map(|i| EXTREMES[(first + i * (at + 1)) % EXTREMES.len()]);
            let bytes: Vec<u8> = match dtype {
                DType::I64 => values.flat_map(|value| (value as i64).to_le_bytes()).collect(),
                _ => values.flat_map(f32::to_le_bytes).collect(),
            };
            Tensor::new(dtype, dims, &bytes).expect("memory")
        };
        let inputs: Vec<Tensor> = dims.iter().enumerate().map(tensor).collect();
        let types: Vec<ValueType> =
            inputs.iter().map(|input| ValueType::fixed(input.dtype(), input.dims())).collect();
        let results = op.infer(&types.iter().collect::<Vec<_>>()).expect("operands that fit");
        let room = |ty: &ValueType| AlignedBytes::zeroed(ty.bytes(&[]).expect("a size"));
        let mut room: Vec<AlignedBytes> =
            results.iter().map(|ty| room(ty).expect("memory")).collect();
        let outputs: Vec<TensorOut<'_>> = results
            .iter()
            .zip(&mut room)
            .map(|(ty, bytes)| TensorOut {
                dtype: ty.dtype,
                extents: ty.extents(&[]),
                bytes: SharedOut::new(bytes.as_mut_slice()),
            })
            .collect();
        let operands: Vec<Operand<'_>> =
            inputs.iter().map(|input| Operand::Tensor(input.view())).collect();
        let args = Args { inputs: &operands, outputs: &outputs };
        let work = op.work(&args);
        (0..work.units).rev().for_each(|unit| op.run(&args, unit..unit + 1));
    }
}

#[test]
fn no_value_is_too_much() {
    use DType::{F32, I64};
    for sampling in [Sampling::Nearest, Sampling::Linear, Sampling::Cubic] {
        for padding in [Padding::Zeros, Padding::Border, Padding::Reflection] {
            for align_corners in [false, true] {
                let op = GridSample { sampling, padding, align_corners };
                run(&op, &[(F32, &[1, 2, 3, 1]), (F32, &[1, 3, 5, 2])]);
                run(&op, &[(F32, &[1, 1, 2, 3, 1]), (F32, &[1, 1, 3, 5, 3])]);
            }
        }
    }
    for (samples, largest) in [(0, false), (0, true), (2, false), (2, true)] {
        for half_pixel in [false, true] {
            let op = RoiAlign { output: [2, 3], scale: 0.5, samples, largest, half_pixel };
            run(&op, &[(F32, &[2, 2, 4, 5]), (F32, &[9, 4]), (I64, &[9])]);
        }
    }
    let windows = Windows {
        input: [1, 4, 5],
        output: [1, 3, 3],
        kernel: [1, 2, 3],
        stride: [1, 1, 2],
        dilation: [1, 2, 1],
        pad: [0, 1, 1],
    };
    run(&Col2Im { windows }, &[(F32, &[2, 12, 9])]);
    let op = DeformIm2Col { groups: 2, windows };
    run(&op, &[(F32, &[1, 4, 4, 5]), (F32, &[1, 24, 3, 3]), (F32, &[1, 12, 3, 3])]);
    run(&Det, &[(F32, &[2, 3, 3])]);
    for (inverse, onesided) in [(false, false), (false, true), (true, false), (true, true)] {
        let plan = sidestage_kernels::Dft::new(67, inverse);
        run(&Dft { plan, inverse, onesided }, &[(F32, &[2, 70, 2])]);
    }
    let op = LinearAttention { heads: 4, kv_heads: 2, scale: 1.0, gated: true, delta: true };
    let key: &[usize] = &[1, 3, 4];
    let rest = [(F32, &[1, 2, 2, 2][..]), (F32, key), (F32, &[1, 3, 1])];
    run(&op, &[&[(F32, &[1, 3, 8][..]), (F32, key), (F32, key)], &rest[..]].concat());
}
