//! The text of `docs/operators.md`.

use crate::counts::{self, Cells};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

const HEAD: &str = "\
# Operators

Every operator that a graph model may call, by the names of its format, with the number of tests that \
have it. A model that calls anything else is refused when it is loaded: the error `OP_UNSUPPORTED` \
names all that is missing. `sidestage inspect FILE` says the same of a file, \
and `sidestage run --plan` what a model's calls become.

All truth is other people's: a case passes when its results are those that the named program \
computed, as near as its own suite wants; of operators that draw numbers the distribution is tested \
(`crates/suite/tests/random.rs`). \"3 of 5\" says how many pass, a number alone that all do, an \
empty cell that no case has the operator. An operator of which some cases do not pass is there all the \
same: [the reasons](#what-does-not-pass) are below. A case has often more than one operator, so the \
columns do not add up.
";

const FORMATS: &[Format] = &[
    Format {
        title: "ONNX",
        text: "Where an operator has changed, the version that the file declares decides; \"opsets\" are \
            those of the suite. The suite is ONNX's own backend suite \
            (`crates/suite/tests/onnx.rs`); further cases (`crates/suite/tests/microsoft.rs`) and real \
            models (`crates/suite/tests/models.rs`) are compared with onnxruntime. Functions in a file \
            are put where they are called.",
        prefixes: &["", "ai.onnx.ml::"],
        columns: &["opsets", "suite", "cases", "models"],
    },
    Format {
        title: "ONNX, `com.microsoft`",
        text: "What exporters of transformers and quantisers write. Cases of an operator each are \
            compared with onnxruntime (`crates/suite/tests/microsoft.rs`).",
        prefixes: &["com.microsoft::"],
        columns: &["cases"],
    },
    Format {
        title: "TFLite",
        text: "Builtin operators, and custom ones by their names. Cases of an operator or two and real \
            models are compared with LiteRT (`crates/suite/tests/tflite.rs`), those of TensorFlow Lite \
            Micro with what its repository says.",
        prefixes: &["TFLITE::"],
        columns: &["cases", "Micro", "real models"],
    },
    Format {
        title: "TensorFlow.js, graph models",
        text: "Cases and real models are compared with TensorFlow.js (`crates/suite/tests/tfjs.rs`).",
        prefixes: &["TF::"],
        columns: &["cases", "models"],
    },
    Format {
        title: "TensorFlow.js, layers models",
        text: "The layers that a case has, compared with TensorFlow.js (the same).",
        prefixes: &["Keras::"],
        columns: &["cases", "models"],
    },
];

struct Format {
    title: &'static str,
    text: &'static str,
    prefixes: &'static [&'static str],
    columns: &'static [&'static str],
}

/// Calls that are made by readers only.
const OWN: &[&str] = &["TF::After", "TFLITE::CUSTOM"];
/// Numbers of TFLite's schema that are no operators.
const NONE: &[&str] = &["CUSTOM", "DELEGATE", "PLACEHOLDER_FOR_GREATER_OP_CODES"];

