use sidestage_kernels::GROUP;
use sidestage_tensor::{AlignedBytes, DType};
use std::collections::TryReserveError;

/// Weights lie in slabs of at most this size: no allocation may pass 2 GiB in wasm32, and many
/// middle-sized ones are granted where one large one is refused. A larger weight has its own slab.
pub const SLAB_BYTES: usize = 256 << 20;

/// Weights start on a cache line.
const ALIGNMENT: usize = 64;

/// The weights of a model, each where it stays.
#[derive(Debug)]
pub struct Weights {
    slabs: Vec<AlignedBytes>,
    /// Slab, first byte and length of each weight.
    places: Vec<(usize, usize, usize)>,
    /// How many bytes of each lie as the kernels read them.
    arranged: Vec<usize>,
}

impl Weights {
    /// Room for weights of these sizes, zeroed.
    ///
    /// # Errors
    /// The allocator's refusal.
    pub fn allocate(sizes: &[usize]) -> Result<Self, TryReserveError> {
        let mut places = Vec::with_capacity(sizes.len());
        let mut lengths: Vec<usize> = Vec::new();
        for &size in sizes {
            let used = lengths.last().copied().unwrap_or(SLAB_BYTES);
            let fits = used.checked_add(size).is_some_and(|end| end <= SLAB_BYTES);
            if !fits {
                lengths.push(0);
            }
            let slab = lengths.len() - 1;
            places.push((slab, lengths[slab], size));
            lengths[slab] += size.next_multiple_of(ALIGNMENT);
        }
        let slabs = lengths.into_iter().map(AlignedBytes::zeroed);
        let arranged = vec![0; places.len()];
        Ok(Self { slabs: slabs.collect::<Result<_, _>>()?, places, arranged })
    }

    /// The bytes of one weight.
    pub fn get(&self, index: usize) -> &[u8] {
        let (slab, offset, length) = self.places[index];
        &self.slabs[slab].as_slice()[offset..offset + length]
    }

    /// Moves the first `filled` bytes of one weight, which are those of the file, to where the kernels
    /// read them ([`sidestage_kernels::arrange`]): those that came since the last call, as far as they
    /// are whole groups of rows. Only a matrix of `dims` or several of them has groups.
    pub fn arrange(&mut self, index: usize, dtype: DType, dims: &[usize], filled: usize) {
        let &[.., rows, width] = dims else { return };
        let from = self.arranged[index];
        let (rows, to) = if rows.is_multiple_of(GROUP) {
            // Each group is a matrix of its own.
            let group = GROUP * (width / dtype.block_len() * dtype.block_bytes());
            (GROUP, filled - filled.checked_rem(group).unwrap_or(filled))
        } else {
            (rows, if filled == self.get(index).len() { filled } else { 0 })
        };
        if to > from {
            self.arranged[index] = to;
            sidestage_kernels::arrange(dtype, (rows, width), &mut self.get_mut(index)[from..to]);
        }
    }

    /// The bytes of one weight, to be filled.
    pub fn get_mut(&mut self, index: usize) -> &mut [u8] {
        let (slab, offset, length) = self.places[index];
        &mut self.slabs[slab].as_mut_slice()[offset..offset + length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_is_arranged_while_it_comes() {
        // Two matrices each; of five rows, one lies outside the groups.
        for rows in [8, 5] {
            let dims = [2, rows, 64];
            let file: Vec<u8> = (0..2 * rows * 2 * 18).map(|i| (i * 31 % 251) as u8).collect();
            let mut expected = file.clone();
            sidestage_kernels::arrange(DType::Q4_0, (rows, 64), &mut expected);
            assert_ne!(expected, file);
            let mut weights = Weights::allocate(&[file.len()]).unwrap();
            for (from, to) in [(0, 0), (0, 143), (143, 144), (144, 300), (300, file.len())] {
                weights.get_mut(0)[from..to].copy_from_slice(&file[from..to]);
                weights.arrange(0, DType::Q4_0, &dims, to);
                let done = if rows == 8 { to / 144 * 144 } else { to / file.len() * file.len() };
                assert_eq!(weights.get(0)[..done], expected[..done]);
                assert_eq!(weights.get(0)[done..to], file[done..to]);
            }
            weights.arrange(0, DType::Q4_0, &dims, file.len());
            assert_eq!(weights.get(0), expected);
        }
    }

    #[test]
    fn weights_do_not_overlap_and_large_ones_stand_alone() {
        let sizes = [100, SLAB_BYTES - 100, 7, SLAB_BYTES + 1, 64];
        let mut weights = Weights::allocate(&sizes).unwrap();
        for (index, &size) in sizes.iter().enumerate() {
            assert_eq!(weights.get(index).len(), size);
            assert!(weights.get(index).iter().take(200).all(|&byte| byte == 0));
            let bytes = weights.get_mut(index);
            bytes[0] = index as u8 + 1;
            bytes[size - 1] = index as u8 + 1;
        }
        for (index, &size) in sizes.iter().enumerate() {
            assert_eq!(weights.get(index)[0], index as u8 + 1);
            assert_eq!(weights.get(index)[size - 1], index as u8 + 1);
        }
        assert_eq!(weights.slabs.len(), 4);
    }
}
