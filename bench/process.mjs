/**
 * What Linux says of processes: memory of renderers, and who else used the machine. Elsewhere the
 * figures are null.
 */
import { readdirSync, readFileSync } from "node:fs";
import { setPriority } from "node:os";

function read(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // The process ended meanwhile, or this is not Linux.
    return "";
  }
}

function stat(pid) {
  const text = read(`/proc/${pid}/stat`);
  // The name in parentheses may hold spaces.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  return { parent: Number(fields[1]), ticks };
}

function numbersIn(folder) {
  try {
    return readdirSync(folder).filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}

/** This process and all that it started. */
function family() {
  const parents = new Map(numbersIn("/proc").map((pid) => [Number(pid), stat(pid).parent]));
  return [...parents.keys()].filter((pid) => {
    for (let at = pid; at > 1; at = parents.get(at) ?? 0) if (at === process.pid) return true;
    return false;
  });
}

/** Renderers of the browsers that this process started: `{ pid, now, peak }` in MB. */
export function renderers() {
  return family()
    .filter((pid) => read(`/proc/${pid}/cmdline`).includes("--type=renderer"))
    .map((pid) => {
      const status = read(`/proc/${pid}/status`);
      const megabytes = (name) =>
        (Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) * 1024) / 1e6;
      return { pid, now: megabytes("VmRSS"), peak: megabytes("VmHWM") };
    });
}

/** Starts to watch the machine; the function it gives says which share of it others used. */
export function watchOthers() {
  const whole = () =>
    read("/proc/stat").split("\n")[0].trim().split(/\s+/).slice(1, 9).map(Number);
  // Of processes that ended, too: nobody counts a renderer's time when its page is closed.
  const ours = new Map();
  const look = () => {
    for (const pid of family()) {
      const { ticks } = stat(pid);
      // It may have ended just now.
      if (ticks >= 0) ours.set(pid, Math.max(ours.get(pid) ?? 0, ticks));
    }
  };
  const sum = () => [...ours.values()].reduce((sum, ticks) => sum + ticks, 0);
  look();
  const before = { whole: whole(), ours: sum() };
  const timer = setInterval(look, 200);
  timer.unref();
  return () => {
    clearInterval(timer);
    look();
    const after = whole();
    if (after.length < 8) return null;
    const passed = after.map((ticks, at) => ticks - before.whole[at]);
    const total = passed.reduce((a, b) => a + b, 0);
    const busy = total - passed[3] - passed[4];
    return Math.max(0, (busy - (sum() - before.ours)) / total);
  };
}

/**
 * Sets the niceness of all threads of this process's family, now and every second: Chromium resets
 * what its processes inherit. Negative values need rights.
 */
export function keepNiceness(niceness) {
  const set = () => {
    for (const pid of family()) {
      for (const thread of numbersIn(`/proc/${pid}/task`)) {
        try {
          setPriority(Number(thread), niceness);
        } catch {
          // Ended meanwhile, or no right to.
        }
      }
    }
  };
  set();
  const timer = setInterval(set, 1000);
  return () => clearInterval(timer);
}
