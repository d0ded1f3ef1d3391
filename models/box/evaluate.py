"""Asks the model through the engine, greedily, and grades its answers.

    python evaluate.py box.gguf --engine PATH_OF_sidestage [--questions questions.txt] [--report report.json]
        [--sample evaluation/sample.json] [--table evaluation/RESULTS.md]

It needs only the standard library, the `sidestage` command and Node, which says
whether code parses. `test_evaluation.py` tests the grader. `--sample` writes some of
the questions that were answered rightly, with their facts, for the tests of the engine;
`--table` writes the results of each topic.
"""

import argparse
import hashlib
import json
import subprocess
from collections import Counter

from evaluation.grade import POINTING, REFUSING, fault
from evaluation.questions import Question, questions

MOST_TOKENS = 220
# How many questions of each part the engine's tests ask.
SAMPLE = {"Sidestage": 18, "small talk": 2, "off-topic": 6}


def ask(engine: str, model: str, messages: list[dict]) -> str:
    """The engine's greedy answer to a conversation."""
    command = [engine, "generate", "--model", model, "--messages", json.dumps(messages), "--greedy", "--max-tokens", str(MOST_TOKENS), "--threads", "1", "--json"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(run.stdout)["text"]


def chat(engine: str, model: str, turns: list[str]) -> str:
    """The answer to the last turn; the model's own answers stand between."""
    messages: list[dict] = []
    for turn in turns:
        messages.append({"role": "user", "content": turn})
        messages.append({"role": "assistant", "content": ask(engine, model, messages)})
    return messages[-1]["content"]


def sample(right: list[Question]) -> str:
    """Questions of one turn, spread over the topics, as JSON."""
    chosen = []
    for part, count in SAMPLE.items():
        mine = {q.topic if part != "off-topic" else q.turns[0]: q for q in right if q.part == part and len(q.turns) == 1}
        chosen += list(mine.values())[:: max(1, len(mine) // count)][:count]
    rows = [{"messages": [{"role": "user", "content": q.turns[0]}], "facts": [REFUSING, POINTING] if q.topic == "refuse" else q.facts, "forbidden": q.forbidden} for q in chosen]
    return "[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n"


def table(model: str, report: list[dict]) -> str:
    """The results as Markdown: of each part, of each topic, and what went wrong."""
    with open(model, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()

    def rows(key: str) -> list[str]:
        names = dict.fromkeys(row[key] for row in report)
        return [f"| {name} | {sum(r[key] == name for r in report)} | {sum(r[key] == name and r['fault'] is None for r in report)} |" for name in names]

    right = sum(row["fault"] is None for row in report)
    lines = ["# Evaluation of `box.gguf`", "", f"SHA-256 `{digest}`. Greedy, through the engine: {right} of {len(report)} right, {100 * right / len(report):.1f} %. Written by `evaluate.py`.", ""]
    for head, key in (("part", "part"), ("topic", "topic")):
        lines += [f"| {head} | questions | right |", "|---|--:|--:|", *rows(key), ""]
    lines += ["## Wrong", "", *(f"* {' / '.join(r['question'])} ({r['topic']}: {r['fault']})" for r in report if r["fault"])]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--engine", required=True)
    parser.add_argument("--questions", default="questions.txt")
    parser.add_argument("--report")
    parser.add_argument("--sample")
    parser.add_argument("--table")
    args = parser.parse_args()

    right, asked, report, passed = Counter(), Counter(), [], []
    for question in questions(args.questions):
        answer = chat(args.engine, args.model, question.turns)
        why = fault(question, answer)
        report.append({"part": question.part, "topic": question.topic, "question": question.turns, "answer": answer, "fault": why})
        asked[question.part] += 1
        right[question.part] += why is None
        if why is None:
            passed.append(question)
        else:
            print(f"[{question.topic}] {' / '.join(question.turns)}\n    {why}: {answer!r}", flush=True)
    for part in asked:
        print(f"{part}: {right[part]} of {asked[part]} right")
    print(f"all: {sum(right.values())} of {sum(asked.values())} right, {100 * sum(right.values()) / sum(asked.values()):.1f} %")
    if args.table:
        with open(args.table, "w", encoding="utf-8") as file:
            file.write(table(args.model, report))
    if args.sample:
        with open(args.sample, "w", encoding="utf-8") as file:
            file.write(sample(passed))
    if args.report:
        with open(args.report, "w", encoding="utf-8") as file:
            json.dump(report, file, indent=1, ensure_ascii=False)


if __name__ == "__main__":
    main()
