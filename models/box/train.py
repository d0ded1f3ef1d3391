"""Trains the model in the box on a CPU and writes it as GGUF.

    python train.py --corpus corpus.jsonl --words words.npz --minilm all-MiniLM-L6-v2.gguf --tokenizer tokenizer.json --work DIR

It has two lessons: the answers, and what each question means, as all-MiniLM-L6-v2 has it.

`DIR` keeps the tokenizer, a checkpoint from which a stopped run goes on, `box.gguf`,
written anew with every checkpoint, and `training.jsonl`: the versions, the options and
the SHA-256 of each such file. A run that is asked to end (SIGTERM) makes a checkpoint.
"""

import argparse
import hashlib
import json
import math
import os
import platform
import random
import signal
import time
from importlib import metadata

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer

import export
import minilm
import vocabulary
from dialogues.unknown import REFUSALS, TASK
from meaning import Meaning
from network import Network, Shape
from words import Known, Words, neighbours

PAD = 0
# The rates of what each token learns of its own and of the turn that all share, as parts of the rate.
OWN_RATE, TURN_RATE = 0.5, 0.3
# Dialogues that are shuffled and cut together.
PART = 8192
# Where in the training fewer answers begin to be cut; at its end none is.
WHOLE_FROM = 0.6
# The answers to what is of no known kind.
UNKNOWN = {*REFUSALS, *TASK}
# Of the words that are replaced, how many become one that means the like.
ALIKE = 0.75
# The share of the dialogues whose question loses its order, and how far a word goes.
DISORDERED, REACH = 0.2, 6
# The share of the dialogues in which what is no answer counts too.
ALL_COUNTS = 0.06
# So many tokens that no answer has are compared with in a step.
OTHERS = 512
# What the lesson on meaning counts beside the answers.
MEANING = 1.0


def load(args: argparse.Namespace, shape: Shape, common: list[str]) -> tuple[Tokenizer, list]:
    """The tokenizer (made once) and every dialogue as (ids, weights, whether its question is simply not known)."""
    with open(args.corpus, encoding="utf-8") as file:
        dialogues = [json.loads(line) for line in file]
    path = os.path.join(args.work, "tokenizer.json")
    if not os.path.exists(path):
        vocabulary.learn([text for turns in dialogues for _, text in turns], common, shape.vocabulary).save(path)
    tokenizer = Tokenizer.from_file(path)
    rows = [(*vocabulary.encode(tokenizer, turns), turns[-1][1] in UNKNOWN) for turns in dialogues]
    return tokenizer, [(ids[: shape.context], weights[: shape.context], unknown) for ids, weights, unknown in rows]


def shortened(rng: random.Random, ids: list, weights: list, unknown: bool, share: float) -> tuple[list, list, bool]:
    """The dialogue, sometimes without the end of its last answer.

    Which answer a question wants shows in the answer's first tokens; its other tokens are
    soon known by heart. So the same computation sees more questions.
    """
    if rng.random() >= share:
        return ids, weights, unknown
    end = len(weights)
    while weights[end - 1] != vocabulary.ANSWER:
        end -= 1
    start = end
    while weights[start - 1] == vocabulary.ANSWER:
        start -= 1
    end = min(end, start + rng.randint(4, 7))
    return ids[:end], weights[:end], unknown


