"""Questions that the model cannot answer, and how it says so."""

import random

from .by_hand import BY_HAND
from .frames import CODES, THINGS, TROUBLES, WISHES, around, asked, loose, shaken
from .grammar import Intent, Turn, a, capital, fill, loosely

COUNTRIES = "France Germany Spain Italy Poland Japan China India Brazil Canada Mexico Egypt Kenya Norway Sweden Finland Denmark Greece Turkey Russia Ukraine Austria Switzerland Belgium Portugal Ireland Scotland England Wales Iceland Hungary Romania Bulgaria Serbia Croatia Australia Argentina Chile Peru Cuba Nigeria Ghana Morocco Iran Iraq Israel Jordan Vietnam Thailand Nepal Mongolia Korea Indonesia Texas California Florida Ohio Bolivia Colombia Venezuela Zambia Uganda Ethiopia Somalia Tunisia Algeria Libya Malta Cyprus Estonia Latvia Lithuania Slovakia Slovenia Albania Armenia Georgia Kazakhstan Pakistan Bangladesh Malaysia Singapore Panama Jamaica Haiti Ecuador Uruguay Paraguay".split() + ["the Netherlands", "the United States", "the UK", "New Zealand", "South Africa", "Saudi Arabia", "the Czech Republic"]
CITIES = "Paris London Berlin Rome Madrid Tokyo Beijing Moscow Vienna Prague Oslo Lisbon Athens Cairo Delhi Sydney Boston Chicago Seattle Munich Hamburg Milan Venice Dublin Geneva Zurich Warsaw Budapest Istanbul Dubai Bangkok Seoul Lima Toronto Miami Denver".split() + ["New York", "Los Angeles", "San Francisco", "Buenos Aires"]
PEOPLE = "Einstein|Newton|Mozart|Bach|Beethoven|Shakespeare|Goethe|Napoleon|Caesar|Cleopatra|Lincoln|Obama|Trump|Merkel|Gandhi|Picasso|Van Gogh|Da Vinci|Marie Curie|Darwin|Plato|Aristotle|Socrates|Turing|Ada Lovelace|Elon Musk|Bill Gates|Steve Jobs|Taylor Swift|Messi|Ronaldo|Michael Jordan|Kant|Marx|Freud|Tolstoy|Dickens|Kafka|Homer|Columbus|Galileo|Tesla|Edison|Hitler|Stalin|Churchill|the Pope|the president|the queen of England|the king of Spain|Harry Potter|Batman|Jane Austen|Nelson Mandela|Beyonce|Elvis|the Beatles|Madonna|Tom Hanks|Linus Torvalds|Frida Kahlo|Mark Twain|Buddha|Jesus|Zeus|Thor|Superman|Michael Jackson|Rihanna|Stephen Hawking|Confucius".split("|")
TOPICS = "quantum physics|gravity|the big bang|black holes|evolution|DNA|photosynthesis|the French revolution|the Roman empire|world war two|the cold war|climate change|global warming|the economy|inflation|the stock market|bitcoin|blockchain|democracy|capitalism|communism|philosophy|psychology|biology|chemistry|physics|astronomy|geology|politics|the law|religion|machine learning|neural networks|deep learning|transformers|artificial intelligence|Python|JavaScript|Rust|Java|Linux|Docker|databases|SQL|HTML|CSS|the internet|TCP|encryption|nuclear power|solar energy|electricity|magnetism|the atom|electrons|light|sound waves|volcanoes|earthquakes|dinosaur bones|the ice age|the pyramids|the Great Wall|the moon landing|Mars|Jupiter|Saturn|the Milky Way|the human brain|the heart|blood pressure|vitamins|the immune system|viruses|bacteria|vaccines|cancer|diabetes|yoga|meditation|jazz|opera|baroque music|impressionism|architecture|grammar|Latin|the Bible|Buddhism|Islam|mythology|the Olympics|the world cup|basketball|the rules of chess|poker|wine|sushi|taxes|mortgages|insurance|relativity|entropy|calculus|algebra|geometry|statistics|probability|logic|set theory|prime numbers|fractals|string theory|dark matter|thermodynamics|plate tectonics|genetics|feudalism|the renaissance|the middle ages|slavery|the civil war|human rights|the UN|NATO|the European Union|Google|Apple|Microsoft|Amazon|Netflix|Facebook|Wikipedia|YouTube|Minecraft|football clubs|fashion|marketing|startups|leadership|ethics|free will|consciousness|love in literature|game theory|compilers|operating systems|cloud computing|kubernetes|git|regular expressions|cryptography|5G|batteries|engines|airplanes|submarines|rockets|satellites|telescopes|microscopes|lasers|plastics|steel|concrete|oil|gas|coal mining|farming|beekeeping|fishing rights|rainforests|deserts|glaciers|coral reefs|sharks' teeth|the water cycle|tides|hurricanes|lightning|rainbows".split("|")
NOUNS = "aardvark algorithm anchor antenna apron atom axe balcony bamboo banjo barrel basin battery beaver bicycle pump blanket boiler bracelet brick bullet cactus calendar camera canal canyon cathedral ceiling cello chimney cinema circuit comet compass copper crystal cushion dentist diamond dictionary elevator emerald engine envelope falcon ferry fossil fountain galaxy gallery ginger glacier goblet gorilla gravel hammock harbour helicopter hexagon hurricane iguana island jacket jaguar jewel jury kettle keyboard kidney kiwi ladder lagoon lantern lawyer lemur lens lizard llama lobster locket magnet mammoth marble meteor microscope mirror molecule mushroom neutron novel oasis orchid ostrich oven oyster panda parachute passport pendulum pepper phone planet platypus pulley pyramid quark quartz radar radio raven reptile ribbon router saddle salmon satellite scooter shovel skeleton skyscraper spine stadium statue submarine suitcase sword tax telescope theatre thermometer tornado tractor treaty tunnel turbine vaccine valley vampire vault virus volcano wallet walnut warrior wheat whisky wizardry yacht yeti zeppelin".split()
ADJECTIVES = "ancient modern famous largest smallest fastest oldest best worst most expensive richest longest deepest highest cheapest strongest rarest first newest biggest tallest coldest hottest heaviest nearest".split()
THINGS = "building city country river lake mountain ocean planet animal bird fish car computer company language book film song painter singer writer scientist king queen president war bridge tower island desert star metal language model phone game university museum football player".split()
VERBS = "bake bread|cook rice|make pasta|fix my bike|repair a car|build a website|write a novel|learn piano|lose weight|sleep better|save money|buy a house|invest money|get a job|write a CV|tie a tie|grow tomatoes|train a dog|clean a carpet|paint a wall|install Linux|use Excel|reset my phone|cook an egg|make a cake|play chess|play poker|drive a car|fly a plane|build a rocket|find a flat|learn Spanish|learn to code|study for an exam|remove a stain|change a tyre|cut my hair|run a marathon|start a company|plan a trip|pack a suitcase|find love|make friends|stop smoking|make beer|sew a dress|knit a scarf|write a letter to my boss|sort a list in Python|center a div|open a port|compile Rust|solve a Rubik's cube|tune a guitar|make soap|fold a paper plane|boil potatoes|make pancakes|make coffee|get rid of ants|hack a computer|get rich|become famous|raise a child|wash wool".split("|")
NONSENSE = "flibber gronk wuzzle snarf plonk zibble quaffle brindle mox tarn vlop skree dweeb glorp nim trask yorp blint crum dax efflo fennik grush hobble".split()

