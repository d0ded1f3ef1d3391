//! The text of `docs/models.md`.

use super::Found;
use serde_json::{Map, Value};
use sidestage_formats::huggingface::TARGETS;
use sidestage_lm::FAMILIES;
use sidestage_miniatures::goldens;
use std::collections::BTreeMap;

const HEAD: &str = "\
# Models

Every family of models, with the types of weights that `loadModel`'s `dtype` can make of a Hugging \
Face folder. `crates/lm/tests/decoder/models.rs` runs each cell anew and fails when this page says \
anything else. [types.md](types.md) has every type that a GGUF file can have.

\"Family\" is `general.architecture` of a GGUF file, \"classes\" are `architectures` of a \
`config.json` that were tested, \"models\" are well-known ones that come as that family: examples, \
not a list of tests.

";

/// Well-known models of each family.
const MODELS: &[(&str, &str)] = &[
    (
        "llama",
        "Llama 2 and 3, TinyLlama, Mistral 7B, Mixtral, SmolLM and SmolLM2, Yi, DeepSeek-R1-Distill-Llama",
    ),
    ("smollm3", "SmolLM3"),
    ("granite", "Granite 3"),
    ("qwen2", "Qwen2, Qwen2.5, DeepSeek-R1-Distill-Qwen"),
    ("qwen3", "Qwen3"),
    ("qwen3moe", "Qwen3-30B-A3B"),
    ("lfm2", "LFM2"),
    ("phi3", "Phi-3, Phi-3.5-mini, Phi-4, Phi-4-mini"),
    ("olmo2", "OLMo 2, OLMo 3"),
    ("gemma", "Gemma"),
    ("gemma2", "Gemma 2"),
    ("gemma3", "Gemma 3, without its pictures"),
    ("gpt2", "GPT-2, DistilGPT-2"),
    ("starcoder2", "StarCoder2"),
    ("phi2", "Phi-1.5, Phi-2"),
    ("gptneox", "Pythia, GPT-NeoX-20B"),
    ("falcon", "Falcon 7B and 40B"),
    ("stablelm", "StableLM 2, StableLM Zephyr 3B"),
];

const CELLS: &str = "
A cell says yes when a test loaded random weights of the family in this type and the logits were \
near those of the same values without rounding. With floats (F32, F16, BF16) they differ by at \
most 1e-5 of the logits' root mean square, with blocks by at most 5 %: what activations of 8 bits \
cost. Each folder of the family is converted as `dtype` says, every matrix of it, and compared \
with its values after the conversion in F32; in F32 itself the logits are those of Hugging Face \
(below). The folders' rows are too short for the blocks of 256 of the K types; those cells come \
from a model of width 256 with every matrix in that type, compared with a plain decoder in `f64`. \
All experts are taken, so that rounding changes no choice.

## Habits

Each folder is a tiny model with random weights (`crates/miniatures`), with 75 tokens: more than \
its windows and original contexts have. Its logits in F32 are within 2e-5 of the largest of those \
that Hugging Face's `transformers` computes (`crates/lm/tests/decoder/huggingface.rs`).

| habit | folders |
|---|---|
";

/// What families or their files do, and the folders that do it.
const HABITS: &[(&str, &[&str])] = &[
    ("rotary positions, pairs of neighbours in GGUF files (`norm`)", &["llama", "granite"]),
    ("rotary positions, pairs of halves (`neox`)", &["qwen2", "qwen3", "gemma"]),
    ("rotary positions of a part of a head", &["phi", "gptneox", "stablelm"]),
    ("scaling `linear`", &["llama-linear", "gemma3"]),
    ("scaling `llama3`", &["llama-llama3"]),
    ("scaling `yarn`", &["llama-yarn", "qwen2-yarn", "olmo3"]),
    ("scaling `longrope`, long and short", &["phi3-longrope", "phi3-longrope-short"]),
    ("another base in layers with a window", &["gemma3"]),
    ("layers without positions", &["smollm3"]),
    ("learned positions", &["gpt2"]),
    ("sliding window in all layers", &["mistral", "phi3", "starcoder2"]),
    ("sliding window in some layers", &["qwen2", "gemma2", "gemma3", "olmo3"]),
    ("several heads a key head; one key head", &["llama", "falcon-grouped", "gemma", "falcon"]),
    ("biases", &["llama", "qwen2", "phi", "starcoder2", "falcon-grouped"]),
    ("norms of queries and keys", &["qwen3", "gemma3", "olmo2", "lfm2", "stablelm-parallel"]),
    ("norms after, or before and after", &["olmo2", "gemma2", "gemma3"]),
    ("parallel residual", &["phi", "gptneox", "falcon", "falcon-grouped", "stablelm-parallel"]),
    ("soft caps of scores and logits", &["gemma2"]),
    ("scales of embeddings, scores, residuals, logits", &["granite"]),
    ("experts", &["mixtral", "qwen3moe", "qwen3moe-unnormalized"]),
    ("convolutions", &["lfm2"]),
    ("fused matrices", &["phi3", "gpt2", "gptneox", "falcon"]),
    ("embedding that is the output matrix too", &["llama-llama3", "qwen2", "gemma", "gpt2"]),
];

