use super::GgufError;

/// Why an item could not be read.
pub(super) enum Stop {
    /// The item needs this many bytes, counted from its first one.
    Short(u64),
    /// The file is wrong.
    Bad(GgufError),
}

impl From<GgufError> for Stop {
    fn from(error: GgufError) -> Self {
        Self::Bad(error)
    }
}

/// Little-endian reads over bytes that have arrived. It is set to the first byte of an item and
/// committed after the last one, so that an item cut off by the end of a chunk is read again.
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    item: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, item: 0 }
    }

    /// Everything read so far is done with.
    pub(super) fn commit(&mut self) {
        self.item = self.at;
    }

    /// Back to the first byte of the item.
    pub(super) fn rewind(&mut self) {
        self.at = self.item;
    }

    /// Bytes of whole items.
    pub(super) fn committed(&self) -> usize {
        self.item
    }

    /// Bytes not yet read.
    pub(super) fn rest(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The next `len` bytes.
    pub(super) fn take(&mut self, len: u64) -> Result<&'a [u8], Stop> {
        if len > self.rest() as u64 {
            return Err(Stop::Short((self.at - self.item) as u64 + len));
        }
        let bytes = &self.bytes[self.at..self.at + len as usize];
        self.at += len as usize;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N as u64)?);
        Ok(out)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Stop> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Result<u64, Stop> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// One plain value.
    pub(super) fn le<T: LittleEndian>(&mut self) -> Result<T, Stop> {
        Ok(T::read(self.take(T::SIZE as u64)?))
    }

    /// A string's bytes: a length of 8 bytes, then as many bytes.
    pub(super) fn string(&mut self, what: &'static str, limit: u64) -> Result<&'a [u8], Stop> {
        let len = self.u64()?;
        if len > limit {
            return Err(GgufError::TooLarge { what, found: len, limit }.into());
        }
        self.take(len)
    }
}

/// A plain value as the file stores it.
pub(super) trait LittleEndian: Copy {
    const SIZE: usize;
    /// From exactly `SIZE` bytes.
    fn read(bytes: &[u8]) -> Self;
}

macro_rules! little_endian {
    ($($plain:ty),*) => { $(
        impl LittleEndian for $plain {
            const SIZE: usize = size_of::<$plain>();
            fn read(bytes: &[u8]) -> Self {
                let mut raw = [0; size_of::<$plain>()];
                raw.copy_from_slice(bytes);
                Self::from_le_bytes(raw)
            }
        }
    )* };
}

little_endian!(u8, i8, u16, i16, u32, i32, f32, u64, i64, f64);
