"""The byte-level BPE vocabulary and the ChatML form of a dialogue."""

import json

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

END_OF_TEXT, IM_START, IM_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
SPECIALS = [END_OF_TEXT, IM_START, IM_END]
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)

# How much a token counts in the loss: the user's words are chance, the answers are the lesson.
ANSWER, USER, REST = 1.0, 0.1, 0.05


def learn(texts, size: int) -> Tokenizer:
    """A byte-level BPE of `size` tokens, split as GPT-2 splits (`tokenizer.ggml.pre = gpt-2`)."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=SPECIALS, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    if tokenizer.get_vocab_size() != size:
        raise ValueError(f"the text gives only {tokenizer.get_vocab_size()} tokens, not {size}")
    return tokenizer


def merges(tokenizer: Tokenizer) -> list[str]:
    """The merges, first learned first, each `left right`."""
    pairs = json.loads(tokenizer.to_str())["model"]["merges"]
    return [pair if isinstance(pair, str) else " ".join(pair) for pair in pairs]


def encode(tokenizer: Tokenizer, turns: list) -> tuple[list[int], list[float]]:
    """The ids of a dialogue and the weight of each in the loss."""
    start, end = tokenizer.token_to_id(IM_START), tokenizer.token_to_id(IM_END)
    newline = tokenizer.encode("\n").ids
    ids: list[int] = []
    weights: list[float] = []
    for role, text in turns:
        head = tokenizer.encode(f"{role}\n").ids
        body = tokenizer.encode(f"{role}\n{text}").ids[len(head) :] + [end]
        weight = {"assistant": ANSWER, "user": USER}.get(role, REST)
        ids += [start, *head, *body, *newline]
        weights += [REST] * (1 + len(head)) + [weight] * (len(body) - 1) + [ANSWER if role == "assistant" else REST] + [REST] * len(newline)
    return ids, weights


def prompt(tokenizer: Tokenizer, turns: list) -> list[int]:
    """The ids of a dialogue with the opening of the assistant's next turn."""
    return encode(tokenizer, turns)[0] + [tokenizer.token_to_id(IM_START), *tokenizer.encode("assistant\n").ids]
