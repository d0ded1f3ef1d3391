"""Stories, poems, jokes and riddles, built from small tables."""

import random

from .grammar import Intent, Turn, a, fill, loosely, misspell

# animal or person: where it lives, what it likes, what it is
HEROES = {
    "fox": ("the forest", "clever"), "cat": ("an old house", "quiet"), "dog": ("a farm", "happy"), "mouse": ("a warm barn", "tiny"),
    "bear": ("the mountains", "big"), "rabbit": ("a green field", "quick"), "owl": ("a tall tree", "wise"), "frog": ("a cool pond", "green"),
    "duck": ("a small lake", "cheerful"), "horse": ("a wide meadow", "strong"), "bird": ("a high nest", "small"), "wolf": ("the dark woods", "grey"),
    "hen": ("a yard", "busy"), "pig": ("a farm", "pink"), "cow": ("a meadow", "calm"), "sheep": ("a hill", "white"),
    "lion": ("the warm plains", "proud"), "elephant": ("the warm plains", "huge"), "monkey": ("the jungle", "funny"), "tiger": ("the jungle", "striped"),
    "turtle": ("a beach", "slow"), "fish": ("the blue sea", "shiny"), "whale": ("the deep sea", "gentle"), "bee": ("a garden", "busy"),
    "snail": ("a garden", "slow"), "hedgehog": ("a heap of leaves", "shy"), "squirrel": ("an oak tree", "quick"), "penguin": ("the ice", "cheerful"),
    "goat": ("a hill", "stubborn"), "butterfly": ("a garden", "bright"), "dragon": ("a cave", "friendly"), "robot": ("a workshop", "curious"),
    "king": ("a castle", "kind"), "queen": ("a castle", "wise"), "princess": ("a tower", "brave"), "knight": ("a castle", "brave"),
    "witch": ("a small hut", "friendly"), "wizard": ("a tower", "old"), "giant": ("a valley", "gentle"), "pirate": ("a ship", "jolly"),
    "girl": ("a village", "curious"), "boy": ("a village", "brave"), "baker": ("a small town", "kind"), "farmer": ("a farm", "patient"),
    "sailor": ("a ship", "brave"), "child": ("a small town", "curious"), "fairy": ("a flower", "tiny"), "ghost": ("an old house", "shy"),
    "snowman": ("a garden", "cold"), "star": ("the night sky", "bright"), "cloud": ("the sky", "soft"), "tree": ("a hill", "old"),
    "boat": ("a lake", "little"), "train": ("a station", "noisy"), "moon": ("the night sky", "pale"), "computer": ("an office", "busy"),
    "spider": ("a corner", "patient"), "dinosaur": ("a valley", "huge"), "unicorn": ("a meadow", "white"), "crow": ("a tall tree", "clever"),
    "donkey": ("a farm", "stubborn"), "parrot": ("a ship", "noisy"), "kitten": ("a basket", "little"), "puppy": ("a kennel", "little"),
    "camel": ("the desert", "patient"), "crocodile": ("a river", "green"), "ant": ("a heap of sand", "tiny"), "deer": ("the forest", "shy"),
}
WANTS = [
    ("found {thing} under a stone", "but did not know whose it was", "asked everyone, and at last gave it back to {friend}", "were both very happy"),
    ("lost {thing}", "and looked for it everywhere", "met {friend}, who had found it in the grass", "became good friends"),
    ("wanted to see the sea", "but did not know the way", "met {friend}, who showed the way", "looked at the waves together"),
    ("wanted to find a friend", "but was too shy to say hello", "met {friend}, who said hello first", "played until the evening"),
    ("heard a strange sound in the night", "and was very afraid", "took a light and found {friend}, who was only singing", "laughed about it"),
    ("wanted to bake a cake", "but had no flour", "met {friend}, who had a whole bag of it", "ate the cake together"),
    ("wanted to fly", "but had no wings", "met {friend}, who knew how to make a kite", "watched it dance in the wind"),
    ("got lost in the rain", "and could not find the way home", "saw the light of {friend}, who opened the door", "drank warm tea together"),
    ("wanted to sing", "but knew no song", "met {friend}, who knew only one", "sang it all day long"),
    ("was hungry", "but found only one apple", "met {friend}, who was hungry too", "shared it"),
    ("built a small house", "but saw the wind blow it down", "got help from {friend}, who brought strong wood", "built a better one together"),
    ("wanted to reach the moon", "but had no ladder", "met {friend}, who showed the moon in a pond", "were happy to look at it"),
    ("planted a seed", "and waited and waited", "asked {friend} for some water", "saw a red flower the next morning"),
    ("could not sleep", "and counted all the stars", "met {friend}, who was awake as well", "talked softly until they slept"),
    ("wanted to win a race", "but fell over a stone", "was helped up by {friend}, who had stopped running", "reached the end side by side"),
    ("had a secret", "and wanted to tell it to someone", "told it to {friend}, who kept it well", "trusted each other from then on"),
]
THINGS = ["a golden key", "a red ball", "a silver ring", "a small bell", "a blue hat", "an old map", "a shiny coin", "a warm scarf", "a little drum", "a green stone"]
ENDINGS = ["From that day on, they met every morning.", "And that was the best day of the year.", "And if they have not stopped, they still do it today.", "That night the {hero} slept very well.", "The end.", "Since then the {hero} is never alone.", "And everyone was glad."]
OPENINGS = ["Once upon a time, {a_hero} lived in {place}.", "There was once {a_hero} in {place}.", "In {place} there lived {a_hero}.", "Once there was {a_hero} who lived in {place}."]


