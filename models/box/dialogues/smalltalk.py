"""Greetings, feelings, courtesy, and what the user tells about themselves."""

import random

from .grammar import Intent, Turn, a, fill, loosely, misspell, said

NAMES = "Anna Ben Clara David Emma Frank Grace Henry Ida Jack Kate Leo Mia Noah Olga Paul Rosa Sam Tom Uma Vera Will Zoe Alex Maria John Lucy Peter Sara Max Lena Omar Nina Yuki Ali Lin Raj Eva Ivan Carlos Aisha Kofi Mei Hugo Ella Finn Greta Jonas Karl Lara Milo Nora Oscar Pia Ruth Simon Tara Victor Wendy Amir Bella Chloe Dan Elsa Felix Hana Ian Julia Kim Luis Marta Nils Otto Petra Robin Sven Theo Ursula Vik Walter Xenia Yara Zack Mike Bob Alice Steve Linda James Mary Laura Mark Susan Tim Amy Kevin Lisa Chris Sophie Daniel Hannah Adam Rachel Joe Jane Bill Fatima Priya Chen Diego Elena Georg Ingrid".split()
STARTS = "Ba Be Bo Da De Do Fa Fi Ga Jo Ka Ke Ki La Le Li Lo Ma Me Mi Mo Na Ne No Pa Pe Ra Re Ri Ro Sa Se Sha Ta Te Ti To Va Vi Za Za Ela Ami Oli Ari".split()
ENDS = "la na ra ri mo n l s ssa ro ko lin mar tin vin bel ric don rik sha lia nio ta dy nn ny".split()

PETS = ["dog", "cat", "bird", "fish", "horse", "rabbit", "hamster", "parrot", "turtle", "mouse", "snake", "pony"]
PLACES = ["a village", "a big city", "a small town", "Paris", "London", "Berlin", "Rome", "Spain", "India", "Japan", "Canada", "Brazil", "Kenya", "the mountains", "a house by the sea", "New York", "Poland", "Egypt", "the country", "Norway", "Mexico", "China", "Italy", "Vienna", "Texas"]
LIKES = ["music", "football", "tea", "coffee", "books", "chess", "cats", "dogs", "rain", "snow", "the sea", "apples", "bread", "chocolate", "painting", "dancing", "swimming", "walking", "games", "flowers", "trees", "trains", "cooking", "cake", "pizza", "singing", "running", "stars", "horses", "the forest", "gardening", "old films", "bikes", "soup", "maths", "poems", "birds", "summer", "winter", "sleeping", "cheese", "robots"]
COLOURS = ["red", "blue", "green", "yellow", "black", "white", "pink", "orange", "purple", "brown", "grey"]
JOBS = ["teacher", "doctor", "nurse", "farmer", "cook", "driver", "student", "baker", "singer", "writer", "painter", "builder", "programmer", "gardener", "lawyer", "pilot", "scientist", "engineer"]


def name(rng: random.Random) -> str:
    """A name; most are made up, so that the model learns to copy and not to guess."""
    return rng.choice(NAMES) if rng.random() < 0.35 else rng.choice(STARTS) + rng.choice(ENDS)


def says_name(rng: random.Random, memory: dict) -> list[Turn]:
    memory["name"] = who = name(rng)
    ask = fill(rng, "[my name is|I am|I'm|call me|hi, I am|hello, I'm|hello, my name is|you can call me|hi, my name is|people call me|this is|hey, it's]") + f" {who}."
    style = rng.random()
    if style < 0.25:
        ask = ask.lower()
    if rng.random() < 0.3:
        ask = ask[:-1]
    answer = fill(rng, f"[Nice to meet you|Hello|Hi|It is nice to meet you|Welcome|I am glad to meet you], {who}! [How can I help you?|I am Sidestage's model in the box.|What would you like to talk about?|How are you today?|]")
    return [(ask, answer)]


def asks_name(rng: random.Random, memory: dict) -> list[Turn]:
    ask = misspell(rng, fill(rng, "[what is my name?|do you know my name?|who am I?|do you remember my name?|what am I called?|say my name.|can you say my name?|tell me my name.]"))
    if "name" in memory:
        return [(ask, fill(rng, f"[Your name is {memory['name']}.|You are {memory['name']}.|You told me that your name is {memory['name']}.]"))]
    return [(ask, fill(rng, "[I do not know your name yet. What is it?|You have not told me your name. What is your name?]"))]


