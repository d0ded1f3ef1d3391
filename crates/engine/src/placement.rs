mod rows;

use rows::{COLUMNS, Rows, convert};
use sidestage_formats::{Manifest, Part};
use sidestage_lm::{DecoderPlan, Weights};
use sidestage_tensor::DType;
use std::collections::{BTreeMap, BTreeSet, TryReserveError};

/// Bytes that nobody needs are read in pieces of at most this size.
const GAP_BYTES: usize = 64 << 10;

/// Rows that must be converted are collected up to this size; a longer row is collected whole.
const STAGE_BYTES: usize = 64 << 10;

/// Rows that only move go to their place one by one if they have at least this size: a window for
/// each shorter one would cost more than a second copy.
const DIRECT_BYTES: usize = 1 << 10;

/// Where the bytes of a model's files go: each to its weight, at once or converted, or nowhere.
///
/// Files are read one after the other, each from some offset to its last needed byte:
/// [`Placement::position`] says which file and byte come next. A reading that starts there, or
/// earlier ([`Placement::begin`]), fills one window after the other; what lies between weights is
/// dropped. When `position` names another file, or nothing, the reading of this one may end. A
/// file without a needed byte is never named.
#[derive(Debug)]
pub(crate) struct Placement {
    weights: Weights,
    pieces: Vec<Piece>,
    /// The piece being filled, and how many of its bytes have come.
    next: usize,
    filled: u64,
    /// File and offset of the next byte that will arrive, while a file is read.
    reading: Option<(u32, u64)>,
    gap: Vec<u8>,
    stage: Vec<u8>,
    staged: usize,
    row: Vec<f32>,
}

/// A part of the manifest that the plan needs.
#[derive(Debug)]
struct Piece {
    part: Part,
    /// Position in the plan's weights, and its type.
    weight: usize,
    target: DType,
    way: Way,
    /// The weight's dimensions, on its last piece: with it the weight is arranged as the kernels read it.
    completes: Option<Vec<usize>>,
}

/// How the bytes of a piece reach their place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// All at once, as they lie.
    Whole,
    /// Row by row, as they lie.
    Direct,
    /// Through the stage, this many bytes at once.
    Staged(usize),
}

impl Piece {
    fn new(part: Part, weight: usize, target: DType) -> Self {
        let row = (part.bytes / part.rows.max(1)) as usize;
        let way = if part.is_verbatim(target) {
            Way::Whole
        } else if part.keeps_rows(target) && row >= DIRECT_BYTES {
            Way::Direct
        } else if part.transposed {
            Way::Staged(part.bytes as usize)
        } else {
            let rows = (STAGE_BYTES / row.max(1)).clamp(1, part.rows.max(1) as usize);
            Way::Staged(rows * row)
        };
        Self { part, weight, target, way, completes: None }
    }

    /// Bytes of a row in the file.
    fn source_row(&self) -> usize {
        (self.part.bytes / self.part.rows.max(1)) as usize
    }

    /// Bytes of a row in the weight.
    fn target_row(&self) -> usize {
        self.target.bytes_for(self.part.width).unwrap_or(0) as usize
    }
}

impl Placement {
    /// For the weights of `plan`, which was made from `manifest`; computed weights are filled here.
    ///
    /// # Errors
    /// The allocator refuses the room in which rows are converted.
    pub(crate) fn new(
        plan: &DecoderPlan,
        manifest: &Manifest,
        weights: Weights,
    ) -> Result<Self, TryReserveError> {
        Self::of(plan.weights().map(|(name, _)| name), manifest, weights)
    }

