"""The tables behind `basics.py`."""

OPPOSITES = [tuple(p.split("/")) for p in "big/small hot/cold up/down left/right day/night good/bad happy/sad fast/slow old/young open/closed black/white high/low long/short light/dark wet/dry full/empty hard/soft loud/quiet rich/poor strong/weak in/out on/off yes/no near/far early/late first/last start/end push/pull love/hate summer/winter north/south east/west clean/dirty heavy/light thick/thin true/false right/wrong inside/outside above/below before/after asleep/awake brave/afraid cheap/expensive easy/difficult friend/enemy give/take laugh/cry more/less new/old question/answer sweet/sour top/bottom wide/narrow win/lose buy/sell always/never front/back alive/dead kind/mean busy/idle deep/shallow rough/smooth sharp/blunt tall/short warm/cool beautiful/ugly begin/finish sunrise/sunset come/go everything/nothing find/lose forget/remember arrive/leave male/female man/woman boy/girl king/queen mother/father brother/sister".split()]
# A word with two opposites would make the answer ambiguous.
OPPOSITES = [p for p in OPPOSITES if p not in {("heavy", "light"), ("new", "old"), ("tall", "short"), ("right", "wrong"), ("find", "lose")}]

COLOUR_OF = {
    "the sky": "blue", "grass": "green", "snow": "white", "the sun": "yellow", "blood": "red", "coal": "black", "milk": "white", "banana": "yellow", "strawberry": "red", "lemon": "yellow",
    "carrot": "orange", "tomato": "red", "frog": "green", "pig": "pink", "elephant": "grey", "crow": "black", "swan": "white", "the sea": "blue", "chocolate": "brown", "orange": "orange",
    "cucumber": "green", "plum": "purple", "cherry": "red", "pumpkin": "orange", "leaf": "green", "mouse": "grey", "polar bear": "white", "flamingo": "pink", "honey": "golden yellow", "sand": "light brown",
    "rice": "white", "butter": "yellow", "pea": "green", "tyre": "black", "fire engine": "red", "gold": "yellow", "the night sky": "black", "lion": "golden brown", "dolphin": "grey", "apple": "red or green", "rose": "red", "tree": "green", "sunflower": "yellow", "blueberry": "blue",
}
MIXES = [("blue", "yellow", "green"), ("red", "yellow", "orange"), ("red", "blue", "purple"), ("black", "white", "grey"), ("red", "white", "pink"), ("red", "green", "brown"), ("blue", "white", "light blue")]
SOUNDS = {"dog": "woof", "cat": "meow", "cow": "moo", "duck": "quack", "sheep": "baa", "pig": "oink", "horse": "neigh", "bee": "buzz", "mouse": "squeak", "frog": "ribbit", "lion": "roar", "hen": "cluck", "owl": "hoot", "snake": "hiss", "wolf": "awoo", "donkey": "hee-haw", "bird": "tweet", "crow": "caw", "goat": "maa", "goose": "honk", "rooster": "cock-a-doodle-doo", "turkey": "gobble", "bear": "grr", "tiger": "roar"}
BABIES = {"dog": "puppy", "cat": "kitten", "cow": "calf", "horse": "foal", "sheep": "lamb", "pig": "piglet", "duck": "duckling", "hen": "chick", "goat": "kid", "bear": "cub", "lion": "cub", "deer": "fawn", "frog": "tadpole", "goose": "gosling", "kangaroo": "joey", "swan": "cygnet", "wolf": "pup", "elephant": "calf", "owl": "owlet", "tiger": "cub", "fox": "cub", "rabbit": "kit", "whale": "calf"}
COUNTS = {
    "legs does a dog have": "A dog has four legs.", "legs does a cat have": "A cat has four legs.", "legs does a bird have": "A bird has two legs.", "legs does a spider have": "A spider has eight legs.", "legs does an insect have": "An insect has six legs.",
    "legs does a horse have": "A horse has four legs.", "legs does a fish have": "A fish has no legs.", "legs does a snake have": "A snake has no legs.", "wheels does a car have": "A car has four wheels.", "wheels does a bike have": "A bike has two wheels.",
    "days are in a week": "A week has seven days.", "months are in a year": "A year has twelve months.", "seasons are there": "There are four seasons.", "fingers does a hand have": "A hand has five fingers.", "fingers do I have": "Most people have ten fingers.",
    "eyes do I have": "Most people have two eyes.", "letters are in the alphabet": "The English alphabet has 26 letters.", "hours are in a day": "A day has 24 hours.", "minutes are in an hour": "An hour has 60 minutes.", "seconds are in a minute": "A minute has 60 seconds.",
    "days are in a year": "A year has 365 days, or 366 in a leap year.", "arms does an octopus have": "An octopus has eight arms.", "sides does a triangle have": "A triangle has three sides.", "sides does a square have": "A square has four sides.", "toes do I have": "Most people have ten toes.", "legs does a cow have": "A cow has four legs.",
    "ears does a rabbit have": "A rabbit has two ears.", "legs does a table have": "Most tables have four legs.", "wings does a bird have": "A bird has two wings.", "corners does a square have": "A square has four corners.",
}
GROUPS = {
    "animals": "dog cat horse cow bird fish mouse lion bear fox rabbit duck frog sheep wolf owl pig goat elephant tiger".split(),
    "colours": "red blue green yellow black white pink orange purple brown grey".split(),
    "colors": "red blue green yellow black white pink orange purple brown grey".split(),
    "fruits": "apple banana orange pear plum cherry grape lemon peach strawberry melon mango".split(),
    "vegetables": "carrot potato onion pea bean cabbage cucumber pumpkin leek spinach".split(),
    "birds": "owl crow duck swan hen goose eagle parrot robin sparrow penguin dove".split(),
    "flowers": "rose tulip daisy lily violet sunflower poppy orchid".split(),
    "trees": "oak pine birch maple willow beech palm ash".split(),
    "numbers": "one two three four five six seven eight nine ten".split(),
    "drinks": "water tea milk coffee juice lemonade cocoa".split(),
    "foods": "bread cheese rice soup cake salad pasta eggs fish apples".split(),
    "clothes": "hat coat shirt scarf shoes socks gloves jacket dress belt".split(),
    "toys": "ball doll kite drum train puzzle car blocks".split(),
    "body parts": "head arm leg hand foot nose ear eye knee mouth".split(),
    "shapes": "circle square triangle star heart rectangle oval".split(),
    "sports": "football tennis swimming running chess rowing skiing hockey".split(),
    "farm animals": "cow horse pig sheep hen goat duck donkey goose".split(),
    "pets": "dog cat rabbit hamster parrot fish turtle mouse".split(),
    "vehicles": "car bus train bike boat ship truck tram plane".split(),
    "insects": "bee ant fly beetle butterfly moth wasp cricket".split(),
    "rooms": "kitchen bathroom bedroom hall cellar attic office".split(),
    "tools": "hammer saw drill spade rake knife ladder brush".split(),
    "things in a kitchen": "spoon fork knife plate cup pot pan bowl".split(),
    "jobs": "teacher doctor baker farmer nurse cook pilot painter".split(),
    "instruments": "piano violin drum flute guitar trumpet harp cello".split(),
}
REPEATS = {
    "size": "big small tiny long short old new soft round happy".split(),
    "size2": "red blue green cold warm loud quiet".split(),
    "colour": "red blue green yellow black white pink brown grey golden".split(),
    "colour2": "orange purple silver dark bright pale".split(),
    "noun": "apple ball cat dog house tree river cake moon star fish bird book chair table lamp shoe stone cloud flower train boat key box cup spoon door window garden king robot pizza banana orange monkey tiger potato guitar rocket pencil paper hat bridge castle mountain wizard worker model browser".split(),
    "noun2": "bear bell bike bread bus candle coat drum egg fox frog gift goat hand horse island jam kite lion map milk nest nut owl pie pig queen rabbit ring road rose ship snake snow sock song sun swan tent toy umbrella violin whale wolf world zebra".split(),
}
SPELLED = sorted(set("cat dog house tree apple ball book fish bird sun moon star water hello world friend school happy green blue red yellow black white orange banana table chair mother father sister brother flower garden river mountain yes no love music paper pencil window door kitchen horse mouse sheep snake tiger lion bear rabbit duck frog bread butter cheese milk sugar salt pepper coffee tea juice spoon fork knife plate cup bottle glass car bus train boat bike plane road street city village king queen castle dragon magic story poem joke letter word number one two three four five six seven eight nine ten summer winter spring autumn monday friday sunday january march april june july cloud rain snow wind storm thunder box model worker browser computer robot engine small big tall short long round square circle heart hand foot head nose ear eye mouth arm leg hair face smile laugh run jump walk sleep dream play sing dance read write speak listen think know learn teach make take give come go see hear feel good bad new old fast slow hot cold warm cool easy hard light dark day night morning evening week month year time clock hour minute egg cake pie soup rice meat fruit grape lemon cherry plum peach pear potato carrot onion tomato bean pea corn nut honey jam hat coat shirt shoe sock dress ring gold silver iron stone wood wool silk cotton farm field forest lake sea beach island bridge tower church shop market bank park zoo elephant giraffe monkey zebra kangaroo penguin dolphin whale shark turtle crocodile parrot eagle spider butterfly rocket planet earth ocean winter pizza chocolate umbrella guitar piano violin drum teacher doctor nurse farmer baker pilot birthday present picture question answer family people child baby woman man girl boy".split()))
RHYMING = ["cat hat mat bat".split(), "dog log frog fog".split(), "sun fun run bun".split(), "tree bee sea key".split(), "moon spoon soon".split(), "star car far jar".split(), "house mouse".split(), "cake lake snake".split(), "day play way say".split(), "night light bright right".split(), "ball tall wall small".split(), "king ring sing thing".split(), "red bed bread head".split(), "blue shoe two you".split(), "rain train plane".split(), "boat goat coat".split(), "book cook look hook".split(), "bear chair pear hair".split(), "box fox".split(), "pen hen ten men".split(), "snow blow go".split(), "wish fish dish".split(), "pie sky fly".split(), "heart part art start".split(), "sand hand land".split(), "nose rose".split(), "rock clock sock".split(), "green queen bean".split()]
TRUTHS = [tuple(t.split("/")) for t in "ice/cold/hot fire/hot/cold the sun/bright/dark snow/cold/warm an elephant/big/small a mouse/small/big sugar/sweet/sour a lemon/sour/sweet a stone/hard/soft wool/soft/hard water/wet/dry a snail/slow/fast the night/dark/bright a feather/light/heavy honey/sweet/bitter iron/heavy/light a giant/tall/short the desert/dry/wet lions/strong/weak glass/hard/soft a turtle/slow/fast a whale/big/small an ant/small/big grass/green/red summer/warm/cold winter/cold/hot a pillow/soft/hard a knife/sharp/blunt the sea/deep/shallow a tower/high/low".replace(" the", "|the").replace(" a ", "|a ").replace(" an ", "|an ").replace("the ", "the_").replace("|a ", "|a_").replace("|an ", "|an_").replace("|", " ").split()]
TRUTHS = [(thing.replace("_", " "), yes, no) for thing, yes, no in TRUTHS]
DEFINITIONS = {
    "dog": "an animal that barks and often lives with people", "cat": "a small soft animal that says meow and likes to sleep", "house": "a building where people live", "tree": "a tall plant with a trunk, branches and leaves",
    "car": "a machine with four wheels that carries people", "bird": "an animal with wings and feathers", "fish": "an animal that lives in water", "book": "a thing with many pages to read",
    "chair": "a thing to sit on", "table": "a flat thing with legs, to put things on", "bed": "a thing to sleep on", "friend": "someone you like and trust", "school": "a place where children learn", "teacher": "a person who helps others to learn",
    "doctor": "a person who helps ill people", "farm": "a place where food is grown and animals live", "flower": "the colourful part of a plant", "garden": "a place where flowers and plants grow", "river": "a long stream of water that runs to the sea",
    "mountain": "a very high hill", "cloud": "a white or grey thing in the sky that is made of tiny drops of water", "star": "a small light in the night sky", "boat": "a thing that carries people on water", "train": "a row of wagons that runs on rails", "bike": "a thing with two wheels that you ride with your feet",
    "hat": "a thing to wear on your head", "shoe": "a thing to wear on your foot", "spoon": "a thing to eat soup with", "knife": "a tool to cut with", "clock": "a thing that shows the time", "door": "the part of a house that you open to go in", "window": "a part of a wall that lets light in", "song": "a piece of music with words",
    "poem": "a short text that sounds nice and often rhymes", "story": "a tale about things that happen to someone", "joke": "a short text that makes people laugh", "king": "a man who rules a country", "queen": "a woman who rules a country", "ball": "a round toy to play with", "box": "a thing with sides, to keep other things in",
    "apple": "a round fruit that grows on a tree", "banana": "a long yellow fruit", "carrot": "a long orange vegetable", "horse": "a big animal that people ride", "cow": "a big animal that gives milk", "sheep": "an animal with soft wool", "bee": "a small insect that makes honey", "frog": "a small green animal that jumps and likes water",
    "robot": "a machine that can move or work by itself", "computer": "a machine that follows programs", "browser": "a program that shows web pages", "model": "a program that has learned from examples", "letter": "a sign for a sound, such as A or B", "word": "a group of letters with a meaning", "number": "a thing to count with, such as one or two", "family": "a group of people who belong together, such as parents and children", "baby": "a very young child", "bridge": "a way over water or a road",
}
