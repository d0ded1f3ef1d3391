//! The weights: a manifest of groups, each of several files that lie one behind the other.

use super::TfjsError;
use super::json::Json;
use sidestage_ir::Var;
use sidestage_tensor::{AlignedBytes, DType, Extents, Tensor};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// What the manifest says.
#[derive(Clone, Debug, Default)]
pub(super) struct Manifest {
    groups: Vec<Group>,
}

#[derive(Clone, Debug)]
struct Group {
    paths: Vec<String>,
    weights: Vec<Weight>,
}

/// One weight.
#[derive(Clone, Debug)]
pub(super) struct Weight {
    pub(super) name: String,
    dims: Vec<usize>,
    kind: Kind,
    packed: Packed,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    /// Of these elements in the files, mostly.
    Plain(DType),
    /// Each with its length before it.
    Strings,
    /// Of so many bytes.
    Other(String, usize),
}

/// How the files have the elements.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Packed {
    Not,
    Half,
    /// Integers of so many bytes, times a scale, above a least value.
    Steps(usize, f64, f64),
}

impl Weight {
    /// The type of its elements.
    pub(super) fn dtype(&self) -> Result<DType, TfjsError> {
        let dtype = match &self.kind {
            Kind::Plain(dtype) => return Ok(*dtype),
            Kind::Strings => "string",
            Kind::Other(dtype, _) => dtype,
        };
        Err(TfjsError::Type { name: self.name.clone(), dtype: dtype.into() })
    }

    fn read(json: &Json) -> Result<Self, TfjsError> {
        let name = json.get("name").text().unwrap_or_default().to_owned();
        let wrong = |problem| TfjsError::malformed(format!("the weight {name:?}"), problem);
        let dims = json.get("shape").list().iter();
        let dims = dims.map(|dim| dim.int().and_then(|dim| usize::try_from(dim).ok()));
        let dims: Option<Vec<usize>> = dims.collect();
        let dims = dims.filter(|dims| dims.len() <= Extents::MAX_RANK);
        let dims = dims.ok_or_else(|| wrong("its shape is none"))?;
        let kind = match json.get("dtype").text() {
            Some("float32") => Kind::Plain(DType::F32),
            Some("int32") => Kind::Plain(DType::I32),
            Some("bool" | "uint8") => Kind::Plain(DType::Bool),
            Some("float16") => Kind::Plain(DType::F32),
            Some("string") => Kind::Strings,
            Some("complex64") => Kind::Other("complex64".into(), 8),
            _ => return Err(wrong("its type is none")),
        };
        let quantization = json.get("quantization");
        let number = |key: &str, default: f64| quantization.get(key).number().unwrap_or(default);
        let steps = |size| Packed::Steps(size, number("scale", 1.0), number("min", 0.0));
        let packed = match quantization.get("dtype").text() {
            None if json.get("dtype").text() == Some("float16") => Packed::Half,
            None => Packed::Not,
            Some("float16") => Packed::Half,
            Some("uint8") => steps(1),
            Some("uint16") => steps(2),
            Some(_) => return Err(wrong("it is quantised in a way that there is not")),
        };
        if packed == Packed::Half && kind != Kind::Plain(DType::F32)
            || packed != Packed::Not
                && !matches!(kind, Kind::Plain(DType::F32) | Kind::Plain(DType::I32))
        {
            return Err(wrong("it is quantised in a way that there is not"));
        }
        Ok(Self { name, dims, kind, packed })
    }

    /// Bytes in the files.
    fn bytes(&self) -> Result<usize, TfjsError> {
        let bytes = self.elements().and_then(|count| count.checked_mul(self.size()));
        let bytes = bytes.filter(|bytes| *bytes <= isize::MAX as usize);
        bytes.ok_or_else(|| TfjsError::Shape { name: self.name.clone() })
    }

    fn elements(&self) -> Option<usize> {
        self.dims.iter().try_fold(1_usize, |all, &dim| all.checked_mul(dim))
    }

