/** What is encoded, a few hundred KB each; no line is the same as another. */
const ENGLISH =
  "The quick brown fox jumps over the lazy dog, while 42 engineers don't measure what they haven't understood; it's a habit worth breaking.";
const CODE =
  "export function add(left: number, right: number): number {\n  // overflow is the caller's\n  return left + right;\n}\n";
const MANY =
  "Привет, мир! 你好，世界。こんにちは世界。مرحبا بالعالم. Γειά σου Κόσμε, naïve café über 😀🚀\n";

const numbered = (line, count) =>
  Array.from(
    { length: count },
    (_, at) => `${at * 7919} ${line} ${(at * 104729).toString(36)}`,
  ).join("\n");

export const TEXTS = {
  English: numbered(ENGLISH, 2000),
  code: numbered(CODE, 2000),
  "many languages": numbered(MANY, 1500),
};