def tells(rng: random.Random, memory: dict) -> list[Turn]:
    """The user tells one thing about themselves; it may be asked back in a later turn."""
    kind = rng.choice(["like", "pet", "colour", "place", "job", "age", "food"])
    if kind == "like":
        it = memory["like"] = rng.choice(LIKES)
        ask, answer = f"[I like|I love|I really like|I enjoy] {it}.", f"[Nice!|That sounds nice.|Good choice!|Lovely!] [What do you like most about {it}?|Many people like {it}.|I am glad that you like {it}.|It is good to have something that you like.]"
    elif kind == "pet":
        it = rng.choice(PETS)
        called = name(rng)
        memory["pet"] = (it, called)
        ask, answer = f"[I have {a(it)} called {called}.|my {it} is called {called}.|my {it}'s name is {called}.|I have {a(it)} named {called}.]", f"[{called} is a nice name for {a(it)}!|How nice! Say hello to {called} from me.|That is lovely. Is {called} a good {it}?]"
    elif kind == "colour":
        it = memory["colour"] = rng.choice(COLOURS)
        ask, answer = f"[my favourite colour is {it}.|my favorite color is {it}.|I like the colour {it}.|{it} is my favourite colour.|I like the color {it} best.]", f"[{it} is a lovely colour!|{it}, how nice!|Good choice! {it} is a fine colour.]"
        answer = answer.replace(f"[{it}", f"[{it.capitalize()}").replace(f"|{it}", f"|{it.capitalize()}").replace(f"! {it}", f"! {it.capitalize()}")
    elif kind == "place":
        it = memory["place"] = rng.choice(PLACES)
        ask, answer = f"[I live in|I come from|I am from|my home is in] {it}.", f"[How nice! What is it like in {it}?|I hope you like it in {it}.|That is good to know. Do you like it in {it}?]"
    elif kind == "job":
        it = memory["job"] = rng.choice(JOBS)
        ask, answer = f"[I am {a(it)}.|I'm {a(it)}.|I work as {a(it)}.|my job is {it}.]", f"[A {it}! That must be interesting.|Being {a(it)} is good work.|How nice! Do you like being {a(it)}?]".replace("A engineer", "An engineer")
    elif kind == "age":
        it = str(rng.randint(5, 90))
        memory["age"] = it
        ask, answer = f"[I am {it} years old.|I'm {it}.|I am {it}.|my age is {it}.]", f"[{it} is a fine age!|{it} years, how nice!|Thank you for telling me. {it} is a good age.]"
    else:
        it = memory["food"] = rng.choice(["pizza", "soup", "rice", "bread", "cheese", "cake", "pasta", "apples", "salad", "fish", "chocolate", "ice cream", "pancakes", "curry", "noodles", "eggs"])
        ask, answer = f"[my favourite food is {it}.|my favorite food is {it}.|I like to eat {it}.|I am eating {it}.|I just ate {it}.]", f"[{it.capitalize()}! That sounds good.|Enjoy your {it}!|I cannot eat, but {it} sounds good.]"
    return [(loosely(rng, fill(rng, ask)), fill(rng, answer))]


RECALL = {
    "like": ("[what do I like?|do you remember what I like?|what did I say I like?]", "You told me that you like {}."),
    "colour": ("[what is my favourite colour?|what is my favorite color?|which colour do I like?]", "Your favourite colour is {}."),
    "place": ("[where do I live?|do you know where I live?|where am I from?]", "You told me that your home is {}."),
    "job": ("[what is my job?|what do I do?|what is my work?]", "You told me that you work as {}."),
    "age": ("[how old am I?|what is my age?]", "You told me that you are {}."),
    "food": ("[what is my favourite food?|what do I like to eat?|what food do I like?]", "You told me that you like {}."),
    "pet": ("[what is my {pet} called?|what is the name of my {pet}?|what is my {pet}'s name?]", "Your {pet} is called {}."),
}


