use crate::{AlignedBytes, DType, Extents, TensorRef};
use bytemuck::Pod;
use std::collections::TryReserveError;
use std::fmt;
use std::sync::Arc;

/// A dense, row-major tensor that owns its bytes; a copy of it shares them.
#[derive(Clone)]
pub struct Tensor {
    dtype: DType,
    extents: Extents,
    bytes: Arc<AlignedBytes>,
}

impl Tensor {
    /// A tensor of these elements' bytes, little-endian and row-major.
    ///
    /// # Errors
    /// The allocator's refusal.
    ///
    /// # Panics
    /// If the bytes are not those of so many elements.
    pub fn new(dtype: DType, dims: &[usize], bytes: &[u8]) -> Result<Self, TryReserveError> {
        let mut room = AlignedBytes::with_capacity(bytes.len())?;
        room.extend(bytes)?;
        Ok(Self::from_bytes(dtype, dims, room))
    }

    /// A tensor in these bytes.
    ///
    /// # Panics
    /// If they are not those of so many elements, or there are more dimensions than
    /// [`Extents::MAX_RANK`].
    pub fn from_bytes(dtype: DType, dims: &[usize], bytes: impl Into<Arc<AlignedBytes>>) -> Self {
        let bytes = bytes.into();
        assert!(dims.len() <= Extents::MAX_RANK, "{} dimensions", dims.len());
        let elements = dims.iter().map(|&dim| dim as u64).product();
        assert_eq!(dtype.bytes_for(elements), Some(bytes.len() as u64), "{dtype} {dims:?}");
        Self { dtype, extents: Extents::new(dims), bytes }
    }

    /// The same bytes with other dimensions.
    ///
    /// # Panics
    /// As [`Tensor::from_bytes`].
    pub fn reshaped(&self, dims: &[usize]) -> Self {
        let extents = Extents::new(dims);
        assert!(dims.len() <= Extents::MAX_RANK && extents.elements() == self.extents.elements());
        Self { dtype: self.dtype, extents, bytes: Arc::clone(&self.bytes) }
    }

    /// Element type.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Dimensions, outermost first.
    pub fn dims(&self) -> &[usize] {
        self.extents.dims()
    }

    /// Elements in all.
    pub fn len(&self) -> usize {
        self.extents.elements()
    }

    /// Whether it has no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements' bytes.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.as_slice()
    }

    /// The elements as `T`; empty if that is not the size of the element type.
    pub fn elements<T: Pod>(&self) -> &[T] {
        if size_of::<T>() != self.dtype.block_bytes() {
            return &[];
        }
        bytemuck::cast_slice(self.bytes())
    }

    /// The elements as `T` where they lie; `None` if that is not the size of the element type, or other
    /// tensors share them.
    pub fn elements_mut<T: Pod>(&mut self) -> Option<&mut [T]> {
        let fits = size_of::<T>() == self.dtype.block_bytes();
        let bytes = Arc::get_mut(&mut self.bytes).filter(|_| fits)?;
        Some(bytemuck::cast_slice_mut(bytes.as_mut_slice()))
    }

    /// The elements of a tensor of integers or booleans; `None` for other types.
    pub fn integers(&self) -> Option<Vec<i64>> {
        let all = match self.dtype {
            DType::I64 => self.elements::<i64>().to_vec(),
            DType::I32 => self.elements::<i32>().iter().map(|&x| x.into()).collect(),
            DType::I16 => self.elements::<i16>().iter().map(|&x| x.into()).collect(),
            DType::I8 | DType::I4 | DType::I2 => {
                self.elements::<i8>().iter().map(|&x| x.into()).collect()
            }
            DType::U8 | DType::Bool | DType::U4 | DType::U2 => {
                self.bytes().iter().map(|&x| x.into()).collect()
            }
            DType::U16 => self.elements::<u16>().iter().map(|&x| x.into()).collect(),
            DType::U32 => self.elements::<u32>().iter().map(|&x| x.into()).collect(),
            DType::U64 => self.elements::<u64>().iter().map(|&x| x as i64).collect(),
            _ => return None,
        };
        Some(all)
    }

    /// A view.
    pub fn view(&self) -> TensorRef<'_> {
        TensorRef { dtype: self.dtype, extents: self.extents, bytes: self.bytes() }
    }

    /// Whether both share their bytes.
    pub fn shares(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.bytes, &other.bytes)
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.dtype, self.extents)
    }
}

impl PartialEq for Tensor {
    /// Whether type, shape and bits are the same.
    fn eq(&self, other: &Self) -> bool {
        (self.dtype, self.extents) == (other.dtype, other.extents)
            && (self.shares(other) || self.bytes() == other.bytes())
    }
}

impl Eq for Tensor {}
