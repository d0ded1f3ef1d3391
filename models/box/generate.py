"""Writes the dialogues that the model in the box learns from.

    python generate.py --out corpus.jsonl [--held-out held-out.txt] [--count 120000] [--seed 1]

Each line of `corpus.jsonl` is one dialogue: a JSON list of [role, text] pairs.
Dialogues are distinct; the held-out ones, written as the chat template renders them, are not among
them. One that has a form of a question of the evaluation is left out (`check_forms.py`). Only the standard library is needed, and the same seed gives the same text.
"""

import argparse
import json
import random

from check_forms import MOST_SHARED, Forms
from dialogues import answering, chatter, failing, itself, loading, running, smalltalk, stories, sums, unknown

SIDESTAGE = [topic.intent() for topic in (*itself.TOPICS, *loading.TOPICS, *answering.TOPICS, *running.TOPICS, *failing.TOPICS)]
# The share of each part among the turns.
PARTS = [(SIDESTAGE, 0.57), (unknown.INTENTS, 0.25), (chatter.INTENTS, 0.10), (smalltalk.INTENTS, 0.05), (stories.INTENTS, 0.015), (sums.INTENTS, 0.015)]

SYSTEM = [
    "You are a helpful assistant.", "You are a friendly assistant.", "You are Sidestage's model in the box.", "Be helpful and kind.", "Answer in plain English.",
    "You are a small and honest chat model.", "You are a chat model that runs in a browser.", "You are an AI assistant.", "Be honest about what you do not know.", "Chat with the user.",
    "You are a helpful, harmless and honest assistant.", "You are a very small language model. Be friendly.", "Help the user.", "Answer the questions of the user.", "You are a polite assistant. Use whole sentences.",
]
Dialogue = list[tuple[str, str]]


def dialogue(rng: random.Random) -> Dialogue:
    """One chat of one to about four exchanges, with or without a system prompt."""
    memory: dict = {}
    wanted = 1 if rng.random() < 0.95 else rng.choice([2, 2, 2, 3, 3, 4])
    turns: Dialogue = [("system", rng.choice(SYSTEM))] if rng.random() < 0.06 else []
    made = 0
    while made < wanted:
        if made == 0 and wanted > 1 and rng.random() < 0.2:
            part = smalltalk.INTENTS[:1]
        elif memory and rng.random() < 0.25:
            part = smalltalk.INTENTS[-4:]
        else:
            part = rng.choices([p for p, _ in PARTS], [w for _, w in PARTS])[0]
        intent = rng.choices(part, [i.weight for i in part])[0]
        for ask, answer in intent.make(rng, memory):
            turns += [("user", ask), ("assistant", answer)]
            made += 1
    return turns


def rendered(turns: Dialogue) -> str:
    """The dialogue as the chat template renders it."""
    return "".join(f"<|{role}|>{text}<|end|>" for role, text in turns)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True)
    parser.add_argument("--held-out")
    parser.add_argument("--held-out-bytes", type=int, default=50_000)
    parser.add_argument("--count", type=int, default=120_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    rng = random.Random(args.seed)
    seen: set[str] = set()
    forms = Forms("questions.txt")

    def fresh() -> Dialogue:
        while True:
            turns = dialogue(rng)
            text = rendered(turns)
            shares = any(part > MOST_SHARED for role, said in turns if role == "user" for part in forms.shared(said).values())
            if text not in seen and not shares:
                seen.add(text)
                return turns

    if args.held_out:
        size = 0
        with open(args.held_out, "w", encoding="utf-8") as file:
            while size < args.held_out_bytes:
                text = rendered(fresh())
                size += len(text.encode())
                file.write(text + "<|endoftext|>\n")
    characters = 0
    with open(args.out, "w", encoding="utf-8") as file:
        for _ in range(args.count):
            turns = fresh()
            characters += sum(len(text) for _, text in turns)
            file.write(json.dumps(turns, ensure_ascii=False) + "\n")
    print(f"{args.count} dialogues, {characters} characters")


if __name__ == "__main__":
    main()
