import { invalidOption } from "./errors.js";
import type { Message } from "./message.js";

/** The text with lone surrogates replaced by U+FFFD: UTF-8 has no place for them. */
export function wellFormed(text: string): string {
  const own = (text as { toWellFormed?: () => string }).toWellFormed;
  return own ? own.call(text) : replaceSurrogates(text);
}

/** What `toWellFormed` does, for browsers without it. */
export function replaceSurrogates(text: string): string {
  return text.replace(/[\uD800-\uDBFF][\uDC00-\uDFFF]|[\uD800-\uDFFF]/g, (found) =>
    found.length === 2 ? found : "\uFFFD",
  );
}

/** Token ids as a plain array. */
export function tokenIds(option: string, given: unknown): number[] {
  if (!Array.isArray(given) && !(given instanceof Uint32Array)) {
    throw invalidOption(option, "must be text, an array of token ids or a Uint32Array");
  }
  const ids = Array.from(given as ArrayLike<unknown>);
  for (const [at, id] of ids.entries()) {
    if (typeof id !== "number" || !Number.isInteger(id) || id < 0 || id >= 2 ** 32) {
      throw invalidOption(option, `has ${String(id)} at ${at} where a token id must be`);
    }
  }
  return ids as number[];
}

/** Messages as plain data: checked, cloned, well-formed, text parts joined. */
export function plainMessages(given: unknown): Message[] {
  if (!Array.isArray(given) || given.length === 0) {
    throw invalidOption("messages", "must be an array with at least one message");
  }
  return given.map((message: unknown, at) => {
    const path = `messages[${at}]`;
    if (typeof message !== "object" || message === null) {
      throw invalidOption(path, "must be an object");
    }
    const { role, content } = message as Partial<Message>;
    if (typeof role !== "string") throw invalidOption(`${path}.role`, "must be a string");
    const rest = plain(message, path, 0) as Message;
    return { ...rest, content: contentOf(content, `${path}.content`) };
  });
}

// The parts of the AI SDK; templates want one string.
function contentOf(content: unknown, path: string): string {
  if (typeof content === "string") return wellFormed(content);
  if (content === null || content === undefined) return "";
  if (!Array.isArray(content)) throw invalidOption(path, "must be text");
  return content
    .map((part: unknown, at) => {
      const text = part as { type?: unknown; text?: unknown } | null;
      if (text?.type !== "text" || typeof text.text !== "string") {
        throw invalidOption(`${path}[${at}]`, "must be a text part; nothing else is read yet");
      }
      return wellFormed(text.text);
    })
    .join("");
}

/** What a chat template reads besides the messages, as plain data. */
export function templateOptions(given: { tools?: unknown; chatTemplateOptions?: unknown }): {
  tools: unknown[] | null;
  chatTemplateOptions: Record<string, unknown> | null;
} {
  const { tools, chatTemplateOptions: options } = given;
  if (tools != null && !Array.isArray(tools)) {
    throw invalidOption("tools", "must be an array of tools");
  }
  if (options != null && (typeof options !== "object" || Array.isArray(options))) {
    throw invalidOption("chatTemplateOptions", "must be an object of variables by name");
  }
  return {
    tools: tools == null ? null : (plain(tools, "tools", 0) as unknown[]),
    chatTemplateOptions:
      options == null
        ? null
        : (plain(options, "chatTemplateOptions", 0) as Record<string, unknown>),
  };
}

const DEEPEST = 64;

function plain(value: unknown, path: string, depth: number): unknown {
  if (depth > DEEPEST) throw invalidOption(path, "is nested too deeply");
  switch (typeof value) {
    case "string":
      return wellFormed(value);
    case "number":
    case "boolean":
    case "undefined":
      return value;
    case "object":
      break;
    default:
      throw invalidOption(path, `must be plain data, not a ${typeof value}`);
  }
  if (value === null) return null;
  if (Array.isArray(value)) {
    return value.map((item, at) => plain(item, `${path}[${at}]`, depth + 1) ?? null);
  }
  const out: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(value)) {
    if (field !== undefined) {
      // `__proto__` as an own field must stay one.
      Object.defineProperty(out, wellFormed(name), {
        value: plain(field, `${path}.${name}`, depth + 1),
        enumerable: true,
        configurable: true,
        writable: true,
      });
    }
  }
  return out;
}