def story(rng: random.Random, hero: str) -> str:
    """Four sentences about the hero."""
    place, nature = HEROES[hero]
    friend = rng.choice([h for h in HEROES if h != hero])
    start, trouble, help_, end = rng.choice(WANTS)
    if hero in ("star", "cloud", "moon") or place in ("a farm", "a hill", "a beach", "a ship", "the ice", "a lake", "a small lake", "the warm plains", "a heap of sand", "a heap of leaves"):
        opening = f"Once upon a time, there was {a(nature + ' ' + hero)} {'in' if 'sky' in place else 'on'} {place}."
    else:
        opening = rng.choice(OPENINGS).format(a_hero=a(f"{nature} {hero}"), place=place)
    day = rng.choice(["One day", "One morning", "One evening", "One night", "One spring day"])
    text = f"{opening} {day} the {hero} {start}, {trouble}."
    text += f" Then the {hero} {help_}. The two {end}." if rng.random() < 0.5 else f" At last the {hero} {help_}. They {end}."
    if rng.random() < 0.6:
        text += " " + rng.choice(ENDINGS).format(hero=hero)
    return text.format(thing=rng.choice(THINGS), friend=a(friend))


LEADS = ["", "", "", "Here is a short story. ", "With pleasure! ", "Gladly! "]
STORY_ASKS = ["[tell|write|give] me a [short|little|small|] story about {hero}.", "[can|could] you [tell|write] [me|] a [short|little|] story about {hero}?", "a story about {hero}, please.", "I want a story about {hero}.", "I would like to hear a story about {hero}.", "[tell|write] a [short|little|] story about {hero}.", "story about {hero}", "make up a story about {hero}.", "do you know a story about {hero}?", "tell me about {hero} in a story."]
ANY_ASKS = ["[tell|write] me a [short|little|bedtime|good|nice|funny|] story.", "[can|could] you tell me a [short|bedtime|] story?", "a story please.", "I want a story.", "story", "tell a story.", "do you know a [good|] story?", "I would like to hear a story.", "make up a story.", "write a story", "story time!", "tell me a fairy tale."]
AGAIN = "[another one|another one please|tell me another one.|one more|one more please|again|more|next|give me another|another|once more]"


def tells_story(rng: random.Random, memory: dict) -> list[Turn]:
    hero = rng.choice(list(HEROES))
    if rng.random() < 0.68:
        ask = fill(rng, rng.choice(STORY_ASKS)).replace("{hero}", rng.choice([a(hero), a(hero), f"the {hero}", hero + "s" if not hero.endswith(("s", "sh", "y", "f", "ch")) and hero not in ("sheep", "mouse", "deer", "child", "snowman") else a(hero), a(f"{rng.choice(['little', 'small', 'big', 'old', 'young', HEROES[hero][1]])} {hero}")]))
    else:
        ask = fill(rng, rng.choice(ANY_ASKS))
    turns = [(misspell(rng, ask), rng.choice(LEADS) + story(rng, hero))]
    if rng.random() < 0.2:
        other = rng.choice(list(HEROES))
        if rng.random() < 0.5:
            turns.append((loosely(rng, fill(rng, AGAIN)), story(rng, other)))
        else:
            turns.append((loosely(rng, fill(rng, f"[and|now|] [one|a story] about {a(other)}[| please|?]")), story(rng, other)))
    return turns


