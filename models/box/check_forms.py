"""Checks that no question of the evaluation has a form that the dialogues have.

    python check_forms.py corpus.jsonl [--questions questions.txt]

Three things are compared with every question of the corpus. The skeleton: the
question with each run of other words than those of `FORM` as one `*`; with fewer
than three words of `FORM` it is no template but any short sentence. The word
triples, with marks for start and end: at most half of them may stand in any one
question of the corpus. And the runs of four words, three of them not in `FORM`:
none may stand in the corpus.
"""

import argparse
import json
import re
from collections import Counter, defaultdict

from evaluation.questions import questions

FORM = set("a an the this that these those i you he she it we they me my your our their its him her them us mine yours is are was were be been being am do does did done have has had can could will would shall should may might must what which who whom whose when where why how whether if of in on at by to for from with without into onto out up down off over under about after before between and or but so than then as not no yes any some all each every one more most other another such only just also too very much many there here please want need like help tell show explain know mean use get make way".split())
MOST_SHARED = 0.5


def words(text: str) -> list[str]:
    return re.findall(r"[\w']+", text.lower())


def skeleton(text: str) -> str:
    parts = [w if w in FORM else "*" for w in words(text)]
    return " ".join(w for at, w in enumerate(parts) if w != "*" or at == 0 or parts[at - 1] != "*")


def triples(text: str) -> set[tuple[str, ...]]:
    row = ["^", "^", *words(text), "$", "$"]
    return set(zip(row, row[1:], row[2:]))


def phrases(text: str) -> set[tuple[str, ...]]:
    """Runs of four words with at most one of `FORM`."""
    row = words(text)
    return {run for run in zip(row, row[1:], row[2:], row[3:]) if sum(w in FORM for w in run) <= 1}


class Forms:
    """The forms of the questions in a file, which no question of the corpus may have."""

    def __init__(self, path: str) -> None:
        self.held = [question.turns[-1] for question in questions(path)]
        self.triples = [triples(text) for text in self.held]
        self.holders = defaultdict(list)
        self.skeletons = {skeleton(text): at for at, text in enumerate(self.held) if sum(word != "*" for word in skeleton(text).split()) >= 3}
        self.phrases = {phrase: at for at, text in enumerate(self.held) for phrase in phrases(text)}
        for at, row in enumerate(self.triples):
            for triple in row:
                self.holders[triple].append(at)

    def shared(self, text: str) -> dict[int, float]:
        """The questions that share with `text`, and how much: the part of their triples, or 1 for a form or a phrase."""
        count = Counter(at for triple in triples(text) for at in self.holders.get(triple, ()))
        parts = {at: number / len(self.triples[at]) for at, number in count.items()}
        if (form := skeleton(text)) in self.skeletons:
            parts[self.skeletons[form]] = 1.0
        return parts | {self.phrases[phrase]: 1.0 for phrase in phrases(text) & self.phrases.keys()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus")
    parser.add_argument("--questions", default="questions.txt")
    args = parser.parse_args()
    forms = Forms(args.questions)
    with open(args.corpus, encoding="utf-8") as file:
        asked = {text for line in file for role, text in json.loads(line) if role == "user"}
    worst: dict[int, tuple[float, str]] = {}
    for text in asked:
        for at, part in forms.shared(text).items():
            worst[at] = max(worst.get(at, (0.0, "")), (part, text))
    bad = {at: found for at, found in worst.items() if found[0] > MOST_SHARED}
    for at, (part, text) in bad.items():
        print(f"{forms.held[at]!r}: {part:.2f} of it stands in {text!r}")
    print(f"{len(forms.held)} questions, {len(asked)} in the corpus; {len(bad)} have a form that is trained on; at most {max((p for p, _ in worst.values()), default=0):.2f} of the triples of one stand in one question")
    raise SystemExit(bool(bad))


if __name__ == "__main__":
    main()
