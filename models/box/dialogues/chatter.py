"""Small talk in free forms: each is put together from parts, so that its words count and no frame does."""

import random
from collections.abc import Callable

from .frames import around, shaken
from .grammar import Intent, Turn, capital, fill
from .itself import TOPICS
from .smalltalk import GLAD, SORRY, STORY
from .stories import JOKES

ADDRESS = "box|little box|model|little model|bot|friend|my friend|buddy|mate|pal|dear|there|you|everyone|all|computer|machine|sidestage|little one|robot|old friend|stranger|folks|sir|team|assistant|tiny thing|chum|partner|everybody"
OPEN = "well|oh|ah|hey|so|wow|ok|okay|right|hm|yeah|yes|and|now|look|listen|honestly|you know|say|oh my|gosh|um|hello|hi|alright|man|great|cool|tell me"
WHEN = "today|tonight|now|this morning|this evening|this afternoon|right now|at the moment|these days|this week|lately|again|on this Monday|since yesterday|all day|at this hour"
HELLO = "hi|hello|hey|hiya|heya|howdy|greetings|good day|good morning|good evening|good afternoon|morning|evening|hallo|aloha|salutations|welcome|yo|hi again|hello again|ahoy|g'day|hey hey|well hello|oh hi|hey hello|hullo|a good day"
FINE = "very|really|so|pretty|rather|a bit|quite|too|terribly|awfully|totally|kind of|a little|extremely|just|deeply|truly|completely|simply"
SADLY = "sad|down|low|blue|lonely|miserable|heartbroken|gloomy|unhappy|depressed|hopeless|awful|terrible|upset|broken|lost|empty|bad|rotten|hurt|disappointed|homesick|melancholic|sorrowful|desperate|forgotten|rejected|unloved|crushed|devastated|horrible|lousy"
GLADLY = "happy|glad|great|fine|good|well|cheerful|excited|joyful|fantastic|wonderful|super|thrilled|delighted|proud|relaxed|brilliant|awesome|amazing|splendid|content|lucky|overjoyed|merry|excellent|jolly"
PRAISE = "nice|great|good|cool|funny|cute|smart|sweet|amazing|kind|lovely|clever|awesome|brilliant|wonderful|helpful|fantastic|adorable|impressive|excellent|charming|marvellous|polite|quick|fun|patient|superb|terrific|incredible|witty"
BLAME = "stupid|dumb|useless|boring|silly|an idiot|annoying|terrible|rubbish|garbage|worthless|hopeless|a joke|a moron|lame|pathetic|awful|crap|ridiculous|brainless|trash|a waste of time|a disappointment|a liar|rude|clueless|horrible|a failure|a fool|no good"
FUNNY = "joke|jokes|pun|gag|one-liner|punchline|funny line|wisecrack|knock-knock joke|dad joke|silly joke|little joke|good joke|funny joke|something funny|something to laugh about|something hilarious|a laugh|humour|comedy|bad joke|short joke|witty line"
THANK = "thanks|thank you|many thanks|thx|cheers|much obliged|a thousand thanks|thanks a million|thanks a bunch|thanks so much|thank you kindly|big thanks|ta|tysm|I thank you|I'm grateful|I am so grateful|I appreciate it|much appreciated|thankful|bless you|gracias|merci|my thanks|warm thanks|thanks again|thanks a ton|thank you so very much|I owe you one"
THANKED = "that|that was perfect|that helped|that did it|that solved it|the help|your help|the tip|the hint|the explanation|the answer|explaining|your time|your patience|the info|everything|this|clearing that up|the quick answer|the code|all of it|the example|it works now|just what I was after|exactly my problem|that makes sense now|you saved my day|you helped me a lot|now I get it|problem solved|being so patient"
BYE = "bye|goodbye|see you|see ya|later|laters|farewell|take care|so long|cya|ciao|adieu|cheerio|ta-ta|until next time|catch you later|talk soon|bye now|bye for now|see you tomorrow|see you around|have a good one|have a nice evening|good night|night night|over and out|hasta la vista|till tomorrow|till next time|signing off|bye then|all the best|so that's it"
LEAVE = "gotta run|gotta go|I have to go|I must go|I need to leave|I'm leaving|I'm off|I'm out|time to go|off to bed|off to work|my bus is here|my train is coming|dinner is ready|lunch is ready|I'm going home|my mum is calling|that was all|that's it for today|I'm done here|my battery is dying|work is calling|I'll be back|I'll be off|heading out|heading home|closing the tab|logging off|leaving now|class starts now|enough for today|have to dash|time for bed|need to sleep now"
MOOD = "how are you|how are you doing|how do you do|how do you feel|how are you feeling|how is it going|how's it going|how goes it|how are things|how is life|how's everything|how have you been|are you ok|are you okay|are you alright|are you well|are you fine|you ok|you okay|you alright|you good|you doing ok|you doing well|you doing good|doing ok|doing fine|doing good|feeling good|feeling ok|everything fine|everything ok|everything all right|all good|all well|is everything good with you|is life treating you well|how's your day|how is your day going|how was your night|did you sleep well|what's up|wassup|how are ya|how ya doing|how r u|how are we|in a good mood|are you having a good day|having a nice day|how fares my friend|how's the mood|how's your mood|what's your mood|how is the box|how is life in the box|are things good|are you feeling fine|is all well with you|hope you are well|I hope you're fine|hope all is good"
HUMANS = "human|a human|a person|a real person|a real human|a man|a woman|a guy|a girl|a lady|a living being|somebody|flesh and blood|alive|conscious|a human being|an employee|an agent|an operator|a guy in a call centre|someone at a desk|a support agent|a real somebody|a boy|self-aware|sentient|a breathing thing|an actual person|a mortal"
SELF = "who are you|what are you|who is this|who am I talking to|who am I speaking with|who is on the other side|which bot is this|which AI is this|what bot am I talking to|what is this thing I talk to|who answers|who writes these answers|what sort of AI are you|what sort of thing are you|what kind of being are you|what kind of machine are you|your name|what is your name|what's your name|got a name|do you have a name|what do they call you|how shall I call you|how do I address you|introduce yourself|present yourself|tell me about yourself|say who you are|describe yourself|are you a bot|are you a chatbot|are you an AI|are you a machine|are you a program|which model am I facing|which model is speaking|what model are you|with whom am I chatting|whom am I dealing with|what am I dealing with|tell me who you are|identify yourself|what creature are you|and who might you be|who's there|who do I have the pleasure with|your identity"
ABLE = "what can you do|what can I ask|what may I ask you|what are you able to do|what are you good at|what do you know|what do you know about|which questions can you answer|what topics do you know|what could I ask|give me ideas what to ask|what would be a good question|suggest a question|suggest something to ask|propose a topic|recommend a question|what should I try|what are your abilities|your abilities|your skills|your talents|what things can you explain|what can you explain|what can you teach me|what can you tell me|what subjects can we discuss|what do you offer|what is on offer|what help do you give|how can you be of help|what are you there for|what is your purpose|what should we talk about|I don't know what to ask|no idea what to ask you|where do I begin with you|show your tricks|what tricks do you know|what can be asked here|examples of what to ask"
BORED = "bored|so bored|bored stiff|bored to death|dying of boredom|bored out of my mind|sitting around|killing time|idle and bored|twiddling my thumbs"


