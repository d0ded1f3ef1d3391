//! Convolutions of bytes, each channel by itself.
//!
//! The taps of a column of a window, up to four, are put side by side, so that the integer products take
//! four taps of four channels at once. That is done once for all windows of a line that read the column,
//! and for two lines, if four lines of an image hold the windows of both.

#![allow(unsafe_code, reason = "threads write disjoint parts of one buffer; places are in range")]

use super::requantize::{Rounding, sixteen};
use super::{Int8, Requantize};
use crate::lanes::{Dots, IntsOf, Lanes};
use crate::window::Windows;
use sidestage_tensor::SharedOut;
use smallvec::SmallVec;
use std::array::from_fn;
use std::hint::black_box;
use std::ops::Range;

/// Channels of a tile.
const CHANNELS: usize = 16;

/// Windows whose columns are put side by side at once: with three taps a few KB.
const WINDOWS: usize = 32;

/// Windows that are computed at once.
const FOUR: usize = 4;

/// Windows of some lines that one tile of channels after the other takes: what they read of an image
/// stays in the first cache until the tiles beside have read it, too.
const NEAR: usize = 200;

/// Weights of a column: four taps of each channel of a tile.
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

    /// Channels that are computed at once.
    pub const CHANNELS: usize = CHANNELS;

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
struct Block<D: Dots> {
    /// The first one.
    channel: usize,
    /// Four taps of each, for each four taps of a column; and those of the line below.
    weights: [Vec<[D::V; 4]>; 2],
    /// Where sums begin.
    start: [i32; CHANNELS],
    /// From sums to results.
    factors: [f32; CHANNELS],
}

/// Where four lines of an image lie in `x`; `None`: outside.
type Four = [Option<usize>; 4];