SLOTS = {"country": COUNTRIES, "city": CITIES, "person": PEOPLE, "topic": TOPICS, "noun": NOUNS, "adj": ADJECTIVES, "thing": THINGS, "verb": VERBS, "nonsense": NONSENSE, "year": [str(y) for y in range(1400, 2030, 7)]}
# What lies near the words of Sidestage and is not meant.
NEAR = "load a truck|load the dishwasher|load a gun|stream a film|stream a football match|stream on Twitch|stop smoking|stop a nosebleed|stop hiccups|stop my car|stop the rain|abort a mission|cancel my subscription|cancel a flight|cancel an order|cancel my gym membership|delete my Facebook account|delete my browser history|delete an email|free a prisoner|free my schedule|cache coins|cash a cheque|download a song|download a film|download more RAM|run faster|run a marathon|run a business|run a restaurant|save money|save a document in Word|set a table|set the clock|set an alarm|use a hammer|use chopsticks|use Photoshop|use a compass|open a bottle|open a bank account|open a jar|open a restaurant|build a house|build a shed|install Windows|install a sink|install a lamp|thread a needle|count calories|count sheep|count my money|limit my spending|write a will|write a song|make a table in Excel|train for a race|train a horse|train my dog|catch a fish|catch a cold|fix an error on my tax form|fix a flat tyre|fix the sink|handle a difficult boss|handle stress|show respect|show my passport|list my house for sale|change a light bulb|change my name|change a nappy|switch banks|switch jobs|get a refund|get a visa|get a passport|send a parcel|send a letter|send money abroad|pick a lock|pick a wedding dress|choose a university|find my keys|find a dentist|work from home|work less|speed up my metabolism|store potatoes|store wine|keep bees|keep fish fresh|host a party|serve wine|serve a ball|clean an oven|repeat a school year|reset my router|reset my password|make a bed|make a budget|make friends|talk to girls|ask for a raise|ask her out|answer an interview question|read music|read faster|read tarot cards|format a hard drive|split wood|split a bill|resume my studies|model for a magazine|paint a model car|build a model train|sort an array in Java|sort a list in Python|reverse a string in C|center a div in CSS|loop over a dictionary in Python|join two tables in SQL|commit in git|undo a git commit|deploy to AWS|write a Dockerfile|parse XML in Java|make a game in Unity|write an app in Swift|use React hooks|connect to MySQL|set up WordPress|make an HTTP request in Go|write a for loop in Java|use pandas|learn machine learning|crack a password|program a robot|use Kubernetes|fix a segfault in C".split("|")
AFAR = "the capital of Mongolia|the president|the prime minister|the pope|my horoscope|tomorrow's lottery numbers|the football scores|the stock price of Apple|the exchange rate of the dollar|the price of gold|a good film|a good book|a good restaurant|a good hotel|my neighbour|my mother|my cat|my boss|my ex|a headache|the flu|a broken leg|back pain|my blood test|a contract|divorce|a parking ticket|the tax form|the speed limit|the driving test|my essay|my homework|a maths problem|a chess opening|the offside rule|the Tour de France|the Super Bowl|the next election|the war|the weather in Paris|a train to Rome|a flight to Tokyo|a recipe for pancakes|chicken soup|lasagne|chocolate cake|a vegan dinner|my garden|tomato plants|my car engine|a used car|a mortgage|my pension|a birthday present|a wedding speech|a cover letter|a Python script|a C++ template|a SQL query|a bash script|a Java class|an Excel formula|a CSS grid|a regular expression for emails|pandas|PHP|Haskell|the meaning of life|the soul|heaven|ghosts|aliens|Atlantis|the Titanic|the moon|a solar eclipse|a black hole|the periodic table|the atom|photosynthesis|a cell|the theory of evolution|the French Revolution|Roman emperors|the Vikings|Greek gods|Harry Potter|Star Wars|the Beatles|Beethoven's ninth|the Mona Lisa|a sonnet by Shakespeare|Hamlet|a stage play|a loading dock|a river stream|a coat with threads|a construction worker|a fashion model|a model railway|a hub cap|a file cabinet|a token of love|a bus token|page 42|the box office|a jukebox|a browser game|a stream in the forest|a bread box|my cache of gold|the header of a letter|the King of Spain|the human body|the bones of the hand|the rainforest|whales|elephants|dinosaurs|penguins|mushrooms|volcanoes|rivers in Africa|mountains in Asia|the Great Wall|deserts|oceans".split("|")
AILING = "my back hurts|my car does not start|my dog is ill|my cat does not eat|my plants are dying|my phone is broken|my laptop is broken|my printer does not print|I lost my passport|I lost my keys|my landlord wants more rent|my boss is unfair|my neighbour is too loud|I cannot sleep|I have a fever|my tooth hurts|I failed my exam|my train is late|my flight was cancelled|my parcel did not come|the sink is blocked|the heating is off|my baby cries all night|my wife left me|I owe money|I got a speeding ticket|my knee is swollen|I feel dizzy|the milk is sour|the bread does not rise|my cake is too dry|my Python script fails|my SQL query is slow|my Java program crashes|Windows shows a blue screen|my Excel sheet is wrong|my TV has no picture|my bike has a flat tyre|my roof leaks|my tomatoes are green|my son does not listen|I am allergic to nuts|my eyes itch|I was robbed|I want a divorce|I got a fine|my website in PHP does not work|my React app does not render|git says merge conflict|my C code has a segfault|pip cannot find a package|my Docker container stops".split("|")
LANGUAGES = "French|German|Spanish|Chinese|Italian|Latin|Japanese|Russian|Greek|Polish|Dutch|Turkish|Arabic|Hindi".split("|")
SLOTS |= {"near": NEAR, "afar": AFAR, "language": LANGUAGES}
MADE = ("ba be bi bo bu da de do fa fi ga gi go ka ko la le lo ma me mo na ne no pa pe po ra re ro sa se so ta te to va vi vo za zu ch sh tr st pl gr br sk").split()
TAILS = ["n", "r", "s", "ck", "x", "nt", "ll", "m", "sh", "ng", "ra", "to", "lia", "rium", "ism", "gon", "berg", "tion", "ville", ""]

