/**
 * The figures as people read them.
 */
import { METRICS, OURS, PEERS } from "./speed.mjs";

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export const short = (value) => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));

/**
 * Sidestage against the better peer, by metric: ratios of the same round, more than 1 where Sidestage
 * is better (faster, sooner, smaller).
 */
export function ratios(results) {
  const rows = [];
  for (const ours of results.filter(({ engine }) => engine === OURS)) {
    for (const { key, unit, more } of METRICS) {
      const mine = ours.samples[key];
      if (mine === undefined) continue;
      const peers = results.filter(
        (it) =>
          it.model === ours.model &&
          it.threads === ours.threads &&
          PEERS.includes(it.engine) &&
          it.samples[key] !== undefined,
      );
      const better = (a, b) =>
        (median(a.samples[key]) - median(b.samples[key])) * (more ? -1 : 1);
      const [best] = peers.sort(better);
      const row = {
        model: ours.model,
        threads: ours.threads,
        metric: key,
        unit,
      };
      row.values = Object.fromEntries(
        [ours, ...peers].map((it) => [it.engine, median(it.samples[key])]),
      );
      if (best !== undefined) {
        const theirs = best.samples[key];
        const rounds = mine.slice(0, theirs.length);
        const each = rounds.map((value, i) => (more ? value / theirs[i] : theirs[i] / value));
        row.peer = best.engine;
        row.ratio = median(each);
        row.least = Math.min(...each);
        row.most = Math.max(...each);
      }
      rows.push(row);
    }
  }
  return rows;
}

/** A Markdown table of the ratios, and a line per engine that failed. */
export function table(results) {
  const engines = [OURS, ...PEERS];
  const lines = [
    `| model | threads | what | ${engines.join(" | ")} | ratio (least … most) |`,
    `| --- | --- | --- | ${engines.map(() => "---:").join(" | ")} | --- |`,
  ];
  for (const row of ratios(results)) {
    const values = engines.map((engine) => {
      const value = row.values[engine];
      return value === undefined ? "–" : short(value);
    });
    const ratio =
      row.ratio === undefined
        ? "–"
        : `**${row.ratio.toFixed(2)}** (${row.least.toFixed(2)} … ${row.most.toFixed(2)})`;
    lines.push(
      `| ${row.model} | ${row.threads} | ${row.metric}, ${row.unit} | ${values.join(" | ")} | ${ratio} |`,
    );
  }
  for (const { model, threads, engine, error } of results) {
    if (error !== undefined)
      lines.push("", `${engine}, ${model}, ${threads} threads: ${error}`);
  }
  return lines.join("\n");
}
