"""Computes what `box.gguf` must answer, for the tests of the engine.

    python goldens.py box.gguf --held-out held-out.txt --out goldens.json [--checkpoint checkpoint.pt]

The forward pass here is numpy in float64 on the tensors as the file holds them
(rotary pairs side by side), written apart from `network.py` so that each checks
the other. With `--checkpoint` the trained network is compared too.
"""

import argparse
import json

import gguf
import numpy as np
import torch

import export
import vocabulary
from network import Network, Shape

CHATS = [
    [("user", "Who are you?")],
    [("user", "tell me a story about a fox")],
    [("system", "You are a helpful assistant."), ("user", "My name is Anna."), ("assistant", "Nice to meet you, Anna! How can I help you?"), ("user", "What is my name?")],
]
GREEDY = 32


def weights_of(path: str) -> dict[str, np.ndarray]:
    """Every tensor of the file in float64, `[rows, width]` or `[width]`."""
    found = {}
    for tensor in gguf.GGUFReader(path).tensors:
        data = gguf.dequantize(tensor.data, tensor.tensor_type)
        found[tensor.name] = data.reshape(tuple(reversed(tensor.shape.tolist()))).astype(np.float64)
    return found


def forward(w: dict[str, np.ndarray], shape: Shape, ids: list[int]) -> np.ndarray:
    """Logits `[len(ids), vocabulary]`."""

    def norm(x: np.ndarray, gain: np.ndarray) -> np.ndarray:
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + shape.epsilon) * gain

    n = len(ids)
    angle = np.outer(np.arange(n), shape.rope_base ** -(np.arange(0, shape.head, 2) / shape.head))
    turn = np.exp(1j * angle)[:, None, :]

    def heads(x: np.ndarray, count: int, rotated: bool) -> np.ndarray:
        x = x.reshape(n, count, shape.head)
        if rotated:
            x = ((x[..., 0::2] + 1j * x[..., 1::2]) * turn).view(np.float64)
        return x.transpose(1, 0, 2)

    later = np.triu(np.full((n, n), -np.inf), 1)
    x = w["token_embd.weight"][ids]
    for i in range(shape.layers):
        p = f"blk.{i}."
        h = norm(x, w[p + "attn_norm.weight"])
        q = heads(h @ w[p + "attn_q.weight"].T, shape.heads, True)
        k = heads(h @ w[p + "attn_k.weight"].T, shape.kv_heads, True)
        v = heads(h @ w[p + "attn_v.weight"].T, shape.kv_heads, False)
        group = shape.heads // shape.kv_heads
        scores = q @ k.repeat(group, 0).transpose(0, 2, 1) / np.sqrt(shape.head) + later
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        seen = scores / scores.sum(-1, keepdims=True) @ v.repeat(group, 0)
        x = x + seen.transpose(1, 0, 2).reshape(n, -1) @ w[p + "attn_output.weight"].T
        h = norm(x, w[p + "ffn_norm.weight"])
        gate = h @ w[p + "ffn_gate.weight"].T
        x = x + (gate / (1 + np.exp(-gate)) * (h @ w[p + "ffn_up.weight"].T)) @ w[p + "ffn_down.weight"].T
    return norm(x, w["output_norm.weight"]) @ w["token_embd.weight"].T


def log_softmax(x: np.ndarray) -> np.ndarray:
    top = x.max(-1, keepdims=True)
    return x - top - np.log(np.exp(x - top).sum(-1, keepdims=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--held-out", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--checkpoint")
    args = parser.parse_args()

    torch.set_num_threads(1)
    network, tokenizer = export.read(args.model, torch.float64), export.read_tokenizer(args.model)
    shape, weights = network.shape, weights_of(args.model)

    first = vocabulary.prompt(tokenizer, CHATS[0])
    mine = forward(weights, shape, first)
    with torch.no_grad():
        theirs = network(torch.tensor([first]))[0].numpy()
    print(f"numpy and torch on the file: logits differ by {np.abs(mine - theirs).max():.2e}")
    assert np.allclose(mine, theirs, atol=1e-6)
    if args.checkpoint:
        trained = Network(Shape())
        trained.load_state_dict(torch.load(args.checkpoint)["settled"])
        with torch.no_grad():
            trained = trained(torch.tensor([first]))[0].numpy()
        print(f"file and trained network (float32): logits differ by {np.abs(mine - trained).max():.2e} of {np.abs(trained).max():.1f}")
        assert np.abs(mine - trained).max() < 0.05

    cases = []
    end = tokenizer.token_to_id(vocabulary.END)
    for turns in CHATS:
        ids = vocabulary.prompt(tokenizer, turns)
        rendered = vocabulary.rendered(turns) + vocabulary.OPENINGS["assistant"]
        assert tokenizer.encode(rendered).ids == ids, "the parts and the whole must give the same ids"
        greedy, margin = [], np.inf
        while len(greedy) < GREEDY:
            logits = forward(weights, shape, ids + greedy)[-1]
            second, best = np.sort(logits)[-2:]
            margin = min(margin, best - second)
            greedy.append(int(logits.argmax()))
        answer = greedy[: greedy.index(end)] if end in greedy else greedy
        last = forward(weights, shape, ids)[-1]
        top = np.argsort(-last)[:8]
        cases.append({"messages": [{"role": r, "content": t} for r, t in turns], "rendered": rendered, "ids": ids, "greedy": greedy, "text": tokenizer.decode(answer), "smallestMargin": round(float(margin), 6), "topLogits": [[int(i), round(float(last[i]), 6)] for i in top]})
        print(cases[-1]["text"])

    with open(args.held_out, encoding="utf-8") as file:
        records = [r for r in file.read().split("<|endoftext|>\n") if r]
    total = count = answers = answered = 0.0
    marks = tokenizer.encode(vocabulary.OPENINGS["assistant"]).ids
    for record in records:
        ids = tokenizer.encode(record).ids[: shape.context]
        nll = -log_softmax(forward(weights, shape, ids))[np.arange(len(ids) - 1), ids[1:]]
        total, count = total + nll.sum(), count + len(nll)
        inside = False
        for at in range(1, len(ids)):
            if inside:
                answers, answered = answers + nll[at - 1], answered + 1
            if ids[at] == end:
                inside = False
            elif ids[at + 1 - len(marks) : at + 1] == marks:
                inside = True
    held = {
        "file": "held-out.txt",
        "how": "records end with <|endoftext|> and a line feed, which is not part of them; each is tokenised with its special tokens, cut at the context length and run alone from position 0; the mean is over every token but a record's first",
        "records": len(records),
        "tokens": int(count),
        "meanNll": round(float(total / count), 6),
        "perplexity": round(float(np.exp(total / count)), 5),
        "answerTokens": int(answered),
        "answerMeanNll": round(float(answers / answered), 6),
        "answerPerplexity": round(float(np.exp(answers / answered)), 5),
    }
    print(held)
    with open(args.out, "w", encoding="utf-8") as file:
        head = {"model": "box.gguf", "precision": "float64 on the dequantised weights", "greedy": f"{GREEDY} ids, also after the end mark; the text stops there", "eos": end, "heldOut": held}
        lines = ",\n  ".join(json.dumps(case) for case in cases)
        file.write(json.dumps(head)[:-1] + f',\n "cases": [\n  {lines}\n ]}}\n')


if __name__ == "__main__":
    main()
