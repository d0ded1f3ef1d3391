use crate::{OpInfo, rules};
use sidestage_ir::{Args, Dim, Operator, ValueType, Work};
use std::ops::Range;

pub(crate) const INFO: OpInfo =
    OpInfo { name: "StateWrite", summary: "keeps rows of new positions in a paged state" };

/// Copies each row of `x[rows, width]` to its slot (page * positions of a page + position in it,
/// `slots[rows]`) of the state, whose pages are `[positions, width]` of `f32`. Operands: `x`, the
/// slots, the state.
#[derive(Debug)]
pub struct StateWrite;

impl Operator for StateWrite {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [x, slots, state] = rules::operands(inputs)?;
        let (rows, width) = rules::matrix("x", x)?;
        rules::list("slots", slots, rows)?;
        let (positions, state_width) = rules::matrix("the state", state)?;
        rules::equal("the state's width", state_width, width)?;
        let Dim::Fixed(_) = positions else { return Err("a page has a fixed shape".into()) };
        Ok(Vec::new())
    }

    fn has_effect(&self) -> bool {
        true
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let extents = args.tensor(0).extents;
        Work { units: extents.rows(), grain: 1, cost: 2 * extents.inner() }
    }

    #[allow(unsafe_code, reason = "each thread writes the slots of the rows it was given")]
    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (x, slots, pages) = (args.tensor(0), args.tensor(1).i32s(), args.pages(2));
        let (rows, width) = (x.f32s(), x.extents.inner());
        for unit in units {
            let Some(page) = pages.first() else { return };
            let positions = page.len() / (4 * width);
            let slot = slots[unit] as usize;
            let start = slot % positions * width * 4;
            // SAFETY: each row has a slot of its own, and no two threads have the same row.
            let out = unsafe { pages[slot / positions].part(start..start + 4 * width) };
            out.copy_from_slice(bytemuck::cast_slice(&rows[unit * width..(unit + 1) * width]));
        }
    }
}
