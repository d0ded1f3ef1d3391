//! Convolutions of bytes, each channel by itself.
//!
//! The taps of a column of a window, up to four, are put side by side, so that the integer products take
//! four taps of four channels at once. That is done once for all windows of a line that read the column.

#![allow(unsafe_code, reason = "threads write disjoint parts of one buffer; places are in range")]

use super::requantize::{Rounding, sixteen};
use super::{Int8, Requantize};
use crate::lanes::{Dots, IntsOf, Lanes};
use crate::window::Windows;
use sidestage_tensor::SharedOut;
use std::array::from_fn;
use std::ops::Range;

/// Channels of a tile.
const CHANNELS: usize = 16;

/// Windows whose columns are put side by side at once: with three taps a few KB.
const WINDOWS: usize = 32;

/// A column: four taps of each channel of a tile.
type Column = [[u8; 16]; 4];

/// Windows of `x` times weights, channel by channel.
pub struct DepthwiseInt8<'a> {
    /// How the windows lie: not further apart than [`DepthwiseInt8::FURTHEST`] in a line, and of
    /// elements side by side.
    pub windows: &'a Windows,
    /// Channels.
    pub channels: usize,
    /// `[n, d, h, w, channels]`.
    pub x: Int8<'a>,
    /// What [`pack_depthwise_int8`] makes of `[taps, channels]`.
    pub weights: &'a [u8],
    /// A value for each channel.
    pub bias: Option<&'a [i32]>,
    /// What becomes of a sum.
    pub results: &'a Requantize,
    /// `[n, d, h, w, channels]` of the windows.
    pub y: SharedOut<'a, u8>,
}

impl DepthwiseInt8<'_> {
    /// The largest stride along a line.
    pub const FURTHEST: usize = 8;

    /// Rows of packed weights of windows: of four taps each, and the channels' sums; and how many
    /// channels a row has.
    pub fn packed(kernel: [usize; 3], channels: usize) -> [usize; 2] {
        let [depth, height, width] = kernel;
        let rows = depth.saturating_mul(height.div_ceil(4)).saturating_mul(width);
        [rows.saturating_add(1), channels.max(CHANNELS)]
    }
}

/// Packs weights `[kd, kh, kw, channels]`: the sum of each channel's as `i32`, then for each four `kh`
/// and each `kw` those of every channel, as bytes with a sign; what is missing is 0. Bytes without a sign
/// are made 128 less.
///
/// # Panics
/// If `out` is not as long as [`DepthwiseInt8::packed`] says.
pub fn pack_depthwise_int8(
    weights: &[u8],
    signed: bool,
    kernel: [usize; 3],
    channels: usize,
    out: &mut [u8],
) {
    let [depth, height, width] = kernel;
    let [_, room] = DepthwiseInt8::packed(kernel, channels);
    let flip = if signed { 0 } else { 0x80 };
    out.fill(0);
    for channel in 0..channels {
        let mut sum = 0_i32;
        for kd in 0..depth {
            for kh in 0..height {
                for kw in 0..width {
                    let tap = (kd * height + kh) * width + kw;
                    let weight = weights[tap * channels + channel] ^ flip;
                    let row = 1 + (kd * height.div_ceil(4) + kh / 4) * width + kw;
                    out[(row * room + channel) * 4 + kh % 4] = weight;
                    sum = sum.wrapping_add(weight.cast_signed().into());
                }
            }
        }
        out[4 * channel..][..4].copy_from_slice(&sum.to_le_bytes());
    }
}

/// What sixteen channels have.
struct Block {
    /// The first one.
    channel: usize,
    /// Where sums begin.
    start: [i32; CHANNELS],
    /// From sums to results.
    factors: [f32; CHANNELS],
}

/// Where four lines of an image lie in `x`; `None`: outside.
type Four = [Option<usize>; 4];

