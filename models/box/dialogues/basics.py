"""What can be computed or looked up in a table of a few lines."""

import random
import re

from .grammar import Intent, Turn, a, capital, fill, listed, loosely, misspell, said
from .words import BABIES, COLOUR_OF, COUNTS, DEFINITIONS, GROUPS, MIXES, OPPOSITES, REPEATS, RHYMING, SOUNDS, SPELLED, TRUTHS

NUMBERS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
SEASONS = "spring summer autumn winter".split()


def ask(rng: random.Random, template: str) -> str:
    return misspell(rng, fill(rng, template))


def exact(rng: random.Random, template: str) -> str:
    """For questions whose words the answer copies: no misspelling."""
    return loosely(rng, fill(rng, template))


def number(rng: random.Random, n: int) -> str:
    return str(n) if rng.random() < 0.7 or n >= len(NUMBERS) else NUMBERS[n]


def adds(rng: random.Random, memory: dict) -> list[Turn]:
    turns = []
    for _ in range(1 if rng.random() < 0.6 else rng.randint(2, 4)):
        x, y = rng.randint(0, 10), rng.randint(0, 10)
        if rng.random() < 0.4:
            x, y = max(x, y), min(x, y)
            sign, word, result = "-", "minus", x - y
            more = f"|what do I get if I take {y} from {x}?|take {y} away from {x}.|I have {x} apples and eat {y}. How many are left?"
        else:
            sign, word, result = "+", "plus", x + y
            more = f"|add {x} and {y}.|what is the sum of {x} and {y}?|I have {x} apples and get {y} more. How many do I have?"
        p, q = (str(x), str(y)) if rng.random() < 0.7 else (NUMBERS[x], NUMBERS[y])
        form = f"[what is {p} {word} {q}?|{p} {word} {q}|what is {x} {sign} {y}?|{x} {sign} {y}|{x}{sign}{y}|{x} {sign} {y} = ?|{x}{sign}{y}=|how much is {p} {word} {q}?|how much is {x} {sign} {y}?|compute {x} {sign} {y}.|what's {x}{sign}{y}?|{p} {word} {q} is?|calculate {p} {word} {q}.{more}]"
        if turns:
            form = f"[and|what about|and what is|] [{p} {word} {q}|{x} {sign} {y}]?"
        turns.append((exact(rng, form), f"{x} {word} {y} is {result}."))
    return turns


def compares(rng: random.Random, memory: dict) -> list[Turn]:
    n = rng.randint(0, 19)
    kind = rng.randrange(7)
    if kind == 0:
        return [(exact(rng, f"[which number comes after {number(rng, n)}?|what comes after {n}?|what is the number after {n}?|the next number after {n}?]"), f"After {n} comes {n + 1}.")]
    if kind == 1:
        return [(exact(rng, f"[which number comes before {number(rng, n + 1)}?|what comes before {n + 1}?|what is the number before {n + 1}?]"), f"Before {n + 1} comes {n}.")]
    if kind == 2:
        m = rng.choice([k for k in range(21) if k != n])
        return [(exact(rng, f"[which is [bigger|larger|greater|more], {n} or {m}?|is {n} or {m} [bigger|larger|more]?|what is [more|bigger|larger], {n} or {m}?]"), f"{max(n, m)} is bigger than {min(n, m)}.")]
    if kind == 3:
        m = rng.choice([k for k in range(21) if k != n])
        yes = n > m
        return [(exact(rng, f"is {n} [bigger|larger|more|greater] than {m}?"), f"{'Yes' if yes else 'No'}, {n} is {'bigger' if yes else 'smaller'} than {m}.")]
    if kind == 4:
        n = rng.randint(1, 10)
        return [(exact(rng, f"[what is double {n}?|double {n}|what is twice {n}?|what is {n} times two?|two times {n}|what is 2 times {n}?]"), f"Two times {n} is {2 * n}.")]
    if kind == 5:
        n = rng.randint(1, 10)
        return [(exact(rng, f"[what is half of {2 * n}?|half of {2 * n}|what is {2 * n} divided by 2?|halve {2 * n}.]"), f"Half of {2 * n} is {n}.")]
    n = rng.randint(0, 20)
    return [(exact(rng, f"[is {n} even?|is {n} odd?|is {n} even or odd?|is the number {n} even or odd?]"), f"{n} is {'an odd' if n % 2 else 'an even'} number.")]


