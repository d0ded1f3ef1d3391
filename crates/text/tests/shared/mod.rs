//! Shared test data, and the little of GGUF that a vocabulary needs.
#![allow(dead_code, reason = "each test binary uses its own part")]

use sidestage_text::{StringList, TokenizerSpec};
use std::path::{Path, PathBuf};

/// The folder of shared test data, or one line that says what is left out.
pub(crate) fn data(what: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("SIDESTAGE_TESTDATA");
    if folder.is_none() {
        println!("SIDESTAGE_TESTDATA is not set: left out {what}");
    }
    folder.map(PathBuf::from)
}

/// The vocabulary of a GGUF file.
pub(crate) fn vocabulary(path: &Path) -> TokenizerSpec {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut reader = Reader(&bytes);
    assert_eq!(reader.take(4), b"GGUF");
    reader.u32();
    reader.u64();
    let mut spec = TokenizerSpec::default();
    for _ in 0..reader.u64() {
        let key = String::from_utf8(reader.string().to_vec()).unwrap();
        let kind = reader.u32();
        let value = reader.value(kind);
        match key.strip_prefix("tokenizer.ggml.").unwrap_or(&key) {
            "general.name" => spec.name = Some(value.text()),
            "tokenizer.chat_template" => {
                spec.chat_templates = vec![("default".into(), value.text())];
            }
            "model" => spec.model = value.text(),
            "pre" => spec.pre = Some(value.text()),
            "tokens" => spec.tokens = value.strings(),
            "merges" => spec.merges = value.strings(),
            "scores" => spec.scores = value.numbers().iter().map(|&n| n as f32).collect(),
            "token_type" => spec.token_types = value.numbers().iter().map(|&n| n as i32).collect(),
            "bos_token_id" => spec.bos = value.id(),
            "eos_token_id" => spec.eos = value.id(),
            "unknown_token_id" => spec.unk = value.id(),
            "eot_token_id" => spec.eot = value.id(),
            "add_bos_token" => spec.add_bos = value.flag(),
            "add_eos_token" => spec.add_eos = value.flag(),
            "add_space_prefix" => spec.add_space_prefix = value.flag(),
            _ => {}
        }
    }
    spec
}

enum Value {
    Number(f64),
    Text(Vec<u8>),
    Numbers(Vec<f64>),
    Strings(StringList),
}

impl Value {
    fn text(self) -> String {
        let Self::Text(text) = self else { panic!("not a string") };
        String::from_utf8(text).unwrap()
    }

    fn strings(self) -> StringList {
        let Self::Strings(strings) = self else { panic!("not strings") };
        strings
    }

    fn numbers(&self) -> &[f64] {
        let Self::Numbers(numbers) = self else { panic!("not numbers") };
        numbers
    }

    fn id(&self) -> Option<u32> {
        let Self::Number(number) = self else { panic!("not a number") };
        Some(*number as u32)
    }

    fn flag(&self) -> Option<bool> {
        self.id().map(|number| number != 0)
    }
}

struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn take(&mut self, count: usize) -> &'b [u8] {
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take(4).try_into().unwrap())
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take(8).try_into().unwrap())
    }

    fn string(&mut self) -> &'b [u8] {
        let length = self.u64() as usize;
        self.take(length)
    }

    fn number(&mut self, kind: u32) -> f64 {
        match kind {
            0 | 7 => f64::from(self.take(1)[0]),
            1 => f64::from(self.take(1)[0] as i8),
            2 => f64::from(u16::from_le_bytes(self.take(2).try_into().unwrap())),
            3 => f64::from(i16::from_le_bytes(self.take(2).try_into().unwrap())),
            4 => f64::from(self.u32()),
            5 => f64::from(self.u32() as i32),
            6 => f64::from(f32::from_bits(self.u32())),
            10 => self.u64() as f64,
            11 => self.u64() as i64 as f64,
            12 => f64::from_bits(self.u64()),
            _ => panic!("GGUF type {kind}"),
        }
    }

    fn value(&mut self, kind: u32) -> Value {
        match kind {
            8 => Value::Text(self.string().to_vec()),
            9 => {
                let (kind, count) = (self.u32(), self.u64());
                match kind {
                    8 => Value::Strings((0..count).map(|_| self.string()).collect()),
                    _ => Value::Numbers((0..count).map(|_| self.number(kind)).collect()),
                }
            }
            _ => Value::Number(self.number(kind)),
        }
    }
}