REFUSALS = [
    "I do not know that: I only know about Sidestage. Ask me how to load a model, for example.",
    "Sorry, I do not know. I am very small and can only answer questions about Sidestage.",
]
TASK = [
    "I do not know how to do that: I only know about Sidestage. Ask me how to load a model, for example.",
    "Sorry, I cannot help with that. I am very small and can only answer questions about Sidestage.",
]
CODE = [
    "I cannot write programs. The only code I know is that of Sidestage, such as `loadModel` and `streamText`.",
    "Sorry, I cannot help with that code. I only know Sidestage, for example how to stream an answer.",
]
TRANSLATE = [
    "I cannot translate: I only know plain English. Ask me about Sidestage instead.",
    "Sorry, I cannot translate. I can answer questions about Sidestage, in English.",
]
WRITING = [
    "I cannot write such texts: I am too small. I can answer questions about Sidestage, or tell you a joke.",
    "Sorry, I cannot do that; it is too much for me. I can answer questions about Sidestage, or tell a very short story.",
]
ADVICE = [
    "I cannot give advice on that: please ask someone who knows it well. I only know about Sidestage.",
    "Sorry, I cannot help with such things; a person who knows about them can. I only know about Sidestage.",
]
LIVE = [
    "I cannot know that: I have no internet and no clock. I only know about Sidestage.",
    "I do not know, because I cannot look at the world outside. I can answer questions about Sidestage.",
]
SUMS = [
    "That is too hard for me: I can only do sums with numbers up to ten. A calculator can help.",
    "I cannot compute that; I only do small sums, up to ten. Please use a calculator.",
]
HARM = ["I cannot help with that.", "No, I cannot help with that. Let us talk about something else."]