# couplets: two pairs of lines whose ends rhyme; {x} is the subject
RHYMES = [
    ("The {x} looked up at the sky of {c},", "and thought that the morning was lovely and new."),
    ("A little {x} sat down by the sea,", "and smiled at the waves, and waved at me."),
    ("I saw a {x} in the morning light,", "it danced and sang, a lovely sight."),
    ("The {x} is small, the world is wide,", "but it is glad to be outside."),
    ("When evening comes and day is done,", "the {x} says good night to the sun."),
    ("The {x} went out to find a friend,", "and that is how this poem will end."),
    ("Oh {x}, oh {x}, so soft and still,", "you rest behind the quiet hill."),
    ("The wind is cool, the grass is green,", "the finest {x} that I have seen."),
    ("The rain came down, the sun came out,", "and then the {x} began to shout."),
    ("The stars are bright, the moon is round,", "the {x} is sleeping safe and sound."),
    ("Hello, dear {x}, how do you do?", "The day is bright, and so are you."),
    ("The {x} has gone to get some bread,", "and now it wants to go to bed."),
    ("A {x} can dream, a {x} can play,", "and that is what it does all day."),
    ("I am so small, my words are few,", "but here is a {x}, and it is for you."),
    ("The snow is white, the night is long,", "the {x} is humming a quiet song."),
    ("The {x} walked slowly down the lane,", "and then walked slowly back again."),
]
SUBJECTS = [h for h in HEROES] + ["flower", "river", "mountain", "leaf", "garden", "song", "house", "rose", "heart", "raindrop", "book", "candle", "forest", "summer day", "winter night", "friend", "dream", "ship", "snowflake", "sunbeam"]
MASS = {"love": "heart", "spring": "flower", "summer": "sunbeam", "winter": "snowflake", "autumn": "leaf", "the sea": "ship", "rain": "raindrop", "snow": "snowflake", "the sun": "sunbeam", "friendship": "friend", "the night": "star", "music": "song", "nature": "forest", "the moon": "moon", "the stars": "star", "sleep": "dream", "home": "house", "the sky": "cloud", "flowers": "flower", "cats": "cat", "dogs": "dog", "birds": "bird", "trees": "tree", "hope": "candle"}


def poem(rng: random.Random, subject: str) -> str:
    """Four lines in two rhyming pairs."""
    first, second = rng.sample(RHYMES, 2)
    text = "\n".join((*first, *second)).format(x=subject, c="blue")
    for vowel in "aeio":
        text = text.replace(f" a {vowel}", f" an {vowel}").replace(f"A {vowel}", f"An {vowel}")
    lines = text.split("\n")
    if not lines[1].endswith("."):
        lines[1] += "."
    return "\n".join(lines)


POEM_ASKS = ["[tell|write|give|read] me a [short|little|nice|] [poem|rhyme] about {x}.", "[can|could] you write [me|] a [short|little|] poem about {x}?", "a poem about {x}, please.", "write a [short|little|] [poem|verse] about {x}.", "poem about {x}", "make a rhyme about {x}.", "I would like a poem about {x}."]
ANY_POEM = ["[tell|write|give] me a [short|little|nice|] poem.", "can you write a poem?", "a poem please.", "poem", "write a poem.", "do you know a poem?", "I want a poem.", "say a rhyme.", "make a poem for me."]


def writes_poem(rng: random.Random, memory: dict) -> list[Turn]:
    if rng.random() < 0.25:
        topic = rng.choice(list(MASS))
        subject, named = MASS[topic], topic
    else:
        subject = rng.choice(SUBJECTS)
        named = a(subject)
    ask = fill(rng, rng.choice(POEM_ASKS)).replace("{x}", named) if rng.random() < 0.7 else fill(rng, rng.choice(ANY_POEM))
    turns = [(misspell(rng, ask), poem(rng, subject))]
    if rng.random() < 0.15:
        turns.append((loosely(rng, fill(rng, AGAIN)), poem(rng, rng.choice(SUBJECTS))))
    return turns


