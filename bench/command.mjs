/**
 * The native command, `sidestage generate`: the engine without a browser.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const BINARY =
  process.env.SIDESTAGE_BINARY ??
  fileURLToPath(new URL("../target/release/sidestage", import.meta.url));

function generate(model, threads, prompt, answer) {
  const tokens = Array.from({ length: prompt }, (_, at) => 300 + ((at * 7919) % 48000));
  const { stdout, status, error } = spawnSync(
    BINARY,
    [
      ...["generate", "--model", model, "--threads", String(threads)],
      ...["--tokens", tokens.join(), "--max-tokens", String(answer)],
      ...["--greedy", "--ignore-eos", "--context-length", "1024", "--json"],
    ],
    { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] },
  );
  if (error || status !== 0) throw new Error(`${BINARY} failed: ${error?.message ?? status}`);
  return JSON.parse(stdout).timings;
}

/**
 * Tokens/s of two prompts and of 32 tokens of answer, by the command's clock: from the request, with the
 * model loaded, to the first token, and from there. As llama-bench's, but nothing is warmed up before.
 */
export function command(model, threads) {
  const short = generate(model, threads, 128, 33);
  const long = generate(model, threads, 512, 1);
  return {
    pp128: 128000 / short.timeToFirstTokenMs,
    pp512: 512000 / long.timeToFirstTokenMs,
    tg32: short.decodeTokensPerSecond,
  };
}