impl DepthwiseInt8<'_> {
    /// Lines whose windows lie in four lines of an image.
    pub fn at_once(windows: &Windows) -> usize {
        let near = windows.kernel[1] <= 3 && (windows.stride[1], windows.dilation[1]) == (1, 1);
        1 + usize::from(near)
    }

    pub(super) fn by<D: Dots>(&self, lines: Range<usize>, channels: Range<usize>) {
        let columns = self.windows.output[2];
        let (to, most) = (self.results.lanes::<D::L>(), Self::at_once(self.windows));
        let near = (NEAR / columns.max(1)).next_multiple_of(most).max(most);
        // The last ones are computed again: they come out the same.
        let last = self.channels.saturating_sub(CHANNELS);
        let (mut taps, mut room): (Vec<Four>, Vec<[D::Y; 4]>) = (Vec::new(), Vec::new());
        let mut block = Block::<D> {
            channel: 0,
            weights: [Vec::new(), Vec::new()],
            start: [0; CHANNELS],
            factors: [0.0; CHANNELS],
        };
        for start in lines.clone().step_by(near) {
            taps.clear();
            let mut parts: SmallVec<[Range<usize>; 8]> = SmallVec::new();
            let end = lines.end.min(start + near);
            let mut line = start;
            while line < end {
                let count = self.taps(line, most.min(end - line), &mut taps);
                parts.push(line..line + count);
                line += count;
            }
            let each = taps.len() / parts.len();
            for channel in channels.clone().step_by(CHANNELS) {
                self.block::<D>(channel.min(last), most, &mut block);
                for (lines, taps) in parts.iter().zip(taps.chunks_exact(each)) {
                    for window in (0..columns).step_by(WINDOWS) {
                        let part = window..columns.min(window + WINDOWS);
                        self.mix::<D>(taps, part.clone(), block.channel, &mut room);
                        for (line, weights) in lines.clone().zip(&block.weights) {
                            self.tile::<D>(
                                &room,
                                weights,
                                part.clone(),
                                &block,
                                line * columns,
                                &to,
                            );
                        }
                    }
                }
            }
        }
    }

    /// Adds where the lines of an image lie whose taps are those of some lines of windows; gives how many
    /// of these: all, or those up to the image's end.
    fn taps(&self, line: usize, most: usize, taps: &mut Vec<Four>) -> usize {
        let windows = self.windows;
        let [kernel_depth, kernel_height, _] = windows.kernel;
        let ([depth, height, width], [planes, rows, _]) = (windows.input, windows.output);
        let (image, d, h) = (line / rows / planes, line / rows % planes, line % rows);
        let count = most.min(rows - h);
        for kd in 0..kernel_depth {
            let d = windows.place(0, d, kd);
            for first in (0..kernel_height).step_by(4) {
                taps.push([0, 1, 2, 3].map(|kh| {
                    let h = windows.place(1, h, first + kh);
                    let h = h.filter(|_| first + kh < kernel_height + count - 1);
                    let at = (image * depth + d?) * height + h?;
                    Some(at * width * self.channels)
                }));
            }
        }
        count
    }

    /// The columns of some windows, for each four taps of a column.
    #[inline(never)]
    fn mix<D: Dots>(
        &self,
        taps: &[Four],
        windows: Range<usize>,
        channel: usize,
        room: &mut Vec<[D::Y; 4]>,
    ) {
        let (stride, pad) = (self.windows.stride[2], self.windows.pad[2]);
        let wanted = (windows.len().max(FOUR) - 1) * stride + self.windows.kernel[2];
        let (first, width) = (windows.start * stride, self.windows.input[2]);
        let flip = D::L::bytes(&[self.x.flip(D::SIGNED); 16]);
        let outside = [self.x.outside(); 16];
        let empty = D::mixed([D::L::xor(D::L::bytes(&outside), flip); 4]);
        let count = CHANNELS.min(self.channels);
        // Columns before the line, in it, and behind it.
        let before = pad.saturating_sub(first).min(wanted);
        let place = first.saturating_sub(pad).min(width);
        let inside = (wanted - before).min(width - place);
        room.resize(taps.len() * wanted, empty);
        for (lines, room) in taps.iter().zip(room.chunks_exact_mut(wanted)) {
            let (left, room) = room.split_at_mut(before);
            let (room, right) = room.split_at_mut(inside);
            left.iter_mut().chain(right).for_each(|to| *to = empty);
            let Some(last) = inside.checked_sub(1) else { continue };
            let lines = lines.map(|line| match line {
                Some(line) => (&self.x.bytes[line + place * self.channels..], self.channels),
                None => (&outside[..], 0),
            });
            let lines = lines.map(|(from, step)| (&from[channel.min(step)..], step));
            let whole = lines.iter().all(|(from, step)| from.len() >= last * step + 16);
            let flipped = |bytes: &[u8; 16]| D::L::xor(D::L::bytes(bytes), flip);
            for (column, to) in room.iter_mut().enumerate() {
                if whole {
                    // SAFETY: the line has sixteen bytes in its last column.
                    let place = |(from, step): (&[u8], usize)| unsafe {
                        &*from.as_ptr().add(column * step).cast()
                    };
                    *to = D::mixed(lines.map(|line| flipped(place(line))));
                } else {
                    *to = D::mixed(
                        lines.map(|(from, step)| flipped(&part(&from[column * step..], count))),
                    );
                }
            }
        }
    }

    /// Packed weights: four taps of sixteen channels.
    #[inline(always)]
    fn row(&self, row: usize, channel: usize) -> &Column {
        let [_, room] = DepthwiseInt8::packed(self.windows.kernel, self.channels);
        bytemuck::from_bytes(&self.weights[(row * room + channel) * 4..][..4 * CHANNELS])
    }

    /// `lines`: how many are computed at once.
    #[inline(never)]
    fn block<D: Dots>(&self, channel: usize, lines: usize, block: &mut Block<D>) {
        let zero = self.x.moved(D::SIGNED);
        let sums: &[[u8; 4]; CHANNELS] = bytemuck::cast_ref(self.row(0, channel));
        let end = self.channels.min(channel + CHANNELS);
        block.channel = channel;
        block.start = from_fn(|lane| {
            let bias = self.bias.and_then(|bias| bias.get(channel + lane)).copied().unwrap_or(0);
            bias.wrapping_sub(zero.wrapping_mul(i32::from_le_bytes(sums[lane])))
        });
        block.factors =
            from_fn(|lane| self.results.factor(end.saturating_sub(1).min(channel + lane)));
        let [rows, _] = DepthwiseInt8::packed(self.windows.kernel, self.channels);
        let whole = |of: &Column| of.each_ref().map(|four| D::whole(D::L::bytes(four)));
        // A line below its taps are one further.
        let below = |of: &Column| {
            let taps: [[u8; 4]; CHANNELS] = bytemuck::cast(*of);
            whole(&bytemuck::cast(taps.map(|[a, b, c, _]| [0, a, b, c])))
        };
        let all = (1..rows).map(|row| self.row(row, channel));
        block.weights.iter_mut().for_each(Vec::clear);
        block.weights[0].extend(all.clone().map(whole));
        if lines > 1 {
            block.weights[1].extend(all.map(below));
        }
    }

    /// Sixteen channels of some windows.
    fn tile<D: Dots>(
        &self,
        mixed: &[[D::Y; 4]],
        weights: &[[D::V; 4]],
        windows: Range<usize>,
        block: &Block<D>,
        line: usize,
        to: &Rounding<D::L>,
    ) {
        let (stride, kernel_width) = (self.windows.stride[2], self.windows.kernel[2]);
        let mut results = [[[0; 4]; 4]; WINDOWS];
        let part = Part { mixed, weights, windows: windows.len().max(FOUR), block, to };
        match (stride, kernel_width, weights.len()) {
            (1, 3, 3) => part.side_by_side(&mut results),
            (2, 3, 3) => part.every_second(&mut results),
            _ => part.any(stride, kernel_width, &mut results),
        }
        let count = CHANNELS.min(self.channels);
        let first = (line + windows.start) * self.channels + block.channel;
        for (window, results) in results[..windows.len()].iter().enumerate() {
            let at = first + window * self.channels;
            // SAFETY: these channels of the window are ours, and no other slice of them lives.
            let cells = unsafe { self.y.part(at..at + count) };
            let bytes: &[u8; CHANNELS] = bytemuck::cast_ref(results);
            match cells.first_chunk_mut() {
                Some(cells) => *cells = *bytes,
                None => cells.copy_from_slice(&bytes[..count]),
            }
        }
    }
}

