"""Templates: `[a|b|]` picks one of the parts, `{slot}` is filled from a table."""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass

CHOICE = re.compile(r"\[([^\[\]]*)\]")
SLOT = re.compile(r"\{(\w+)\}")

Turn = tuple[str, str]


@dataclass(frozen=True)
class Intent:
    """One kind of exchange.

    `make(rng, memory)` gives one or more (user, assistant) turns. `memory` holds
    what the user has told about themselves earlier in the same dialogue.
    """

    weight: float
    make: Callable[[random.Random, dict], list[Turn]]


def fill(rng: random.Random, template: str, slots: dict[str, list[str]] | None = None) -> str:
    """Expands a template; the same slot name has the same value throughout."""
    chosen: dict[str, str] = {}

    def slot(match: re.Match) -> str:
        name = match[1]
        if name not in chosen:
            chosen[name] = rng.choice(slots[name])
        return chosen[name]

    while CHOICE.search(template):
        template = CHOICE.sub(lambda m: rng.choice(m[1].split("|")), template)
        if slots:
            template = SLOT.sub(slot, template)
    if slots:
        template = SLOT.sub(slot, template)
    return re.sub(r" +", " ", template).strip()


def said(weight: float, asks: list[str], answers: list[str], slots: dict[str, list[str]] | None = None) -> Intent:
    """An intent of fixed wording: any of `asks` is answered by any of `answers`.

    A slot that stands in both has the same value in both.
    """

    def make(rng: random.Random, memory: dict) -> list[Turn]:
        both = fill(rng, rng.choice(asks) + "\0" + rng.choice(answers), slots)
        ask, answer = both.split("\0")
        return [(misspell(rng, ask.strip()), capital(answer.strip()))]

    return Intent(weight, make)


def capital(text: str) -> str:
    """The text with its first letter in upper case."""
    return text[:1].upper() + text[1:]


def a(word: str) -> str:
    """The word with its indefinite article."""
    return ("an " if word[0] in "aeiou" and not word.startswith("uni") else "a ") + word


def listed(words: list[str], last: str = "and") -> str:
    """`a, b and c`."""
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + f" {last} " + words[-1]


def loosely(rng: random.Random, text: str) -> str:
    """The text as people type it: without capitals, without the last mark, with a plea.

    It changes no letters, so words that the answer must copy stay whole.
    """
    style = rng.random()
    if style < 0.12 and not text.lower().startswith(("hey", "hi", "hello", "ok", "please")):
        text = rng.choice(["please ", "hey, ", "hi, ", "ok, ", "so ", "well, ", "um, ", "now "]) + text[:1].lower() + text[1:]
    elif style < 0.17 and text[-1] in ".?!" and "please" not in text:
        text = text[:-1] + rng.choice([" please", ", please", " for me", " now"]) + text[-1]
    case = rng.random()
    if case < 0.40:
        text = text.lower()
    elif case < 0.85:
        text = capital(text)
    elif case < 0.855:
        text = text.upper()
    end = rng.random()
    if end < 0.30:
        text = text.rstrip(".?!") or text
    elif end < 0.36:
        text = text.rstrip(".?!") + rng.choice(["!", "?", "...", " ?", "!!", "??", "."])
    return text


def misspell(rng: random.Random, text: str) -> str:
    """Sometimes: a slip of the finger, or the short forms of chats."""
    chance = rng.random()
    if chance < 0.04:
        for long, short in (("you are", "u are"), ("are you", "are u"), ("your", "ur"), ("please", "pls"), ("you", "u"), ("what is", "whats"), ("cannot", "cant"), ("I am", "im"), ("do not", "dont")):
            if long in text and rng.random() < 0.6:
                text = text.replace(long, short)
    elif chance < 0.08 and len(text) > 5:
        at = rng.randrange(1, len(text) - 2)
        kind = rng.random()
        if kind < 0.35:
            text = text[:at] + text[at + 1] + text[at] + text[at + 2 :]
        elif kind < 0.7:
            text = text[:at] + text[at + 1 :]
        elif kind < 0.85:
            text = text[:at] + text[at] + text[at:]
        else:
            text = text.replace("'", "") if "'" in text else text[:at] + rng.choice("aeiorstn") + text[at + 1 :]
    elif chance < 0.16:
        for long, short in (("what is", "what's"), ("I am", "I'm"), ("cannot", "can't"), ("do not", "don't"), ("who is", "who's")):
            text = text.replace(long, short)
    return loosely(rng, text)