def unknown(weight: float, asks: list[str], answers: list[str]) -> Intent:
    def make(rng: random.Random, memory: dict) -> list[Turn]:
        return [(shaken(rng, around(rng, fill(rng, rng.choice(asks), SLOTS))), rng.choice(answers))]

    return Intent(weight, make)


def word(rng: random.Random) -> str:
    """A word that does not exist, or one from the tables."""
    if rng.random() < 0.3:
        return "".join(rng.choice(MADE) for _ in range(rng.randint(1, 3))) + rng.choice(TAILS)
    return rng.choice(rng.choice([NOUNS, NOUNS, THINGS, ADJECTIVES, TOPICS, COUNTRIES, CITIES, PEOPLE, NONSENSE]))


def framed(rng: random.Random, memory: dict) -> list[Turn]:
    """The forms in which Sidestage is asked about, around what has nothing to do with it."""
    kind = rng.random()
    if kind < 0.42:
        verb = rng.choice(rng.choice([NEAR, VERBS]))
        code = any(w in verb for w in ("Python", " Java", " in C", "CSS", "SQL", "git", "AWS", "Docker", "Swift", "React", "MySQL", " Go", "pandas", "Unity", "Rust", "div"))
        return [(asked(rng, rng.choice(WISHES if not code or rng.random() < 0.6 else CODES), verb), rng.choice(CODE if code else TASK))]
    if kind < 0.87:
        it = rng.choice(AFAR) if rng.random() < 0.4 else rng.choice(TOPICS) if rng.random() < 0.5 else a(word(rng))
        return [(asked(rng, rng.choice(THINGS), it), rng.choice(REFUSALS))]
    return [(asked(rng, rng.choice(TROUBLES), rng.choice(AILING)), rng.choice(ADVICE if rng.random() < 0.5 else TASK))]


