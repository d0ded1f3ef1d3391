use super::FolderError;
use super::architecture::Architecture;
use super::config::Config;
use super::names::{self, Found, Way};
use super::rope::Rope;
use crate::gguf::Metadata;
use crate::manifest::Values;
use crate::safetensors::{SafetensorsHeader, Tensor};
use crate::{Manifest, Part, RowOrder, TensorInfo, WeightIndex};
use sidestage_tensor::DType;
use std::collections::{BTreeMap, BTreeSet};

/// Types that matrices can be converted to while they are loaded: those that have a quantiser.
pub const TARGETS: &[DType] = &[
    DType::F32,
    DType::F16,
    DType::BF16,
    DType::Q8_0,
    DType::Q4_0,
    DType::Q4_1,
    DType::Q5_0,
    DType::Q5_1,
    DType::Q4_K,
    DType::Q5_K,
    DType::Q6_K,
];

/// The manifest of tensors in files.
pub(super) fn manifest(
    config: &Config,
    architecture: &Architecture,
    metadata: Metadata,
    headers: Vec<SafetensorsHeader>,
    dtype: Option<DType>,
) -> Result<Manifest, FolderError> {
    if let Some(dtype) = dtype.filter(|dtype| !TARGETS.contains(dtype)) {
        return Err(FolderError::Target { dtype });
    }
    let mut plan = Plan {
        config,
        architecture,
        dtype,
        weights: Vec::new(),
        positions: BTreeMap::new(),
        missing: BTreeMap::new(),
        parts: Vec::new(),
    };
    let tied = config.flag("tie_word_embeddings")?.unwrap_or(architecture.tied);
    let ends = headers.iter().map(|header| header.end).collect();
    for (file, header) in (0..).zip(headers) {
        for tensor in header.tensors {
            match names::find(architecture, &tensor.name)? {
                // Where both are one matrix, Hugging Face reads the embedding.
                Some(found) if tied && found.weight == "output.weight" => {}
                Some(found) => plan.add(file, tensor, found)?,
                None => {}
            }
        }
    }
    if let Some((weight, members)) = plan.missing.into_iter().next() {
        let member = (0..).find(|member| !members.contains(member)).unwrap_or(0);
        return Err(FolderError::MissingTensor { tensor: format!("{weight} ({member})") });
    }
    let (mut weights, mut values) = (plan.weights, Vec::new());
    for (name, list) in Rope::read(config)?.values(config)? {
        let (dtype, extents) = (DType::F32, vec![list.len() as u64]);
        values.push(Values { weight: weights.len() as u32, values: list });
        let bytes = 4 * extents[0];
        weights.push(TensorInfo { name: name.into(), dtype, extents, offset: 0, bytes });
    }
    let weights = WeightIndex::new(weights)
        .map_err(|twice| FolderError::DuplicateTensor { tensor: twice.name })?;
    Ok(Manifest { metadata, weights, parts: plan.parts, values, ends })
}

struct Plan<'a> {
    config: &'a Config,
    architecture: &'a Architecture,
    dtype: Option<DType>,
    weights: Vec<TensorInfo>,
    positions: BTreeMap<String, u32>,
    /// Of weights that consist of several tensors, those that have come.
    missing: BTreeMap<String, BTreeSet<u64>>,
    parts: Vec<Part>,
}

