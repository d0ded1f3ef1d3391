//! Which tokens end an answer.
//!
//! Files name one or two of them; the others are known by their text, as in llama.cpp.

use crate::vocabulary::{Kind, Vocabulary};

const NAMES: [&str; 22] = [
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|flush|>",
    "<|calls|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "</s>",
    "<|eom_id|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<|end_of_text|>",
    "<end_of_utterance>",
    "<eos>",
    "<turn|>",
    "<|tool_response>",
    "<｜end▁of▁sentence｜>",
    "[e~[",
];

/// Repository markers of code models; after one the answer is over too.
const FILE_NAMES: [&str; 9] = [
    "<|fim_pad|>",
    "<fim-pad>",
    "<fim_pad>",
    "<|fim_repo|>",
    "<|repo_name|>",
    "<fim-repo>",
    "<REPO>",
    "<reponame>",
    "<|file_sep|>",
];

/// gpt-oss structures its answers with these; they are part of the text.
const PRINTED: [&str; 4] = ["<|channel|>", "<|message|>", "<|start|>", "<|constrain|>"];

/// The ids of the tokens that end an answer, ascending: those the file names, and those known by
/// name. Marks those known by name as control
/// tokens, because some files forget it.
pub(crate) fn end_tokens(vocabulary: &mut Vocabulary, named: Vec<u32>) -> Vec<u32> {
    let mut ends = named;
    for name in NAMES.into_iter().chain(FILE_NAMES) {
        if let Some(id) = vocabulary.id(name.as_bytes()) {
            vocabulary.kinds[id as usize] = Kind::Control;
            ends.push(id);
        }
    }
    for name in PRINTED {
        if let Some(id) = vocabulary.id(name.as_bytes()) {
            vocabulary.kinds[id as usize] = Kind::UserDefined;
        }
    }

    let mut keep_going = |name: &str, kind: Kind, because: &[&str]| {
        let all = because.iter().all(|other| vocabulary.id(other.as_bytes()).is_some());
        if let Some(id) = vocabulary.id(name.as_bytes()).filter(|_| all) {
            ends.retain(|&end| end != id);
            vocabulary.kinds[id as usize] = kind;
        }
    };
    // In these vocabularies `<|end|>` ends one message of several.
    keep_going("<|end|>", Kind::UserDefined, &["<|return|>", "<|call|>"]);
    keep_going("<|end|>", Kind::UserDefined, &["<|calls|>", "<|flush|>"]);
    // Gemma 4 has `</s>` as an HTML tag.
    keep_going("</s>", Kind::Normal, &["<|tool_response>"]);

    ends.sort_unstable();
    ends.dedup();
    ends
}
