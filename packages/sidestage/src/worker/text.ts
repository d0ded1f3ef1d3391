import { SidestageError } from "../errors.js";
import type { TextExports } from "./exports.js";

/** What the engine imports of text. */
export type TextImports = Record<
  "text" | "text_len" | "text_take",
  (...args: number[]) => number
>;

/** An engine asks something of text, which it was started without. It must not be used any more. */
export class TextWanted extends SidestageError {
  constructor() {
    super("ENGINE_CRASHED", "the engine was started without its text module");
  }
}

const wanted = (): never => {
  throw new TextWanted();
};
/** Imports of an engine that is started without text, as most graphs have none. */
export const NO_TEXT: TextImports = { text: wanted, text_len: wanted, text_take: wanted };

/** The text module of one model, as the engine's imports see it. */
export class TextLink {
  readonly #text: TextExports;
  readonly #engine: () => ArrayBufferLike;

  /** `engine`: the engine's memory, which may be shared and may move when it grows. */
  constructor(text: TextExports, engine: () => ArrayBufferLike) {
    this.#text = text;
    this.#engine = engine;
  }

  /** Bytes of the text module's memory. */
  get bytes(): number {
    return this.#text.memory.buffer.byteLength;
  }

  /** Imports of the engine. */
  imports(): TextImports {
    const text = this.#text;
    return {
      text: (op = 0, ptr = 0, len = 0) => {
        const at = text.alloc(len) >>> 0;
        if (at === 0 && len > 0) return 1;
        new Uint8Array(text.memory.buffer, at, len).set(
          new Uint8Array(this.#engine(), ptr >>> 0, len >>> 0),
        );
        const failed = text.call(op, at, len);
        text.free(at, len);
        return failed;
      },
      text_len: () => text.result_len(),
      text_take: (ptr = 0) => {
        const result = new Uint8Array(
          text.memory.buffer,
          text.result_ptr() >>> 0,
          text.result_len() >>> 0,
        );
        new Uint8Array(this.#engine(), ptr >>> 0, result.length).set(result);
        return 0;
      },
    };
  }
}