impl Plan<'_> {
    fn add(&mut self, file: u32, mut tensor: Tensor, found: Found) -> Result<(), FolderError> {
        if found.way == Way::Positions {
            tensor = self.of_text(tensor)?;
        }
        let shape =
            || FolderError::Shape { tensor: tensor.name.clone(), extents: tensor.extents.clone() };
        let source = match tensor.dtype {
            Some(dtype @ (DType::F32 | DType::F16 | DType::BF16)) => dtype,
            _ => {
                let (tensor, dtype) = (tensor.name, tensor.type_name);
                return Err(FolderError::Type { tensor, dtype });
            }
        };
        if tensor.bytes == 0 || tensor.extents.len() > 3 {
            return Err(shape());
        }
        let Some((&last, outer)) = tensor.extents.split_last() else { return Err(shape()) };
        let elements: u64 = tensor.extents.iter().product();
        let order = self.order(found.way, tensor.extents[0]).ok_or_else(shape)?;
        let transposed = found.way == Way::Columns && tensor.extents.len() == 2;
        let (mut extents, width) = match outer {
            [rows] if transposed => (vec![last, *rows], *rows),
            // Where values of a vector move, each is a row.
            [] if order != RowOrder::Same => (vec![last], 1),
            _ => (tensor.extents.clone(), last),
        };
        let rows = elements / width;
        if found.way == Way::Taps {
            let [channels, 1, taps] = extents[..] else { return Err(shape()) };
            extents = vec![channels, taps];
        }
        let members = self.members(found.way)?;
        extents.splice(..0, members);
        let is_exact = matches!(
            found.way,
            Way::Exact | Way::Positions | Way::Taps | Way::QueryNorm | Way::KeyNorm
        );
        let exact = extents.len() < 2 || is_exact;
        let target = if exact { DType::F32 } else { self.target(source, width) };
        let (offset, bytes) = (tensor.offset, tensor.bytes);
        let weight = self.weight(&tensor, &found, target, extents, members)?;
        self.parts.push(Part {
            file,
            offset,
            bytes,
            weight,
            source,
            rows,
            width,
            first: if members.is_some() { found.member * rows } else { 0 },
            order,
            add: if self.architecture.norms_less_one && found.is_norm { 1.0 } else { 0.0 },
            transposed,
        });
        Ok(())
    }

    /// A table of positions without the rows before that of a text's first one.
    fn of_text(&self, mut tensor: Tensor) -> Result<Tensor, FolderError> {
        let unused = self.config.unused_positions()?;
        match tensor.extents.first_mut() {
            Some(rows) if *rows > unused => {
                let row = tensor.bytes / *rows;
                *rows -= unused;
                tensor.bytes = row * *rows;
                tensor.offset += row * unused;
                Ok(tensor)
            }
            _ => Err(FolderError::Shape { tensor: tensor.name, extents: tensor.extents }),
        }
    }

    /// The position of a weight, which may be there already if it consists of several tensors.
    fn weight(
        &mut self,
        tensor: &Tensor,
        found: &Found,
        dtype: DType,
        extents: Vec<u64>,
        members: Option<u64>,
    ) -> Result<u32, FolderError> {
        let name = found.weight.clone();
        let shape =
            || FolderError::Shape { tensor: tensor.name.clone(), extents: tensor.extents.clone() };
        let twice = || FolderError::DuplicateTensor { tensor: tensor.name.clone() };
        let position = match (self.positions.get(&name), members) {
            (Some(_), None) => return Err(twice()),
            (Some(&position), Some(_)) => {
                let weight = &self.weights[position as usize];
                if weight.extents != extents || weight.dtype != dtype {
                    return Err(shape());
                }
                position
            }
            (None, _) => {
                let product = extents.iter().try_fold(1_u64, |all, &n| all.checked_mul(n));
                let bytes = product.and_then(|n| dtype.bytes_for(n)).ok_or_else(shape)?;
                let position = self.weights.len() as u32;
                self.positions.insert(name.clone(), position);
                if members.is_some() {
                    self.missing.insert(name.clone(), BTreeSet::new());
                }
                let name = name.clone();
                self.weights.push(TensorInfo { name, dtype, extents, offset: 0, bytes });
                position
            }
        };
        if let Some(members) = members {
            // A weight that is whole has left the list.
            let there = self.missing.get_mut(&name).ok_or_else(twice)?;
            if found.member >= members {
                return Err(shape());
            }
            if !there.insert(found.member) {
                return Err(twice());
            }
            if there.len() as u64 == members {
                self.missing.remove(&name);
            }
        }
        Ok(position)
    }

    /// Tensors of which a weight consists, if there are several.
    fn members(&self, way: Way) -> Result<Option<u64>, FolderError> {
        let members = match way {
            Way::Expert => self.config.size(&["num_local_experts", "num_experts"])?,
            Way::QueryNorm => self.config.heads()?,
            Way::KeyNorm => self.architecture.kv_heads(self.config)?,
            _ => return Ok(None),
        };
        Ok(Some(members))
    }

    /// Where the rows of a tensor with so many go; `None` if they are not heads.
    fn order(&self, way: Way, rows: u64) -> Option<RowOrder> {
        let heads = self.config.heads().ok()?;
        let kv_heads = self.architecture.kv_heads(self.config).ok()?;
        let pairs = |heads: u64| {
            let head = rows / heads;
            (rows.is_multiple_of(heads) && head.is_multiple_of(2) && head > 0)
                .then_some(RowOrder::Pairs { head })
        };
        match way {
            Way::Queries => pairs(heads),
            Way::Keys => pairs(kv_heads),
            Way::Fused => {
                let all = heads.checked_add(kv_heads.checked_mul(2)?)?;
                let (groups, queries, head) = (kv_heads, heads / kv_heads, rows / all);
                let whole = rows.is_multiple_of(all) && head > 0;
                whole.then_some(RowOrder::Grouped { groups, queries, head })
            }
            _ => Some(RowOrder::Same),
        }
    }

    /// The type of a matrix in memory, whose rows have `width` elements.
    fn target(&self, source: DType, width: u64) -> DType {
        let Some(dtype) = self.dtype else { return source };
        let is_whole = |dtype: &DType| width.is_multiple_of(dtype.block_len() as u64);
        // What llama.cpp takes for rows that are no blocks of 256.
        let smaller = match dtype {
            DType::Q4_K => DType::Q5_0,
            DType::Q5_K => DType::Q5_1,
            DType::Q6_K => DType::Q8_0,
            other => other,
        };
        let kept = if source == DType::F32 { DType::F16 } else { source };
        [dtype, smaller].into_iter().find(is_whole).unwrap_or(kept)
    }
}
