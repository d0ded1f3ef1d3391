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
    /// Whether each lies as the kernels read it.
    arranged: Vec<bool>,
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
        let arranged = vec![false; places.len()];
        Ok(Self { slabs: slabs.collect::<Result<_, _>>()?, places, arranged })
    }

    /// The bytes of one weight.
    pub fn get(&self, index: usize) -> &[u8] {
        let (slab, offset, length) = self.places[index];
        &self.slabs[slab].as_slice()[offset..offset + length]
    }

    /// Moves the bytes of one weight, which are those of the file, to where the kernels read them
    /// ([`sidestage_kernels::arrange`]); once, and only a matrix of `dims` or several of them.
    pub fn arrange(&mut self, index: usize, dtype: DType, dims: &[usize]) {
        if let &[.., rows, width] = dims
            && !self.arranged[index]
        {
            self.arranged[index] = true;
            sidestage_kernels::arrange(dtype, (rows, width), self.get_mut(index));
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