    /// Bytes in the files of an element.
    fn size(&self) -> usize {
        match (self.packed, &self.kind) {
            (Packed::Half, _) => 2,
            (Packed::Steps(size, ..), _) => size,
            (Packed::Not, Kind::Plain(dtype)) => dtype.block_bytes(),
            (Packed::Not, Kind::Other(_, size)) => *size,
            (Packed::Not, Kind::Strings) => 0,
        }
    }

    /// The tensor of these bytes of the files.
    fn tensor(&self, dtype: DType, bytes: &[u8]) -> Result<Tensor, TfjsError> {
        let count = self.elements().unwrap_or(0);
        let size = dtype.bytes_for(count as u64).and_then(|size| usize::try_from(size).ok());
        let size = size.ok_or_else(|| TfjsError::Shape { name: self.name.clone() })?;
        let room = AlignedBytes::zeroed(size);
        let mut room = room.map_err(|_| TfjsError::NoMemory { bytes: size })?;
        let out = room.as_mut_slice();
        let fours = out.as_chunks_mut::<4>().0.iter_mut();
        let store = |value: f64| match dtype {
            DType::I32 => (value.round() as i32).to_le_bytes(),
            _ => (value as f32).to_le_bytes(),
        };
        match self.packed {
            Packed::Not if dtype == DType::Bool => {
                out.iter_mut().zip(bytes).for_each(|(out, byte)| *out = u8::from(*byte != 0));
            }
            Packed::Not => out.copy_from_slice(bytes),
            Packed::Half => {
                for (out, half) in fours.zip(bytes.as_chunks().0) {
                    *out = half::f16::from_le_bytes(*half).to_f32().to_le_bytes();
                }
            }
            Packed::Steps(1, scale, min) => {
                fours
                    .zip(bytes)
                    .for_each(|(out, &step)| *out = store(f64::from(step) * scale + min));
            }
            Packed::Steps(_, scale, min) => {
                for (out, step) in fours.zip(bytes.as_chunks().0) {
                    *out = store(f64::from(u16::from_le_bytes(*step)) * scale + min);
                }
            }
        }
        Ok(Tensor::from_bytes(dtype, &self.dims, room))
    }
}

impl Manifest {
    pub(super) fn read(json: &Json) -> Result<Self, TfjsError> {
        let group = |json: &Json| {
            let paths = json.get("paths").list().iter().filter_map(Json::text);
            let weights = json.get("weights").list().iter().map(Weight::read);
            Ok(Group {
                paths: paths.map(str::to_owned).collect(),
                weights: weights.collect::<Result<_, _>>()?,
            })
        };
        Ok(Self { groups: json.list().iter().map(group).collect::<Result<_, _>>()? })
    }

    pub(super) fn weights(&self) -> impl Iterator<Item = &Weight> {
        self.groups.iter().flat_map(|group| &group.weights)
    }

    /// Which bytes are needed for these weights.
    pub(super) fn plan(self, mut wanted: HashMap<String, Var>) -> Result<Placing, TfjsError> {
        let mut placing = Placing::default();
        for mut group in self.groups {
            let weights = std::mem::take(&mut group.weights).into_iter();
            let weights: Vec<Wanted> =
                weights.map(|weight| (weight.clone(), wanted.remove(&weight.name))).collect();
            let Some(last) = weights.iter().rposition(|(_, var)| var.is_some()) else { continue };
            let strings = weights[..last].iter().any(|(weight, _)| weight.kind == Kind::Strings);
            // How long a file is, is not known: only in the first one it is where each weight lies, and
            // behind texts it is not known at all.
            if group.paths.len() != 1 || strings {
                let first = placing.parts.len();
                let paths = group.paths.into_iter();
                placing.parts.extend(paths.map(|path| Part { path, offset: 0, length: u64::MAX }));
                placing.walked.push((first..placing.parts.len(), weights));
                continue;
            }
            let mut offset = 0_u64;
            for (weight, var) in weights.into_iter().take(last + 1) {
                let bytes = weight.bytes()?;
                if let Some(var) = var {
                    let path = group.paths[0].clone();
                    placing.placed.push((placing.parts.len(), weight, var));
                    placing.parts.push(Part { path, offset, length: bytes as u64 });
                }
                let end = offset.checked_add(bytes as u64);
                offset = end.ok_or(TfjsError::NoMemory { bytes })?;
            }
        }
        Ok(placing)
    }
}

