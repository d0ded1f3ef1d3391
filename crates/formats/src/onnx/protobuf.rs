//! The wire format: fields of a message, without copies.

use super::OnnxError;

/// The fields of a message that are left.
#[derive(Clone, Debug)]
pub(super) struct Fields<'a> {
    message: &'static str,
    bytes: &'a [u8],
}

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
}

impl<'a> Fields<'a> {
    /// `message` names the message in errors.
    pub(super) fn new(message: &'static str, bytes: &'a [u8]) -> Self {
        Self { message, bytes }
    }

    pub(super) fn error(&self, problem: &'static str) -> OnnxError {
        OnnxError::Malformed { message: self.message, problem }
    }

    /// The next field's number and content.
    pub(super) fn next(&mut self) -> Result<Option<(u64, Wire<'a>)>, OnnxError> {
        if self.bytes.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let wire = match key & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => Wire::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = self.varint()?;
                let length = usize::try_from(length).map_err(|_| self.error("it is cut off"))?;
                Wire::Bytes(self.take(length)?)
            }
            5 => Wire::Fixed32(u32::from_le_bytes(self.array()?)),
            _ => return Err(self.error("a field of a kind that there is not")),
        };
        Ok(Some((key >> 3, wire)))
    }

    fn varint(&mut self) -> Result<u64, OnnxError> {
        let mut value = 0_u64;
        for at in 0..10 {
            let [byte] = self.array()?;
            value |= u64::from(byte & 127) << (7 * at);
            if byte < 128 {
                return Ok(value);
            }
        }
        Err(self.error("a number without an end"))
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], OnnxError> {
        let taken = self.bytes.split_at_checked(count);
        let (taken, rest) = taken.ok_or_else(|| self.error("it is cut off"))?;
        self.bytes = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], OnnxError> {
        let taken = self.bytes.split_first_chunk();
        let (taken, rest) = taken.ok_or_else(|| self.error("it is cut off"))?;
        self.bytes = rest;
        Ok(*taken)
    }
}

impl<'a> Wire<'a> {
    pub(super) fn int(self, of: &Fields<'_>) -> Result<i64, OnnxError> {
        match self {
            Self::Varint(value) => Ok(value as i64),
            _ => Err(of.error("a field that should be an integer")),
        }
    }

    pub(super) fn float(self, of: &Fields<'_>) -> Result<f32, OnnxError> {
        match self {
            Self::Fixed32(bits) => Ok(f32::from_bits(bits)),
            _ => Err(of.error("a field that should be a number")),
        }
    }

    pub(super) fn bytes(self, of: &Fields<'_>) -> Result<&'a [u8], OnnxError> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(of.error("a field that should be bytes")),
        }
    }

    pub(super) fn text(self, of: &Fields<'_>) -> Result<&'a str, OnnxError> {
        std::str::from_utf8(self.bytes(of)?).map_err(|_| of.error("a text that is not UTF-8"))
    }

    /// Adds integers, whether they come one by one or packed.
    pub(super) fn ints(self, of: &Fields<'_>, to: &mut Vec<i64>) -> Result<(), OnnxError> {
        match self {
            Self::Bytes(bytes) => {
                let mut packed = Fields { message: of.message, bytes };
                while !packed.bytes.is_empty() {
                    to.push(packed.varint()? as i64);
                }
                Ok(())
            }
            _ => self.int(of).map(|value| to.push(value)),
        }
    }

    /// Adds numbers, whether they come one by one or packed.
    pub(super) fn floats(self, of: &Fields<'_>, to: &mut Vec<f32>) -> Result<(), OnnxError> {
        match self {
            Self::Bytes(bytes) => {
                let (fours, rest) = bytes.as_chunks();
                if !rest.is_empty() {
                    return Err(of.error("packed numbers that are cut off"));
                }
                to.extend(fours.iter().map(|four| f32::from_le_bytes(*four)));
                Ok(())
            }
            _ => self.float(of).map(|value| to.push(value)),
        }
    }

    /// As [`Wire::floats`], of twice the size.
    pub(super) fn doubles(self, of: &Fields<'_>, to: &mut Vec<f64>) -> Result<(), OnnxError> {
        match self {
            Self::Bytes(bytes) => {
                let (eights, rest) = bytes.as_chunks();
                if !rest.is_empty() {
                    return Err(of.error("packed numbers that are cut off"));
                }
                to.extend(eights.iter().map(|eight| f64::from_le_bytes(*eight)));
                Ok(())
            }
            Self::Fixed64(bits) => {
                to.push(f64::from_bits(bits));
                Ok(())
            }
            _ => Err(of.error("a field that should be a number")),
        }
    }
}
