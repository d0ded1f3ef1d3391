"""Reads the questions and the facts that their answers must have."""

from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
TALK = {"greet", "mood", "thanks", "bye", "sad", "joke", "name"}

Fact = list[str]


@dataclass(frozen=True)
class Question:
    """User turns, of which the last is graded. A fact is a list of accepted wordings."""

    topic: str
    turns: list[str]
    facts: list[Fact]
    forbidden: list[str]
    code: bool

    @property
    def part(self) -> str:
        return "off-topic" if self.topic == "refuse" else "small talk" if self.topic in TALK else "Sidestage"


def rows(name: str) -> list[list[str]]:
    """The lines of a file, cut at ` |`."""
    lines = (HERE / name).read_text(encoding="utf-8").split("\n")
    return [[cell.strip() for cell in line.split(" |")] for line in lines if line and not line.startswith("#")]


def facts(cell: str) -> list[Fact]:
    return [[wording.strip() for wording in fact.split(" ^ ")] for fact in cell.split(" & ")] if cell else []


def table() -> dict[str, tuple[list[Fact], list[str], bool]]:
    """What an answer on each topic must have and must not have, and whether it must show code."""
    return {row[0]: (facts(row[1]), [word.strip() for word in row[2].split(" ^ ") if word.strip()], row[3] == "code") for row in rows("facts.txt")}


def questions(name: str) -> list[Question]:
    known = table()
    found = []
    for topic, text, more in rows(name):
        must, forbidden, code = known[topic]
        found.append(Question(topic, text.split(" / "), must + facts(more.lower()), forbidden, code))
    return found
