use super::{Choice, choose};

const MB: u64 = 1_000_000;

fn chosen(files: &[(&str, u64)], limit: Option<u64>) -> Choice {
    choose(files, limit).expect("a model")
}

/// As bartowski publishes small models.
const SMALL: &[(&str, u64)] = &[
    (".gitattributes", 3_500),
    ("README.md", 9_000),
    ("Qwen2.5-0.5B-Instruct-IQ3_M.gguf", 338 * MB),
    ("Qwen2.5-0.5B-Instruct-IQ4_XS.gguf", 349 * MB),
    ("Qwen2.5-0.5B-Instruct-Q2_K.gguf", 338 * MB),
    ("Qwen2.5-0.5B-Instruct-Q4_0.gguf", 352 * MB),
    ("Qwen2.5-0.5B-Instruct-Q4_0_4_4.gguf", 352 * MB),
    ("Qwen2.5-0.5B-Instruct-Q4_K_M.gguf", 397 * MB),
    ("Qwen2.5-0.5B-Instruct-Q5_K_M.gguf", 420 * MB),
    ("Qwen2.5-0.5B-Instruct-Q8_0.gguf", 531 * MB),
    ("Qwen2.5-0.5B-Instruct-f16.gguf", 994 * MB),
    ("Qwen2.5-0.5B-Instruct.imatrix", MB),
];

#[test]
fn four_bits_are_chosen_where_there_is_room() {
    let choice = chosen(SMALL, None);
    assert_eq!(choice.files, ["Qwen2.5-0.5B-Instruct-Q4_K_M.gguf"]);
    assert_eq!(
        choice.why,
        "Qwen2.5-0.5B-Instruct-Q4_K_M.gguf (397 MB): weights of type Q4_K_M, the best for a CPU \
         of 8 GGUF models"
    );
}

#[test]
fn what_does_not_fit_is_not_chosen() {
    let choice = chosen(SMALL, Some(420 * MB));
    assert_eq!(choice.files, ["Qwen2.5-0.5B-Instruct-Q4_0.gguf"]);
    assert!(
        choice.why.ends_with("of the 4 of 8 GGUF models that fit into 420 MB"),
        "{}",
        choice.why
    );
    let choice = chosen(SMALL, Some(100 * MB));
    assert_eq!(choice.bytes, 338 * MB);
    assert!(choice.why.contains("the smallest of 8"), "{}", choice.why);
}

/// As Qwen publishes a 7B model: small letters, splits, one of them not whole.
#[test]
fn the_files_of_a_split_count_together() {
    let files = [
        ("LICENSE", 11_000),
        ("qwen2.5-7b-instruct-fp16-00001-of-00004.gguf", 3_990 * MB),
        ("qwen2.5-7b-instruct-fp16-00002-of-00004.gguf", 3_990 * MB),
        ("qwen2.5-7b-instruct-fp16-00003-of-00004.gguf", 3_990 * MB),
        ("qwen2.5-7b-instruct-fp16-00004-of-00004.gguf", 3_260 * MB),
        ("qwen2.5-7b-instruct-q2_k.gguf", 3_020 * MB),
        ("qwen2.5-7b-instruct-q3_k_m-00002-of-00002.gguf", 500 * MB),
        ("qwen2.5-7b-instruct-q3_k_m-00001-of-00002.gguf", 3_310 * MB),
        ("qwen2.5-7b-instruct-q4_0-00001-of-00002.gguf", 3_990 * MB),
        ("qwen2.5-7b-instruct-q4_0-00002-of-00002.gguf", 440 * MB),
        ("qwen2.5-7b-instruct-q4_k_m-00002-of-00002.gguf", 690 * MB),
    ];
    // Half of Q4_K_M is not there; the other half would be small enough.
    assert_eq!(chosen(&files, None).files, ["qwen2.5-7b-instruct-q2_k.gguf"]);
    let small: Vec<(&str, u64)> = files.iter().map(|&(path, bytes)| (path, bytes / 10)).collect();
    let choice = chosen(&small, None);
    assert_eq!(
        choice.files,
        [
            "qwen2.5-7b-instruct-q4_0-00001-of-00002.gguf",
            "qwen2.5-7b-instruct-q4_0-00002-of-00002.gguf"
        ]
    );
    assert!(choice.why.contains("and the 1 file behind it (443 MB): weights of type Q4_0"));
}

