"""The byte-level BPE vocabulary and the form of a dialogue."""

import json
import re
from collections import Counter

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

END_OF_TEXT, END = "<|endoftext|>", "<|end|>"
# One token opens a turn and one ends it, as in Phi-3, but without line breaks: most questions are short.
OPENINGS = {"system": "<|system|>", "user": "<|user|>", "assistant": "<|assistant|>"}
SPECIALS = [END_OF_TEXT, END, *OPENINGS.values()]
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
# How Llama 3 splits a text (`tokenizer.ggml.pre = llama-bpe`). A piece that is a token is taken whole, whatever the
# merges say, so a common word costs one token and no merges.
PIECES = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
# Tokens that come from merges, the bytes and the marks among them: what is no whole piece is put together from these.
MERGED = 1280
# A piece of the text that is at least so frequent is a token: a word in small letters after a space, or another piece.
FREQUENT_WORD, FREQUENT = 6, 20
# So many of the commonest words are tokens at the start of a text too, with and without a capital.
STARTING = 400

# How much a token counts in the loss: the answers are the lesson.
ANSWER, USER, REST = 1.0, 0.1, 0.05


def bpe(vocabulary: dict[str, int], pairs: list[tuple[str, str]]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(vocabulary, pairs, ignore_merges=True))
    split = pre_tokenizers.Split(Regex(PIECES), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def learn(texts: list[str], common: list[str], size: int) -> Tokenizer:
    """A byte-level BPE of `size` tokens: merges, the frequent pieces of the texts, and the `common` words of English."""
    tokenizer = bpe({}, [])
    trainer = trainers.BpeTrainer(vocab_size=MERGED, special_tokens=SPECIALS, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False)
    tokenizer.train_from_iterator([*texts, *(f" {word}" for word in common)], trainer)
    count = Counter(piece for text in texts for piece, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text))
    frequent = [piece for piece, n in count.most_common() if n >= (FREQUENT_WORD if re.fullmatch("Ġ[a-z]+", piece) else FREQUENT)]
    starting = [form for word in common[:STARTING] for form in (word, word.capitalize())]
    vocabulary = tokenizer.get_vocab()
    for piece in dict.fromkeys([*frequent, *starting, *(f"Ġ{word}" for word in common)]):
        if len(vocabulary) == size:
            break
        vocabulary.setdefault(piece, len(vocabulary))
    if len(vocabulary) != size:
        raise ValueError(f"the text and the words give only {len(vocabulary)} tokens, not {size}")
    whole = bpe(vocabulary, [tuple(pair.split(" ")) for pair in merges(tokenizer)])
    whole.add_special_tokens(SPECIALS)
    return whole


def merges(tokenizer: Tokenizer) -> list[str]:
    """The merges, first learned first, each `left right`."""
    pairs = json.loads(tokenizer.to_str())["model"]["merges"]
    return [pair if isinstance(pair, str) else " ".join(pair) for pair in pairs]


def word(tokenizer: Tokenizer, token: int) -> str | None:
    """The English word that a token writes, in lower case; `None` when it writes none."""
    text = tokenizer.decode([token], skip_special_tokens=False).strip(" `\"'(._-")
    return text.lower() if text.isascii() and text.isalpha() and (len(text) > 1 or text in "aI") else None


def encode(tokenizer: Tokenizer, turns: list) -> tuple[list[int], list[float]]:
    """The ids of a dialogue and the weight of each in the loss."""
    end = tokenizer.token_to_id(END)
    ids: list[int] = []
    weights: list[float] = []
    for role, text in turns:
        body = tokenizer.encode(text).ids
        weight = {"assistant": ANSWER, "user": USER}.get(role, REST)
        ids += [tokenizer.token_to_id(OPENINGS[role]), *body, end]
        weights += [REST] + [weight] * len(body) + [ANSWER if role == "assistant" else REST]
    return ids, weights


def rendered(turns: list) -> str:
    """The dialogue as the chat template renders it."""
    return "".join(f"{OPENINGS[role]}{text}{END}" for role, text in turns)


def prompt(tokenizer: Tokenizer, turns: list) -> list[int]:
    """The ids of a dialogue with the opening of the assistant's next turn."""
    return encode(tokenizer, turns)[0] + [tokenizer.token_to_id(OPENINGS["assistant"])]