def one(rng: random.Random, of: str) -> str:
    return rng.choice(of.split("|"))


def end(rng: random.Random, marks: str) -> str:
    return rng.choice([*marks, ""])


def dressed(rng: random.Random, text: str, mark: str) -> str:
    """The words with an address, a time or an interjection around them."""
    if rng.random() < 0.22:
        text += rng.choice([" ", ", "]) + one(rng, ADDRESS)
    if rng.random() < 0.2:
        text += " " + one(rng, WHEN)
    if rng.random() < 0.3:
        text = one(rng, OPEN) + rng.choice([", ", " ", "! "]) + text
    return text + end(rng, mark)


def greeting(rng: random.Random) -> str:
    more = one(rng, "nice to meet you|good to see you|nice to see you|pleased to meet you|glad to be here|anyone there|anybody home|is anybody in|are you awake|are you in there|are you listening|can you hear me|knock knock|I'm here|I'm back|it's me|here I am|me again|long time no see|let's begin|lovely to meet you|just wanted to say hi|only saying hello|I come in peace|wake up|someone in the box|is this thing on|first time here|just dropping by|what a pleasure")
    hello = one(rng, HELLO) + (" " + one(rng, ADDRESS) if rng.random() < 0.5 else "")
    kind = rng.random()
    if kind < 0.45:
        return hello + end(rng, "!.,")
    if kind < 0.9:
        return hello + rng.choice([", ", " ", "! ", ". "]) + more + end(rng, "!.?")
    return more + end(rng, "!.?") + " " + hello


