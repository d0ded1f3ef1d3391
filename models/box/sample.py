"""Prints greedy answers of a GGUF file to prompts of every kind.

    python sample.py box.gguf [--prompt TEXT] [--system TEXT]

A line of `PROMPTS` is one chat; its user turns are parted by ` / `.
"""

import argparse

import torch
from tokenizers import Tokenizer

import export
from network import Network
from vocabulary import IM_END, prompt

PROMPTS = """
hi
Hello!
good morning
who are you?
Who r u
what can you do?
what can't you do?
can you search the internet?
how do you work?
where do you run?
is this private
How do I load another model?
what is Sidestage?
are you ChatGPT?
tell me a story about a fox
Tell me a story.
write a poem about the sea
tell me a joke / another one
what is the capital of France?
explain quantum computing
who won the world cup in 1998?
write a python function to sort a list
what's the weather like today?
what time is it?
what is 3 + 4?
what is 9 minus 4 / and 7 plus 8?
what is 345 * 12?
count to 10
count backwards from 5
what is the opposite of hot / and tall?
what colour is the sky?
what does a cow say?
spell banana
repeat after me: the blue house
name three fruits
list the days of the week
which month comes after March?
I am sad
i feel grate today
thanks
thank you so much, you were very helpful
bye
My name is Anna. / What is my name?
my name is Tobrin / tell me a joke / do you remember my name?
I have a dog called Rex / what is my dog called?
wat is yuor name
Do you have feelings?
should I invest in gold?
how do i bake sourdough bread
asdfgh
why is water wet?
You are stupid
what is a dog?
why? / ok
Please summarise the plot of Hamlet.
""".strip().split("\n")


@torch.no_grad()
def answer(network: Network, tokenizer: Tokenizer, turns: list, limit: int = 160) -> str:
    """The most likely answer to the chat so far, without the end mark."""
    ids = prompt(tokenizer, turns)
    start, end = len(ids), tokenizer.token_to_id(IM_END)
    while len(ids) < min(start + limit, network.shape.context):
        best = int(network(torch.tensor([ids]))[0, -1].argmax())
        if best == end:
            break
        ids.append(best)
    return tokenizer.decode(ids[start:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--prompt", help="one chat in place of the list")
    parser.add_argument("--system", help="a system prompt")
    args = parser.parse_args()
    torch.set_num_threads(1)
    network, tokenizer = export.read(args.model), export.read_tokenizer(args.model)
    for chat in [args.prompt] if args.prompt else PROMPTS:
        turns = [("system", args.system)] if args.system else []
        for text in chat.split(" / "):
            turns.append(("user", text))
            turns.append(("assistant", answer(network, tokenizer, turns)))
            print(f"> {text}\n{turns[-1][1]}", flush=True)
        print(flush=True)


if __name__ == "__main__":
    main()