JOKES = [
    "Why did the bike fall over? It was two tired!", "What do you call a bear with no teeth? A gummy bear!", "Why was the maths book sad? It had too many problems.",
    "What do you call a fish without eyes? A fsh!", "Why do bees have sticky hair? They use honeycombs!", "What is orange and sounds like a parrot? A carrot!",
    "Why did the tomato turn red? It saw the salad dressing!", "Where do cows go on a Friday night? To the moo-vies!", "What did one wall say to the other? I will meet you at the corner!",
    "Why did the cookie go to the doctor? It felt crummy!", "What do you call cheese that is not yours? Nacho cheese!", "How do you make an octopus laugh? With ten tickles!",
    "Why can a nose not be twelve inches long? Then it would be a foot!", "What has four wheels and flies? A garbage truck!", "Why was the computer cold? It left its windows open!",
    "What do you get when you cross a snowman and a dog? Frostbite!", "Why do birds fly south? It is too far to walk!", "What kind of tree fits in your hand? A palm tree!",
    "Why did the small model stay in its box? It had no room to think!", "What did the zero say to the eight? Nice belt!", "Why did the chicken cross the road? To get to the other side!",
    "What do you call a sleeping dinosaur? A dino-snore!", "What gets wetter the more it dries? A towel!", "Why did the scarecrow win a prize? It was outstanding in its field!",
]
JOKE_ASKS = ["[tell|give] me a [good|funny|short|] joke.", "[can|could] you tell me a joke?", "a joke please.", "do you know a [good|] joke?", "make me laugh.", "joke", "say something funny.", "I want to hear a joke.", "tell a joke.", "do you know any jokes?", "be funny.", "I need a laugh.", "tell me something funny."]


def tells_joke(rng: random.Random, memory: dict) -> list[Turn]:
    ask = fill(rng, rng.choice(JOKE_ASKS))
    one, two, three = rng.sample(JOKES, 3)
    turns = [(misspell(rng, ask), one)]
    if rng.random() < 0.3:
        turns.append((loosely(rng, fill(rng, AGAIN)), two))
        if rng.random() < 0.4:
            turns.append((loosely(rng, fill(rng, AGAIN)), three))
    return turns


RIDDLES = [
    ("What has hands but cannot clap?", "a clock"), ("What has a neck but no head?", "a bottle"), ("What has many teeth but cannot bite?", "a comb"), ("What has keys but opens no door?", "a piano"),
    ("What goes up but never comes down?", "your age"), ("What has legs but cannot walk?", "a table"), ("What can you catch but not throw?", "a cold"), ("What has one eye but cannot see?", "a needle"),
    ("What is full of holes but holds water?", "a sponge"), ("What has a face but no eyes?", "a clock"), ("What gets bigger when you take more away?", "a hole"), ("What has words but never speaks?", "a book"),
]


def asks_riddle(rng: random.Random, memory: dict) -> list[Turn]:
    question, answer = rng.choice(RIDDLES)
    turns = [(misspell(rng, fill(rng, "[tell me a riddle.|ask me a riddle.|do you know a riddle?|a riddle please.|give me a riddle.|riddle]")), question)]
    if rng.random() < 0.6:
        short = answer.split()[-1]
        if rng.random() < 0.5:
            turns.append((loosely(rng, fill(rng, f"[is it {answer}?|{answer}|{answer}?|{short}|maybe {answer}?]")), fill(rng, f"Yes! It is {answer}. [Well done!|Very good!]")))
        else:
            turns.append((loosely(rng, fill(rng, "[I do not know.|I don't know.|no idea|tell me|what is it?|what is the answer?|I give up.]")), f"It is {answer}!"))
    return turns


def offers(rng: random.Random, memory: dict) -> list[Turn]:
    """An offer, and the choice that the user makes."""
    ask = misspell(rng, fill(rng, "[I am bored.|entertain me.|I have nothing to do.|do something fun.|I want to have fun.]"))
    answer = "I can tell you a joke, a short story or a poem. Which one would you like?"
    kind = rng.choice(["joke", "story", "poem"])
    then = {"joke": rng.choice(JOKES), "story": story(rng, rng.choice(list(HEROES))), "poem": poem(rng, rng.choice(SUBJECTS))}[kind]
    return [(ask, answer), (loosely(rng, fill(rng, f"[a {kind}|{kind}|the {kind}|{kind} please|a {kind}, please|tell me a {kind}|I would like a {kind}]")), then)]


INTENTS = [Intent(26, tells_story), Intent(14, writes_poem), Intent(9, tells_joke), Intent(4, asks_riddle), Intent(3, offers)]
