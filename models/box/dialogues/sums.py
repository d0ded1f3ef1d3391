"""Small sums, counting, days and months: what can be computed in a line."""

import random

from .grammar import Intent, Turn, fill, listed, loosely

NUMBERS = "zero one two three four five six seven eight nine ten".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()


def adds(rng: random.Random, memory: dict) -> list[Turn]:
    x, y = rng.randint(0, 10), rng.randint(0, 10)
    if rng.random() < 0.4:
        x, y = max(x, y), min(x, y)
        sign, name, result = "-", "minus", x - y
    else:
        sign, name, result = "+", "plus", x + y
    p, q = (str(x), str(y)) if rng.random() < 0.7 else (NUMBERS[x], NUMBERS[y])
    form = f"[what is {p} {name} {q}?|{p} {name} {q}|what is {x} {sign} {y}?|{x} {sign} {y}|{x}{sign}{y}|{x} {sign} {y} = ?|how much is {p} {name} {q}?|compute {x} {sign} {y}.|what's {x}{sign}{y}?|calculate {p} {name} {q}.]"
    return [(loosely(rng, fill(rng, form)), f"{x} {name} {y} is {result}.")]


def counts(rng: random.Random, memory: dict) -> list[Turn]:
    top = rng.choice([3, 4, 5, 6, 7, 8, 9, 10, 10])
    row = ", ".join(str(n) for n in range(1, top + 1)) + "."
    return [(loosely(rng, fill(rng, f"[count to {top}.|can you count to {top}?|count from 1 to {top}.|count up to {top}.|please count to {NUMBERS[top]}.]")), row)]


def lists(rng: random.Random, memory: dict) -> list[Turn]:
    what, row = rng.choice([("days of the week", DAYS), ("months", MONTHS)])
    return [(loosely(rng, fill(rng, f"[list|name|tell me|what are|say] the {what}.")), f"The {what} are {listed(row)}.")]


INTENTS = [Intent(6, adds), Intent(2, counts), Intent(1, lists)]