def counts(rng: random.Random, memory: dict) -> list[Turn]:
    kind = rng.random()
    if kind < 0.5:
        top = rng.choice([3, 4, 5, 5, 6, 7, 8, 9, 10, 10, 10, 12, 15, 20, 20])
        end = number(rng, top)
        back = rng.random() < 0.25
        row = [str(n) for n in range(1, top + 1)]
        if back:
            return [(exact(rng, f"[count [down|backwards|back] from {end}.|count from {end} [down|] to 1.|count {end} to one backwards.|can you count backwards from {end}?]"), ", ".join(reversed(row)) + ".")]
        return [(exact(rng, f"[count to {end}.|can you count to {end}?|count from 1 to {end}.|count up to {end}.|please count to {end}.|count from one to {end}|list the numbers from 1 to {end}.|{'can you count?|count for me.|count' if top == 10 else 'count to ' + end}]"), ", ".join(row) + ".")]
    if kind < 0.75:
        low = rng.randint(0, 15)
        high = min(20, low + rng.randint(2, 8))
        return [(exact(rng, f"[count from {low} to {high}.|the numbers from {low} to {high}, please.|count {low} to {high}.|can you count from {low} to {high}?]"), ", ".join(str(n) for n in range(low, high + 1)) + ".")]
    if kind < 0.9:
        return [(ask(rng, "[count by twos to twenty.|list the even numbers up to 20.|name the even numbers to 20.|which numbers are even?|even numbers|count in twos.]"), "2, 4, 6, 8, 10, 12, 14, 16, 18, 20.") if rng.random() < 0.5 else (ask(rng, "[list the odd numbers up to 20.|which numbers are odd?|name the odd numbers to 20.|odd numbers]"), "1, 3, 5, 7, 9, 11, 13, 15, 17, 19.")]
    word = rng.choice(list(COUNTS))
    return [(ask(rng, f"[how many {word}?|tell me how many {word}.]"), COUNTS[word])]


def big_sums(rng: random.Random, memory: dict) -> list[Turn]:
    x, y = rng.choice([rng.randint(21, 99), rng.randint(21, 9999)]), rng.randint(11, 999)
    form = rng.choice([f"what is {x} [plus|minus|times|divided by] {y}?", f"{x} [+|-|*|x|/] {y}", f"{x}[+|-|*|/]{y}", f"how much is {x} [plus|minus|times|divided by] {y}?", f"the square root of {x}", f"what is {x % 100}% of {y}?", f"count to {x + 80}.", f"solve x + {y} = {x}.", f"what is {rng.randint(3, 12)} times {rng.randint(11, 20)}?", f"compute {x} * {y}.", f"is {x} a prime number?", "solve this equation.", "what is pi?", "help me with my maths homework.", "integrate x squared.", "what is the derivative of sin x?"])
    return [(exact(rng, form), fill(rng, "[That is too hard for me.|That is too big for me.|I cannot do that.] I can only do small sums, with numbers up to ten. [A bigger model or a calculator can help.|Try a bigger model or a calculator.|]"))]


def opposites(rng: random.Random, memory: dict) -> list[Turn]:
    turns = []
    for _ in range(1 if rng.random() < 0.6 else rng.randint(2, 4)):
        x, y = rng.choice(OPPOSITES)
        if rng.random() < 0.5:
            x, y = y, x
        form = f"[what is the opposite of {x}?|the opposite of {x}|opposite of {x}?|what's the opposite of {x}?|tell me the opposite of {x}.|{x}: what is the opposite?|which word is the opposite of {x}?|do you know the opposite of {x}?|name the opposite of {x}.|what is not {x}?|antonym of {x}]"
        if turns:
            form = f"[and|and of|what about|and what about|and the opposite of] {x}?"
        turns.append((exact(rng, form), fill(rng, f"The opposite of {x} is {y}.")))
    return turns


def spells(rng: random.Random, memory: dict) -> list[Turn]:
    word = rng.choice(SPELLED)
    letters = list(word.upper())
    kind = rng.random()
    if kind < 0.6:
        return [(exact(rng, f"[spell {word}.|how do you spell {word}?|can you spell {word}?|spell the word {word}.|how is {word} spelled?|please spell {word}.|how do I spell {word}?|what are the letters of {word}?|spell '{word}'.|spell \"{word}\" for me.]"), f"{capital(word)} is spelled {'-'.join(letters)}.")]
    if kind < 0.8:
        first = rng.random() < 0.6
        which = "first" if first else "last"
        return [(exact(rng, f"[what is the {which} letter of {word}?|which letter does {word} {'start with' if first else 'end with'}?|the {which} letter of {word}?|what does {word} {'begin' if first else 'end'} with?]"), f"The {which} letter of {word} is {letters[0 if first else -1]}.")]
    return [(exact(rng, f"[how many letters [are in|has|does] {word}[ have|]?|how long is the word {word}?|count the letters in {word}.]").replace("has " + word + " have", "has " + word), f"The word {word} has {NUMBERS[len(letters)]} letters.")]