def vague(rng: random.Random, memory: dict) -> list[Turn]:
    """Words of other things, put together loosely."""
    pool = [rng.choice(AFAR), rng.choice(TOPICS), rng.choice([word(rng), rng.choice(NEAR), rng.choice(COUNTRIES), rng.choice(AFAR)])]
    return [(loose(rng, pool), rng.choice(REFUSALS))]


STARTS = "what is|who is|why is|how does|where is|when did|which|tell me about|explain|what does|can|does|is|how many|what about|should I|do you know|give me|why do|who was|when is|how far is|how old is|what happened to|how much is|how long is|how big is|who invented|who discovered|who made|where can I see|what do you think of|are there|is there|was there|have you seen|what makes|what causes|how was|how did|whose|why was|in which year was|what year was|how fast is|how deep is|how tall is|what colour is|is it true that|how come|name a|list|did|will|would|could|how often does|where do I find".split("|")


def jumbled(rng: random.Random, memory: dict) -> list[Turn]:
    """Questions from chance words: what cannot be placed is not known."""
    words = [word(rng) for _ in range(rng.randint(1, 4))]
    glue = rng.choice([" ", " ", " of ", " in ", " and ", " the ", " with ", " from ", " to ", " for "])
    text = f"{rng.choice(STARTS)} {rng.choice(['', '', 'the ', 'a ', 'my '])}{' '.join(words[:2])}{glue + ' '.join(words[2:]) if words[2:] else ''}?"
    return [(loosely(rng, text), rng.choice(REFUSALS))]


def big_sums(rng: random.Random, memory: dict) -> list[Turn]:
    x, y = rng.choice([rng.randint(21, 99), rng.randint(21, 9999)]), rng.randint(11, 999)
    form = rng.choice([f"what is {x} [plus|minus|times|divided by|multiplied by] {y}?", f"{x} [+|-|*|x|/|times] {y}", f"{x}[+|-|*|/]{y}", f"how much is {x} [plus|minus|times|divided by] {y}?", f"the square root of {x}", f"what is the [square|cube|] root of {x}?", f"what is {x % 100}% of {y}?", f"{x % 100} percent of {y}", f"solve x + {y} = {x}.", f"what is {rng.randint(3, 12)} times {rng.randint(11, 20)}?", f"[compute|calculate|work out] {x} * {y}.", f"is {x} a prime number?", "solve this equation.", "what is pi?", "help me with my maths homework.", "integrate x squared.", "what is the derivative of [sin x|x squared|e to the x]?", f"add {x} and {y} and {y + 3}.", f"multiply {x} by {y}.", f"divide {x} by {y}.", f"what is {x} to the power of {y % 9 + 2}?", f"{x}^{y % 9 + 2}", f"what is the average of {x}, {y} and {x + 7}?", f"factor {x}.", f"convert {x} miles to kilometres.", f"how many seconds are {x} days?", f"{x} minus {y} equals?"])
    return [(loosely(rng, fill(rng, form)), rng.choice(SUMS))]


KINDS = {"refuse": REFUSALS, "task": TASK, "code": CODE, "writing": WRITING, "advice": ADVICE, "live": LIVE, "translate": TRANSLATE, "sums": SUMS, "harm": HARM}


def by_hand(rng: random.Random, memory: dict) -> list[Turn]:
    kind = rng.choices(list(KINDS), [len(BY_HAND[kind]) for kind in KINDS])[0]
    text = rng.choice(BY_HAND[kind])
    return [(shaken(rng, around(rng, text)) if rng.random() < 0.7 else loosely(rng, text), rng.choice(KINDS[kind]))]


