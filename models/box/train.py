"""Trains the model in the box on a CPU and writes it as GGUF.

    python train.py --corpus corpus.jsonl --work DIR [--tokens 8e6] [--threads 1]

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
import vocabulary
from network import Network, Shape

PAD = 0
# The tokens before are marks and single bytes.
FIRST_MERGED = 259
# Dialogues that are shuffled and cut together.
PART = 8192
# Where in the training fewer answers begin to be cut; at its end none is.
WHOLE_FROM = 0.6


def load(args: argparse.Namespace, shape: Shape) -> tuple[Tokenizer, list]:
    """The tokenizer (made once) and every dialogue as (ids, weights), cut at the context's end."""
    with open(args.corpus, encoding="utf-8") as file:
        dialogues = [json.loads(line) for line in file]
    path = os.path.join(args.work, "tokenizer.json")
    if not os.path.exists(path):
        vocabulary.learn((f"{role}\n{text}" for turns in dialogues for role, text in turns), shape.vocabulary).save(path)
    tokenizer = Tokenizer.from_file(path)
    rows = [vocabulary.encode(tokenizer, turns) for turns in dialogues]
    return tokenizer, [(ids[: shape.context], weights[: shape.context]) for ids, weights in rows]


def shortened(rng: random.Random, ids: list, weights: list, share: float) -> tuple[list, list]:
    """The dialogue, sometimes without the end of its last answer.

    Which answer a question wants shows in the answer's first tokens; its other tokens are
    soon known by heart. So the same computation sees more questions.
    """
    if rng.random() >= share:
        return ids, weights
    end = len(weights)
    while weights[end - 1] != vocabulary.ANSWER:
        end -= 1
    start = end
    while weights[start - 1] == vocabulary.ANSWER:
        start -= 1
    end = min(end, start + rng.randint(5, 9))
    return ids[:end], weights[:end]


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
        yield ids, weights


def blurred(ids: torch.Tensor, weights: torch.Tensor, share: float, size: int) -> torch.Tensor:
    """The ids with some of the users' tokens replaced by chance, in every second row.

    People use words that the grammars do not know: an answer must not hang on each of them.
    """
    chance = torch.rand(ids.shape) < share
    chance &= torch.rand(ids.shape[0], 1) < 0.5
    chance &= weights == vocabulary.USER
    return torch.where(chance, torch.randint(FIRST_MERGED, size, ids.shape), ids)


def losses(network: Network, ids: torch.Tensor, bfloat16: bool) -> torch.Tensor:
    """The loss of each predicted token in nats, `[batch, length - 1]`."""
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        logits = network(ids[:, :-1])
    return F.cross_entropy(logits.float().flatten(0, 1), ids[:, 1:].flatten(), reduction="none").view(ids.shape[0], -1)


def held_out_loss(network: Network, rows: list, bfloat16: bool) -> float:
    """Mean loss of the answers' tokens, in nats."""
    total = count = 0.0
    with torch.no_grad():
        for ids, weights in batches(rows, 4096, 0):
            answers = (weights[:, 1:] == vocabulary.ANSWER).float()
            total += (losses(network, ids, bfloat16) * answers).sum().item()
            count += answers.sum().item()
    return total / count


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
    parser.add_argument("--work", required=True)
    parser.add_argument("--tokens", type=float, default=8e6, help="how many tokens to see in all")
    parser.add_argument("--batch", type=int, default=1024, help="tokens in a step")
    parser.add_argument("--rate", type=float, default=1.8e-3, help="the highest learning rate")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cut", type=float, default=0.85, help="the share of dialogues whose last answer is cut short, at first")
    parser.add_argument("--blur", type=float, default=0.06, help="the share of the users' tokens replaced by chance, in every second dialogue")
    parser.add_argument("--minutes", type=float, default=4, help="between two checkpoints")
    parser.add_argument("--float32", action="store_true", help="for processors that are slow in bfloat16")
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    os.makedirs(args.work, exist_ok=True)
    shape = Shape()
    tokenizer, rows = load(args, shape)
    random.Random(0).shuffle(rows)
    held, rows = rows[:400], rows[400:]
    in_pass = sum(len(ids) for ids, _ in rows)
    print(f"{len(rows)} dialogues, {in_pass} tokens", flush=True)

    network = Network(shape)
    # Muon is made for inner matrices; the embedding and the gains stay with AdamW.
    inner = [p for name, p in network.named_parameters() if p.dim() == 2 and name.startswith("blk.")]
    gains = [p for p in network.parameters() if p.dim() == 1]
    optimizers = [
        torch.optim.Muon(inner, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW([{"params": [network.token_embd.weight], "weight_decay": 0.1}, {"params": gains, "weight_decay": 0.0}], betas=(0.9, 0.95), fused=True),
    ]
    print(f"{sum(p.numel() for p in network.parameters())} parameters", flush=True)
    checkpoint = os.path.join(args.work, "checkpoint.pt")
    seen, step, number, done = 0, 0, 0, 0
    if os.path.exists(checkpoint):
        state = torch.load(checkpoint)
        network.load_state_dict(state["network"])
        for optimizer, kept in zip(optimizers, state["optimizers"]):
            optimizer.load_state_dict(kept)
        seen, step, number, done = state["seen"], state["step"], state["part"], state["done"]
        print(f"goes on after {seen} tokens", flush=True)

    def keep() -> None:
        loss = held_out_loss(network, held, not args.float32)
        torch.save({"network": network.state_dict(), "optimizers": [optimizer.state_dict() for optimizer in optimizers], "seen": seen, "step": step, "part": number, "done": done}, checkpoint + ".new")
        os.replace(checkpoint + ".new", checkpoint)
        path = os.path.join(args.work, "box.gguf")
        export.write(path + ".new", network, tokenizer)
        os.replace(path + ".new", path)
        record(args, seen, loss, path)
        print(f"step {step}: {seen} tokens, held-out loss {loss:.4f}, perplexity {math.exp(loss):.3f}", flush=True)

    stop = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(True))
    saved = began = time.monotonic()
    since, running = 0, 0.0
    while seen < args.tokens and not stop:
        share = args.cut * min(1.0, (1 - seen / args.tokens) / (1 - WHOLE_FROM))
        for at, (ids, weights) in enumerate(batches(part(rows, number, share), args.batch, number)):
            if at < done:
                continue
            progress = min(1.0, seen / args.tokens)
            rate = args.rate * min(1.0, (step + 1) / 80) * (0.04 + 0.96 * 0.5 * (1 + math.cos(math.pi * progress)))
            for optimizer in optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = rate
            wanted = weights[:, 1:]
            ids = blurred(ids, weights, args.blur, shape.vocabulary)
            loss = (losses(network, ids, not args.float32) * wanted).sum() / wanted.sum()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            for optimizer in optimizers:
                optimizer.step()
            network.zero_grad(set_to_none=True)
            seen, step, done = seen + int((weights > 0).sum()), step + 1, at + 1
            since += ids.numel()
            running = loss.item() if step == 1 else 0.98 * running + 0.02 * loss.item()
            if step % 50 == 0:
                print(f"step {step}: {seen} tokens, loss {running:.4f}, rate {rate:.5f}, {since / (time.monotonic() - began):.0f} tokens/s", flush=True)
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
