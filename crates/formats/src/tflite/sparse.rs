//! Tensors of which only the elements are stored that are not 0.

use super::TfliteError;
use super::flatbuffer::Table;
use super::tensor::spend;

/// A dimension, in the order in which the elements are stored.
struct Level {
    /// `None`: all of this many; else, for each entry of the level before it, where its own begin
    /// and end, and the index of each.
    dense: usize,
    sparse: Option<(Vec<usize>, Vec<usize>)>,
    /// The dimension of the tensor, and what an index counts there.
    axis: usize,
    step: usize,
}

/// A list of one of the unions' kinds: `Int32Vector`, `Uint16Vector`, `Uint8Vector`.
fn list(table: Table<'_>, slot: usize) -> Result<Vec<usize>, TfliteError> {
    let Some(values) = table.table(slot + 1)? else { return Ok(Vec::new()) };
    let bytes = match table.byte(slot, 0)? {
        1 => return Ok(values.ints(0)?.map(|value| value.max(0) as usize).collect()),
        2 => {
            let twos = values.list::<2>(0)?.as_chunks().0.iter();
            return Ok(twos.map(|two| u16::from_le_bytes(*two).into()).collect());
        }
        3 => values.raw(0)?,
        _ => return Ok(Vec::new()),
    };
    Ok(bytes.iter().map(|byte| usize::from(*byte)).collect())
}

/// All elements of a tensor of this shape, each of `each` bytes, from those that are stored
/// (`SparsityParameters`); `None`: they do not fit.
pub(super) fn densified(
    table: Table<'_>,
    dims: &[usize],
    each: usize,
    stored: &[u8],
    budget: &mut usize,
) -> Result<Option<Vec<u8>>, TfliteError> {
    let order = table.ints(0)?;
    let blocks: Vec<usize> = table.ints(1)?.map(|axis| axis.max(0) as usize).take(64).collect();
    let metadata = table.tables(2)?;
    let rank = dims.len();
    if order.len() != metadata.len() || order.len() != rank + blocks.len() {
        return Ok(None);
    }
    // A dimension that is cut into blocks counts blocks first, then what lies in one.
    let mut block = vec![1_usize; rank];
    for (at, &axis) in blocks.iter().enumerate() {
        let size =
            metadata.iter().zip(table.ints(0)?).find(|(_, axis)| *axis == (rank + at) as i32);
        let Some((level, _)) = size else { return Ok(None) };
        let size = level?.int(1, 0)?;
        let Some(block) = block.get_mut(axis) else { return Ok(None) };
        *block = size.max(1) as usize;
    }
    let mut levels = Vec::with_capacity(order.len());
    for (axis, level) in order.zip(metadata.iter()) {
        let (level, axis) = (level?, axis.max(0) as usize);
        let sparse = match level.byte(0, 0)? {
            0 => None,
            _ => {
                let pair = (list(level, 2)?, list(level, 4)?);
                let count = pair.0.len() + pair.1.len();
                spend(budget, 8 * count)?;
                Some(pair)
            }
        };
        let (axis, step) = match axis.checked_sub(rank) {
            None => (axis, block[axis]),
            Some(at) => match blocks.get(at) {
                Some(&axis) => (axis, 1),
                None => return Ok(None),
            },
        };
        levels.push(Level { dense: level.int(1, 0)?.max(0) as usize, sparse, axis, step });
    }
    let size = dims.iter().try_fold(each, |all, &dim| all.checked_mul(dim));
    let Some(size) = size else { return Ok(None) };
    let mut out = vec![0; size];
    let mut walk = Walk { dims, each, stored, out: &mut out, levels: &levels, done: 0, steps: 0 };
    // Each step writes an element, or one of few levels leads to none: a level of 0 dense entries
    // below large ones would take time without end.
    walk.steps = budget.saturating_add(stored.len());
    let fits = walk.level(0, 0, &mut vec![0; rank]);
    Ok((fits && walk.done * each == stored.len()).then_some(out))
}

struct Walk<'a> {
    dims: &'a [usize],
    each: usize,
    stored: &'a [u8],
    out: &'a mut Vec<u8>,
    levels: &'a [Level],
    /// Elements taken.
    done: usize,
    /// Steps left.
    steps: usize,
}

impl Walk<'_> {
    /// The entries of a level under the `entry`-th of the level before it, and what is below them. The
    /// depth is at most twice that of the dimensions.
    fn level(&mut self, depth: usize, entry: usize, place: &mut [usize]) -> bool {
        let Some(level) = self.levels.get(depth) else { return self.element(place) };
        let range = match &level.sparse {
            None => 0..level.dense,
            Some((segments, _)) => match (segments.get(entry), segments.get(entry + 1)) {
                (Some(&from), Some(&to)) => from..to,
                _ => return false,
            },
        };
        for at in range {
            if self.steps == 0 {
                return false;
            }
            self.steps -= 1;
            let (index, next) = match &level.sparse {
                None => (at, entry.saturating_mul(level.dense).saturating_add(at)),
                Some((_, indices)) => match indices.get(at) {
                    Some(&index) => (index, at),
                    None => return false,
                },
            };
            let moved = index.saturating_mul(level.step);
            let before = place[level.axis];
            place[level.axis] = before.saturating_add(moved);
            let fits = self.level(depth + 1, next, place);
            place[level.axis] = before;
            if !fits {
                return false;
            }
        }
        true
    }

    fn element(&mut self, place: &[usize]) -> bool {
        let from = self.stored.get(self.done * self.each..).and_then(|rest| rest.get(..self.each));
        let Some(from) = from else { return false };
        self.done += 1;
        if place.iter().zip(self.dims).any(|(at, dim)| at >= dim) {
            // Blocks may reach over the end.
            return true;
        }
        let at = place.iter().zip(self.dims).fold(0, |at, (index, dim)| at * dim + index);
        self.out[at * self.each..][..self.each].copy_from_slice(from);
        true
    }
}