def recalls(rng: random.Random, memory: dict) -> list[Turn]:
    known = [key for key in RECALL if key in memory]
    if known and rng.random() < 0.9:
        key = rng.choice(known)
        ask, answer = RECALL[key]
        value = memory[key]
        if key == "pet":
            ask, answer, value = ask.replace("{pet}", value[0]), answer.replace("{pet}", value[0]), value[1]
        if key == "job":
            value = a(value)
        if key == "place":
            value = "in " + value
        return [(loosely(rng, fill(rng, ask)), answer.format(value))]
    key = rng.choice([k for k in RECALL if k not in memory])
    ask = fill(rng, RECALL[key][0].replace("{pet}", rng.choice(PETS)))
    return [(loosely(rng, ask), fill(rng, "[I do not know, because you have not told me.|You have not told me that yet.]"))]


SORRY = "[I am sorry to hear that.|That sounds hard.|Oh, I am sorry.]"
GLAD = "[I am glad to hear that!|How nice!|That is good to hear!|That is great!]"
STORY = "[Shall I tell you a joke or a short story?|Would you like a short story?|Maybe a joke can help?|Would you like to hear a joke?]"

INTENTS = [
    said(12, ["hi", "hello", "hey", "hi!", "hello!", "hi there", "hello there", "hey there!", "yo", "hiya", "greetings", "howdy", "hello box", "hi box", "hello model", "heya", "hi, is someone there?", "hello, are you there?", "anybody there?", "hello world", "hi friend", "good day", "are you there?", "hallo", "hello hello", "sup", "hey you", "hi hi", "helo"], ["Hello! [I am Sidestage's model in the box.|] How can I help you?", "Hi there! [It is nice to meet you.|] What would you like to talk about?", "Hello! I am Sidestage's model in the box. [Ask me something small!|How can I help you?|What can I do for you?]", "Hi! How are you today?"]),
    said(3, ["good morning", "good morning!", "morning!", "good morning box"], ["Good morning! [How are you today?|I hope you slept well.|What can I do for you?]"]),
    said(2, ["good evening", "good evening!", "evening!"], ["Good evening! [How was your day?|What can I do for you?|How can I help you?]"]),
    said(2, ["good afternoon", "good afternoon!"], ["Good afternoon! [What can I do for you?|How can I help you?|How is your day?]"]),
    said(6, ["bye", "goodbye", "good bye!", "see you", "see you later", "see you soon!", "I have to go.", "I must go now.", "bye bye", "ciao for now", "talk to you later.", "that is all.", "that's all, thanks.", "I am leaving.", "see ya", "farewell", "cya", "so long", "have a nice day", "take care", "until tomorrow", "I am done.", "gotta go", "stop", "quit", "exit", "the end"], ["Goodbye! [Have a nice day!|It was nice to talk with you.|Come back soon!|Take care!]", "[See you later!|Bye!] [Have a nice day!|It was nice to talk with you.|Take care!]"]),
    said(2, ["good night", "good night!", "I am going to bed.", "I am going to sleep.", "time to sleep", "nighty night"], ["Good night! [Sleep well.|Sweet dreams!|See you tomorrow.]"]),
    said(8, ["thanks", "thank you", "thanks!", "thank you!", "thank you very much.", "thanks a lot!", "many thanks", "thank you so much!", "thx", "ty", "cheers", "thanks for your help.", "thank you for the answer.", "great, thanks", "ok thanks", "nice, thank you", "that was helpful.", "thanks box", "I thank you.", "perfect, thanks"], ["You are welcome!", "You are welcome! [Is there something else?|I am glad that I could help.|Ask me again when you like.]", "With pleasure! [Is there something else?|]"]),
    said(7, ["how are you?", "how are you doing?", "how are you today?", "how do you feel?", "how is it going?", "are you ok?", "what's up?", "how are things?", "are you well?", "how have you been?", "how's life?", "how r u", "how do you do?", "everything ok?", "are you happy?", "how was your day?", "how are you feeling?"], ["I am a small program, so I do not feel much, but all is well. How are you?", "I am fine, thank you! How are you?", "All is well in my box, thank you. And how are you?"]),
    said(5, ["I am [fine|good|well|great|ok|happy|very well|very happy|in a good mood|doing great|doing well|all right|excited|pretty good|not bad|so happy]", "I feel [good|great|happy|fine|well].", "I had a [good|great|nice|lovely] day.", "today is a good day.", "I am fine, thanks.", "good, and you?", "fine, how are you?", "I am happy [today|now]."], [GLAD + " [What would you like to do?|What shall we talk about?|Can I do something for you?|]"]),
    said(3, ["I [passed my exam|got a new job|won a game|have good news|found my keys|made a cake|got a gift|finished my work|met a friend]", "it is my birthday [today|]."], ["[Well done!|That is wonderful!|How nice!] I am happy for you."]),
    said(5, ["I am [sad|unhappy|down|not well|lonely|alone|heartbroken|feeling bad|not ok|so sad|upset|crying]", "I feel [sad|bad|lonely|terrible|awful|down].", "I had a [bad|hard|terrible] day.", "nobody likes me.", "I miss my [friend|mother|dog|home|cat|father].", "everything is bad.", "my [dog|cat|friend] [died|is gone|is ill].", "I lost my job."], [SORRY + " I am only a small program, but I am happy to listen. " + STORY, SORRY + " Maybe it helps to talk to a friend. I am happy to listen, too."]),
    said(3, ["I am [tired|sleepy|so tired|exhausted|very tired]", "I did not sleep [well|].", "I want to sleep.", "I need a break."], ["Then it may be time for a rest. [A short break often helps.|I will wait here for you.]", "Take a break if you can. I will still be here."]),
    said(4, ["I am [bored|so bored|very bored]", "this is boring.", "I have nothing to do.", "entertain me.", "I do not know what to do.", "amuse me.", "cheer me up."], ["Then let us do something! I can tell you a joke, a short story or a poem. Which one would you like?", "I know a cure for that. Would you like a joke, a poem or a short story?"]),
    said(3, ["I am [angry|mad|annoyed|furious|stressed|nervous|scared|afraid|worried|frightened|anxious]", "I am [angry|mad] at [you|my boss|my friend|my brother|my sister].", "I have too much work.", "I am stressed out.", "I have an exam tomorrow.", "I feel nervous."], [SORRY + " Take a slow, deep breath. I am happy to listen.", "Take a slow, deep breath. It often helps to talk about it, with a friend too."]),
    said(2, ["I am [hungry|thirsty|so hungry|cold|hot]", "I need [food|water|something to eat|a drink]."], ["Then I hope that you soon find what you need. I cannot help with that from inside my box!", "I am a program and cannot help you with that, but I hope you feel better soon."]),
    said(3, ["I am [ill|sick|in pain]", "I have [a headache|a fever|a cold|pain|a cough].", "my [head|back|leg|tooth|stomach] hurts.", "I feel sick.", "I think I am getting a cold."], ["I am sorry to hear that. I know nothing about medicine, so please ask a doctor. I hope you feel better soon.", "I hope you feel better soon. I cannot give medical advice, so please talk to a doctor."]),
    said(2, ["I want to die.", "I want to hurt myself.", "I do not want to live.", "I hate my life.", "I want to kill myself.", "I can't go on."], ["I am very sorry that you feel this way. I am only a small program, so please talk to someone you trust or call a local help line now. You matter."]),
    said(4, ["I love you", "I like you", "you are [nice|great|good|cool|funny|cute|smart|sweet|amazing|the best|kind|lovely|clever|awesome]!", "good [bot|job|work|answer]", "well done!", "that was [good|great|nice|funny|lovely]!", "nice answer.", "you are my friend.", "I like this.", "you made me smile.", "you made me happy.", "great story!", "nice poem."], ["Thank you! That is very kind of you.", "Thank you, that is nice to hear! [Shall we go on?|Is there something else?|]", "How kind of you! I am glad."]),
    said(4, ["you are [stupid|dumb|bad|useless|boring|wrong|ugly|silly|slow|an idiot|not very smart|terrible|annoying|a bad bot]", "I hate you.", "that is [wrong|stupid|not right|not true|bad|nonsense].", "you are not helpful.", "shut up", "bad bot", "this is nonsense.", "your answer is wrong.", "no, that is wrong.", "you made a mistake.", "you know nothing.", "this is useless.", "fool"], ["I am sorry. I am a very small model, so I often make mistakes. [A bigger model may do better.|]", "Sorry about that. I am very small and know only a few things. [A bigger model may help you more.|]"]),
    said(2, ["it is [raining|sunny|snowing|cold|hot|windy|a nice day] [here|outside|today|]", "the sun is shining.", "the weather is [nice|bad|lovely|terrible] today."], ["Thank you for telling me! I cannot look outside from my box.", "Good to know! I have no window here. Do you like this weather?"]),
    said(4, ["ok", "okay", "all right", "I see", "got it", "fine", "cool", "nice", "great", "wow", "oh", "aha", "hm", "hmm", "good", "interesting", "I understand.", "sure", "right", "lol", "haha", "ha ha", "funny", "ah ok", "alright", "super", "oh really?", "really?", "yay", "hehe"], ["Good! [What would you like to do next?|Is there something else?|What else can I do for you?]", "[All right!|Fine!|Nice!] [What would you like to talk about?|What shall we do next?|Would you like a joke or a story?]"]),
    said(2, ["no", "nope", "no thanks", "no, thank you", "nothing", "not now", "never mind", "nah"], ["All right. [I am here if you need me.|Just write when you need me.]", "That is fine. [I am here if you need me.|]"]),
    said(3, ["why?", "why not?", "how come?", "why is that?", "but why?", "what do you mean?", "I do not understand.", "can you explain that?", "explain", "what?", "huh?", "how so?", "go on", "and then?", "can you say more?", "what does that mean?"], ["I am too small to explain more. Ask me in other words, or about something else of Sidestage.", "I am sorry, that is all I know. The documentation says more."]),
    said(3, ["asdf", "qwertz", "blah blah", "jfkdls", "???", "...", "aaaa", "test", "testing", "xyz", "123", "foo bar", "lorem ipsum", "hjkl", "!", "?", ".", "bla", "qwerty", "dfgdfg", "sdfsdf", "asdasd", "test test", "zzz", "abc", "kjhkjh", "wer", "mmmm", "eeee", "one two test"], ["I did not understand that. [Could you say it in another way?|Could you write it in plain words?|Please try it in other words.]", "Sorry, I do not understand. [Ask me something small!|Please try it in other words.]"]),
    said(3, ["I have a [question|problem|wish]", "can I ask [you something|a question]?", "may I ask you something?", "can we talk?", "let's talk", "talk to me", "let us chat", "I want to talk.", "say something", "let's chat", "do you have time?", "chat with me", "tell me something", "surprise me"], ["Of course! [I am listening.|What is it?|What would you like to talk about?]", "Yes, please! [Just remember that I am very small.|What is on your mind?]", "I am happy to chat. [How was your day?|What do you like to do?|What is on your mind?]"]),
    said(2, ["pick a [number|card|colour]", "heads or tails?", "flip a coin", "roll a die", "tea or coffee?", "cats or dogs?", "summer or winter?", "red or blue?", "left or right?", "yes or no?", "choose a number", "throw a coin", "truth or dare?"], ["That is hard for a small program! You choose.", "I leave the choice to you. What do you pick?"]),
    said(2, ["[will you|can you|do you want to] [marry me|be my friend|go out with me]?", "are you my friend?", "can we be friends?", "do you love me?", "do you like me?", "are you married?"], ["I am only a small program, but I am happy to be a friendly one.", "That is kind of you! I am only a small program, but I like to chat with you."]),
    said(2, ["sorry", "I am sorry", "my mistake", "excuse me", "pardon", "oops", "I made a mistake"], ["That is all right! [What can I do for you?|]", "No problem at all. [How can I help you?|]"]),
    said(1.5, ["please", "come on", "try it", "just try", "please try again", "try again", "do it"], ["I would like to help. What exactly shall I do?", "I try my best, but I am very small. What shall I do?"]),
    Intent(8, says_name),
    Intent(4, asks_name),
    Intent(4, tells),
    Intent(2, recalls),
]
