/** `@huggingface/tokenizers`. */
import { Tokenizer } from "@huggingface/tokenizers";

export function prepare() {
  return (bytes) => {
    const json = JSON.parse(new TextDecoder().decode(bytes));
    const tokenizer = new Tokenizer(json, {});
    return (text) => tokenizer.encode(text, { add_special_tokens: false }).ids;
  };
}
