use super::flatbuffer::{Table, Tables};
use super::{TfliteError, sparse};
use sidestage_tensor::{AlignedBytes, DType, Extents, Tensor};

/// The type with this number (`TensorType`).
pub(super) fn dtype(id: i8) -> Option<DType> {
    Some(match id {
        0 => DType::F32,
        1 => DType::F16,
        2 => DType::I32,
        3 => DType::U8,
        4 => DType::I64,
        6 => DType::Bool,
        7 => DType::I16,
        9 => DType::I8,
        10 => DType::F64,
        12 => DType::U64,
        15 => DType::U32,
        16 => DType::U16,
        17 => DType::I4,
        18 => DType::BF16,
        19 => DType::I2,
        20 => DType::U4,
        21 => DType::F8E4M3,
        22 => DType::F8E5M2,
        _ => return None,
    })
}

/// Takes from what a file may make of its bytes: entries of lists may all be the same long one.
pub(super) fn spend(budget: &mut usize, bytes: usize) -> Result<(), TfliteError> {
    *budget = budget.checked_sub(bytes).ok_or(TfliteError::Nesting)?;
    Ok(())
}

/// How integers stand for numbers: `(q - zero) * scale`.
#[derive(Clone, Debug)]
pub(super) struct Quantization {
    /// One, or one for each index of an axis.
    pub(super) scales: Vec<f32>,
    pub(super) zeros: Vec<i64>,
    pub(super) axis: i32,
}

/// What a tensor is.
#[derive(Clone, Debug)]
pub(super) struct Info<'a> {
    table: Table<'a>,
    pub(super) name: &'a str,
    /// The type's number, and what it is.
    pub(super) id: i8,
    pub(super) dtype: Option<DType>,
    /// At the shapes that the file was made for.
    pub(super) dims: Vec<i64>,
    /// Dimensions; -1: any.
    pub(super) signature: Vec<i64>,
    /// Whether it is kept from run to run.
    pub(super) variable: bool,
    buffer: usize,
}

impl<'a> Info<'a> {
    pub(super) fn read(table: Table<'a>, budget: &mut usize) -> Result<Self, TfliteError> {
        // Each may have the same name, as long as the file.
        spend(budget, size_of::<Self>() + table.vector(3, 1)?.len)?;
        let name = table.text(3)?;
        let id = table.byte(1, 0)?;
        let dims = |slot: usize| -> Result<Vec<i64>, TfliteError> {
            let list = table.ints(slot)?;
            if list.len() > Extents::MAX_RANK {
                let dims = vec![list.len() as i64];
                return Err(TfliteError::Shape { name: name.into(), dims, bytes: 0 });
            }
            Ok(list.map(i64::from).collect())
        };
        let shape = dims(0)?;
        let signature = Some(dims(7)?).filter(|signature| signature.len() == shape.len());
        let signature = signature.unwrap_or_else(|| shape.clone());
        Ok(Self {
            table,
            name,
            id,
            dtype: dtype(id),
            dims: shape,
            signature,
            variable: table.byte(5, 0)? != 0,
            buffer: table.index(2)?,
        })
    }

    /// Its `QuantizationParameters`; `None` if they say nothing.
    pub(super) fn quantization(
        &self,
        budget: &mut usize,
    ) -> Result<Option<Quantization>, TfliteError> {
        let Some(table) = self.table.table(4)? else { return Ok(None) };
        let (scales, zeros) = (table.list::<4>(2)?, table.list::<8>(3)?);
        if scales.is_empty() {
            return Ok(None);
        }
        spend(budget, scales.len() + zeros.len())?;
        let scales = scales.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect();
        let zeros = zeros.as_chunks().0.iter().map(|eight| i64::from_le_bytes(*eight)).collect();
        Ok(Some(Quantization { scales, zeros, axis: table.int(6, 0)? }))
    }

    /// The error of a tensor whose type there is not.
    pub(super) fn unsupported(&self) -> TfliteError {
        TfliteError::Type { name: self.name.into(), id: self.id }
    }

    /// Its dimensions as they are.
    fn sizes(&self) -> Result<Vec<usize>, TfliteError> {
        let sizes: Result<_, _> = self.dims.iter().map(|&dim| usize::try_from(dim)).collect();
        sizes.map_err(|_| self.wrong(0))
    }

