#![allow(unsafe_code, reason = "`SharedOut` hands disjoint parts of one buffer to several threads")]

use crate::DType;
use std::marker::PhantomData;
use std::ops::Range;

/// The extents of a tensor at run time, outermost first; at most eight.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Extents {
    dims: [usize; Self::MAX_RANK],
    rank: u8,
}

impl Extents {
    /// The largest number of dimensions.
    pub const MAX_RANK: usize = 8;

    /// Extents from a slice of at most [`Self::MAX_RANK`] dimensions; more are cut off (planning
    /// refuses them before).
    pub fn new(dims: &[usize]) -> Self {
        let rank = dims.len().min(Self::MAX_RANK);
        let mut all = [1; Self::MAX_RANK];
        all[..rank].copy_from_slice(&dims[..rank]);
        Self { dims: all, rank: rank as u8 }
    }

    /// The dimensions as a slice.
    pub fn dims(&self) -> &[usize] {
        &self.dims[..self.rank as usize]
    }

    /// Elements in all.
    pub fn elements(&self) -> usize {
        self.dims().iter().product()
    }

    /// The innermost dimension (1 for a scalar).
    pub fn inner(&self) -> usize {
        self.dims().last().copied().unwrap_or(1)
    }

    /// The number of innermost rows.
    pub fn rows(&self) -> usize {
        self.dims()[..(self.rank as usize).saturating_sub(1)].iter().product()
    }
}

impl std::fmt::Debug for Extents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.dims()).finish()
    }
}

/// A dense, row-major tensor, borrowed.
#[derive(Clone, Copy)]
pub struct TensorRef<'a> {
    /// Element type.
    pub dtype: DType,
    /// Shape.
    pub extents: Extents,
    /// Exactly the elements, in row-major order, on a boundary of the element type.
    pub bytes: &'a [u8],
}

impl<'a> TensorRef<'a> {
    /// The elements as `f32`; empty if the tensor has another type.
    pub fn f32s(&self) -> &'a [f32] {
        debug_assert_eq!(self.dtype, DType::F32);
        bytemuck::try_cast_slice(self.bytes).unwrap_or(&[])
    }

    /// The elements as `i32`; empty if the tensor has another type.
    pub fn i32s(&self) -> &'a [i32] {
        debug_assert_eq!(self.dtype, DType::I32);
        bytemuck::try_cast_slice(self.bytes).unwrap_or(&[])
    }
}

/// A dense, row-major tensor to be written by one or several threads.
#[derive(Clone, Copy)]
pub struct TensorOut<'a> {
    /// Element type.
    pub dtype: DType,
    /// Shape.
    pub extents: Extents,
    /// The elements.
    pub bytes: SharedOut<'a, u8>,
}

impl<'a> TensorOut<'a> {
    /// The elements as `T`, which must have the size of the element type (or of one block).
    pub fn cells<T: bytemuck::Pod>(&self) -> SharedOut<'a, T> {
        debug_assert_eq!(size_of::<T>(), self.dtype.block_bytes());
        self.bytes.cast()
    }
}

/// A mutable slice that several threads may write at once, each to its own part.
///
/// It exists because a node's units of work write interleaved parts of one output (each thread a
/// few columns of every row), which `split_at_mut` cannot express.
pub struct SharedOut<'a, T> {
    start: *mut T,
    len: usize,
    of: PhantomData<&'a mut [T]>,
}

impl<T> std::fmt::Debug for SharedOut<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SharedOut({})", self.len)
    }
}

impl<T> Clone for SharedOut<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for SharedOut<'_, T> {}

// SAFETY: it is a mutable slice whose users promise (in `part`) to touch disjoint parts.
unsafe impl<T: Send> Send for SharedOut<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for SharedOut<'_, T> {}

impl<'a, T> SharedOut<'a, T> {
    /// Shares a slice.
    pub fn new(slice: &'a mut [T]) -> Self {
        Self { start: slice.as_mut_ptr(), len: slice.len(), of: PhantomData }
    }

    /// Shares memory by its address.
    ///
    /// # Safety
    /// `start..start + len` must be valid for writes and initialised for `'a`, and nothing else
    /// may read or write the parts that users of this value take.
    pub unsafe fn from_raw(start: *mut T, len: usize) -> Self {
        Self { start, len, of: PhantomData }
    }

    /// Elements in all.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A part, shared again.
    ///
    /// # Panics
    /// If the range is out of bounds.
    pub fn slice(&self, range: Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= self.len, "slice out of bounds");
        Self { start: self.start.wrapping_add(range.start), len: range.len(), of: PhantomData }
    }

    /// A part, to be written.
    ///
    /// # Safety
    /// No two threads may hold overlapping parts at once.
    ///
    /// # Panics
    /// If the range is out of bounds.
    #[allow(clippy::mut_from_ref, reason = "the parts are disjoint by the caller's promise")]
    pub unsafe fn part(&self, range: Range<usize>) -> &'a mut [T] {
        assert!(range.start <= range.end && range.end <= self.len, "part out of bounds");
        // SAFETY: in bounds by the assert, disjoint by the caller's promise, alive for 'a.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(range.start), range.len()) }
    }

    /// A part, to be read.
    ///
    /// # Safety
    /// Nobody may write it as long as it is held.
    ///
    /// # Panics
    /// If the range is out of bounds.
    pub unsafe fn read(&self, range: Range<usize>) -> &'a [T] {
        assert!(range.start <= range.end && range.end <= self.len, "part out of bounds");
        // SAFETY: in bounds by the assert, not written by the caller's promise, alive for 'a.
        unsafe { std::slice::from_raw_parts(self.start.add(range.start), range.len()) }
    }

    fn cast<U>(self) -> SharedOut<'a, U> {
        let bytes = self.len * size_of::<T>();
        assert!(self.start.cast::<U>().is_aligned() && bytes.is_multiple_of(size_of::<U>()));
        SharedOut { start: self.start.cast(), len: bytes / size_of::<U>(), of: PhantomData }
    }
}