/// A weight, and the value that it is, if it is needed.
type Wanted = (Weight, Option<Var>);

/// Bytes of a file that are needed.
#[derive(Debug)]
pub(super) struct Part {
    /// Relative to `model.json`.
    pub(super) path: String,
    /// The first.
    pub(super) offset: u64,
    /// How many; `u64::MAX`: all.
    pub(super) length: u64,
}

/// What becomes of them.
#[derive(Debug, Default)]
pub(super) struct Placing {
    pub(super) parts: Vec<Part>,
    /// A part is a weight.
    placed: Vec<(usize, Weight, Var)>,
    /// Parts are files that lie one behind the other, with these weights in them.
    walked: Vec<(Range<usize>, Vec<Wanted>)>,
}

impl Placing {
    /// The weights, of the bytes of the parts.
    pub(super) fn tensors(
        self,
        bytes: &[Arc<AlignedBytes>],
    ) -> Result<Vec<(Var, Tensor)>, TfjsError> {
        let mut all = Vec::new();
        for (at, weight, var) in self.placed {
            let part = bytes.get(at).filter(|part| Some(part.len()) == weight.bytes().ok());
            let part =
                part.ok_or_else(|| TfjsError::Weights { path: self.parts[at].path.clone() })?;
            let dtype = weight.dtype()?;
            all.push((
                var,
                match weight.packed {
                    Packed::Not if dtype != DType::Bool => {
                        Tensor::from_bytes(dtype, &weight.dims, Arc::clone(part))
                    }
                    _ => weight.tensor(dtype, part.as_slice())?,
                },
            ));
        }
        for (parts, weights) in self.walked {
            let files = bytes.get(parts).unwrap_or_default().iter();
            let mut files = Files { files, file: &[] };
            for (weight, var) in weights {
                let wrong = || TfjsError::Shape { name: weight.name.clone() };
                if let Some(var) = var {
                    let dtype = weight.dtype()?;
                    let own = files.take(weight.bytes()?).ok_or_else(wrong)?;
                    all.push((var, weight.tensor(dtype, &own)?));
                } else if weight.kind == Kind::Strings {
                    for _ in 0..weight.elements().ok_or_else(wrong)? {
                        let length = files.take(4).ok_or_else(wrong)?;
                        let length = u32::from_le_bytes(length.try_into().map_err(|_| wrong())?);
                        files.skip(length as usize).ok_or_else(wrong)?;
                    }
                } else {
                    files.skip(weight.bytes()?).ok_or_else(wrong)?;
                }
            }
        }
        Ok(all)
    }
}

/// The bytes of files that lie one behind the other.
struct Files<'a> {
    files: std::slice::Iter<'a, Arc<AlignedBytes>>,
    file: &'a [u8],
}

impl<'a> Files<'a> {
    /// The next bytes, at most so many, and at least one.
    fn part(&mut self, most: usize) -> Option<&'a [u8]> {
        while self.file.is_empty() {
            self.file = self.files.next()?.as_slice();
        }
        let (part, rest) = self.file.split_at(most.min(self.file.len()));
        self.file = rest;
        Some(part)
    }

    fn take(&mut self, count: usize) -> Option<Vec<u8>> {
        let mut all = Vec::new();
        while all.len() < count {
            all.extend_from_slice(self.part(count - all.len())?);
        }
        Some(all)
    }

    fn skip(&mut self, mut count: usize) -> Option<()> {
        while count > 0 {
            count -= self.part(count)?.len();
        }
        Some(())
    }
}