def part(rows: list, number: int, share: float) -> list:
    """The `number`th part of the text, endlessly: rows in an order of each pass, a share of them shortened."""
    rng = random.Random(number)
    in_pass = -(-len(rows) // PART)
    order = list(range(len(rows)))
    random.Random(number // in_pass).shuffle(order)
    at = number % in_pass * PART
    return [shortened(rng, *rows[i], share) for i in order[at : at + PART]]


def batches(rows: list, size: int, seed: int):
    """The rows in batches of about `size` tokens of similar length."""
    rng = random.Random(seed)
    order = sorted(range(len(rows)), key=lambda i: (len(rows[i][0]) + rng.random() * 8))
    groups, group = [], []
    for i in order:
        if group and (len(group) + 1) * len(rows[i][0]) > size:
            groups.append(group)
            group = []
        group.append(i)
    groups.append(group)
    rng.shuffle(groups)
    for group in groups:
        length = max(len(rows[i][0]) for i in group)
        ids = torch.full((len(group), length), PAD)
        weights = torch.zeros(len(group), length)
        for at, i in enumerate(group):
            ids[at, : len(rows[i][0])] = torch.tensor(rows[i][0])
            weights[at, : len(rows[i][0])] = torch.tensor(rows[i][1])
        yield ids, weights, torch.tensor([rows[i][2] for i in group])


def blurred(ids: torch.Tensor, weights: torch.Tensor, unknown: torch.Tensor, share: float, near: torch.Tensor) -> torch.Tensor:
    """The ids with some of the users' tokens replaced, by words that mean the like, some by any word, or out of order.

    People use words that the grammars do not know: an answer must not hang on each of them. A row has a share of its own,
    from none to twice `share`; in what is not known any words may stand, so there it is twice as much again.
    """
    rows, length = ids.shape
    chance = torch.rand(rows, length) < torch.rand(rows, 1) * torch.where(unknown, 4.0, 2.0)[:, None] * share
    chance &= weights == vocabulary.USER
    # What the answer repeats stays, such as names and numbers.
    repeated = torch.zeros(rows, len(near), dtype=torch.bool)
    repeated.scatter_(1, torch.where(weights == vocabulary.ANSWER, ids, PAD), True)
    chance &= ~repeated.gather(1, ids)
    like = near[ids, torch.randint(near.shape[1], ids.shape)]
    words = (near[:, 0] != torch.arange(len(near))).nonzero()[:, 0]
    other = words[torch.randint(len(words), ids.shape)]
    ids = torch.where(chance, torch.where(torch.rand(ids.shape) < ALIKE, like, other), ids)
    for row in (torch.rand(rows) < DISORDERED).nonzero()[:, 0]:
        at = (weights[row] == vocabulary.USER).nonzero()[:, 0]
        # Only questions of one turn: what stands between two is no word of the user.
        if len(at) and at[-1] - at[0] == len(at) - 1:
            ids[row, at] = ids[row, at[(torch.arange(len(at)) + torch.rand(len(at)) * REACH).argsort()]]
    return ids


def losses(network: Network, ids: torch.Tensor, wanted: torch.Tensor, others: torch.Tensor, bfloat16: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """The loss in nats of each token that is `wanted`, one after the other, among the tokens of `ids` and `others`.

    Also the states before the last layer.
    """
    tokens = torch.cat((ids.flatten(), others)).unique()
    place = torch.empty(network.shape.vocabulary, dtype=torch.long)
    place[tokens] = torch.arange(len(tokens))
    ids = place[ids]
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        table = network.token_embd.rows(tokens)
        states, before = network.hidden(ids[:, :-1], table)
        logits = F.linear(states[wanted[:, 1:]], table)
    return F.cross_entropy(logits.float(), ids[:, 1:][wanted[:, 1:]], reduction="none"), before


def held_out_loss(network: Network, rows: list, bfloat16: bool) -> float:
    """Mean loss of the answers' tokens, in nats."""
    total = count = 0.0
    everything = torch.arange(network.shape.vocabulary)
    with torch.no_grad():
        for ids, weights, _ in batches(rows, 4096, 0):
            answers = weights == vocabulary.ANSWER
            total += losses(network, ids, answers, everything, bfloat16)[0].sum().item()
            count += answers.sum().item()
    return total / count


def settled(network: Network) -> Network:
    """The network with a plain table of its tokens' vectors."""
    plain = Network(network.shape)
    state = {name: weight for name, weight in network.state_dict().items() if not name.startswith("token_embd.")}
    plain.load_state_dict({"token_embd.weight": network.token_embd.weight.detach(), **state})
    return plain


def sha256(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def record(args: argparse.Namespace, seen: int, loss: float, path: str) -> None:
    """Adds a line to `training.jsonl`: what made the file, and which file it is."""
    versions = {"python": platform.python_version(), **{name: metadata.version(name) for name in ("torch", "numpy", "tokenizers", "gguf")}}
    line = {"tokens": seen, "heldOutLoss": round(loss, 4), "sha256": sha256(path), "corpusSha256": sha256(args.corpus), "versions": versions, "options": vars(args)}
    with open(os.path.join(args.work, "training.jsonl"), "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--words", required=True, help="what vectors.py wrote")
    parser.add_argument("--minilm", required=True, help="all-MiniLM-L6-v2 as GGUF")
    parser.add_argument("--tokenizer", required=True, help="its tokenizer.json")
    parser.add_argument("--work", required=True)
    parser.add_argument("--tokens", type=float, default=12e6, help="how many tokens to see in all")
    parser.add_argument("--batch", type=int, default=2048, help="tokens in a step")
    parser.add_argument("--rate", type=float, default=2e-3, help="the highest learning rate")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cut", type=float, default=0.85, help="the share of dialogues whose last answer is cut short, at first")
    parser.add_argument("--blur", type=float, default=0.12, help="the share of the users' tokens that are replaced")
    parser.add_argument("--minutes", type=float, default=6, help="between two checkpoints")
    parser.add_argument("--float32", action="store_true", help="for processors that are slow in bfloat16")
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    os.makedirs(args.work, exist_ok=True)
    shape = Shape()
    known = Known(args.words)
    tokenizer, rows = load(args, shape, known.common)
    random.Random(0).shuffle(rows)
    held, rows = rows[:400], rows[400:]
    in_pass = sum(len(row[0]) for row in rows)
    print(f"{len(rows)} dialogues, {in_pass} tokens", flush=True)

    network = Network(shape)
    table = known.of(tokenizer, shape)
    seen_tokens = torch.zeros(shape.vocabulary, dtype=torch.bool)
    for ids, _, _ in rows:
        seen_tokens[ids] = True
    network.token_embd = Words(table, seen_tokens)
    near = neighbours(table)
    # What an answer may say. A step compares with these and some others: the rest of the tokens is soon known not to be said.
    said = torch.tensor(sorted({token for ids, weights, _ in rows for token, weight in zip(ids, weights) if weight == vocabulary.ANSWER}))
    print(f"{int(seen_tokens.sum())} tokens are in the text, {int((table.norm(dim=1) > 0).sum())} have a known word", flush=True)
    meaning = Meaning(minilm.MiniLM(args.minilm, args.tokenizer), tokenizer, shape, not args.float32)
    # Muon is made for inner matrices; the vectors of the tokens and the gains stay with AdamW.
    inner = [p for name, p in network.named_parameters() if p.dim() == 2 and name.startswith("blk.")]
    gains = [p for p in network.parameters() if p.dim() == 1]
    optimizers = [
        torch.optim.Muon(inner, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW([{"params": [network.token_embd.own], "weight_decay": 0.1, "share": OWN_RATE}, {"params": [network.token_embd.turn], "weight_decay": 0.0, "share": TURN_RATE}, {"params": [*gains, *meaning.turn.parameters()], "weight_decay": 0.0}], betas=(0.9, 0.95), fused=True),
    ]
    print(f"{sum(p.numel() for p in network.parameters())} parameters", flush=True)
    checkpoint = os.path.join(args.work, "checkpoint.pt")
    seen, step, number, done = 0, 0, 0, 0
    if os.path.exists(checkpoint):
        state = torch.load(checkpoint)
        network.load_state_dict(state["network"])
        meaning.load_state_dict(state["meaning"])
        for optimizer, kept in zip(optimizers, state["optimizers"]):
            optimizer.load_state_dict(kept)
        seen, step, number, done = state["seen"], state["step"], state["part"], state["done"]
        print(f"goes on after {seen} tokens", flush=True)

    def keep() -> None:
        loss = held_out_loss(network, held, not args.float32)
        torch.save({"network": network.state_dict(), "meaning": meaning.state_dict(), "settled": settled(network).state_dict(), "optimizers": [optimizer.state_dict() for optimizer in optimizers], "seen": seen, "step": step, "part": number, "done": done}, checkpoint + ".new")
        os.replace(checkpoint + ".new", checkpoint)
        path = os.path.join(args.work, "box.gguf")
        export.write(path + ".new", settled(network), tokenizer)
        os.replace(path + ".new", path)
        record(args, seen, loss, path)
        print(f"step {step}: {seen} tokens, held-out loss {loss:.4f}, perplexity {math.exp(loss):.3f}", flush=True)

    stop = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(True))
    saved = began = time.monotonic()
    since, running = 0, torch.zeros(2)
    while seen < args.tokens and not stop:
        share = args.cut * min(1.0, (1 - seen / args.tokens) / (1 - WHOLE_FROM))
        for at, (ids, weights, unknown) in enumerate(batches(part(rows, number, share), args.batch, number)):
            if at < done:
                continue
            progress = min(1.0, seen / args.tokens)
            rate = args.rate * min(1.0, (step + 1) / 80) * (0.04 + 0.96 * 0.5 * (1 + math.cos(math.pi * progress)))
            for optimizer in optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = rate * group.get("share", 1.0)
            ids = blurred(ids, weights, unknown, args.blur, near)
            counts = (weights == vocabulary.ANSWER) | (torch.rand(len(ids), 1) < ALL_COUNTS) & (weights > 0)
            counts[:, 0] = False
            wanted = weights[counts]
            others = torch.cat((said, torch.randint(shape.vocabulary, (OTHERS,))))
            each, before = losses(network, ids, counts, others, not args.float32)
            loss, apart = (each * wanted).sum() / wanted.sum(), meaning(ids, before)
            (loss + MEANING * apart).backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            for optimizer in optimizers:
                optimizer.step()
            network.zero_grad(set_to_none=True)
            seen, step, done = seen + int((weights > 0).sum()), step + 1, at + 1
            since += ids.numel()
            both = torch.stack((loss, apart)).detach()
            running = both if step == 1 else 0.98 * running + 0.02 * both
            if step % 50 == 0:
                print(f"step {step}: {seen} tokens, loss {running[0]:.4f}, meaning {running[1]:.4f}, rate {rate:.5f}, {since / (time.monotonic() - began):.0f} tokens/s", flush=True)
            if time.monotonic() - saved > args.minutes * 60:
                keep()
                saved = time.monotonic()
            if seen >= args.tokens or stop:
                break
        else:
            number, done = number + 1, 0
    keep()


if __name__ == "__main__":
    main()