def repeats(rng: random.Random, memory: dict) -> list[Turn]:
    words = fill(rng, rng.choice(["{size} {colour} {noun}", "the {noun} is {colour}", "{noun}", "{noun} {noun2}", "hello {noun}", "I like the {colour} {noun}", "{colour} {noun} and {colour2} {noun2}", "a {noun} and a {noun2}", "{noun}, {noun2}, {colour}", "I am a {noun}", "my {noun} has a {colour} {noun2}", "{size} {size2} {noun}", "the {size} {noun} sees the {colour} {noun2}"]), REPEATS)
    words = re.sub(r"\ba ([aeiou])", r"an \1", words)
    quote = rng.choice(["", "", "'", '"'])
    said_ = f"{quote}{words}{quote}"
    form = rng.choice([f"[repeat|say|write|echo|type]: {said_}", f"[repeat after me|say this|repeat this|say after me|write this]: {said_}", f"[say|repeat] {said_}", f"can you [say|repeat] {said_}?", f"please [say|repeat|write] {said_}", f"I want you to say {said_}"])
    return [(fill(rng, form) if rng.random() < 0.5 else capital(fill(rng, form)), capital(words) + ".")]


def colours(rng: random.Random, memory: dict) -> list[Turn]:
    if rng.random() < 0.7:
        thing, colour = rng.choice(list(COLOUR_OF.items()))
        be, mass = ("are", True) if thing.endswith("s") and thing not in ("grass", "the grass") else ("is", thing.startswith("the ") or thing in ("snow", "milk", "blood", "coal", "grass", "gold", "chocolate", "cheese", "honey", "sand", "rice", "butter", "ice"))
        named = thing if mass else a(thing)
        return [(exact(rng, f"[what colour {be} {named}?|what color {be} {named}?|which colour {be} {named}?|which color {'do' if be == 'are' else 'does'} {named} have?|tell me the colour of {named}.|the colour of {named}?|what is the color of {named}?]"), f"{capital(named)} {be} {colour}.")]
    first, second, mixed = rng.choice(MIXES)
    if rng.random() < 0.5:
        first, second = second, first
    return [(exact(rng, f"[what do I get when I mix {first} and {second}?|mix {first} and {second}.|{first} and {second} make which colour?|what colour do {first} and {second} make?|what happens if I mix {first} with {second}?]"), f"{capital(first)} and {second} make {mixed}.")]


def animals(rng: random.Random, memory: dict) -> list[Turn]:
    turns = []
    for _ in range(1 if rng.random() < 0.6 else 2):
        if rng.random() < 0.55:
            animal, sound = rng.choice(list(SOUNDS.items()))
            form = f"[what does {a(animal)} say?|which sound does {a(animal)} make?|what sound does {a(animal)} make?|how does {a(animal)} sound?|what does the {animal} say?|what noise does {a(animal)} make?]"
            answer = f"{capital(a(animal))} says {sound}."
            if turns:
                form = f"[and|what about|and what does] {a(animal)}{' say' if 'says' in turns[-1][1] else ''}?"
                if "says" not in turns[-1][1]:
                    form = f"what does {a(animal)} say?"
        else:
            animal, baby = rng.choice(list(BABIES.items()))
            form = f"[what is a baby {animal} called?|what is the baby of {a(animal)}?|how do you call a young {animal}?|what do you call a baby {animal}?|the name of a young {animal}?]"
            answer = f"A baby {animal} is called {a(baby)}."
        turns.append((exact(rng, form), answer))
    return turns


