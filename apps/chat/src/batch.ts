/**
 * Gathers pieces of an answer and hands them over once a frame, so that a fast model costs the page
 * one render a frame and not one a token. A hidden page has no frames: `end` hands over the rest.
 */
export class FrameBatch {
  #text = "";
  #reasoning = "";
  #frame = 0;
  readonly #give: (text: string, reasoning: string) => void;

  constructor(give: (text: string, reasoning: string) => void) {
    this.#give = give;
  }

  add(text: string, reasoning: string): void {
    this.#text += text;
    this.#reasoning += reasoning;
    if (this.#frame === 0) this.#frame = requestAnimationFrame(() => this.#flush());
  }

  end(): void {
    cancelAnimationFrame(this.#frame);
    this.#flush();
  }

  #flush(): void {
    this.#frame = 0;
    const [text, reasoning] = [this.#text, this.#reasoning];
    this.#text = "";
    this.#reasoning = "";
    if (text !== "" || reasoning !== "") this.#give(text, reasoning);
  }
}
