//! The wasm modules: the engine in four variants, and text.

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

/// wasm has no dispatch at run time: a module with an unknown feature fails to compile, so every set
/// of features is a file of its own.
const VARIANTS: [Variant; 4] = [
    Variant { name: "simd", features: "+simd128", threads: false, profile: "release" },
    Variant {
        name: "relaxed",
        features: "+simd128,+relaxed-simd",
        threads: false,
        profile: "release",
    },
    Variant { name: "simd-threads", features: "+simd128", threads: true, profile: "release" },
    Variant {
        name: "relaxed-threads",
        features: "+simd128,+relaxed-simd",
        threads: true,
        profile: "release",
    },
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
    let total = VARIANTS.len() + 1;
    for (index, variant) in VARIANTS.iter().enumerate() {
        let what = format!("wasm {}/{total}: engine, {}", index + 1, variant.name);
        one(
            project,
            "sidestage-web",
            variant,
            &out.join(format!("sidestage-{}.wasm", variant.name)),
            &what,
        )?;
    }
    let text = Variant { name: "text", features: "+simd128", threads: false, profile: "text" };
    one(
        project,
        "sidestage-web-text",
        &text,
        &out.join("sidestage-text.wasm"),
        &format!("wasm {total}/{total}: text"),
    )
}

/// Builds the modules of `bench/kernels`; gives their folder.
pub(crate) fn bench(project: &Project) -> Result<PathBuf, Failure> {
    let out = project.cache.join("wasm-bench");
    fs::create_dir_all(&out).map_err(|e| unwritable(&out, &e))?;
    for variant in VARIANTS.iter().filter(|variant| variant.threads) {
        let file = format!("bench-kernels-{}.wasm", variant.name);
        let what = format!("wasm: benchmarks of kernels, {}", variant.name);
        one(project, "bench-kernels", variant, &out.join(file), &what)?;
    }
    Ok(out)
}

fn one(
    project: &Project,
    package: &str,
    variant: &Variant,
    file: &Path,
    what: &str,
) -> Result<(), Failure> {
    // One target folder per variant: their flags differ, and cargo would rebuild all on each change.
    let target = project.cache.join("wasm-target").join(variant.name);
    let mut flags = format!("-C target-feature={}", variant.features);
    let mut args = vec!["build", "--profile", variant.profile, "--lib", "-p", package];
    args.extend(["--target", "wasm32-unknown-unknown"]);
    if variant.threads {
        // The ready-made std has no atomics, so std is built too.
        flags.push_str(",+atomics,+bulk-memory,+mutable-globals");
        for link in SHARED {
            flags.push_str(" -C link-arg=");
            flags.push_str(link);
        }
    }
    if variant.profile == "text" {
        // Nobody hears its panics, so it traps without a word: 26 KB less with brotli.
        flags.push_str(" -Zunstable-options -Cpanic=immediate-abort");
    }
    let own_std = variant.threads || variant.profile == "text";
    if own_std {
        args.extend(["-Z", "build-std=std,panic_abort"]);
    }
    let mut command = program("cargo", &args, &project.root);
    command.env("CARGO_TARGET_DIR", &target).env("RUSTFLAGS", &flags);
    command.env_remove("CARGO_ENCODED_RUSTFLAGS");
    if own_std {
        // On stable it needs this switch.
        command.env("RUSTC_BOOTSTRAP", "1");
    } else {
        command.env_remove("RUSTC_BOOTSTRAP");
    }
    run(&mut command, what)?;
    let folder = target.join("wasm32-unknown-unknown").join(variant.profile);
    place(&folder.join(package.replace('-', "_") + ".wasm"), file)
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
