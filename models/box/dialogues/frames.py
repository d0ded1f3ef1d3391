"""The forms in which one thing is asked: frames around what is wanted, and what people put before and after."""

import random

from .grammar import capital, fill, loosely, misspell
from .lexicon import ASKS, FILLERS, LOOSE, WHERE, WHO
from .synonyms import rebuilt, renamed

# {x} is what someone wants to do, in its base form: "stop an answer".
WISHES = [
    "how do I {x}?", "how do I {x}?", "how can I {x}?", "how to {x}", "how to {x}?", "how do you {x}?", "how does one {x}?", "how would I {x}?", "how should I {x}?", "how could I {x}?", "how can we {x}?",
    "how do I {x} [with Sidestage|in Sidestage|with this library|here|in my app|in my page|in the browser|from JavaScript|in code]?",
    "what [is|would be] the [best|right|easiest|simplest|proper|usual|recommended|quickest] way to {x}?", "[is there|do you know|is there|there must be] [a way|any way|some way|an option|a method|a function] to {x}?", "is it possible to {x}?", "is it [easy|hard|allowed|ok] to {x}?",
    "can I {x}?", "could I {x}?", "can we {x}?", "can you {x}?", "can Sidestage {x}?", "can one {x}?", "am I able to {x}?", "may I {x}?", "does [Sidestage|it|this|the library] let me {x}?", "does [Sidestage|it|this|the library] allow me to {x}?", "will it {x}?",
    "I want to {x}.", "I need to {x}.", "I'd like to {x}.", "I would like to {x}. How?", "I want to {x}, how do I do that?", "I need to {x}, what do I call?", "I have to {x}. What do I do?", "I am trying to {x}.", "I'm trying to {x} but do not know how.", "I wish to {x}", "we want to {x}.", "we need to {x} in our app.",
    "my [app|page|site|code|program|team|boss|user|users|customers] [needs|wants|has|need|want] to {x}.", "what if I want to {x}?", "what if I need to {x}?", "suppose I want to {x}.", "say I want to {x}, what then?", "if I want to {x}, what do I [write|do|call|use]?", "when I want to {x}, what should I do?",
    "what do I [call|write|do|use|need|have to do|have to write] to {x}?", "which [function|method|option|call|command|setting|API] [do I use|do I need|is there|lets me|should I use|helps] to {x}?", "what [function|method|option|call|API|code] [do I use|do I need|is there|should I use] to {x}?", "what does it take to {x}?",
    "help me {x}.", "help me to {x}", "show me how to {x}.", "tell me how to {x}.", "explain how to {x}.", "teach me to {x}", "[can|could|would] you [explain|show me|tell me|describe] how to {x}?", "[can|could] you help me {x}?", "I do not know how to {x}.", "I don't know how to {x}", "I can't figure out how to {x}.", "no idea how to {x}", "not sure how to {x}", "I wonder how to {x}.", "I forgot how to {x}",
    "{x}", "{x}", "{x}?", "{x}, how?", "{x} - how?", "{x}!", "ways to {x}", "steps to {x}", "need to {x}", "want to {x}", "trying to {x}", "looking for a way to {x}", "any way to {x}?", "possible to {x}?", "instructions to {x}", "guide to {x}", "where do I {x}?", "when can I {x}?", "let me {x}", "do I have to {x}?", "do I need anything special to {x}?", "must I {x} myself?", "why would I {x}?", "can a user {x}?", "can the page {x}?", "what happens when I {x}?", "what happens if I {x}?", "what is needed to {x}?",
]
WISHES += [
    "how might I {x}?", "how may one {x}?", "how is it done to {x}?", "how are people supposed to {x}?", "how does a page {x}?", "how do your users {x}?", "how exactly do I {x}?", "how on earth do I {x}?", "any tips to {x}?", "any idea how to {x}?", "some advice: how to {x}?", "is there something to {x}?", "is there a trick to {x}?", "is there a call to {x}?", "is there an easy way to {x}?", "are we able to {x}?", "are people allowed to {x}?", "would it be possible to {x}?", "would you let me {x}?", "will you let me {x}?", "might I {x}?", "do you let people {x}?", "do you have a way to {x}?", "have you got a function to {x}?", "what can I do to {x}?", "what must I do to {x}?", "what do people do to {x}?", "what would you do to {x}?", "what should my code do to {x}?", "what do I type to {x}?", "what must happen to {x}?", "where should I start to {x}?", "which line do I need to {x}?", "which call would {x}?", "the user should be able to {x}.", "my users must be able to {x}.", "visitors should {x}.", "I hope to {x}.", "I plan to {x}.", "I'm going to {x}.", "I have been asked to {x}.", "I was told to {x}.", "I only want to {x}.", "I just need to {x}.", "I really want to {x}", "I'd rather {x}.", "I want my app to {x}.", "I must {x}.", "my task is to {x}.", "the task: {x}.", "goal: {x}.", "next step: {x}.", "all I want is to {x}.", "the idea is to {x}.", "it would be nice to {x}.", "it should {x}.", "we have to {x}.", "we would love to {x}", "we plan to {x} [soon|next week|today].", "let us {x}.", "let people {x}, how?", "to {x}, what is needed?", "to {x}, what do I write?", "in order to {x}, what do I do?", "so as to {x}?", "{x}, is that possible?", "{x}, can it be done?", "{x}, where do I start?", "{x}, which function?", "{x}, what is the call?", "{x} and nothing else", "{x} from code", "{x} in the browser, how?", "please {x}.", "can someone {x}?", "what about wanting to {x}?", "should I {x}?", "am I right that I can {x}?", "tell us how to {x}.", "say how to {x}.", "remind me how to {x}.", "walk me through how to {x}.", "explain to a beginner how to {x}.",
]
# For what is answered by code.
CODES = [
    "[show|give|send] me [code|the code|some code|an example|a snippet|a short example|sample code|a code sample] to {x}.", "[code|example|snippet|sample code|a snippet|js code|code example|minimal example] to {x}", "[what is|what's] the code to {x}?", "write [code|the code|a snippet|JavaScript|a few lines] to {x}.", "an example of how to {x}, please.", "what does the code look like to {x}?", "which lines do I write to {x}?", "example code: {x}", "code please: {x}", "how do I {x}? Show code.", "how does {x} look in code?",
]
# {x} is a thing: "the context length".
THINGS = [
    "what is {x}?", "what is {x}?", "what's {x}?", "explain {x}.", "tell me about {x}.", "what does {x} do?", "what does {x} mean?", "what is {x} for?", "what do you know about {x}?", "describe {x}.", "{x}", "{x}?", "how does {x} work?", "how do I use {x}?", "what about {x}?", "why {x}?", "why do I need {x}?", "do I need {x}?", "when do I need {x}?", "when should I use {x}?", "is there {x}?", "does [it|Sidestage] have {x}?", "does [it|Sidestage|this] support {x}?", "does it use {x}?", "I do not understand {x}.", "I don't get {x}", "info on {x}", "something about {x}", "can you explain {x}?", "could you tell me about {x}?", "what can you say about {x}?", "I have a question about {x}.", "question about {x}", "tell me more about {x}", "[how is|where is] {x} [used|set|handled]?", "and {x}?", "how do you handle {x}?", "what should I know about {x}?", "can I use {x}?", "can I change {x}?", "can I set {x}?", "where do I set {x}?", "meaning of {x}", "definition of {x}", "help with {x}", "give me details on {x}", "what happens with {x}?", "is {x} important?", "how important is {x}?", "who needs {x}?",
]
# {x} has gone wrong: "my stream hangs".
TROUBLES = [
    "{x}", "{x}.", "{x}, why?", "{x}, what now?", "{x}. What do I do?", "{x}. Help!", "why [does it happen that|is it that] {x}?", "what [should|can|do] I do when {x}?", "what does it mean when {x}?", "what if {x}?", "help, {x}", "{x} - how do I fix it?", "{x}, any idea?", "{x} and I don't know why", "[sometimes|today|suddenly|always|now] {x}", "[on my phone|on my page|in my app|in Firefox|in Chrome|in production|on our server] {x}", "I have a problem: {x}.", "the problem is that {x}", "{x}... what is wrong?", "what is wrong if {x}?", "how do I fix it when {x}?", "it seems that {x}", "my users say {x}", "{x}, is that normal?", "what happens when {x}?", "what happens if {x}?", "is it a bug that {x}?",
]

