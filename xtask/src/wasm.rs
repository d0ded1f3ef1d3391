//! The wasm modules: the engine for each kind of models in four variants, and text.

use crate::command::{program, run};
use crate::failure::Failure;
use crate::project::Project;
use std::fs;
use std::path::{Path, PathBuf};

struct Variant {
    name: &'static str,
    features: &'static str,
    threads: bool,
    /// Of `Cargo.toml`.
    profile: &'static str,
}

/// What is built of a variant.
struct Module {
    package: &'static str,
    /// The one of its features that it is built with; `None`: those that it has.
    feature: Option<&'static str>,
    /// The file is `NAME-VARIANT.wasm`.
    name: &'static str,
}

/// A page downloads the code of its own models only, so each kind has a module.
const ENGINES: [Module; 2] = [
    Module { package: "sidestage-web", feature: Some("language"), name: "sidestage" },
    Module { package: "sidestage-web", feature: Some("graphs"), name: "sidestage-graphs" },
];
const TEXT: Module = Module { package: "sidestage-web-text", feature: None, name: "sidestage" };
const BENCH: Module = Module { package: "bench-kernels", feature: None, name: "bench-kernels" };

/// The features of a browser with relaxed SIMD.
pub(crate) const RELAXED: &str = "+simd128,+relaxed-simd";

/// wasm has no dispatch at run time: a module with an unknown feature fails to compile, so every set
/// of features is a file of its own.
const VARIANTS: [Variant; 4] = [
    Variant { name: "simd", features: "+simd128", threads: false, profile: "engine" },
    Variant { name: "relaxed", features: RELAXED, threads: false, profile: "engine" },
    Variant { name: "simd-threads", features: "+simd128", threads: true, profile: "engine" },
    Variant { name: "relaxed-threads", features: RELAXED, threads: true, profile: "engine" },
];

/// Shared memory comes from the host; it starts threads by hand and so needs the stack pointer and
/// the thread-local block of each.
const SHARED: [&str; 9] = [
    "--shared-memory",
    "--import-memory",
    "--max-memory=4294967296",
    "--export=__stack_pointer",
    "--export=__wasm_init_tls",
    "--export=__tls_size",
    "--export=__tls_align",
    "--export=__tls_base",
    "--export=__heap_base",
];

/// Builds all modules and collects them in [`Project::wasm`].
pub(crate) fn build(project: &Project) -> Result<(), Failure> {
    let out = project.wasm();
    fs::create_dir_all(&out).map_err(|e| unwritable(&out, &e))?;
    let text = Variant { name: "text", features: "+simd128", threads: false, profile: "text" };
    // What a variant's modules share is compiled once.
    let engines = VARIANTS.iter().flat_map(|variant| ENGINES.iter().map(move |it| (it, variant)));
    let all: Vec<(&Module, &Variant)> = engines.chain([(&TEXT, &text)]).collect();
    for (index, (module, variant)) in all.iter().enumerate() {
        let label = format!("wasm {}/{}", index + 1, all.len());
        one(project, module, variant, &out, &label)?;
    }
    Ok(())
}

/// Builds the modules of `bench/kernels`; gives their folder.
pub(crate) fn bench(project: &Project) -> Result<PathBuf, Failure> {
    let out = project.cache.join("wasm-bench");
    fs::create_dir_all(&out).map_err(|e| unwritable(&out, &e))?;
    for variant in VARIANTS.iter().filter(|variant| variant.threads) {
        one(project, &BENCH, variant, &out, "wasm")?;
    }
    Ok(out)
}

fn one(
    project: &Project,
    module: &Module,
    variant: &Variant,
    out: &Path,
    label: &str,
) -> Result<(), Failure> {
    let name = format!("{}-{}.wasm", module.name, variant.name);
    // One target folder per variant: their flags differ, and cargo would rebuild all on each change.
    let target = project.cache.join("wasm-target").join(variant.name);
    let mut flags = format!("-C target-feature={}", variant.features);
    let mut args = vec!["build", "--profile", variant.profile, "--lib", "-p", module.package];
    args.extend(["--target", "wasm32-unknown-unknown"]);
    // The ready-made std has no atomics, and is made for speed: an engine is 18 KB larger with it.
    args.extend(["-Z", "build-std=std,panic_abort", "-Z", "build-std-features=optimize_for_size"]);
    if let Some(feature) = module.feature {
        args.extend(["--no-default-features", "--features", feature]);
    }
    if variant.threads {
        flags.push_str(",+atomics,+bulk-memory,+mutable-globals");
        for link in SHARED {
            flags.push_str(" -C link-arg=");
            flags.push_str(link);
        }
    }
    // Numbers that are filled up for the linker to put in others: 6 KB.
    flags.push_str(" -C link-arg=--compress-relocations");
    flags.push_str(if variant.profile == "text" {
        // Nobody hears its panics, so it traps without a word: 26 KB less with brotli.
        " -Zunstable-options -Cpanic=immediate-abort"
    } else {
        // Places of panics cost 20 KB; an error's stack has the address. Fields of structs that a message
        // shows by `Debug`, which few do: 6 KB.
        " -Zlocation-detail=none -Zfmt-debug=shallow"
    });
    let mut command = program("cargo", &args, &project.root);
    command.env("CARGO_TARGET_DIR", &target).env("RUSTFLAGS", &flags);
    command.env_remove("CARGO_ENCODED_RUSTFLAGS");
    // On stable both `-Z` need it.
    command.env("RUSTC_BOOTSTRAP", "1");
    run(&mut command, &format!("{label}: {name}"))?;
    let folder = target.join("wasm32-unknown-unknown").join(variant.profile);
    place(&folder.join(module.package.replace('-', "_") + ".wasm"), &out.join(name))
}

/// Copies a file if it differs, so that what depends on its time is not built again.
pub(crate) fn place(from: &Path, to: &Path) -> Result<(), Failure> {
    let bytes = fs::read(from)
        .map_err(|e| Failure::new(format!("the build gave no {}: {e}", from.display()), ""))?;
    if fs::read(to).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    if let Some(dir) = to.parent() {
        fs::create_dir_all(dir).map_err(|e| unwritable(dir, &e))?;
    }
    // A running program's file cannot be written over; it can be replaced.
    let _ = fs::remove_file(to);
    fs::copy(from, to).map_err(|e| unwritable(to, &e))?;
    Ok(())
}

fn unwritable(path: &std::path::Path, error: &std::io::Error) -> Failure {
    Failure::new(
        format!("{} cannot be written: {error}", path.display()),
        "SIDESTAGE_CACHE=DIR takes another folder for build results.",
    )
}
