use std::collections::TryReserveError;

/// One cache line; the unit of [`AlignedBytes`].
#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// Bytes on a 64-byte boundary, so that any element type can be viewed in place.
///
/// The allocation is fallible: a model too large for the machine is an error, not a trap.
pub struct AlignedBytes {
    lines: Vec<Line>,
    len: usize,
}

impl AlignedBytes {
    /// `len` zero bytes.
    ///
    /// # Errors
    /// The allocator's refusal.
    pub fn zeroed(len: usize) -> Result<Self, TryReserveError> {
        let mut bytes = Self::with_capacity(len)?;
        bytes.lines.resize(len.div_ceil(64), Line([0; 64]));
        Ok(Self { len, ..bytes })
    }

    /// No bytes, and room for so many, whose memory is not touched before.
    ///
    /// # Errors
    /// The allocator's refusal.
    pub fn with_capacity(capacity: usize) -> Result<Self, TryReserveError> {
        let mut lines = Vec::new();
        lines.try_reserve_exact(capacity.div_ceil(64))?;
        Ok(Self { lines, len: 0 })
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// The allocator's refusal, if there was no room for them.
    pub fn extend(&mut self, bytes: &[u8]) -> Result<(), TryReserveError> {
        let open = 64 * self.lines.len() - self.len;
        let (first, rest) = bytes.split_at(open.min(bytes.len()));
        self.lines.try_reserve(rest.len().div_ceil(64))?;
        if let Some(line) = self.lines.last_mut() {
            line.0[64 - open..][..first.len()].copy_from_slice(first);
        }
        let (lines, last) = rest.as_chunks();
        self.lines.extend(lines.iter().map(|line| Line(*line)));
        if !last.is_empty() {
            let mut line = Line([0; 64]);
            line.0[..last.len()].copy_from_slice(last);
            self.lines.push(line);
        }
        self.len += bytes.len();
        Ok(())
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.lines)[..self.len]
    }

    /// The bytes, writable.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut bytemuck::cast_slice_mut(&mut self.lines)[..self.len]
    }

    /// Their number.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl std::fmt::Debug for AlignedBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AlignedBytes({})", self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::AlignedBytes;

    #[test]
    fn bytes_are_appended_in_pieces_of_any_size() {
        let all: Vec<u8> = (0..1000).map(|at| at as u8).collect();
        for piece in [1, 7, 63, 64, 65, 130, 1000] {
            let mut bytes = AlignedBytes::with_capacity(1000).expect("memory");
            let place = bytes.as_slice().as_ptr();
            for part in all.chunks(piece) {
                bytes.extend(part).expect("memory");
                bytes.extend(&[]).expect("memory");
            }
            assert_eq!(bytes.as_slice(), all, "{piece}");
            assert_eq!((bytes.as_slice().as_ptr(), place.align_offset(64)), (place, 0));
            bytes.extend(&all).expect("memory");
            assert_eq!((bytes.len(), &bytes.as_slice()[1000..]), (2000, &all[..]), "{piece}");
        }
        assert_eq!(AlignedBytes::zeroed(65).expect("memory").as_slice(), [0; 65]);
    }
}
