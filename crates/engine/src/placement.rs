use sidestage_formats::WeightIndex;
use sidestage_lm::{DecoderPlan, Weights};

/// Bytes that nobody needs are read in pieces of at most this size.
const GAP_BYTES: usize = 64 << 10;

/// Where the bytes of a file go: each to its weight, at once, or nowhere.
///
/// The file is read from start to end; a window is the place of the bytes that come next.
#[derive(Debug)]
pub(crate) struct Placement {
    weights: Weights,
    /// First byte in the file, length, weight; in file order.
    parts: Vec<(u64, u64, usize)>,
    next: usize,
    position: u64,
    gap: Vec<u8>,
}

impl Placement {
    /// For the weights of `plan`, starting at `position` of the file.
    pub(crate) fn new(
        plan: &DecoderPlan,
        index: &WeightIndex,
        weights: Weights,
        position: u64,
    ) -> Self {
        let mut parts: Vec<(u64, u64, usize)> = plan
            .weights()
            .enumerate()
            .filter_map(|(weight, (name, _))| {
                let info = index.get(name)?;
                Some((info.offset, info.bytes, weight))
            })
            .collect();
        parts.sort_unstable();
        Self { weights, parts, next: 0, position, gap: Vec::new() }
    }

    /// Whether every weight is in place.
    pub(crate) fn is_done(&self) -> bool {
        self.next == self.parts.len()
    }

    /// Bytes of the file read so far.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// The place of the next bytes, at most `want` and at least one unless all is done.
    pub(crate) fn window(&mut self, want: usize) -> &mut [u8] {
        let Some(&(offset, bytes, weight)) = self.parts.get(self.next) else { return &mut [] };
        if self.position < offset {
            let length = (offset - self.position).min(want as u64).min(GAP_BYTES as u64) as usize;
            self.gap.resize(GAP_BYTES, 0);
            return &mut self.gap[..length];
        }
        let from = (self.position - offset) as usize;
        let to = (bytes as usize).min(from.saturating_add(want));
        &mut self.weights.get_mut(weight)[from..to]
    }

    /// That `count` bytes of the window were written.
    pub(crate) fn wrote(&mut self, count: usize) {
        self.position += count as u64;
        while let Some(&(offset, bytes, _)) = self.parts.get(self.next)
            && self.position >= offset + bytes
        {
            self.next += 1;
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
