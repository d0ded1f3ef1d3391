"""Words that may stand for one another in a question, and changes of its build."""

import random
import re

# The first of a row is replaced by one of the others.
ROWS = """
show|display|present|print|reveal
page|site|website|web page|web app|app
answer|reply|response|output
answers|replies|responses|outputs
model|language model|LLM|neural net|AI model|net
browser|web browser|client
stop|halt|end|interrupt|quit|cease
delete|remove|erase|wipe|drop|discard
download|fetch|pull|transfer|get
downloaded|fetched|pulled|transferred
load|open|bring in|fire up|get going
loading|opening|bringing in|starting up
fast|quick|speedy|swift
faster|quicker|speedier
slow|sluggish|laggy|crawling
big|large|huge|massive|enormous
small|tiny|little|compact|mini
use|employ|work with|apply|make use of
error|failure|exception|fault|problem
errors|failures|exceptions|faults|problems
text|words|output|writing
write|produce|type|generate|create
writes|produces|types|generates
start|begin|launch|kick off
run|execute|operate|go
runs|executes|operates|goes
limit|cap|restrict|bound
set|choose|pick|configure|adjust|change
save|keep|store|preserve
saved|kept|stored|preserved
stored|kept|saved|held
keep|retain|hold|store
user|visitor|person|customer|reader
users|visitors|people|customers|readers
phone|mobile|smartphone|handset
computer|PC|machine|laptop|device
need|require|want
needs|requires|wants
want|wish|would like|intend
know|find out|learn|see
make|build|create|produce
change|alter|modify|adjust
choose|pick|select|decide on
tell|inform|let know
see|view|look at|inspect|observe
send|submit|pass|hand over|transmit
give|hand|pass|provide|supply
check|verify|test|make sure|examine
free|release|give back|let go of
memory|RAM|working memory
disk|drive|storage|SSD
space|room|capacity
possible|doable|feasible|thinkable
allowed|permitted|ok|legal
happens|occurs|takes place|goes on
wrong|broken|off|amiss|faulty
fails|breaks|does not work|goes wrong|dies
works|functions|does its job
hangs|freezes|is stuck|does not react|stalls
crashes|dies|falls over|blows up
many|several|lots of|a bunch of
often|frequently|all the time
again|once more|anew|another time|a second time
offline|without internet|with no connection|disconnected
server|host|backend|remote machine
question|query|request|prompt
questions|queries|requests|prompts
conversation|chat|dialogue|talk
chat|conversation|dialogue
history|earlier messages|past turns|what was said before
long|lengthy|extended
short|brief|concise
random|unpredictable|varied|by chance
same|identical|equal|very same
option|setting|parameter|switch|knob
options|settings|parameters|switches|knobs
function|method|call|routine
way|method|approach|trick|means
code|snippet|lines|source
example|sample|demo|snippet
file|document|binary
folder|directory|dir
weights|parameters|the numbers|tensors
developer|programmer|coder|engineer
library|package|engine|framework|tool
support|handle|accept|cope with|understand
supported|handled|accepted|understood
difference|distinction|contrast
explain|clarify|describe|shed light on
problem|issue|trouble|difficulty
why|how come|for what reason|what for
how much|what amount of
how many|what number of|how much
maximum|highest|biggest|most|upper
size|dimensions|how big it is|bulk
picture|image|photo|graphic
pictures|images|photos|graphics
secure|safe|trustworthy
private|confidential|secret|personal
count|number|tally|sum up
finish|complete|end|conclude
finished|done|complete|over
wait|hold on|pause
progress|advance|status|how far it is
percent|percentage|share
thread|core|parallel thread
threads|cores|parallel threads
install|set up|add|put in
build|compile|make|assemble
licence|license|terms|legal conditions
documentation|docs|manual|reference|guide
piece by piece|bit by bit|little by little|in small bits
word by word|token by token|as it comes|gradually
right away|at once|immediately|straight away
in the background|behind the scenes|on another thread
does not work|refuses to work|is broken|won't go
is it possible to|can one|may I|is there a chance to
how do I|how can I|how would I|what's the way to|how should one|in what way can I|how does one
what is|what's|what might be|explain|define
I want to|I'd like to|I wish to|my aim is to|I intend to|I mean to
can I|could I|may I|am I able to|might I|am I allowed to
tell me|say|let me know|inform me|enlighten me
is there|do we have|does there exist|can I find|have you got
do I need|must I have|is it necessary to have|does it take
""".strip()
TABLE = {row.split("|")[0]: row.split("|")[1:] for row in ROWS.split("\n")}
FIND = re.compile(r"(?<![\w`.-])(" + "|".join(sorted(map(re.escape, TABLE), key=len, reverse=True)) + r")(?![\w`:(-])", re.IGNORECASE)
CHATTER = "thanks for the last answer|that helped already|me again|I am back|nice weather today|I had a long day|my coffee is cold|I'm quite new to this|hope you are well|you are a great help|hello little box|good to see you|I slept badly|it's Friday at last|I love this project|my cat sits on the keyboard|sorry to bother you|one last thing|let me think|now something else|I'm stuck|no rush|this may sound silly|we spoke before|I forgot everything|bear with a beginner|I googled and found nothing|my head is spinning|it has been bugging me|we launch soon|I promised it to my boss|wow, impressive so far|here I go|help an old man out|you seem clever|I'm so happy with this|sad that I must ask".split("|")


def renamed(rng: random.Random, text: str, share: float = 0.3) -> str:
    """The text with some of its words replaced by words that mean the same."""

    def other(match: re.Match) -> str:
        return rng.choice(TABLE[match[1].lower()]) if match[1].lower() in TABLE and rng.random() < share else match[0]

    return text if "`" in text else FIND.sub(other, text)


def rebuilt(rng: random.Random, text: str) -> str:
    """The text with a sentence of chatter beside it, words lost or exchanged, or its marks gone."""
    chance = rng.random()
    if "`" in text or not text:
        return text
    if chance < 0.10:
        chatter = rng.choice(CHATTER)
        return chatter + rng.choice([". ", "! ", ", ", " - ", "... "]) + text if rng.random() < 0.65 else f"{text.rstrip('.')}{'' if text[-1] in '?!' else '.'} {chatter}"
    words = text.split(" ")
    if chance < 0.20 and len(words) > 4:
        del words[rng.randrange(len(words))]
    elif chance < 0.26 and len(words) > 3:
        at = rng.randrange(len(words) - 1)
        words[at], words[at + 1] = words[at + 1], words[at]
    elif chance < 0.30 and len(words) > 5:
        at = rng.randrange(2, len(words) - 1)
        words = [*words[at:], *words[:at]]
    elif chance < 0.38:
        words = re.sub(r"[,?!'\"]|\.(?= |$)", "", text).lower().split(" ")
    return " ".join(words) or text