/// As ggml-org publishes models that also see; as unsloth names its types, in folders for splits.
#[test]
fn eyes_and_other_parts_are_no_models() {
    let files = [
        ("gemma-3-4b-it-f16.gguf", 7_770 * MB),
        ("gemma-3-4b-it-Q8_0.gguf", 4_130 * MB),
        ("gemma-3-4b-it-Q4_K_M.gguf", 2_490 * MB),
        ("mmproj-model-f16.gguf", 851 * MB),
    ];
    assert_eq!(chosen(&files, None).files, ["gemma-3-4b-it-Q4_K_M.gguf"]);
    assert_eq!(choose(&files[3..], None), None);
    let files = [
        ("BF16/Qwen3-4B-BF16-00001-of-00002.gguf", 1_000 * MB),
        ("BF16/Qwen3-4B-BF16-00002-of-00002.gguf", 1_000 * MB),
        ("Qwen3-4B-UD-Q4_K_XL.gguf", 2_550 * MB),
        ("Qwen3-4B-UD-IQ1_S.gguf", 1_150 * MB),
        ("Qwen3-4B-Q6_K.gguf", 3_310 * MB),
    ];
    assert_eq!(chosen(&files, None).files, ["Qwen3-4B-UD-Q4_K_XL.gguf"]);
    assert_eq!(chosen(&files, Some(2_000 * MB)).files, ["Qwen3-4B-UD-IQ1_S.gguf"]);
}

#[test]
fn a_file_whose_name_says_nothing_will_do() {
    let choice = chosen(&[("stories260K.gguf", 1_054_496)], None);
    assert_eq!(
        choice.why,
        "stories260K.gguf (2 MB): weights of a type that its name does not say, the only GGUF \
         model there"
    );
}

/// As Hugging Face publishes models itself, with other formats beside; GGUF files go first.
#[test]
fn safetensors_are_taken_where_there_is_no_gguf() {
    let mut files = vec![
        ("config.json", 861),
        ("generation_config.json", 111),
        ("model.safetensors", 269 * MB),
        ("onnx/model_q4.onnx", 180 * MB),
        ("tokenizer.json", 2 * MB),
    ];
    let choice = chosen(&files, None);
    assert_eq!(choice.files, ["config.json", "model.safetensors"]);
    assert_eq!(choice.why, "1 safetensors file (270 MB): there is no GGUF model");
    files.push(("SmolLM2-135M-Instruct-Q8_0.gguf", 145 * MB));
    assert_eq!(chosen(&files, None).files, ["SmolLM2-135M-Instruct-Q8_0.gguf"]);
    assert_eq!(choose(&files[1..5], None), None);
}

#[test]
fn shards_come_with_their_index_and_nothing_else() {
    let files = [
        ("adapter_model.safetensors", MB),
        ("config.json", 654),
        ("consolidated.safetensors", 14_500 * MB),
        ("model-00002-of-00003.safetensors", 5_000 * MB),
        ("model-00001-of-00003.safetensors", 4_940 * MB),
        ("model-00003-of-00003.safetensors", 4_540 * MB),
        ("model.safetensors.index.json", 25_000),
    ];
    let choice = chosen(&files, None);
    assert_eq!(
        choice.files,
        [
            "config.json",
            "model.safetensors.index.json",
            "model-00001-of-00003.safetensors",
            "model-00002-of-00003.safetensors",
            "model-00003-of-00003.safetensors"
        ]
    );
    assert_eq!(choice.why, "3 safetensors files (14.5 GB): there is no GGUF model");
    assert_eq!(choose(&[], None), None);
}
