"""Writes what the model in the box knows of English words from outside: a vector for each.

    python vectors.py --minilm all-MiniLM-L6-v2.gguf --tokenizer tokenizer.json --corpus corpus.jsonl --out words.npz

The vectors are those of sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0; the GGUF file and the `tokenizer.json` of
the same model) for each word as a text of its own, as Model2Vec takes them. The words are those of its vocabulary, the
commonest first, and those of the corpus.
"""

import argparse
import hashlib
import json
import re
from itertools import groupby

import gguf
import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer

# In BERT's vocabulary the words begin here, the commonest first.
FIRST_WORD = 1996
WIDTH, HEADS, LAYERS = 384, 12, 6
AT_ONCE = 512


class MiniLM:
    """BERT with six layers; a text's vector is the mean over its tokens."""

    def __init__(self, path: str) -> None:
        self.weights = {t.name: torch.tensor(gguf.dequantize(t.data, t.tensor_type).reshape(tuple(reversed(t.shape.tolist())))).float() for t in gguf.GGUFReader(path).tensors}

    def norm(self, x: torch.Tensor, name: str) -> torch.Tensor:
        return F.layer_norm(x, (WIDTH,), self.weights[name + ".weight"], self.weights[name + ".bias"], 1e-12)

    def linear(self, x: torch.Tensor, name: str) -> torch.Tensor:
        return F.linear(x, self.weights[name + ".weight"], self.weights[name + ".bias"])

    def mean(self, ids: torch.Tensor) -> torch.Tensor:
        """Ids `[texts, length]` in, vectors `[texts, 384]` out."""
        x = self.weights["token_embd.weight"][ids] + self.weights["position_embd.weight"][: ids.shape[1]] + self.weights["token_types.weight"][0]
        x = self.norm(x, "token_embd_norm")
        for i in range(LAYERS):
            p = f"blk.{i}."
            q, k, v = (self.linear(x, f"{p}attn_{part}").view(*ids.shape, HEADS, -1).transpose(1, 2) for part in "qkv")
            seen = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(x.shape)
            x = self.norm(x + self.linear(seen, p + "attn_output"), p + "attn_output_norm")
            x = self.norm(x + self.linear(F.gelu(self.linear(x, p + "ffn_up")), p + "ffn_down"), p + "layer_output_norm")
        return x.mean(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minilm", required=True)
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()

    torch.set_num_threads(1)
    tokenizer = Tokenizer.from_file(args.tokenizer)
    tokenizer.no_padding()
    vocabulary = tokenizer.get_vocab()
    common = [w for w in sorted(vocabulary, key=vocabulary.get)[FIRST_WORD:] if re.fullmatch("[a-z]{2,}|[ai]", w)]
    with open(args.corpus, encoding="utf-8") as file:
        theirs = {w for line in file for _, text in json.loads(line) for w in re.findall("[a-z]+", text.lower())}
    words = list(dict.fromkeys([*common, *sorted(theirs)]))
    ids = [encoding.ids for encoding in tokenizer.encode_batch(words)]
    order = sorted(range(len(words)), key=lambda i: len(ids[i]))
    model, vectors = MiniLM(args.minilm), np.zeros((len(words), WIDTH), np.float32)
    with torch.no_grad():
        for _, alike in groupby(order, key=lambda i: len(ids[i])):
            alike = list(alike)
            for at in range(0, len(alike), AT_ONCE):
                part = alike[at : at + AT_ONCE]
                vectors[part] = model.mean(torch.tensor([ids[i] for i in part])).numpy()
    with open(args.minilm, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    np.savez(args.out, words=np.array(words), common=len(common), vectors=vectors)
    print(f"{len(words)} words, {len(common)} of them common; all-MiniLM-L6-v2 is {digest}")


if __name__ == "__main__":
    main()