/// The whole page. What is counted in data that is not there stands as in the old one.
pub(crate) fn text(old: &str) -> String {
    let data = counts::data();
    let suite = data.as_deref().map(counts::suite);
    let (tflite, tfjs) = (counts::tflite_cases(), counts::tfjs_cases());
    let of = |folder: &str, count: fn(&std::path::Path) -> Cells| {
        data.as_ref().map(|data| count(&data.join(folder)))
    };
    let micro = |folder: &std::path::Path| {
        let folders = std::fs::read_dir(folder).expect("the cases");
        let folders = folders.map(|folder| folder.expect("an entry").path());
        let folders = folders.filter(|folder| folder.is_dir());
        let models: Vec<_> = folders.flat_map(|folder| counts::tflite_models(&folder)).collect();
        counts::tflite_of(&models)
    };
    let microsoft = counts::microsoft();
    let layers = [Some(tfjs.clone()), of("tfjs", counts::tfjs_models)];
    let columns: [Vec<Option<Cells>>; 5] = [
        vec![
            suite.as_ref().map(|suite| suite.opsets.clone()),
            suite.as_ref().map(|suite| suite.cases.clone()),
            Some(microsoft.clone()),
            of("onnx", counts::of_onnx),
        ],
        vec![Some(microsoft)],
        vec![
            Some(tflite.clone()),
            of("tflite/seanet", micro),
            of("tflite", |folder| counts::tflite_of(&counts::tflite_models(folder))),
        ],
        layers.to_vec(),
        layers.to_vec(),
    ];
    // What a reader resolves is known by the cases that have it.
    let called = sidestage_ops::callable().map(|row| row.op.to_owned());
    let known: BTreeSet<String> = called
        .chain(tflite.keys().cloned())
        .chain(tfjs.keys().cloned())
        .filter(|op| !OWN.contains(&op.as_str()))
        .collect();
    let mut text = HEAD.to_owned();
    for (format, columns) in FORMATS.iter().zip(columns) {
        let rows = known.iter().filter(|op| {
            let domain = op.rfind("::").map_or("", |at| &op[..at + 2]);
            format.prefixes.contains(&domain)
        });
        let rows: Vec<&String> = rows.collect();
        let head = format!("| operator | {} |", format.columns.join(" | "));
        let old = section(old, format.title);
        _ = write!(text, "\n## {}\n\n{}\n\n{head}\n", format.title, format.text);
        _ = writeln!(text, "|{}", "---|".repeat(1 + columns.len()));
        for op in rows {
            let name = format.prefixes.iter().filter(|prefix| **prefix != "ai.onnx.ml::");
            let name = name.fold(op.as_str(), |op, prefix| op.strip_prefix(prefix).unwrap_or(op));
            let cell = |(at, cells): (usize, &Option<Cells>)| match cells {
                Some(cells) => cells.get(op).cloned().unwrap_or_default(),
                None => old.get(name).and_then(|row| row.get(at).cloned()).unwrap_or_default(),
            };
            let cells: Vec<String> = columns.iter().enumerate().map(cell).collect();
            _ = writeln!(text, "| {name} | {} |", cells.join(" | "));
        }
    }
    text + &refused(old, suite.map(|suite| suite.refused), &known)
}

/// The rows of a section's table, by their first cell.
fn section<'a>(page: &'a str, title: &str) -> BTreeMap<&'a str, Vec<String>> {
    let lines = page.lines().skip_while(|line| line.strip_prefix("## ") != Some(title)).skip(1);
    let lines = lines.take_while(|line| !line.starts_with("## "));
    let row = |line: &'a str| {
        let mut cells = line.strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim);
        Some((cells.next()?, cells.map(str::to_owned).collect()))
    };
    lines.filter_map(row).collect()
}

/// What does not pass, and what is not there.
fn refused(old: &str, ops: Option<Cells>, known: &BTreeSet<String>) -> String {
    const TITLE: &str = "What does not pass";
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for reason in counts::list(counts::ONNX).into_values() {
        *reasons.entry(reason).or_default() += 1;
    }
    let old = section(old, TITLE);
    let mut text = format!(
        "\n## {TITLE}\n\nOf ONNX's backend suite, with the reason (`crates/suite/tests/onnx.txt` has each case):\n\n\
         | reason | cases | operators |\n|---|---|---|\n"
    );
    for (reason, cases) in reasons {
        let ops = match &ops {
            Some(ops) => ops.get(reason).cloned(),
            None => old.get(reason).and_then(|row| row.get(1).cloned()),
        };
        _ = writeln!(text, "| {reason} | {cases} | {} |", ops.unwrap_or_default());
    }
    text += "\nOf the other formats' cases:\n\n";
    for (name, reason) in counts::list(counts::TFLITE).into_iter().chain(counts::list(counts::TFJS))
    {
        _ = writeln!(text, "* `{name}`: {reason}");
    }
    let missing = sidestage_formats::tflite::BUILTINS.iter();
    let missing = missing
        .copied()
        .filter(|op| !NONE.contains(op) && !known.contains(&format!("TFLITE::{op}")));
    let (stable, missing): (Vec<&str>, Vec<&str>) =
        missing.partition(|op| op.starts_with("STABLEHLO_"));
    _ = writeln!(
        text,
        "\nTFLite's builtin operators that are refused: `{}`, and {} of StableHLO (`STABLEHLO_…`).",
        missing.join("`, `"),
        stable.len(),
    );
    text
}
