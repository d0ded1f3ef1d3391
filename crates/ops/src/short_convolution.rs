use crate::rows::rows;
use crate::{OpInfo, rules};
use sidestage_ir::{Args, Operator, ValueType, Work};
use sidestage_tensor::DType;
use smallvec::SmallVec;
use std::ops::Range;

pub(crate) const INFO: OpInfo = OpInfo {
    name: "ShortConvolution",
    summary: "causal convolution of each channel over a few positions of a paged state (LFM2)",
};

/// For each row the sum of the latest positions of its sequence up to its own, each channel times
/// its weights; the last weight is that of the row's own position.
///
/// Operands: a state (pages `[positions, width]`) to which the step's rows are written already,
/// `positions[rows]`, `sequences[rows]` (a row of the tables), `tables[sequences, pages]` (page
/// numbers in order), `weight[width, taps]`. The result is `[rows, width]`.
#[derive(Debug)]
pub struct ShortConvolution;

impl Operator for ShortConvolution {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let [state, positions, sequences, tables, weight] = rules::operands(inputs)?;
        let (_, width) = rules::matrix("state", state)?;
        for (what, list) in [("positions", positions), ("sequences", sequences)] {
            rules::dtype(what, list, DType::I32)?;
            rules::rank(what, list, 1)?;
        }
        if positions.dims != sequences.dims {
            return Err("positions and sequences must have the same rows".into());
        }
        rules::dtype("tables", tables, DType::I32)?;
        rules::rank("tables", tables, 2)?;
        rules::matrix("weight", weight)?;
        if weight.dims[0] != state.dims[1] {
            return Err(format!("the weight must have {width} rows"));
        }
        Ok(vec![ValueType::new(DType::F32, [positions.dims[0], state.dims[1]])])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let taps = args.tensor(4).extents.inner();
        let extents = args.outputs[0].extents;
        Work { units: extents.rows(), grain: 1, cost: 3 * taps * extents.inner() }
    }

    #[allow(unsafe_code, reason = "pages are read while no node writes them")]
    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (positions, sequences) = (args.tensor(1).i32s(), args.tensor(2).i32s());
        let (tables, weight) = (args.tensor(3), args.tensor(4));
        let (taps, width) = (weight.extents.inner(), args.outputs[0].extents.inner());
        let pages = tables.extents.inner();
        let block = args.pages(0).first().map_or(1, |page| page.len() / (4 * width));
        for unit in units {
            let table = &tables.i32s()[sequences[unit] as usize * pages..][..pages];
            let row = |tap: usize| {
                let position = (positions[unit] as usize + 1 + tap).checked_sub(taps)?;
                let page = &args.pages(0)[table[position / block] as usize];
                let start = position % block * width * 4;
                // SAFETY: the state is written by `StateWrite` only, never while this node runs.
                let bytes = unsafe { page.read(start..start + 4 * width) };
                Some(bytemuck::cast_slice::<u8, f32>(bytes))
            };
            let latest: SmallVec<[Option<&[f32]>; 8]> = (0..taps).map(row).collect();
            let (_, out) = rows::<f32>(args, unit..unit + 1);
            sidestage_kernels::depthwise(&latest, weight.f32s(), out);
        }
    }
}
