use sidestage_tensor::{AlignedBytes, Tensor};
use std::collections::BTreeMap;

/// Bytes that pass between a host and its engine beside the messages: a host makes those of a run's
/// inputs, and takes those of its outputs.
#[derive(Debug, Default)]
pub struct Buffers {
    last: u32,
    all: BTreeMap<u32, Buffer>,
}

#[derive(Debug)]
enum Buffer {
    Input(AlignedBytes),
    Output(Tensor),
}

impl Buffers {
    /// A buffer for so many bytes; `None`: there is no memory for it.
    pub fn make(&mut self, bytes: usize) -> Option<u32> {
        let room = AlignedBytes::zeroed(bytes).ok()?;
        Some(self.keep(Buffer::Input(room)))
    }

    /// The room of a buffer that was made; empty if there is none.
    pub fn room(&mut self, id: u32) -> &mut [u8] {
        match self.all.get_mut(&id) {
            Some(Buffer::Input(bytes)) => bytes.as_mut_slice(),
            _ => &mut [],
        }
    }

    /// The bytes of a buffer; empty if there is none.
    pub fn bytes(&self, id: u32) -> &[u8] {
        match self.all.get(&id) {
            Some(Buffer::Input(bytes)) => bytes.as_slice(),
            Some(Buffer::Output(tensor)) => tensor.bytes(),
            None => &[],
        }
    }

    /// Frees a buffer.
    pub fn free(&mut self, id: u32) {
        self.all.remove(&id);
    }

    /// Frees all buffers.
    pub(crate) fn clear(&mut self) {
        self.all.clear();
    }

    /// Takes the bytes of an input out.
    pub(crate) fn take(&mut self, id: u32) -> Option<AlignedBytes> {
        match self.all.remove(&id)? {
            Buffer::Input(bytes) => Some(bytes),
            Buffer::Output(_) => None,
        }
    }

    /// Keeps the bytes of an output until the host frees them.
    pub(crate) fn give(&mut self, tensor: Tensor) -> u32 {
        self.keep(Buffer::Output(tensor))
    }

    fn keep(&mut self, buffer: Buffer) -> u32 {
        // 0 names none; after so many that the numbers begin anew, the first are long gone.
        self.last = self.last.checked_add(1).unwrap_or(1);
        self.all.insert(self.last, buffer);
        self.last
    }
}