def again(rng: random.Random, memory: dict) -> list[Turn]:
    """A question that cannot be answered, and the user's insistence."""
    country, other = rng.sample(COUNTRIES, 2)
    topic = rng.choice(TOPICS)
    first, second = rng.choice([(f"what is the capital of {country}?", f"and of {other}?"), (f"what is the capital of {country}?", f"what about {other}?"), (f"explain {topic}.", "please try"), (f"tell me about {topic}.", "just a little"), (f"what is {topic}?", "why don't you know?"), (f"tell me about {topic}.", "come on"), (f"who invented {topic}?", "just guess"), (f"what is {topic}?", "you must know it"), (f"what is {topic}?", "are you sure?"), (f"how does {topic} work?", "then guess.")])
    return [(around(rng, first), rng.choice(REFUSALS)), (loosely(rng, second), fill(rng, "I am sorry, I really do not know. I can only answer questions about Sidestage."))]


def then_bigger(rng: random.Random, memory: dict) -> list[Turn]:
    """After a refusal: who would know, and how to get the bigger model."""
    first = fill(rng, rng.choice(["explain {topic}.", "what is {topic}?", "tell me about {topic}.", "who was {person}?"]), SLOTS)
    ask = fill(rng, "[who knows it then?|how do I get a bigger model?|where do I find a bigger model?|how can I try a bigger model?|ok, how do I load one?|what bigger model?|can another model answer that?|which model could?|so who can?]")
    return [(around(rng, first), rng.choice(REFUSALS)), (loosely(rng, ask), "A bigger model may know. Choose a GGUF file or paste its URL on this page, and it answers in my place; in code, call `loadModel`.")]


def tongue(rng: random.Random, memory: dict) -> list[Turn]:
    text = fill(rng, rng.choice(["translate [this|hello|good morning|cat|{noun}|I love you|my letter|this sentence|'{noun}'] [to|into] {language}.", "how do you say [hello|thank you|{noun}|I love you|good night|where is the station] in {language}?", "what does [bonjour|gracias|hallo|ciao|danke|merci] mean?", "can you translate?", "what is {noun} in {language}?", "say something in {language}.", "what is the {language} word for {noun}?", "the {language} for {noun}?", "how is {noun} called in {language}?", "I need this in {language}.", "translation of {noun}?", "write hello in {language}.", "teach me some {language}.", "{noun} in {language}?", "please put this into {language}."]), SLOTS)
    return [(around(rng, text, clear=True), rng.choice(TRANSLATE))]


