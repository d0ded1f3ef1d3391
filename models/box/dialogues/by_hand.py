"""Questions written one by one, each in other words than the others: lines of `topic | question` in `by_hand/*.txt`."""

from collections import defaultdict
from pathlib import Path

BY_HAND: dict[str, list[str]] = defaultdict(list)
for path in sorted(Path(__file__).with_suffix("").glob("*.txt")):
    for line in path.read_text(encoding="utf-8").splitlines():
        topic, question = line.split(" | ", 1)
        BY_HAND[topic].append(question)
