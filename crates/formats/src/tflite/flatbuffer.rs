//! The wire format (<https://flatbuffers.dev/internals/>): tables and vectors, without copies. Every
//! offset is checked where it is followed.

use super::TfliteError;

/// A table of a buffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table<'a> {
    bytes: &'a [u8],
    /// Where it begins.
    at: usize,
    /// For each field where it lies in the table, 2 bytes each; 0: it has its default.
    fields: &'a [u8],
}

/// A list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Vector<'a> {
    bytes: &'a [u8],
    /// Where its first element lies.
    at: usize,
    /// Elements.
    pub(super) len: usize,
}

/// The `N` bytes at a place.
fn array<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], TfliteError> {
    let end = at.checked_add(N).ok_or(TfliteError::Cut)?;
    let found = bytes.get(at..end).and_then(|found| found.first_chunk());
    found.copied().ok_or(TfliteError::Cut)
}

/// The place to which the offset at a place leads.
fn follow(bytes: &[u8], at: usize) -> Result<usize, TfliteError> {
    let offset = u32::from_le_bytes(array(bytes, at)?);
    at.checked_add(offset as usize).ok_or(TfliteError::Cut)
}

impl<'a> Table<'a> {
    /// The table that a buffer is.
    pub(super) fn root(bytes: &'a [u8]) -> Result<Self, TfliteError> {
        Self::at(bytes, follow(bytes, 0)?)
    }

    fn at(bytes: &'a [u8], at: usize) -> Result<Self, TfliteError> {
        let back = i32::from_le_bytes(array(bytes, at)?);
        let list = (at as i64).checked_sub(back.into()).and_then(|list| usize::try_from(list).ok());
        let list = list.ok_or(TfliteError::Cut)?;
        let size = usize::from(u16::from_le_bytes(array(bytes, list)?));
        let fields = bytes.get(list..).and_then(|list| list.get(4..size.max(4)));
        Ok(Self { bytes, at, fields: fields.ok_or(TfliteError::Cut)? })
    }

    /// Where a field lies; `None`: it has its default.
    fn field(&self, slot: usize) -> Option<usize> {
        let offset = u16::from_le_bytes(*self.fields.get(2 * slot..)?.first_chunk()?);
        if offset == 0 { None } else { self.at.checked_add(offset.into()) }
    }

    pub(super) fn has(&self, slot: usize) -> bool {
        self.field(slot).is_some()
    }

    pub(super) fn byte(&self, slot: usize, default: i8) -> Result<i8, TfliteError> {
        let read = |at| array(self.bytes, at).map(i8::from_le_bytes);
        self.field(slot).map_or(Ok(default), read)
    }

    pub(super) fn int(&self, slot: usize, default: i32) -> Result<i32, TfliteError> {
        let read = |at| array(self.bytes, at).map(i32::from_le_bytes);
        self.field(slot).map_or(Ok(default), read)
    }

    pub(super) fn long(&self, slot: usize) -> Result<u64, TfliteError> {
        let read = |at| array(self.bytes, at).map(u64::from_le_bytes);
        self.field(slot).map_or(Ok(0), read)
    }

    pub(super) fn float(&self, slot: usize) -> Result<f32, TfliteError> {
        let read = |at| array(self.bytes, at).map(f32::from_le_bytes);
        self.field(slot).map_or(Ok(0.0), read)
    }

    /// An index: a number that is never below 0.
    pub(super) fn index(&self, slot: usize) -> Result<usize, TfliteError> {
        Ok(self.int(slot, 0)? as u32 as usize)
    }

    pub(super) fn table(&self, slot: usize) -> Result<Option<Table<'a>>, TfliteError> {
        let Some(at) = self.field(slot) else { return Ok(None) };
        Self::at(self.bytes, follow(self.bytes, at)?).map(Some)
    }

    /// A list of elements of `size` bytes; empty if it is not there.
    pub(super) fn vector(&self, slot: usize, size: usize) -> Result<Vector<'a>, TfliteError> {
        let bytes = self.bytes;
        let Some(at) = self.field(slot) else { return Ok(Vector { bytes, at: 0, len: 0 }) };
        let at = follow(bytes, at)?;
        let len = u32::from_le_bytes(array(bytes, at)?) as usize;
        let end = len.checked_mul(size).and_then(|all| all.checked_add(at)?.checked_add(4));
        if end.is_none_or(|end| end > bytes.len()) {
            return Err(TfliteError::Cut);
        }
        Ok(Vector { bytes, at: at + 4, len })
    }

    pub(super) fn raw(&self, slot: usize) -> Result<&'a [u8], TfliteError> {
        let vector = self.vector(slot, 1)?;
        Ok(&self.bytes[vector.at..][..vector.len])
    }

    pub(super) fn text(&self, slot: usize) -> Result<&'a str, TfliteError> {
        std::str::from_utf8(self.raw(slot)?).map_err(|_| TfliteError::Text)
    }

    /// The tables of a list.
    pub(super) fn tables(&self, slot: usize) -> Result<Tables<'a>, TfliteError> {
        self.vector(slot, 4).map(Tables)
    }

    /// The 32-bit integers of a list.
    pub(super) fn ints(
        &self,
        slot: usize,
    ) -> Result<impl ExactSizeIterator<Item = i32> + use<'a>, TfliteError> {
        let (fours, _) = self.list::<4>(slot)?.as_chunks();
        Ok(fours.iter().map(|four| i32::from_le_bytes(*four)))
    }

    /// The bytes of a list of elements of `N` bytes.
    pub(super) fn list<const N: usize>(&self, slot: usize) -> Result<&'a [u8], TfliteError> {
        let vector = self.vector(slot, N)?;
        Ok(&self.bytes[vector.at..][..vector.len * N])
    }
}

/// A list of tables.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tables<'a>(Vector<'a>);

impl<'a> Tables<'a> {
    pub(super) fn len(&self) -> usize {
        self.0.len
    }

    /// One of them; an error, if there are not as many.
    pub(super) fn get(&self, index: usize) -> Result<Table<'a>, TfliteError> {
        if index >= self.0.len {
            return Err(TfliteError::Index { index });
        }
        let Vector { bytes, at, .. } = self.0;
        Table::at(bytes, follow(bytes, at + 4 * index)?)
    }

    pub(super) fn iter(self) -> impl Iterator<Item = Result<Table<'a>, TfliteError>> {
        (0..self.len()).map(move |index| self.get(index))
    }
}