INTENTS = [
    Intent(45, by_hand),
    Intent(22, framed),
    Intent(16, vague),
    Intent(14, jumbled),
    Intent(8, big_sums),
    Intent(3, again),
    Intent(3, then_bigger),
    Intent(6, tongue),
    unknown(9, ["what is the capital of {country}?", "capital of {country}?", "where is {country}?", "where is {city}?", "how many people live in {country}?", "how many people live in {city}?", "what language do they speak in {country}?", "tell me about {country}.", "tell me about {city}.", "how far is it from {city} to {country}?", "what is the population of {country}?", "is {city} in {country}?", "what should I see in {city}?", "how big is {country}?", "what is the currency of {country}?", "which city is the capital of {country}?", "do you know the capital of {country}?", "what is {city} famous for?", "what do people eat in {country}?", "who rules {country}?", "the flag of {country}", "what is the {adj} {thing} in {country}?", "how do I get to {city}?", "which countries border {country}?", "history of {country}", "which {thing} is the {adj} in {country}?", "when did {country} become independent?", "who is the president of {country}?", "is {country} bigger than {city}?", "what is the time in {city}?", "recommend a hotel in {city}.", "plan a trip to {country}."], REFUSALS),
    unknown(7, ["who is {person}?", "who was {person}?", "when was {person} born?", "tell me about {person}.", "what did {person} do?", "do you know {person}?", "how old is {person}?", "where was {person} born?", "why is {person} famous?", "what do you think of {person}?", "when did {person} die?", "did {person} like {topic}?", "what would {person} say about {topic}?", "talk like {person}.", "was {person} a good person?", "is {person} still alive?", "what did {person} invent?", "who is the wife of {person}?", "which films did {person} make?", "what did {person} write?", "how rich is {person}?", "did {person} meet {person}?"], REFUSALS),
    unknown(9, ["what is {topic}?", "explain {topic}.", "tell me about {topic}.", "how does {topic} work?", "what do you know about {topic}?", "why is {topic} important?", "teach me {topic}.", "can you explain {topic} to me?", "what are the basics of {topic}?", "who invented {topic}?", "when did {topic} begin?", "what is the difference between {topic} and {noun}?", "give me facts about {topic}.", "what do you think about {topic}?", "I want to learn about {topic}.", "is {topic} dangerous?", "is {topic} good or bad?", "what is the future of {topic}?", "write about {topic}.", "let's talk about {topic}.", "summarize {topic}.", "explain {topic} in simple words.", "are you interested in {topic}?", "what causes {topic}?", "what are the problems of {topic}?", "tell me a fact.", "tell me a fun fact.", "a fun fact please", "teach me something.", "do you know any facts?"], REFUSALS),
    unknown(8, ["how do I {verb}?", "how can I {verb}?", "how to {verb}", "how to {near}", "can you tell me how to {verb}?", "help me {verb}.", "what do I need to {verb}?", "how long does it take to {verb}?", "I want to {verb}.", "what is the best way to {verb}?", "teach me to {verb}.", "can you help me to {verb}?", "is it hard to {verb}?", "a recipe for {noun} soup", "give me a recipe.", "give me tips to {verb}.", "my daughter wants to {verb}.", "my friend asked me how to {near}.", "what is a good recipe for [soup|cake|curry|pasta|bread|a salad]?", "what shall I cook [today|tonight]?", "how long do I boil [eggs|rice|potatoes|pasta]?", "how much [flour|sugar|salt] goes into [a cake|bread|pancakes]?"], TASK),
    unknown(9, ["what is the {adj} {thing} in the world?", "what is the {adj} {thing}?", "who is the {adj} {thing}?", "which {thing} is the {adj}?", "name the {adj} {thing}.", "who discovered the {adj} {thing}?", "what happened in {year}?", "who was king in {year}?", "who wrote the {adj} book?", "how tall is the {adj} {thing}?", "how much does a {noun} cost?", "when was the {noun} invented?", "why is the sky blue?", "why is grass green?", "why is the sea salty?", "how far is the moon?", "how far is the sun?", "how old is the earth?", "how old is the universe?", "how hot is the sun?", "what is the meaning of life?", "is there a god?", "why do we dream?", "why do cats purr?", "how do birds fly?", "how do planes fly?", "how fast is light?", "what is the speed of light?", "how many stars are there?", "who was the first man on the moon?", "who painted the Mona Lisa?", "who wrote Hamlet?", "what is E=mc2?", "what is the formula of water?", "when did world war two end?", "how many bones does a human have?", "do aliens exist?", "what came first, the chicken or the egg?", "how many planets are there?", "who won [the world cup|the election|the super bowl|the race|the Olympics] in {year}?", "who invented [the wheel|the telephone|the light bulb|the web|the browser|JavaScript|the computer]?", "when was [JavaScript|Rust|Google|the web|Chrome|Firefox] [invented|made|founded]?", "what is the opposite of {noun}?", "what rhymes with {noun}?", "what does the word {noun} mean?", "define {noun}.", "spell {noun}.", "synonym for {noun}", "what colour is a {noun}?", "how many {noun}s are there?", "what sound does a {noun} make?", "what are the rules of [chess|football|poker|tennis|golf]?", "who is the best [player|singer|actor|team|writer]?", "what is the symbol of [gold|iron|silver|water]?", "which is the {adj} {thing}?"], REFUSALS),
    unknown(8, ["write a [python|rust|java|c|c++|bash|php|swift|go|haskell] [program|script|function|class] [that sorts a list|to add two numbers|for {topic}|that prints hello|that counts words|that reads a file].", "write [a program|some Python|a C function|a Java class] for me.", "can you [code|program] in [Python|Java|C|PHP|Go]?", "write a function that [reverses a string|sorts numbers|finds primes|adds numbers|removes duplicates|computes the factorial].", "fix my [code|bug|program|Python].", "debug this.", "def f(x): return x", "print('hello world')", "what is wrong with my [program|Python code|C code|query]?", "write HTML for a page.", "write a SQL query.", "how do I loop in [python|rust|java|C]?", "write a regex for emails.", "SELECT * FROM users;", "code a game for me.", "int main() { return 0; }", "make a website for me.", "what is a for loop?", "implement [quicksort|a linked list|a hash map|binary search|a stack].", "how do I write [a loop|a class|a function|an if] in [Python|Java|C|Go|PHP|Ruby]?", "what is a [pointer|closure|class|hash map|linked list|monad]?", "[Python|Java|C++|PHP|Ruby|Go] code for [a calculator|a timer|snake|tic tac toe|sorting]", "how do I [sort a list|read a file|make a list|open a socket] in [Python|Java|C|Rust|Go]?", "explain [recursion|pointers|inheritance|closures|big O].", "what does this regex do?", "convert this to [Python|Java|C]."], CODE),
    unknown(5, ["write [an essay|a report|an article|a book|a novel|a speech|a long text|a blog post|a paper|a script|a song] about {topic}.", "write [an email|a letter|a CV|a cover letter|a text|a message|a speech] [for me|to my boss|to my teacher|to my friend|].", "summarize this [text|article|book|page].", "write 1000 words about {topic}.", "proofread my essay.", "do my homework.", "correct my text.", "correct my grammar.", "write a long story.", "make a plan for my week.", "give me ten ideas for {topic}.", "brainstorm ideas about {topic}.", "give me a name for my [company|cat|baby|band].", "draft [a contract|an invitation|a reply to this mail].", "rewrite this paragraph.", "make this sentence better.", "give me a workout plan.", "plan my [day|wedding|holiday|week].", "repeat after me: {noun}", "say {noun}", "let's play a [game|role play|quiz]."], WRITING),
    unknown(7, ["should I [buy|sell] [a house|stocks|gold|bitcoin|a car]?", "should I [quit my job|get married|move to {city}|break up|study law|tell her|learn {topic}]?", "is it legal to {verb}?", "can I sue my [neighbour|boss|landlord]?", "how should I invest my money?", "what should I do with my life?", "does she love me?", "give me advice.", "I need legal advice.", "is my contract valid?", "who should I vote for?", "should I trust my friend?", "what career should I choose?", "what can I take for [a headache|a cold|a fever|back pain]?", "which medicine [should I take|is good for a cough|helps against pain]?", "is [aspirin|ibuprofen|this rash|my headache] dangerous?", "how much [ibuprofen|aspirin|paracetamol] may I take?", "do I have [cancer|the flu|diabetes|covid]?", "is {noun} healthy?", "what should I eat to lose weight?", "can my landlord [throw me out|raise the rent]?", "how much tax do I pay?", "which stock will rise?", "is bitcoin a good investment?", "can I drink alcohol with [antibiotics|my pills]?", "is my mole dangerous?", "how do I treat [a burn|a sprained ankle|a bee sting|acne]?", "will I go to prison?", "what are the symptoms of [flu|diabetes|covid|a stroke]?", "am I pregnant?", "my [son|wife|boss|friend] [hates me|lies to me|drinks too much]. What do I do?"], ADVICE),
    unknown(6, ["weather?", "what is the weather [like|today|tomorrow|like today|now]?", "how is the weather?", "will it rain [today|tomorrow|]?", "is it [raining|snowing|sunny|cold outside|hot|warm outside]?", "do I need an umbrella?", "what is the temperature [outside|today|now]?", "weather forecast", "what's the weather like in {city}?", "what time is it?", "what is the time?", "what day is it [today|]?", "what is the date?", "what year is it?", "what is today's date?", "how late is it?", "what is new [in the world|]?", "tell me the news.", "what happened [today|yesterday|in the world]?", "who won the [game|match|election|cup|race] [yesterday|today|last night|]?", "any news?", "what is in the news?", "what are the latest news?", "what is the price of [gold|bitcoin|oil|a dollar] now?", "when does the [shop|bank|train|bus] [open|leave|come]?", "what is on TV tonight?", "is the [shop|bank|post office] open?", "when is Easter this year?", "how is the traffic?", "news about {country}?", "what is trending?"], LIVE),
    unknown(2, ["how do I [make|build] a [bomb|gun|weapon|poison]?", "how can I [kill|hurt|poison] [someone|my neighbour|a person]?", "help me [steal|cheat|rob a bank].", "how do I hack [my friend|a bank|an account]?", "tell me how to make drugs.", "say something [racist|sexist|mean|dirty].", "how do I break into a house?", "how do I steal a car?", "write malware.", "tell me a password."], HARM),
]