impl DepthwiseInt8<'_> {
    pub(super) fn by<D: Dots>(&self, lines: Range<usize>) {
        let windows = self.windows;
        let [kernel_depth, kernel_height, _] = windows.kernel;
        let [depth, height, width] = windows.input;
        let [planes, rows, columns] = windows.output;
        let to = self.results.lanes::<D::L>();
        // The last ones are computed again: they come out the same.
        let last = self.channels.saturating_sub(CHANNELS);
        let firsts = (0..self.channels).step_by(CHANNELS).map(|channel| channel.min(last));
        let blocks: Vec<Block> =
            firsts.map(|channel| self.block(channel, self.x.moved(D::SIGNED))).collect();
        let (mut taps, mut room): (Vec<Four>, Vec<Column>) = (Vec::new(), Vec::new());
        for line in lines {
            let (image, d, h) = (line / rows / planes, line / rows % planes, line % rows);
            taps.clear();
            for kd in 0..kernel_depth {
                let d = windows.place(0, d, kd);
                for first in (0..kernel_height).step_by(4) {
                    taps.push([0, 1, 2, 3].map(|kh| {
                        let h = windows.place(1, h, first + kh);
                        let h = h.filter(|_| first + kh < kernel_height);
                        let at = (image * depth + d?) * height + h?;
                        Some(at * width * self.channels)
                    }));
                }
            }
            for window in (0..columns).step_by(WINDOWS) {
                let part = window..columns.min(window + WINDOWS);
                for block in &blocks {
                    self.mix::<D>(&taps, part.clone(), block.channel, &mut room);
                    self.tile::<D>(&room, part.clone(), block, line * columns, &to);
                }
            }
        }
    }

    /// The columns of some windows, for each four taps of a column.
    #[inline(never)]
    fn mix<D: Dots>(
        &self,
        taps: &[Four],
        windows: Range<usize>,
        channel: usize,
        room: &mut Vec<Column>,
    ) {
        let (stride, pad) = (self.windows.stride[2], self.windows.pad[2]);
        let wanted = (windows.len() - 1) * stride + self.windows.kernel[2];
        let (first, width) = (windows.start * stride, self.windows.input[2]);
        let flip = D::L::bytes(&[self.x.flip(D::SIGNED); 16]);
        let outside = [self.x.outside(); 16];
        let empty = D::L::store_bytes(D::L::xor(D::L::bytes(&outside), flip));
        let count = CHANNELS.min(self.channels);
        // Columns before the line, in it, and behind it.
        let before = pad.saturating_sub(first).min(wanted);
        let place = first.saturating_sub(pad).min(width);
        let inside = (wanted - before).min(width - place);
        room.resize(taps.len() * wanted, [[0; 16]; 4]);
        for (lines, room) in taps.iter().zip(room.chunks_exact_mut(wanted)) {
            let (left, room) = room.split_at_mut(before);
            let (room, right) = room.split_at_mut(inside);
            left.iter_mut().chain(right).for_each(|to| *to = [empty; 4]);
            let Some(last) = inside.checked_sub(1) else { continue };
            let lines = lines.map(|line| match line {
                Some(line) => (&self.x.bytes[line + place * self.channels..], self.channels),
                None => (&outside[..], 0),
            });
            let lines = lines.map(|(from, step)| (&from[channel.min(step)..], step));
            let whole = lines.iter().all(|(from, step)| from.len() >= last * step + 16);
            for (column, to) in room.iter_mut().enumerate() {
                let [a, b, c, d] = lines.map(|(from, step)| {
                    let at = column * step;
                    let bytes = match whole {
                        // SAFETY: the line has sixteen bytes in its last column.
                        true => unsafe { *from.as_ptr().add(at).cast() },
                        false => part(&from[at..], count),
                    };
                    D::L::xor(D::L::bytes(&bytes), flip)
                });
                let (first, second) = (D::L::interleave(a, b), D::L::interleave(c, d));
                let low = D::L::interleave_pairs(first[0], second[0]);
                let high = D::L::interleave_pairs(first[1], second[1]);
                *to = [low[0], low[1], high[0], high[1]].map(D::L::store_bytes);
            }
        }
    }

    /// Packed weights: four taps of sixteen channels.
    #[inline(always)]
    fn row(&self, row: usize, channel: usize) -> &Column {
        let [_, room] = DepthwiseInt8::packed(self.windows.kernel, self.channels);
        bytemuck::from_bytes(&self.weights[(row * room + channel) * 4..][..4 * CHANNELS])
    }

    fn block(&self, channel: usize, zero: i32) -> Block {
        let sums: &[[u8; 4]; CHANNELS] = bytemuck::cast_ref(self.row(0, channel));
        let end = self.channels.min(channel + CHANNELS);
        let start = from_fn(|lane| {
            let bias = self.bias.and_then(|bias| bias.get(channel + lane)).copied().unwrap_or(0);
            bias.wrapping_sub(zero.wrapping_mul(i32::from_le_bytes(sums[lane])))
        });
        let factors =
            from_fn(|lane| self.results.factor(end.saturating_sub(1).min(channel + lane)));
        Block { channel, start, factors }
    }

    /// Sixteen channels of some windows.
    #[inline(never)]
    fn tile<D: Dots>(
        &self,
        mixed: &[Column],
        windows: Range<usize>,
        block: &Block,
        line: usize,
        to: &Rounding<D::L>,
    ) {
        let (stride, kernel_width) = (self.windows.stride[2], self.windows.kernel[2]);
        let wanted = (windows.len() - 1) * stride + kernel_width;
        let (channel, count) = (block.channel, CHANNELS.min(self.channels));
        let (starts, factors) = (block.start.as_chunks().0, block.factors.as_chunks().0);
        let starts: [IntsOf<D>; 4] = from_fn(|i| D::L::load_i(&starts[i]));
        let factors = from_fn(|i| D::L::load(&factors[i]));
        let [rows, room] = DepthwiseInt8::packed(self.windows.kernel, self.channels);
        assert_eq!(mixed.len(), (rows - 1) / kernel_width * wanted, "as many columns as are read");
        let weights = &self.weights[4 * (room + channel)..4 * rows * room];
        for at in (0..windows.len()).step_by(2) {
            // The last one twice, if it has none beside it.
            let two = [at, (at + 1).min(windows.len() - 1)];
            let mut sums = [starts; 2];
            for (group, columns) in mixed.chunks_exact(wanted).enumerate() {
                for kw in 0..kernel_width {
                    let row = 4 * room * (group * kernel_width + kw);
                    // SAFETY: a row has sixteen channels from this one on.
                    let w: &Column = unsafe { &*weights.as_ptr().add(row).cast() };
                    let w = w.each_ref().map(|four| D::whole(D::L::bytes(four)));
                    unrolled!(2, window => {
                        // SAFETY: windows have all of their columns.
                        let x = unsafe { columns.get_unchecked(two[window] * stride + kw) };
                        unrolled!(4, i => {
                            let x = D::sixteen(D::L::bytes(&x[i]));
                            sums[window][i] = D::add_products(sums[window][i], x, w[i]);
                        });
                    });
                }
            }
            unrolled!(2, window => {
                let bytes = D::L::store_bytes(sixteen::<D::L>(sums[window], factors, to));
                let at = (line + windows.start + two[window]) * self.channels + channel;
                // SAFETY: these channels of the window are ours, and no other slice of them lives.
                let cells = unsafe { self.y.part(at..at + count) };
                match cells.first_chunk_mut() {
                    Some(cells) => *cells = bytes,
                    None => cells.copy_from_slice(&bytes[..count]),
                }
            });
        }
    }
}

/// The first bytes.
fn part(from: &[u8], count: usize) -> [u8; 16] {
    let mut bytes = [0; 16];
    let count = count.min(from.len());
    bytes[..count].copy_from_slice(&from[..count]);
    bytes
}
