/** Data as text, with what JSON lacks. Sent to the page too, so it uses nothing around it. */
export function pack(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => {
    if (inner === undefined) return { $: "undefined" };
    if (typeof inner === "number" && !Number.isFinite(inner)) return { $: String(inner) };
    return ArrayBuffer.isView(inner) ? Array.from(inner as Uint8Array) : inner;
  });
}

/** What `pack` was given. */
export function unpack(text: string): unknown {
  const restore = (value: unknown): unknown => {
    if (typeof value !== "object" || value === null) return value;
    if (Array.isArray(value)) return value.map(restore);
    const { $: special } = value as { $?: string };
    if (special !== undefined) return special === "undefined" ? undefined : Number(special);
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [key, restore(inner)]),
    );
  };
  return restore(JSON.parse(text));
}

interface Ending {
  value?: unknown;
  error?: string;
  /** What the page's own recorder heard since the last time. */
  console?: string[];
}

/**
 * The text of a function that runs `body`: from the packed argument to a promise of the packed
 * ending. For protocols whose own data is poorer.
 */
export function wrapped(body: (argument: never) => unknown): string {
  return `async (argument) => {
    const pack = ${pack};
    const unpack = ${unpack};
    const ending = {};
    try {
      ending.value = await (${body})(unpack(argument));
    } catch (error) {
      ending.error = String(error) + "\\n" + (error?.stack ?? "");
    }
    ending.console = window.record?.console.splice(0);
    return pack(ending);
  }`;
}

/** The result of a wrapped function; throws what it threw. */
export function opened<T>(text: string, onConsole?: (line: string) => void): T {
  const { value, error, console = [] } = unpack(text) as Ending;
  if (onConsole) console.forEach(onConsole);
  if (error !== undefined) throw new Error(`in the page: ${error}`);
  return value as T;
}