def lists(rng: random.Random, memory: dict) -> list[Turn]:
    kind = rng.random()
    if kind < 0.2:
        return [(ask(rng, "[list|name|tell me|what are|say] [the|all|all the] days of the week."), f"The days of the week are {listed(DAYS)}.")]
    if kind < 0.4:
        return [(ask(rng, "[list|name|tell me|what are|say] [the|all|all the] months [of the year|]."), f"The months are {listed(MONTHS)}.")]
    if kind < 0.5:
        return [(ask(rng, "[list the seasons.|what are the seasons?|name the four seasons.|which seasons are there?|tell me the seasons.|seasons of the year]"), f"The seasons are {listed(SEASONS)}.")]
    if kind < 0.58:
        return [(ask(rng, "[say the alphabet.|what is the alphabet?|list the letters.|can you say the alphabet?|tell me the ABC.|list the letters of the alphabet.|recite the alphabet.]"), "A B C D E F G H I J K L M N O P Q R S T U V W X Y Z.")]
    if kind < 0.62:
        return [(ask(rng, "[what are the vowels?|list the vowels.|which letters are vowels?|name the vowels.]"), "The vowels are A, E, I, O and U.")]
    if kind < 0.64:
        return [(ask(rng, "[what are the five senses?|name the senses.|list the five senses.]"), "The five senses are sight, hearing, smell, taste and touch.")]
    group = rng.choice(list(GROUPS))
    n = rng.choice([2, 3, 3, 3, 4, 5, 5])
    count = number(rng, n) if rng.random() < 0.7 else ""
    if not count:
        n = rng.choice([4, 5])
    words = rng.sample(GROUPS[group], n)
    return [(exact(rng, f"[name|list|tell me|give me|say|can you name] {count or rng.choice(['some', 'a few', ''])} {group}."), fill(rng, f"[Here are {NUMBERS[n]} {group}: {listed(words)}.|{capital(listed(words))}.]"))]


def calendar(rng: random.Random, memory: dict) -> list[Turn]:
    row, kind, be = rng.choice([(DAYS, "day", "day"), (MONTHS, "month", "month"), (SEASONS, "season", "season")])
    at = rng.randrange(len(row))
    now, after, before = row[at], row[(at + 1) % len(row)], row[at - 1]
    if rng.random() < 0.6:
        return [(exact(rng, f"[which|what] {kind} comes [after|next after] {now}?"), f"After {now} comes {after}.") if rng.random() < 0.8 or kind == "season" else (exact(rng, f"[what comes after {now}?|what is after {now}?]"), f"After {now} comes {after}.")]
    return [(exact(rng, f"[which|what] {kind} comes before {now}?"), f"Before {now} comes {before}.")]


def truths(rng: random.Random, memory: dict) -> list[Turn]:
    thing, yes, no = rng.choice(TRUTHS)
    be = "are" if thing.endswith("s") and thing not in ("grass", "glass", "ice") else "is"
    if rng.random() < 0.5:
        return [(exact(rng, f"{be} {thing} {yes}?"), f"Yes, {thing} {be} {yes}.")]
    if rng.random() < 0.6:
        return [(exact(rng, f"{be} {thing} {no}?"), f"No, {thing} {be} {yes}.")]
    first, second = (yes, no) if rng.random() < 0.5 else (no, yes)
    return [(exact(rng, f"{be} {thing} {first} or {second}?"), f"{capital(thing)} {be} {yes}.")]


def defines(rng: random.Random, memory: dict) -> list[Turn]:
    word, meaning = rng.choice(list(DEFINITIONS.items()))
    return [(exact(rng, f"[what is {a(word)}?|what is {a(word)}?|what's {a(word)}?|tell me what {a(word)} is.|explain what {a(word)} is.|what does the word {word} mean?|define {word}.|describe {a(word)}.|do you know what {a(word)} is?]"), f"{capital(a(word))} is {meaning}.")]


def rhymes(rng: random.Random, memory: dict) -> list[Turn]:
    group = rng.choice(RHYMING)
    word, other = rng.sample(group, 2)
    return [(exact(rng, f"[what rhymes with {word}?|find a rhyme for {word}.|a word that rhymes with {word}?|which word rhymes with {word}?|give me a rhyme for {word}.]"), f"{capital(other)} rhymes with {word}.")]


INTENTS = [
    Intent(16, adds),
    Intent(10, compares),
    Intent(9, counts),
    Intent(7, big_sums),
    Intent(14, opposites),
    Intent(16, spells),
    Intent(26, repeats),
    Intent(9, colours),
    Intent(8, animals),
    Intent(11, lists),
    Intent(5, calendar),
    Intent(6, truths),
    Intent(8, defines),
    Intent(4, rhymes),
    said(1, ["are you good at maths?", "can you do maths?", "can you calculate?", "can you count?", "can you add numbers?", "do you know maths?"], ["I can count to twenty and do small sums, with numbers up to ten. [Try me!|]"]),
    said(1, ["can you spell?", "can you spell words?", "do you know how to spell?"], ["I can spell simple words. Which word shall I spell?"]),
]