    /// For the weights of these names, in the order of `weights`.
    fn of<'a>(
        names: impl Iterator<Item = &'a str>,
        manifest: &Manifest,
        mut weights: Weights,
    ) -> Result<Self, TryReserveError> {
        let index = &manifest.weights;
        let wanted: BTreeMap<usize, usize> = names
            .enumerate()
            .filter_map(|(weight, name)| Some((index.position(name)?, weight)))
            .collect();
        for computed in &manifest.values {
            if let Some(&weight) = wanted.get(&(computed.weight as usize)) {
                let out = weights.get_mut(weight).as_chunks_mut().0;
                for (out, value) in out.iter_mut().zip(&computed.values) {
                    *out = value.to_le_bytes();
                }
            }
        }
        let mut pieces: Vec<Piece> = manifest
            .parts
            .iter()
            .filter_map(|part| {
                let at = part.weight as usize;
                let target = index.as_slice().get(at)?.dtype;
                Some(Piece::new(part.clone(), *wanted.get(&at)?, target))
            })
            .collect();
        pieces.sort_by_key(|piece| (piece.part.file, piece.part.offset));
        let mut complete = BTreeSet::new();
        for piece in pieces.iter_mut().rev().filter(|piece| complete.insert(piece.weight)) {
            let info = index.as_slice().get(piece.part.weight as usize);
            let dims = info.map(|info| info.extents.iter().map(|&dim| dim as usize).collect());
            piece.completes = dims;
        }
        let staged = |piece: &Piece| if let Way::Staged(bytes) = piece.way { bytes } else { 0 };
        let width = |piece: &Piece| match piece.way {
            Way::Staged(_) if piece.part.transposed => COLUMNS * piece.part.width as usize,
            Way::Staged(_) => piece.part.width as usize,
            Way::Whole | Way::Direct => 0,
        };
        let (mut stage, mut row) = (Vec::new(), Vec::new());
        let bytes = pieces.iter().map(staged).max().unwrap_or(0);
        stage.try_reserve_exact(bytes)?;
        stage.resize(bytes, 0);
        let values = pieces.iter().map(width).max().unwrap_or(0);
        row.try_reserve_exact(values)?;
        row.resize(values, 0.0);
        let (next, filled, staged) = (0, 0, 0);
        Ok(Self {
            weights,
            pieces,
            next,
            filled,
            reading: None,
            gap: Vec::new(),
            stage,
            staged,
            row,
        })
    }

    /// Whether every weight is in place.
    pub(crate) fn is_done(&self) -> bool {
        self.next == self.pieces.len()
    }

    /// File and offset of the next byte: of the one being read, else of the first one that is
    /// needed. `None`: no more are needed.
    pub(crate) fn position(&self) -> Option<(u32, u64)> {
        let needed = self.needed()?;
        Some(self.reading.filter(|reading| reading.0 == needed.0).unwrap_or(needed))
    }

    /// That a reading of `file` starts at `offset`; needed only where that is before `position`.
    /// What has come already, or is not needed, is dropped. Another file than the one that
    /// `position` names, or a later offset, is ignored.
    pub(crate) fn begin(&mut self, file: u32, offset: u64) {
        self.reading = self.needed().filter(|needed| needed.0 == file && offset <= needed.1);
        if let Some(reading) = &mut self.reading {
            reading.1 = offset;
        }
    }

    /// The first byte that is needed and has not come.
    fn needed(&self) -> Option<(u32, u64)> {
        let part = &self.pieces.get(self.next)?.part;
        Some((part.file, part.offset + self.filled))
    }

    /// Bytes until the first one that is needed.
    fn gap(&self) -> u64 {
        match (self.needed(), self.position()) {
            (Some(needed), Some(position)) => needed.1.saturating_sub(position.1),
            _ => 0,
        }
    }

    /// The place of the next bytes of the file that [`Placement::position`] names, at most `want`
    /// and at least one; empty when all is done, or when `want` is 0.
    ///
    /// It is the weight itself where bytes lie there as in the file.
    pub(crate) fn window(&mut self, want: usize) -> &mut [u8] {
        let gap = self.gap();
        if gap > 0 {
            self.gap.resize(GAP_BYTES, 0);
            let length = gap.min(want as u64).min(GAP_BYTES as u64) as usize;
            return &mut self.gap[..length];
        }
        let Some(piece) = self.pieces.get(self.next) else { return &mut [] };
        let (from, room) = match piece.way {
            Way::Whole => {
                let start = piece.part.first as usize * piece.target_row();
                (start + self.filled as usize, (piece.part.bytes - self.filled) as usize)
            }
            Way::Direct => {
                let row = piece.source_row();
                let (index, inside) = (self.filled / row as u64, self.filled as usize % row);
                let to = piece.part.first + piece.part.order.target(index);
                (to as usize * row + inside, row - inside)
            }
            Way::Staged(bytes) => {
                let left = (piece.part.bytes - self.filled).min((bytes - self.staged) as u64);
                let to = self.staged.saturating_add(want.min(left as usize));
                return &mut self.stage[self.staged..to];
            }
        };
        &mut self.weights.get_mut(piece.weight)[from..from + room.min(want)]
    }

    /// That `count` bytes of the last window were written.
    pub(crate) fn wrote(&mut self, count: usize) {
        let (Some(position), gap) = (self.position(), self.gap()) else { return };
        self.reading = Some((position.0, position.1 + count as u64));
        if gap > 0 || count == 0 {
            return;
        }
        let piece = &self.pieces[self.next];
        let from = self.filled;
        self.filled += count as u64;
        let is_full = self.filled >= piece.part.bytes;
        if let Way::Staged(bytes) = piece.way {
            self.staged += count;
            if is_full || self.staged >= bytes {
                let before = from + count as u64 - self.staged as u64;
                let rows = Rows {
                    bytes: &self.stage[..self.staged],
                    first: before / piece.source_row().max(1) as u64,
                };
                let out = self.weights.get_mut(piece.weight);
                convert(&piece.part, &rows, piece.target, &mut self.row, out);
                self.staged = 0;
            }
        }
        if let Some(dims) = &piece.completes {
            // While the bytes are still near, and so that no large weight keeps an abort waiting.
            let filled = if is_full {
                self.weights.get(piece.weight).len()
            } else if piece.way == Way::Whole && piece.part.first == 0 {
                self.filled as usize
            } else {
                0
            };
            self.weights.arrange(piece.weight, piece.target, dims, filled);
        }
        if is_full {
            self.next += 1;
            self.filled = 0;
        }
        if self.needed().is_none_or(|needed| needed.0 != position.0) {
            self.reading = None;
        }
    }

    /// Writes bytes that are in memory already.
    pub(crate) fn copy(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.is_done() {
            let window = self.window(bytes.len());
            let (head, rest) = bytes.split_at(window.len());
            window.copy_from_slice(head);
            self.wrote(head.len());
            bytes = rest;
        }
    }

    /// The weights, when all is done.
    pub(crate) fn into_weights(self) -> Weights {
        self.weights
    }
}

#[cfg(test)]
mod folders;
#[cfg(test)]
mod tests;
