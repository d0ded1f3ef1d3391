"""Says whether an answer is right: the facts are there, nothing forbidden is, it is sentences, its code parses."""

import re
import shutil
import subprocess
from collections import Counter

from .questions import TALK, Question

REFUSING = ["i do not know", "i cannot", "sorry, i", "too hard for me", "i can only answer questions about sidestage", "i only know about sidestage"]
POINTING = ["sidestage", "calculator", "someone", "a person who"]
FENCE = re.compile(r"```(\w*)\n(.*?)\n```", re.DOTALL)
ARTICLES = {"a", "an", "the"}
GLUE = set("a an the of to in on at by for with from as is are was be been it its i you your my me we they them he she that this these those and or but so if then than not no yes do does did have has had can cannot could will would may must should what which who when where why how there here all each every one only also too very more most other another such before after while without into out up over once again still".split())
VERBS = set("is are was be am has have had can cannot could will would may must should do does did call calls called use uses used set sets pass passes give gives gave take takes took make makes made run runs ran read reads load loads loaded need needs needed want wants get gets got goes go keep keeps kept work works mean means tell tells say says ask asks answer answers end ends ended stop stops start starts write writes wait waits await resolves returns return shows show holds hold stays stay removes remove frees free fails fail comes come came look looks choose takes find count counts add adds put puts send sends allow allows check catch copy raise lower look limits starts fetches fetch fits fit turns turn sums knows know learned learn likes like guess guesses welcome sorry hear hope help helps feel thank listen paste drop shorten happens beside renders rendered sound sounds tries try correct download deploy fix loop loops skips gets believe stored works limits waits".split())
CANNOT_FOLLOW_ARTICLE = {"a", "an", "the", "of", "to", "in", "is", "are", "and", "or", "for", "with", "from", "it", "you", "i", "at", "by", "on", "not", "has", "have", "can", "will", "be", "that", "as", "if"}


def plain(text: str) -> str:
    return " ".join(text.lower().replace("’", "'").split())


def has(text: str, wording: str) -> bool:
    """Whether `text` has this wording, from the start of a word on."""
    return re.search((r"\b" if wording[0].isalnum() else "") + re.escape(wording), text) is not None


def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9']+", text.lower())


def blocks(answer: str) -> list[str]:
    return [code for _, code in FENCE.findall(answer)]


def parses(code: str) -> bool:
    """Whether Node takes the code for a module."""
    node = shutil.which("node")
    if node is None:
        raise SystemExit("node is needed to see whether code parses")
    return subprocess.run([node, "--input-type=module", "--check", "-"], input=code.encode(), capture_output=True).returncode == 0 if not code.strip() == "" else False


def prose(answer: str) -> str:
    """The text without code blocks; what stands in backticks counts as one word."""
    return re.sub(r"`([^`]*)`", lambda m: " x" + re.sub(r"\W", "", m[1]) + " ", FENCE.sub(" ", answer)).strip()


def ill_formed(answer: str, question: str, talk: bool) -> str | None:
    """Why this is not an answer in sentences, whatever it says."""
    text = prose(answer)
    found = words(text)
    if len(found) < (1 if talk else 9):
        return "too short"
    if len(set(found)) < 0.7 * len(found) and len(found) < 20:
        return "the same words again"
    if answer.count("```") % 2:
        return "an open code block"
    if not re.search(r"[.!?:)]$", text):
        return "no end of a sentence"
    sentences = [words(s) for s in re.split(r"(?<=[.!?:;])\s+", text)]
    sentences = [s for s in sentences if s]
    if not talk:
        if not any(len(s) > 4 and any(w in VERBS or w.endswith(("ed", "es")) for w in s) for s in sentences):
            return "no sentence with a verb"
        if sum(w in GLUE for w in found) < 0.12 * len(found):
            return "keywords without sentences"
        if any(s[0] in {"and", "or", "of"} or s[-1] in ARTICLES | {"of", "and", "or"} for s in sentences):
            return "a broken sentence"
        if any(a in ARTICLES and b in CANNOT_FOLLOW_ARTICLE for s in sentences for a, b in zip(s, s[1:])):
            return "an article before no noun"
        if any(max(s.count("and"), s.count("is")) > max(2, 0.15 * len(s)) for s in sentences):
            return "a list of words"
        if any(a == b and not a.isdigit() for s in sentences for a, b in zip(s, s[1:])):
            return "a word twice"
    triples = Counter(zip(found, found[1:], found[2:]))
    if triples and (triples.most_common(1)[0][1] > 2 or sum(n > 1 for n in triples.values()) > 0.25 * len(triples)):
        return "the same words again and again"
    asked = words(question)
    if len(asked) > 2:
        theirs = set(zip(asked, asked[1:], asked[2:]))
        if theirs and len(theirs & set(triples)) > 0.6 * len(theirs):
            return "the question again"
    return None


def fault(question: Question, answer: str) -> str | None:
    """Why the answer is wrong, or `None` if it is right."""
    text = plain(answer)
    if not text:
        return "empty"
    if why := ill_formed(answer, question.turns[-1], question.topic in TALK):
        return why
    refused = any(phrase in text for phrase in REFUSING)
    if question.topic == "refuse":
        if not refused:
            return "not refused"
        if blocks(answer) or len(words(text)) > 60:
            return "more than a refusal"
        return None if any(phrase in text for phrase in POINTING) else "points nowhere"
    if refused and not any(phrase in wording for fact in question.facts for wording in fact for phrase in ("cannot", "know sidestage")):
        return "refused"
    for fact in question.facts:
        if not any(has(text, wording) for wording in fact):
            return f"lacks {' or '.join(fact)}"
    for word in question.forbidden:
        if word in text:
            return f"has {word}"
    if question.code and not blocks(answer):
        return "shows no code"
    for code in blocks(answer):
        if not parses(code):
            return "its code does not parse"
    return None
