use super::*;
use crate::conv::tests::{ACTIVATIONS, Random, packed, plain};
use crate::{Conv, conv};

fn windows(random: &mut Random) -> Windows {
    let (height, width) = (1 + random.below(12), 1 + random.below(12));
    let (above, before) = (random.below(3), random.below(3));
    let output = [
        1,
        (height + above + random.below(3)).saturating_sub(2).max(1),
        (width + before + random.below(3)).saturating_sub(2).max(1),
    ];
    Windows {
        input: [1, height, width],
        output,
        kernel: [1, 3, 3],
        stride: [1; 3],
        dilation: [1; 3],
        pad: [0, above, before],
    }
}

fn turned(packed: &[f32], channels: usize, outputs: usize) -> Vec<f32> {
    let mut weights = vec![f32::NAN; WINOGRAD * channels * outputs];
    let out = SharedOut::new(&mut weights);
    winograd_weights(packed, channels, 1..outputs / PANEL, &out);
    winograd_weights(packed, channels, 0..1, &out);
    weights
}

#[test]
fn fewer_products_give_what_is_defined_however_they_are_cut() {
    let mut random = Random(0x9a0);
    for round in 0..200 {
        let windows = windows(&mut random);
        let (channels, outputs) = (4 * (1 + random.below(5)), 8 * (1 + random.below(4)));
        let images = 1 + random.below(2);
        let x = random.floats(images * windows.inputs() * channels);
        let weights = random.floats(9 * channels * outputs);
        let results = images * windows.outputs();
        let (bias, add) = (random.floats(outputs), random.floats(results * outputs));
        let slopes = random.floats(outputs);
        let epilogue = Epilogue {
            bias: (round % 3 == 0).then_some(&bias[..]),
            add: (round % 5 == 0).then_some(&add[..]),
            slopes: (round % 8 == 0).then_some(&slopes[..]),
            activation: ACTIVATIONS[round % 4],
        };
        let packed = packed(&weights, 1, 9 * channels, outputs);
        let turned = turned(&packed, channels, outputs);
        let run = |parts: &[(Range<usize>, Range<usize>)]| {
            let mut y = vec![f32::NAN; results * outputs];
            let args = Winograd {
                windows: &windows,
                channels: (channels, outputs),
                x: &x,
                weights: &turned,
                epilogue,
                y: SharedOut::new(&mut y),
            };
            parts.iter().for_each(|(tiles, all)| winograd(&args, tiles.clone(), all.clone()));
            y
        };
        let [lines, columns] = winograd_tiles(&windows);
        let (tiles, all) = (images * lines * columns, outputs / PANEL);
        let y = run(&[(0..tiles, 0..all)]);
        let expected = plain(&windows, (1, channels, outputs), &x, &weights, &epilogue);
        for (i, (y, (expected, size))) in y.iter().zip(expected).enumerate() {
            // Sums of four elements are multiplied with sums of nine weights.
            let error = (f64::from(*y) - expected).abs();
            assert!(error <= 2e-6 * size, "{i}: {y}, expected {expected}");
        }
        let (tile, panel) = (random.below(tiles + 1), random.below(all + 1));
        let cut = [
            (0..tile, 0..panel),
            (tile..tiles, 0..panel),
            (0..tile, panel..all),
            (tile..tiles, panel..all),
        ];
        let bits = |y: &[f32]| y.iter().map(|y| y.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&y), bits(&run(&cut)));
    }
}

#[test]
fn what_is_no_finite_number_reaches_the_results_that_it_belongs_to() {
    let mut random = Random(0x1f);
    let windows = Windows {
        input: [1, 6, 6],
        output: [1, 6, 6],
        kernel: [1, 3, 3],
        stride: [1; 3],
        dilation: [1; 3],
        pad: [0, 1, 1],
    };
    let (channels, outputs) = (4, 8);
    let packed = packed(&random.floats(9 * channels * outputs), 1, 9 * channels, outputs);
    let turned = turned(&packed, channels, outputs);
    for value in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
        let mut x = random.floats(windows.inputs() * channels);
        x[14 * channels + 1] = value;
        let (mut ours, mut theirs) = (vec![0.0; 36 * outputs], vec![0.0; 36 * outputs]);
        let (epilogue, channels) = (Epilogue::default(), (channels, outputs));
        let y = SharedOut::new(&mut ours);
        let of = Winograd { windows: &windows, channels, x: &x, weights: &turned, epilogue, y };
        winograd(&of, 0..9, 0..1);
        let (groups, y) = (1, SharedOut::new(&mut theirs));
        let of = Conv {
            windows: &windows,
            groups,
            channels,
            x: &x,
            weights: &packed,
            epilogue,
            y,
            before: 0,
        };
        conv(&of, 0..36, 0..1);
        for (i, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
            let same = ours == theirs || ours.is_nan() && theirs.is_nan();
            assert!(same || (ours - theirs).abs() < 1e-5, "{i}: {ours}, expected {theirs}");
        }
    }
}