def thanking(rng: random.Random) -> str:
    praise = one(rng, PRAISE)
    kind = rng.random()
    if kind < 0.3:
        return dressed(rng, one(rng, THANK), "!.")
    if kind < 0.65:
        return f"{one(rng, THANK)}{rng.choice([' for ', ', ', '! ', ' - '])}{one(rng, THANKED)}" + end(rng, "!.")
    if kind < 0.85:
        return f"{praise}{rng.choice([', ', '! ', ' '])}{one(rng, THANK)}{rng.choice(['', ' for that', ' for it', ' for this', ' indeed', ' very much'])}" + end(rng, "!.")
    return f"{one(rng, THANKED)}{rng.choice([', ', '. ', '! '])}{one(rng, THANK)}" + end(rng, "!.")


def parting(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.35:
        return dressed(rng, one(rng, BYE), "!.")
    first, second = (one(rng, LEAVE), one(rng, BYE)) if rng.random() < 0.7 else (one(rng, BYE), one(rng, LEAVE))
    return dressed(rng, first + (rng.choice([", ", "! ", ". ", " "]) + second if kind < 0.8 else ""), "!.")


def sorrow(rng: random.Random) -> str:
    sadly, very = one(rng, SADLY), one(rng, FINE)
    forms = [
        f"[I am|I'm|im|I feel|I'm feeling|I have been feeling|I've been|feeling|my mood is|my life is|my day was] [{very}|] {sadly}", f"[I am|I'm|I feel] {sadly} and {one(rng, SADLY)}", f"{very} {sadly}", "my heart [is heavy|is broken|aches|hurts|bleeds|feels heavy]", "my [girlfriend|boyfriend|wife|husband|partner] [left me|broke up with me]",
        "my [dog|cat|grandpa|grandma|friend|bird] [passed away|died|is gone|is very ill]", "[nobody|no one] [loves|likes|understands|calls|needs|misses] me", "I [was crying|could cry|have cried] [all night|a lot|again|so much]", "[I am in tears|tears in my eyes|I have no friends|nobody cares|nothing goes right|all is grey|I failed again|I need a hug|comfort me|I got fired|they laughed at me|I feel all alone|I'm at my lowest|I can't stop crying|it hurts inside]",
        "[it was|what|this was|I had|having] a [bad|terrible|horrible|rough|sad|dark|hard|lousy|miserable] [day|week|night|year]", "life is [hard|cruel|unfair|sad|pain]", "I miss [her|him|them|my mum|my old home|someone] [so much|a lot|]",
    ]
    return dressed(rng, fill(rng, rng.choice(forms)), ".!")


def joy(rng: random.Random) -> str:
    gladly, very = one(rng, GLADLY), one(rng, FINE)
    forms = [
        f"[I am|I'm|im|I feel|I'm feeling|feeling|doing|life is|my mood is|my day was] [{very}|] {gladly}", f"{gladly} [and you|thanks, and you|thank you|, how about you|as always]", f"I'm {gladly} and {one(rng, GLADLY)}", "[it was|what|this was|I had|having] a [good|great|lovely|wonderful|perfect|fine] [day|week|night|morning]", "life is [good|great|beautiful|wonderful]", "the sun shines and I [smile|sing|dance]", "I could [dance|sing|hug the world]", "[I can't complain|never better|on top of the world|over the moon|all is fine with me|in high spirits]",
    ]
    return dressed(rng, fill(rng, rng.choice(forms)), ".!")


def praise(rng: random.Random) -> str:
    good, very = one(rng, PRAISE), one(rng, FINE)
    forms = [f"[you are|you're|ur|that was|this is|what you say is|your answers are|that answer was] [{very}|] {good}", f"what a {good} [bot|answer|little model|box|machine|reply|thing]", f"[I love|I like|I adore] [you|your answers|this bot|talking to you|how you talk|your style]", f"{good} [job|work|answer|bot|one|reply|stuff]", f"so {good}", "[you rock|well said|bravo|good for you|respect|hats off|you are the best|best bot ever|my favourite bot|you did well|keep it up|you made my day|thumbs up|kudos]", f"[I think|I find] you [are|] {good}", f"[for your size|for such a small thing] you are {good}"]
    return dressed(rng, fill(rng, rng.choice(forms)), "!.")


def blame(rng: random.Random) -> str:
    bad, very = one(rng, BLAME), one(rng, FINE)
    forms = [f"[you are|you're|ur|u are|that was|this is|this bot is|your answers are|that answer was] [{very}|] {bad}", f"[what a|you] {bad.split(' ')[-1]} [bot|answer|model|box|machine|reply|thing]", "[I hate|I dislike|I can't stand] [you|your answers|this bot|talking to you]", "[you suck|get lost|go away|shut your mouth|boo|you got it wrong|that's wrong|wrong answer|not true at all|you lie|you are lying|worst bot ever|you don't understand anything|you never help|you don't get it|are you kidding me|what nonsense|you made that up|you are no help|my toaster is smarter|learn to read]", f"[I think|I find] you {bad}", f"how [{very}|] {bad.split(' ')[-1]}"]
    return dressed(rng, fill(rng, rng.choice(forms)), "!.")


def mood(rng: random.Random) -> str:
    text = dressed(rng, one(rng, MOOD), "???!")
    return f"{one(rng, HELLO)}{rng.choice([', ', '! ', ' '])}{text}" if rng.random() < 0.25 else text


def joking(rng: random.Random) -> str:
    it = one(rng, FUNNY)
    forms = [f"[got|have you got|do you have|any|know|do you know|you know|can you do|have you heard] [any|a|some|an|] {it}", f"[tell|give|crack|make|share|try|let me hear|let's hear|I want|I need|I'd like|send|say|show me|how about|what about|time for|please] [a|me a|one|me some|some|] {it}", f"{it} [please|now|about anything|about computers|about cats|about food|for my kids|to cheer me up|of the day]", "[make me laugh|make me giggle|make me smile|be funny|I want to laugh|I could use a laugh|something to giggle|can you be funny|are you funny|entertain me with humour|amuse me with a gag|do you have a sense of humour, prove it|what's the funniest thing you know|laughing is healthy, go]", f"my [kids|friends|boss] [want|wants|need] a {it}", f"{it}"]
    return dressed(rng, fill(rng, rng.choice(forms)), "?!.")


def humanity(rng: random.Random) -> str:
    it = one(rng, HUMANS)
    forms = [f"are you [{one(rng, FINE)}|] {it}", f"you [are|must be|sound like|seem|could be] {it} [right|or not|or a machine|or a bot|, aren't you|, admit it|, no|]", f"[is there|is this|is that|am I talking to|am I chatting with|do I talk to|do I write with|there must be] {it} [in there|behind this|on the other end|typing|answering|]", f"[admit it|be honest|tell the truth|confess|swear it|come on], you [are|'re] {it}", f"{it} or [robot|machine|program|software|computer|bot]", f"[I think|I bet|I believe|it feels like] you are {it}", "[do you have|have you got|got] [feelings|a soul|a heart|a body|emotions|parents|a family|hands|eyes|a brain|dreams|children|blood]", "[can|do] you [feel|sleep|eat|breathe|dream|love|cry|laugh|get tired|get hungry|suffer|age|die|think]"]
    return dressed(rng, fill(rng, rng.choice(forms)), "??.")


def boredom(rng: random.Random) -> str:
    forms = [f"[I am|I'm|im|we are|feeling|here I sit,] {one(rng, BORED)}", "[nothing|there is nothing|I have nothing|got nothing] [to do|on my plan|going on|fun to do]", "[entertain|amuse|distract|cheer|divert] me [please|a bit|somehow|with something|]", "[this|my day|life|work|school|the evening] is [so|very|terribly|rather|] [boring|dull|tedious]", "[what can I do against boredom|boredom is killing me|kill my boredom|I need some fun|let's do something fun|do something fun with me|time passes so slowly|I want to be entertained|so dull|yawn|what a dull day]"]
    return dressed(rng, fill(rng, rng.choice(forms)), ".!")


def chat(weight: float, asks: Callable[[random.Random], str], answers: list[str]) -> Intent:
    def make(rng: random.Random, memory: dict) -> list[Turn]:
        ask = fill(rng, asks(rng))
        if rng.random() < 0.12:
            ask = around(rng, ask)
        style = rng.random()
        ask = ask.lower() if style < 0.4 else capital(ask) if style < 0.75 else ask
        return [(shaken(rng, ask), capital(fill(rng, rng.choice(answers))))]

    return Intent(weight, make)


def itself(weight: float, asks: Callable[[random.Random], str], name: str) -> Intent:
    """Small talk whose answers stand with a topic about the model itself."""
    topic = next(topic for topic in TOPICS if topic.name == name)

    def make(rng: random.Random, memory: dict) -> list[Turn]:
        return [(shaken(rng, around(rng, asks(rng)) if rng.random() < 0.3 else asks(rng)), topic.answer(rng))]

    return Intent(weight, make)


INTENTS = [
    chat(9, greeting, ["Hello! [I am Sidestage's model in the box.|] How can I help you?", "Hi there! [It is nice to meet you.|] What would you like to talk about?"]),
    chat(9, thanking, ["You are welcome! [Is there something else?|I am glad that I could help.|]", "With pleasure! [Is there something else?|]"]),
    chat(9, parting, ["Goodbye! [Have a nice day!|It was nice to talk with you.|Take care!]"]),
    chat(10, mood, ["I am a small program, so I do not feel much, but all is well. How are you?", "I am fine, thank you! How are you?"]),
    chat(10, sorrow, [SORRY + " I am only a small program, but I am happy to listen. " + STORY]),
    chat(5, joy, [GLAD + " [What would you like to do?|What shall we talk about?|Can I do something for you?|]"]),
    chat(6, praise, ["Thank you! That is very kind of you.", "Thank you, that is nice to hear! [Shall we go on?|Is there something else?|]"]),
    chat(6, blame, ["I am sorry. I am a very small model, so I often make mistakes. [A bigger model may do better.|]"]),
    chat(9, joking, [joke for joke in JOKES if joke.endswith("!")]),
    chat(4, boredom, ["Then let us do something! I can tell you a joke, a short story or a poem. Which one would you like?"]),
    itself(10, humanity, "human"),
    itself(9, lambda rng: dressed(rng, one(rng, SELF), "??."), "who"),
    itself(9, lambda rng: dressed(rng, one(rng, ABLE), "??."), "can"),
]
