use crate::TensorInfo;
use crate::gguf::{GgufError, Metadata};
use sidestage_tensor::DType;
use std::collections::BTreeMap;
use std::fmt;

/// What a person wants to know of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// `general.architecture`.
    pub architecture: Option<String>,
    /// `general.name`.
    pub name: Option<String>,
    /// `general.file_type` by its llama.cpp name, as `Q4_K_M`.
    pub file_type: Option<String>,
    /// Elements of all tensors.
    pub parameters: u64,
    /// The number of tensors.
    pub tensors: usize,
    /// The types of the tensors, the one with most bytes first.
    pub dtypes: Vec<TypeCount>,
    /// Bytes of all tensors.
    pub weight_bytes: u64,
    /// `<architecture>.context_length`, in tokens.
    pub context_length: Option<u64>,
    /// `<architecture>.block_count`.
    pub block_count: Option<u64>,
    /// `<architecture>.embedding_length`.
    pub embedding_length: Option<u64>,
    /// `tokenizer.ggml.model`.
    pub tokenizer_model: Option<String>,
    /// `tokenizer.ggml.pre`.
    pub tokenizer_pre: Option<String>,
    /// The number of tokens in the vocabulary.
    pub vocabulary: Option<usize>,
    /// Whether the file has a chat template.
    pub chat_template: bool,
    /// The number of metadata pairs.
    pub metadata: usize,
}

/// How much of a file has one type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeCount {
    /// The type.
    pub dtype: DType,
    /// Tensors of it.
    pub tensors: usize,
    /// Elements in them.
    pub elements: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Summary {
    /// Of a model with GGUF's metadata. Values of an unexpected type are left out: inspecting must
    /// work on broken files.
    pub fn new(meta: &Metadata, tensors: &[TensorInfo]) -> Self {
        let text = |key: &str| meta.get_str(key).ok().flatten().map(str::to_owned);
        let count = |value: Result<Option<u64>, GgufError>| value.ok().flatten();
        let architecture = text("general.architecture");
        let of_model = |key: &str| {
            let architecture = architecture.as_ref()?;
            count(meta.get_u64(&format!("{architecture}.{key}")))
        };
        let mut types: BTreeMap<DType, TypeCount> = BTreeMap::new();
        for tensor in tensors {
            let dtype = tensor.dtype;
            let none = TypeCount { dtype, tensors: 0, elements: 0, bytes: 0 };
            let of_type = types.entry(dtype).or_insert(none);
            of_type.tensors += 1;
            // Each count fits; of hostile files the sum need not.
            of_type.elements = of_type.elements.saturating_add(tensor.elements());
            of_type.bytes = of_type.bytes.saturating_add(tensor.bytes);
        }
        let mut dtypes: Vec<TypeCount> = types.into_values().collect();
        dtypes.sort_by_key(|of_type| std::cmp::Reverse(of_type.bytes));
        let sum =
            |part: fn(&TypeCount) -> u64| dtypes.iter().map(part).fold(0, u64::saturating_add);
        Self {
            name: text("general.name"),
            file_type: count(meta.get_u64("general.file_type")).map(file_type),
            parameters: sum(|of_type| of_type.elements),
            tensors: tensors.len(),
            weight_bytes: sum(|of_type| of_type.bytes),
            dtypes,
            context_length: of_model("context_length"),
            block_count: of_model("block_count"),
            embedding_length: of_model("embedding_length"),
            tokenizer_model: text("tokenizer.ggml.model"),
            tokenizer_pre: text("tokenizer.ggml.pre"),
            vocabulary: meta.get_strings("tokenizer.ggml.tokens").ok().flatten().map(|t| t.len()),
            chat_template: meta.contains("tokenizer.chat_template"),
            metadata: meta.len(),
            architecture,
        }
    }
}

/// The names of `general.file_type` (`llama_ftype`), with those that llama.cpp has dropped.
const FILE_TYPES: &[(u64, &str)] = &[
    (0, "F32"),
    (1, "F16"),
    (2, "Q4_0"),
    (3, "Q4_1"),
    (4, "Q4_1_SOME_F16"),
    (5, "Q4_2"),
    (6, "Q4_3"),
    (7, "Q8_0"),
    (8, "Q5_0"),
    (9, "Q5_1"),
    (10, "Q2_K"),
    (11, "Q3_K_S"),
    (12, "Q3_K_M"),
    (13, "Q3_K_L"),
    (14, "Q4_K_S"),
    (15, "Q4_K_M"),
    (16, "Q5_K_S"),
    (17, "Q5_K_M"),
    (18, "Q6_K"),
    (19, "IQ2_XXS"),
    (20, "IQ2_XS"),
    (21, "Q2_K_S"),
    (22, "IQ3_XS"),
    (23, "IQ3_XXS"),
    (24, "IQ1_S"),
    (25, "IQ4_NL"),
    (26, "IQ3_S"),
    (27, "IQ3_M"),
    (28, "IQ2_S"),
    (29, "IQ2_M"),
    (30, "IQ4_XS"),
    (31, "IQ1_M"),
    (32, "BF16"),
    (33, "Q4_0_4_4"),
    (34, "Q4_0_4_8"),
    (35, "Q4_0_8_8"),
    (36, "TQ1_0"),
    (37, "TQ2_0"),
    (38, "MXFP4_MOE"),
    (39, "NVFP4"),
    (40, "Q1_0"),
    (1024, "GUESSED"),
];

fn file_type(id: u64) -> String {
    let row = FILE_TYPES.iter().find(|row| row.0 == id);
    row.map_or_else(|| format!("unknown ({id})"), |row| row.1.into())
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |label: &str, text: Option<String>| match text {
            Some(text) => writeln!(f, "{label:<14}{text}"),
            None => Ok(()),
        };
        line("name", self.name.clone())?;
        line("architecture", self.architecture.clone())?;
        line("file type", self.file_type.clone())?;
        line("parameters", Some(self.parameters.to_string()))?;
        line("tensors", Some(format!("{}, {} bytes", self.tensors, self.weight_bytes)))?;
        for of_type in &self.dtypes {
            let TypeCount { dtype, tensors, bytes, .. } = of_type;
            line("", Some(format!("{dtype}: {tensors}, {bytes} bytes")))?;
        }
        line("context", self.context_length.map(|n| format!("{n} tokens")))?;
        line("layers", self.block_count.map(|n| n.to_string()))?;
        line("width", self.embedding_length.map(|n| n.to_string()))?;
        line("tokenizer", self.tokenizer_model.clone())?;
        line("pre-tokenizer", self.tokenizer_pre.clone())?;
        line("vocabulary", self.vocabulary.map(|n| format!("{n} tokens")))?;
        line("chat template", Some(if self.chat_template { "yes" } else { "no" }.into()))
    }
}