BEFORE = [
    "hi, ", "hello, ", "hey, ", "hey! ", "ok, ", "ok so ", "so ", "and ", "now ", "well, ", "please: ", "quick question: ", "one question: ", "question: ", "another question: ", "one more thing: ", "sorry, ", "excuse me, ", "hm, ", "um, ", "also, ", "but ", "then ", "next: ", "say, ", "tell me, ", "I am new here. ", "I am a beginner. ", "I'm building a chat app. ", "I have a website. ", "I am writing a page. ", "I read the docs but ", "just curious, ", "I was wondering: ", "hello! ", "good morning. ", "dear box, ", "thanks. ", "thank you! ", "great. ", "nice, ", "I see. ", "got it. ", "can you tell me: ", "do you know: ", "let me ask: ", "my question is: ", "we use Sidestage and ", "I just started with Sidestage. ",
]
AFTER = [
    " please", ", please", " thanks", ", thanks", " thank you", " for me", " here", " exactly", " again", " with Sidestage", " in Sidestage", " in this library", " in the browser", " in my app", " on my page", " in my project", " in JavaScript", " at all", " somehow", " or not", " right now", " today", " by the way", " quickly", " easily", " I wonder", " asap", " in short", " in one sentence", " in your words", " briefly", ", do you know", ", is that right", ", or is that impossible", " for a website", " for a web app", " from code", " myself",
]


def asked(rng: random.Random, frame: str, x: str, clear: bool = False) -> str:
    """The frame around `x`, as people type it; `clear` leaves out slips of the finger."""
    text = free(rng, x) if rng.random() < 0.12 else fill(rng, fill(rng, frame).replace("{x}", fill(rng, x)))
    return shaken(rng, around(rng, text, clear))


