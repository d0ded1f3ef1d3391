"""A topic: one thing that people ask about, the forms of asking, and right answers."""

import random
from dataclasses import dataclass

from .by_hand import BY_HAND
from .everyday import EVERYDAY
from .frames import CODES, THINGS, TROUBLES, WISHES, around, asked, loose, shaken
from .grammar import Intent, Turn, fill
from .lexicon import HINTS
from .spoken import SPOKEN
from .wishes import MORE

SHOW = "[show me the code.|show me code.|can you show me that in code?|an example please.|give me an example.|how does that look in code?|code?|example?|in code?|could I see an example?|and the code?|can I see the code?|what does the code look like?|show an example|do you have an example?|snippet please]"


@dataclass(frozen=True)
class Topic:
    """`wish` are verb phrases, `thing` noun phrases, `trouble` sentences, `ask` whole questions.

    Each is a template of `grammar.fill`. `code` closes the answer where it is given.
    """

    name: str
    weight: float
    answers: list[str]
    ask: tuple[str, ...] = ()
    wish: tuple[str, ...] = ()
    thing: tuple[str, ...] = ()
    trouble: tuple[str, ...] = ()
    code: str = ""

    def answer(self, rng: random.Random) -> str:
        text = fill(rng, rng.choice(self.answers))
        return text + (f"\n```js\n{self.code.strip()}\n```" if self.code else "")

    def question(self, rng: random.Random) -> str:
        wish = self.wish + tuple(MORE[self.name].split("|")) if self.name in MORE else self.wish
        kinds = [(self.ask, 1.0 + 0.06 * len(self.ask)), (wish, 1.6 + 0.03 * len(wish)), (self.thing, 0.9 if self.thing else 0), (self.trouble, 0.9 if self.trouble else 0)]
        hints = tuple(f"{HINTS.get(self.name, '')}|{EVERYDAY.get(self.name, '')}".strip("|").split("|")) if self.name in HINTS or self.name in EVERYDAY else ()
        kinds.append((hints, 0.5 + 0.09 * len(hints)))
        spoken = tuple(SPOKEN[self.name].split("|")) if self.name in SPOKEN else ()
        kinds.append((spoken, 0.5 + 0.1 * len(spoken)))
        by_hand = tuple(BY_HAND[self.name])
        kinds.append((by_hand, 0.1 * len(by_hand)))
        kinds = [(forms, weight) for forms, weight in kinds if forms]
        forms = rng.choices([f for f, _ in kinds], [w for _, w in kinds])[0]
        form = rng.choice(forms)
        if forms is wish:
            return asked(rng, rng.choice(CODES if self.code and rng.random() < 0.18 else WISHES), form)
        if forms is self.thing:
            return asked(rng, rng.choice(THINGS), form)
        if forms is self.trouble:
            return asked(rng, rng.choice(TROUBLES), form)
        if forms is hints:
            return loose(rng, hints)
        # What was written by hand is no template: its brackets are code.
        return shaken(rng, around(rng, form if forms is by_hand else fill(rng, form)))

    def intent(self) -> Intent:
        def make(rng: random.Random, memory: dict) -> list[Turn]:
            turns = [(self.question(rng), self.answer(rng))]
            if self.code and rng.random() < 0.05:
                turns.append((around(rng, fill(rng, SHOW)), f"Here it is:\n```js\n{self.code.strip()}\n```"))
            return turns

        return Intent(self.weight**0.5, make)