const FILES: &str = "
## Files

| what | compared with | test |
|---|---|---|
| folder of one file, F32 or F16 | logits of `transformers` | `crates/lm/tests/decoder/huggingface.rs`: `llama`, `llama-linear` |
| folder of three files with an index, BF16 | logits of `transformers` | the same: `llama-yarn` |
| real folder, F32 | tensors of the GGUF file of the same weights; its golden tokens | `crates/formats/tests/huggingface.rs`, `crates/engine/tests/engine/folders.rs` |
| real GGUF files, eight types | logits in `f64` that `transformers` and llama.cpp agree with | `crates/lm/tests/decoder/logits.rs`, `goldens.rs` |
| split GGUF files | what gguf-py wrote; the whole file's golden tokens | `crates/formats/tests/written.rs`, `crates/engine/tests/engine/folders.rs` |
| files over 4 GB | what gguf-py wrote | `crates/formats/tests/written.rs` |
| big-endian files: an error | what gguf-py wrote | the same |
";

fn list(names: impl IntoIterator<Item: AsRef<str>>) -> String {
    let quoted = names.into_iter().map(|name| format!("`{}`", name.as_ref()));
    quoted.collect::<Vec<_>>().join(", ")
}

/// The whole page.
pub(super) fn text(found: &BTreeMap<&'static str, Found>) -> String {
    let names: Vec<&str> = TARGETS.iter().map(|dtype| dtype.name()).collect();
    let mut text = format!("{HEAD}| family | classes | models | {} |\n", names.join(" | "));
    text += &format!("|{}\n", "---|".repeat(3 + names.len()));
    assert_eq!(found.len(), FAMILIES.len(), "a family without a folder, or a folder without one");
    for family in FAMILIES {
        let Found { classes, types } = &found[family.name];
        let known = MODELS.iter().find(|(name, _)| *name == family.name);
        let models = known.map_or("", |(_, models)| models);
        let yes = |name: &&str| if types.get(name) == Some(&true) { "yes" } else { "" };
        let cells: Vec<&str> = names.iter().map(yes).collect();
        let (classes, cells) = (list(classes), cells.join(" | "));
        text += &format!("| `{}` | {classes} | {models} | {cells} |\n", family.name);
    }
    text += CELLS;
    let goldens: Vec<String> = goldens().into_iter().map(|golden| golden.model).collect();
    for (habit, folders) in HABITS {
        for folder in *folders {
            assert!(goldens.iter().any(|name| name == folder), "no logits of {folder}");
        }
        text += &format!("| {habit} | {} |\n", list(*folders));
    }
    let converted: Map<String, Value> =
        serde_json::from_str(include_str!("../../../../miniatures/converted.json")).expect("JSON");
    let others = list(goldens.iter().filter(|name| !converted.contains_key(*name)));
    text += &format!(
        "\nMetadata and tensors of {} of the {} folders are those that llama.cpp's \
         `convert_hf_to_gguf.py` makes of them (`crates/miniatures/tests/converted.rs`, which \
         lists where we say more); that converter fails on {others}.\n",
        converted.len(),
        goldens.len()
    );
    text + FILES
}
