use crate::conv::images;
use crate::{Conv, Finish, OpInfo, WinogradWeights};
use sidestage_ir::{Args, Made, Operator, Pass, Site, ValueType, Work};
use sidestage_kernels::{PANEL, WINOGRAD, Windows, winograd_fits, winograd_tiles};
use sidestage_tensor::DType;
use std::ops::Range;

pub(crate) const INFO: OpInfo = OpInfo {
    name: "WinogradConv",
    summary: "convolution of 3 × 3 by fewer products (arXiv:1509.09308)",
};

pub(crate) const PASS: Pass = Pass {
    name: "winograd",
    summary: "convolutions of 3 × 3 with known weights, by fewer products",
    rule,
};

/// As [`Conv`], of windows of 3 × 3, one for each element of a line and a column. The weights are what
/// [`WinogradWeights`] makes of those of [`Conv`].
#[derive(Clone, Debug)]
pub struct WinogradConv {
    /// Channels of the result.
    pub outputs: usize,
    /// How the windows lie.
    pub windows: Windows,
    /// What becomes of a sum.
    pub finish: Finish,
}

/// Most channels: the sums of a block of tiles have 2 KB of each.
const CHANNELS: usize = 4096;

/// Whether windows are of 3 × 3, one for each element.
fn three(windows: &Windows) -> bool {
    let Windows { input, output, kernel, stride, dilation, pad } = windows;
    let ones = *stride == [1; 3] && *dilation == [1; 3];
    ones && *kernel == [1, 3, 3] && pad[0] == 0 && input[0] == 1 && output[0] == 1
}

/// Least tiles of a unit, if there are as many: four rows of four are multiplied at once.
const FEW: usize = 16;

/// Most tiles of a unit: the kernel's block, whose elements are turned once.
const MANY: usize = 32;

/// Units that there are at least, if there are as many panels: some for each thread. The elements of a
/// block of tiles are turned again for each of its units.
const UNITS: usize = 8;

/// How the work is cut.
struct Cut {
    tiles: usize,
    panels: usize,
    /// Tiles and panels of a unit.
    unit: [usize; 2],
}

impl Cut {
    fn new(tiles: usize, panels: usize) -> Self {
        let blocks = (tiles / FEW).min(tiles.div_ceil(MANY).max(2 * UNITS)).max(1);
        let each = tiles.div_ceil(blocks).next_multiple_of(4).max(4);
        let groups = UNITS.div_ceil(tiles.div_ceil(each).max(1)).min(panels).max(1);
        Self { tiles, panels, unit: [each, panels.div_ceil(groups).max(1)] }
    }

    /// Units along tiles and along panels.
    fn units(&self) -> [usize; 2] {
        [self.tiles.div_ceil(self.unit[0]), self.panels.div_ceil(self.unit[1])]
    }
}

impl WinogradConv {
    fn cut(&self, args: &Args<'_>) -> Cut {
        let x = args.tensor(0).extents;
        let images = x.elements() / (self.windows.inputs() * x.inner()).max(1);
        let tiles = images * winograd_tiles(&self.windows).iter().product::<usize>();
        Cut::new(tiles, self.outputs / PANEL)
    }
}

impl Operator for WinogradConv {
    fn name(&self) -> &'static str {
        INFO.name
    }

    fn infer(&self, inputs: &[&ValueType]) -> Result<Vec<ValueType>, String> {
        let (x, weights) = self.finish.split(inputs)?;
        let ([.., channels], [n, d, h, w]) = images(x, &self.windows)?;
        if !three(&self.windows) || !winograd_fits(channels, self.outputs) || channels > CHANNELS {
            return Err(format!("{channels} channels to {}, {:?}", self.outputs, self.windows));
        }
        let turned = [WINOGRAD, self.outputs / PANEL, channels, PANEL];
        if *weights != ValueType::fixed(DType::F32, &turned) {
            return Err(format!("the weights must be turned to {turned:?}"));
        }
        self.finish.result(inputs, &[n, d, h, w, self.outputs])
    }

    fn work(&self, args: &Args<'_>) -> Work {
        let cut = self.cut(args);
        let [blocks, groups] = cut.units();
        // Turning elements and results takes about a fifth of the products' time.
        let each = (WINOGRAD * args.tensor(0).extents.inner() * PANEL).saturating_mul(6) / 5;
        let cost = (cut.unit[0] * cut.unit[1]).saturating_mul(each);
        Work { units: blocks * groups, grain: 1, cost }
    }

    fn run(&self, args: &Args<'_>, units: Range<usize>) {
        let (x, weights) = (args.tensor(0), args.tensor(1));
        let conv = sidestage_kernels::Winograd {
            windows: &self.windows,
            channels: (x.extents.inner(), self.outputs),
            x: x.f32s(),
            weights: weights.f32s(),
            epilogue: self.finish.epilogue(args),
            y: args.outputs[0].cells(),
        };
        let cut = self.cut(args);
        let [_, groups] = cut.units();
        let mut unit = units.start;
        while unit < units.end {
            // Units side by side in a block of tiles, whose elements are turned once.
            let to = groups.min(unit % groups + units.end - unit);
            let (block, from) = (unit / groups, unit % groups);
            let tiles = block * cut.unit[0]..cut.tiles.min((block + 1) * cut.unit[0]);
            let panels = from * cut.unit[1]..cut.panels.min(to * cut.unit[1]);
            sidestage_kernels::winograd(&conv, tiles, panels);
            unit += to - from;
        }
    }
}

/// Least channels and outputs, and least tiles: with fewer channels what is turned outweighs the products,
/// and the 16 tiles of 7 × 7 would not be worth the 17 MB of weights of 512 channels. ResNet-18 takes
/// 0.67 of the time with these (Chromium, two threads, medians of one run).
const LEAST: (usize, usize) = (32, 32);

fn rule(site: &mut Site<'_>) -> Option<Made> {
    let Conv { groups, outputs, windows, finish } = site.op::<Conv>()?.clone();
    let inputs = site.inputs().to_vec();
    let channels = *site.dims(inputs[0])?.last()?;
    let tiles: usize = winograd_tiles(&windows).iter().product();
    let wide = channels >= LEAST.0 && outputs >= LEAST.0 && tiles >= LEAST.1;
    if groups != 1 || !wide || !three(&windows) || !winograd_fits(channels, outputs) {
        return None;
    }
    let weights = site.folded(&WinogradWeights, &inputs[1..2])?;
    let mut inputs = inputs;
    inputs[1] = weights;
    Some(Made::new(WinogradConv { outputs, windows, finish }, inputs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_all_tiles_and_panels() {
        for (tiles, panels) in [(784, 8), (196, 16), (49, 32), (16, 64), (1, 1), (33, 4)] {
            let cut = Cut::new(tiles, panels);
            let ([blocks, groups], [each, wide]) = (cut.units(), cut.unit);
            assert!(blocks * each >= tiles && (blocks - 1) * each < tiles, "{tiles}");
            assert!(groups * wide >= panels && (groups - 1) * wide < panels, "{panels}");
            assert!(each.is_multiple_of(4) && each <= MANY + 3, "{tiles}: {each}");
            assert!(blocks * groups >= UNITS.min(panels), "{tiles} {panels}");
        }
    }
}