SMALL = set("a an the of to in on at by for with is are do does did can could will would i you it my me your that this there be have has how what".split())


# Parts of frames without end: what stands before and after is chance, {x} alone tells what is meant.
STARTS = "I keep thinking about|what puzzles me:|my question concerns|the matter is|it's about|there's the matter of|my notes only say|on my list:|the ticket reads|subject:|we discussed|we argue about|I got stuck with|the next chapter is|I must write something on|nobody here could explain|how would a beginner handle|what would an expert say on|give me the facts on|what's your take on|enlighten me on|two words on|let's get to|let's turn to|coming to|as regards|regarding|concerning|speaking of|about|re:|on|as for|with respect to|then there is|still open:|unclear:|homework:|we require|they demand|the plan includes|our spec lists|everyone wants|management wants|I dream of|I search for|I long for|time for|ready for|curious about|confused by|in doubt about|lost with|struggling with|could anyone sort out|what on earth is up with|where would I read about|which line covers|how about|any news on|any word on|any trick for|any chance of|a hint for|a recipe for|best practice for|first steps for|solution for|remedy for|quick answer on|crash course:".split("|")
ENDS = "what do you say|what would you do|your advice|how does Sidestage see that|where do I look|which way is best|is there a solution|what's the trick|how is it meant|and the answer is|please elaborate|a short hint will do|spell it out|in plain words please|I'm all ears|that's my question|that's all I ask|what's needed|what comes first|do tell|is that covered|is it there|is it built in|who can say|can that be|does that exist|how so|what's the drill|what's the procedure|how is it done|what must I know|will that work|would that work|does it go|what's the name of it|what's it called|how to proceed|how do you do it|how would you do that|what's the rule|what's behind it|is that a thing|nothing more|thoughts welcome|over to you|go ahead|your turn|what gives".split("|")


def free(rng: random.Random, x: str) -> str:
    """`x` between parts that are put together by chance."""
    kind = rng.random()
    head = rng.choice(STARTS) if kind < 0.7 else ""
    tail = rng.choice(ENDS) if kind > 0.4 else ""
    return fill(rng, f"{head} {fill(rng, x)}{rng.choice([', ', '. ', '? ', ' - ', '; ', ': ', ' '] ) + tail if tail else ''}{rng.choice(['', '?', '.', '!'])}")


def loose(rng: random.Random, hints: list[str]) -> str:
    """Words of a topic, put together as people do who do not think of grammar."""
    a, b = rng.sample(hints, 2) if len(hints) > 1 else (hints[0], hints[0])
    if rng.random() < 0.35:
        return shaken(rng, around(rng, free(rng, rng.choice([a, a, f"{a} and {b}", f"{a}, {b}", f"{a} {b}", f"{b} {a}", f"{a} or {b}"]))))
    slots = {"a": [a], "b": [b], "who": WHO, "asks": ASKS, "where": WHERE}
    return shaken(rng, around(rng, fill(rng, rng.choice(LOOSE), slots)))


def shaken(rng: random.Random, text: str) -> str:
    """Sometimes: words more, words less, the halves the other way round. What matters stays."""
    text = rebuilt(rng, renamed(rng, text))
    if rng.random() < 0.75 or "`" in text:
        return text
    if ", " in text and rng.random() < 0.3:
        first, second = text.split(", ", 1)
        text = f"{second.rstrip('.?!')}, {first}"
    row = []
    for word in text.split(" "):
        if word.lower().strip(".,?!") in SMALL and rng.random() < 0.2:
            continue
        if rng.random() < 0.1:
            row.append(rng.choice(FILLERS))
        row.append(word)
    return " ".join(row) or text


def scene(rng: random.Random) -> str:
    """A sentence around the question that says nothing of what is wanted."""
    who, where = rng.choice(WHO), rng.choice(WHERE)
    return fill(rng, f"[{who} is waiting.|I build an app for {who}.|{where} I had an idea.|we work {where}.|{who} asked me.|I am no expert.|our project starts {where}.|bear with me.|it is urgent.|this is for {who}.|{who} uses it {where}.|just so that I know:|here is my case:|be honest.|be frank.|no hurry.|I have never done this.|we are {where}.|long story short:|picture this:|everything is set up.|there is one thing left.|sorry for asking.|I hope you can help.]")


def around(rng: random.Random, text: str, clear: bool = False) -> str:
    """What people put before and after a question."""
    if rng.random() < 0.08:
        text = f"{scene(rng)} {text}" if rng.random() < 0.7 else f"{text.rstrip('.')}{'' if text[-1] in '?!' else '.'} {scene(rng).rstrip(':')}"
    if rng.random() < 0.16:
        text = rng.choice(BEFORE) + (text[:1].lower() + text[1:] if not text.startswith(("I ", "I'")) else text)
    if rng.random() < 0.14:
        mark = text[-1] if text[-1] in ".?!" else ""
        text = text[: len(text) - len(mark)] + rng.choice(AFTER) + mark
    text = (loosely if clear else misspell)(rng, text)
    return text if rng.random() < 0.5 else capital(text)
