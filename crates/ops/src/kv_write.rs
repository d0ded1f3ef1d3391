use crate::{OpInfo, rules};
use sidestage_ir::{Args, Dim, Operator, ValueType, Work};
use sidestage_tensor::DType;
use std::ops::Range;

pub(crate) const INFO: OpInfo =
    OpInfo { name: "KvWrite", summary: "writes keys and values of new positions into the cache" };

/// Copies each row of `k[rows, width]` and `v[rows, width]` to its slot (page * positions of a
/// page + position in it, `slots[rows]`) of the key and value states, whose pages are
/// `[positions, width]` of `f32`. Operands: `k`, `v`, the slots, the two states; or one matrix, the
/// slots, its state.
#[derive(Debug)]
pub struct KvWrite;

impl Operator for KvWrite {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let (k, v, slots, keys, values) = match *inputs {
            [k, slots, keys] => (k, k, slots, keys, keys),
            [k, v, slots, keys, values] => (k, v, slots, keys, values),
            _ => return Err(format!("takes 3 or 5 operands, got {}", inputs.len())),
        };
        let (_, width) = rules::matrix("k", k)?;
        rules::dtype("slots", slots, DType::I32)?;
        rules::matrix("keys", keys)?;
        rules::equal("the keys' width", rules::width("keys", keys)?, width)?;
        if k != v || keys != values {
            return Err("keys and values must have the same shape".into());
        }
        if k.dims[0] != slots.dims[0] {
            return Err("k and slots must have the same rows".into());
        }
        let Dim::Fixed(_) = keys.dims[0] else { return Err("a page has a fixed shape".into()) };
        Ok(Vec::new())
    }

    fn has_effect(&self) -> bool {
        true
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let extents = args.tensor(0).extents;
        Work { units: extents.rows(), grain: 1, cost: 4 * extents.inner() }
    }

    #[allow(unsafe_code, reason = "each thread writes the slots of the rows it was given")]
    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let width = args.tensor(0).extents.inner();
        // As many matrices as states, the slots between them.
        let matrices = args.inputs.len() / 2;
        let slots = args.tensor(matrices).i32s();
        for source in 0..matrices {
            let pages = args.pages(matrices + 1 + source);
            let rows = args.tensor(source).f32s();
            for unit in units.clone() {
                let Some(page) = pages.first() else { return };
                let positions = page.len() / (4 * width);
                let slot = slots[unit] as usize;
                let start = slot % positions * width * 4;
                let row = &rows[unit * width..(unit + 1) * width];
                // SAFETY: each row has a slot of its own, and no two threads have the same row.
                let out = unsafe { pages[slot / positions].part(start..start + 4 * width) };
                out.copy_from_slice(bytemuck::cast_slice(row));
            }
        }
    }
}
