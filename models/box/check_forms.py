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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus")
    parser.add_argument("--questions", default="questions.txt")
    args = parser.parse_args()
    held = [question.turns[-1] for question in questions(args.questions)]
    holders = defaultdict(list)
    for at, text in enumerate(held):
        for triple in triples(text):
            holders[triple].append(at)
    skeletons = defaultdict(list)
    for at, text in enumerate(held):
        if sum(word != "*" for word in skeleton(text).split()) >= 3:
            skeletons[skeleton(text)].append(at)
    taken = defaultdict(list)
    for at, text in enumerate(held):
        for phrase in phrases(text):
            taken[phrase].append(at)
    worst: dict[int, tuple[float, str]] = {}
    same: dict[int, str] = {}
    asked = set()
    with open(args.corpus, encoding="utf-8") as file:
        for line in file:
            asked.update(text for role, text in json.loads(line) if role == "user")
    for text in asked:
        shared = Counter(at for triple in triples(text) for at in holders.get(triple, ()))
        for at, count in shared.items():
            part = count / len(triples(held[at]))
            if part > worst.get(at, (0.0, ""))[0]:
                worst[at] = (part, text)
        for at in skeletons.get(skeleton(text), ()):
            same[at] = text
        for phrase in phrases(text) & taken.keys():
            for at in taken[phrase]:
                same[at] = text
    bad = 0
    for at, text in enumerate(held):
        part, other = worst.get(at, (0.0, ""))
        if at in same or part > MOST_SHARED:
            bad += 1
            print(f"{text!r}: " + (f"a form or phrase of {same[at]!r}" if at in same else f"{part:.2f} of its triples stand in {other!r}"))
    print(f"{len(held)} questions, {len(asked)} in the corpus; {bad} have a form that is trained on; at most {max((p for p, _ in worst.values()), default=0):.2f} of the triples of one stand in one question")
    raise SystemExit(bad > 0)


if __name__ == "__main__":
    main()
