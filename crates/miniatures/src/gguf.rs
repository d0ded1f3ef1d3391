use crate::Model;
use half::{bf16, f16};
use sidestage_formats::Manifest;
use sidestage_formats::gguf::GgufWriter;
use sidestage_formats::huggingface::Folder;
use sidestage_formats::safetensors::{Progress, SafetensorsHeader, SafetensorsReader};
use sidestage_tensor::DType;
use std::error::Error;

impl Model {
    /// Its folder and the headers of its files.
    ///
    /// # Errors
    /// Those of the readers: none, if they are right.
    pub fn headers(&self) -> Result<(Folder, Vec<SafetensorsHeader>), Box<dyn Error>> {
        let folder = Folder::read(&self.config, None, self.index.as_deref())?;
        let header = |name: &String| -> Result<SafetensorsHeader, Box<dyn Error>> {
            let file = self.files.iter().find(|file| file.0 == *name).ok_or("a file is missing")?;
            let mut reader = SafetensorsReader::new();
            match reader.push(&file.1)? {
                Progress::Done { header, .. } => Ok(header),
                Progress::NeedMore { .. } => Err(reader.truncated().into()),
            }
        };
        let headers = folder.files().iter().map(header).collect::<Result<_, _>>()?;
        Ok((folder, headers))
    }

    /// Its weights with all values in `F32`, in the order of the manifest: slow and plain, to be
    /// compared with.
    ///
    /// # Errors
    /// As [`Model::headers`].
    pub fn weights(&self, manifest: &Manifest) -> Result<Vec<Vec<f32>>, Box<dyn Error>> {
        let mut weights: Vec<Vec<f32>> =
            manifest.weights.iter().map(|weight| vec![0.0; weight.elements() as usize]).collect();
        for part in &manifest.parts {
            let file = &self.files[part.file as usize].1;
            let bytes = &file[part.offset as usize..][..part.bytes as usize];
            let values: Vec<f32> = match part.source {
                DType::F16 => {
                    bytes.as_chunks().0.iter().map(|b| f16::from_le_bytes(*b).to_f32()).collect()
                }
                DType::BF16 => {
                    bytes.as_chunks().0.iter().map(|b| bf16::from_le_bytes(*b).to_f32()).collect()
                }
                _ => bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
            };
            for row in 0..part.rows {
                let to = part.first + part.order.target(row);
                for column in 0..part.width {
                    let from = match part.transposed {
                        true => column * part.rows + row,
                        false => row * part.width + column,
                    };
                    weights[part.weight as usize][(to * part.width + column) as usize] =
                        values[from as usize] + part.add;
                }
            }
        }
        for computed in &manifest.values {
            weights[computed.weight as usize].clone_from(&computed.values);
        }
        Ok(weights)
    }
}

/// A model as one GGUF file, all weights `F32`.
///
/// # Errors
/// As [`Model::headers`].
pub fn gguf(model: &Model) -> Result<Vec<u8>, Box<dyn Error>> {
    let (folder, headers) = model.headers()?;
    let manifest = Manifest::huggingface(&folder, headers, None)?;
    let weights = model.weights(&manifest)?;
    let mut writer = GgufWriter::new();
    for (key, value) in manifest.metadata.iter() {
        writer = writer.metadata(key, value.clone());
    }
    for weight in &manifest.weights {
        writer = writer.tensor(&weight.name, DType::F32, &weight.extents);
    }
    let mut file = Vec::new();
    let mut body = writer.begin(&mut file)?;
    for values in weights {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        body.write(&bytes)?;
    }
    body.finish()?;
    Ok(file)
}