/// Sixteen channels of some windows, at least four.
struct Part<'a, D: Dots> {
    mixed: &'a [[D::Y; 4]],
    weights: &'a [[D::V; 4]],
    windows: usize,
    block: &'a Block<D>,
    to: &'a Rounding<D::L>,
}

impl<D: Dots> Part<'_, D> {
    /// Windows of three columns, whose rows are among four: columns that several of four windows have are
    /// read once.
    #[inline(never)]
    fn side_by_side(&self, results: &mut [[[u8; 4]; 4]; WINDOWS]) {
        self.by(1, 3, 1, results);
    }

    /// The same, but only every second one.
    #[inline(never)]
    fn every_second(&self, results: &mut [[[u8; 4]; 4]; WINDOWS]) {
        self.by(2, 3, 1, results);
    }

    #[inline(never)]
    fn any(&self, stride: usize, width: usize, results: &mut [[[u8; 4]; 4]; WINDOWS]) {
        self.by(stride, width, self.weights.len() / width, results);
    }

    /// Four windows of four channels at a time, so that their weights are read once.
    #[inline(always)]
    fn by(
        &self,
        stride: usize,
        width: usize,
        groups: usize,
        results: &mut [[[u8; 4]; 4]; WINDOWS],
    ) {
        let wanted = (self.windows - 1) * stride + width;
        assert!(self.mixed.len() == groups * wanted, "as many columns as are read");
        assert!(self.weights.len() == groups * width, "as many weights as are read");
        assert!((FOUR..=WINDOWS).contains(&self.windows), "windows that there is room for");
        let (starts, factors) = (self.block.start.as_chunks().0, self.block.factors.as_chunks().0);
        for i in 0..4 {
            let start = D::L::load_i(&starts[i]);
            let factors = [D::L::load(&factors[i]); FOUR];
            for at in (0..self.windows).step_by(FOUR) {
                // The last ones may be computed again.
                let at = at.min(self.windows - FOUR);
                let mut sums: [IntsOf<D>; FOUR] = [start; FOUR];
                for group in 0..groups {
                    // SAFETY: windows have all of their columns.
                    let first = unsafe { self.mixed.get_unchecked(group * wanted + at * stride..) };
                    // A place that the compiler cannot follow: it would compute that of each column.
                    let columns = black_box(first.as_ptr().cast::<D::Y>().wrapping_add(i));
                    for kw in 0..width {
                        // SAFETY: there are as many weights.
                        let w = unsafe { self.weights.get_unchecked(group * width + kw) }[i];
                        unrolled!(FOUR, window => {
                            // SAFETY: as above.
                            let x = unsafe { *columns.add(4 * (window * stride + kw)) };
                            sums[window] = D::add_products(sums[window], x, w);
                        });
                    }
                }
                let bytes = D::L::store_bytes(sixteen::<D::L>(sums, factors, self.to));
                let bytes: &[[u8; 4]; FOUR] = bytemuck::cast_ref(&bytes);
                unrolled!(FOUR, window => results[at + window][i] = bytes[window]);
            }
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