    fn wrong(&self, bytes: usize) -> TfliteError {
        TfliteError::Shape { name: self.name.into(), dims: self.dims.clone(), bytes }
    }

    /// What it holds, if the file says so; `budget` is what may be unpacked in all.
    pub(super) fn content(
        &self,
        file: &'a [u8],
        buffers: &Tables<'a>,
        budget: &mut usize,
    ) -> Result<Option<Tensor>, TfliteError> {
        let empty = self.dims.contains(&0);
        let bytes: &[u8] =
            if self.buffer == 0 { &[] } else { bytes(file, buffers.get(self.buffer)?)? };
        if bytes.is_empty() && !empty && !self.variable {
            return Ok(None);
        }
        let dtype = self.dtype.ok_or_else(|| self.unsupported())?;
        let dims = self.sizes()?;
        let elements = dims.iter().try_fold(1_u64, |all, &dim| all.checked_mul(dim as u64));
        let size = elements.and_then(|elements| dtype.bytes_for(elements));
        let size = size.and_then(|size| usize::try_from(size).ok());
        let size = size.ok_or_else(|| self.wrong(bytes.len()))?;
        spend(budget, size)?;
        let memory = |_| TfliteError::NoMemory { bytes: size };
        if bytes.is_empty() {
            // A state, before the first run.
            let mut room = AlignedBytes::zeroed(size).map_err(memory)?;
            if dtype == DType::I8
                && let Some(of) = self.quantization(budget)?
            {
                // As `ResetVariableTensors` sets it.
                room.as_mut_slice().fill(of.zeros.first().copied().unwrap_or(0) as u8);
            }
            return Ok(Some(Tensor::from_bytes(dtype, &dims, room)));
        }
        // Elements of few bits lie together in a byte.
        let bits = match dtype {
            DType::I4 | DType::U4 => 4,
            DType::I2 => 2,
            _ => 8,
        };
        let whole: Vec<u8>;
        let mut bytes = bytes;
        if let Some(sparsity) = self.table.table(6)? {
            let count = if bits < 8 { bytes.len() * (8 / bits) } else { bytes.len() };
            spend(budget, count)?;
            let unpacked = unpacked(bytes, dtype, bits);
            let each = dtype.block_bytes();
            whole = sparse::densified(sparsity, &dims, each, &unpacked, budget)?
                .ok_or_else(|| self.wrong(bytes.len()))?;
            return Tensor::new(dtype, &dims, &whole).map(Some).map_err(memory);
        }
        if bits < 8 {
            if bytes.len() != size.div_ceil(8 / bits) {
                return Err(self.wrong(bytes.len()));
            }
            whole = unpacked(bytes, dtype, bits);
            bytes = &whole[..size];
        }
        if bytes.len() != size {
            return Err(self.wrong(bytes.len()));
        }
        Tensor::new(dtype, &dims, bytes).map(Some).map_err(memory)
    }
}

/// The bytes of a buffer: in the table, or in the file behind it.
fn bytes<'a>(file: &'a [u8], buffer: Table<'a>) -> Result<&'a [u8], TfliteError> {
    let (offset, size) = (buffer.long(1)?, buffer.long(2)?);
    // Below that a file says that there is nothing behind it.
    if offset <= 1 {
        return buffer.raw(0);
    }
    let range = usize::try_from(offset).ok().zip(usize::try_from(size).ok());
    let range = range.and_then(|(from, size)| Some(from..from.checked_add(size)?));
    range.and_then(|range| file.get(range)).ok_or(TfliteError::Cut)
}

/// A byte for each element, those in the lowest bits first.
fn unpacked(bytes: &[u8], dtype: DType, bits: usize) -> Vec<u8> {
    if bits == 8 {
        return bytes.to_vec();
    }
    let element = |byte: u8, at: usize| {
        // Its bits as the highest of the byte, then down again: with the sign, if there is one.
        let high = byte << (8 - bits - at * bits);
        match dtype {
            DType::U4 => high >> (8 - bits),
            _ => ((high as i8) >> (8 - bits)) as u8,
        }
    };
    bytes.iter().flat_map(|byte| (0..8 / bits).map(move |at| element(*byte, at))).collect()
}
