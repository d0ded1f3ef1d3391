/**
 * Native llama.cpp, the honest bar: built once for AVX2 as its releases run on most machines (no VNNI,
 * no AVX-512), from the source that `llama-cpp-python` on PyPI carries.
 *
 *     node bench/llamacpp.mjs        # builds it and prints where it is
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { median } from "./report.mjs";

export const SOURCE = "llama_cpp_python-0.3.36";

const FLAGS = [
  "-DCMAKE_BUILD_TYPE=Release",
  "-DBUILD_SHARED_LIBS=OFF",
  "-DGGML_NATIVE=OFF",
  "-DGGML_AVX2=ON",
  "-DGGML_FMA=ON",
  "-DGGML_F16C=ON",
  "-DGGML_AVX_VNNI=OFF",
  "-DGGML_AVX512=OFF",
  "-DGGML_OPENMP=OFF",
  "-DLLAMA_CURL=OFF",
  "-DLLAMA_OPENSSL=OFF",
  "-DLLAMA_BUILD_TESTS=OFF",
  "-DLLAMA_BUILD_EXAMPLES=OFF",
  "-DLLAMA_BUILD_SERVER=OFF",
  "-DLLAMA_BUILD_COMMON=ON",
  "-DLLAMA_BUILD_TOOLS=ON",
];

const ROOT = process.env.SIDESTAGE_CACHE
  ? join(process.env.SIDESTAGE_CACHE, "llama.cpp", SOURCE)
  : fileURLToPath(new URL(`models/llama.cpp/${SOURCE}`, import.meta.url));

function run(program, args) {
  const { status, error } = spawnSync(program, args, {
    stdio: ["ignore", process.stderr, process.stderr],
  });
  if (error) throw new Error(`${program} could not be started: ${error.message}`);
  if (status !== 0) throw new Error(`${program} ${args.join(" ")} failed`);
}

/** Builds a target of llama.cpp in a folder of its own, which `place` may take from before it goes. */
function build(target, place) {
  const work = join(ROOT, "work");
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  const tools = join(work, "tools");
  run("python3", ["-m", "venv", tools]);
  const tool = (name) => join(tools, "bin", name);
  const pip = (...args) => run(tool("python"), ["-m", "pip", "--quiet", ...args]);
  pip("install", "cmake==4.1.2", "ninja==1.13.0");
  const [name, version] = SOURCE.split("-");
  pip("download", "--no-deps", `--no-binary=${name}`, "--dest", work, `${name}==${version}`);
  const [archive] = readdirSync(work).filter((file) => file.endsWith(".tar.gz"));
  run("tar", ["-xzf", join(work, archive), "-C", work]);
  const source = join(work, SOURCE, "vendor", "llama.cpp");
  const built = join(work, "build");
  run(tool("cmake"), [
    ...["-S", source, "-B", built, "-G", "Ninja", ...FLAGS],
    `-DCMAKE_MAKE_PROGRAM=${tool("ninja")}`,
  ]);
  // Low priority: nothing is measured now, and others may want the machine.
  run("nice", ["-n", "10", tool("cmake"), "--build", built, "--target", target]);
  place(source, built);
  rmSync(work, { recursive: true, force: true });
}

/** Builds `llama-bench`, unless it is there. Gives its path. */
export function llamaBench() {
  const binary = join(ROOT, "llama-bench");
  if (!existsSync(binary)) {
    build("llama-bench", (_, built) => renameSync(join(built, "bin", "llama-bench"), binary));
  }
  return binary;
}

/** Builds `llamacpp/loss.cpp` on llama.cpp's library, unless it is there. Gives its path. */
export function llamaLoss() {
  const program = fileURLToPath(new URL("llamacpp/loss.cpp", import.meta.url));
  const hash = createHash("sha256").update(readFileSync(program)).digest("hex").slice(0, 8);
  const binary = join(ROOT, `loss-${hash}`);
  if (!existsSync(binary)) {
    build("llama", (source, built) => {
      const include = ["include", "ggml/include"].map((folder) => `-I${join(source, folder)}`);
      const libraries = ["src/libllama", "ggml/src/libggml", "ggml/src/libggml-cpu"];
      const paths = [...libraries, "ggml/src/libggml-base"].map((it) => join(built, `${it}.a`));
      run("c++", ["-O2", ...include, program, ...paths, "-ldl", "-lpthread", "-o", binary]);
    });
  }
  return binary;
}

/** Runs it thrice: tokens/s, medians, by default of two prompts and of 32 tokens of answer. */
export function native(model, threads, what = ["-p", "128,512", "-n", "32"]) {
  const args = ["-m", model, "-t", String(threads), "-r", "3", ...what];
  const { stdout, status, error } = spawnSync(llamaBench(), [...args, "-o", "json"], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  if (error || status !== 0) throw new Error(`llama-bench failed: ${error?.message ?? status}`);
  const figures = {};
  for (const { n_prompt: prompt, n_gen: answer, samples_ts: speeds } of JSON.parse(stdout)) {
    figures[prompt > 0 ? `pp${prompt}` : `tg${answer}`] = median(speeds);
  }
  return figures;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(llamaBench());
