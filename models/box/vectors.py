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

import numpy as np
import torch

from minilm import WIDTH, MiniLM

# In BERT's vocabulary the words begin here, the commonest first.
FIRST_WORD = 1996
AT_ONCE = 512


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minilm", required=True)
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()

    torch.set_num_threads(1)
    model = MiniLM(args.minilm, args.tokenizer)
    vocabulary = model.tokenizer.get_vocab()
    common = [w for w in sorted(vocabulary, key=vocabulary.get)[FIRST_WORD:] if re.fullmatch("[a-z]{2,}|[ai]", w)]
    with open(args.corpus, encoding="utf-8") as file:
        theirs = {w for line in file for _, text in json.loads(line) for w in re.findall("[a-z]+", text.lower())}
    words = list(dict.fromkeys([*common, *sorted(theirs)]))
    order = sorted(range(len(words)), key=lambda i: len(words[i]))
    vectors = np.zeros((len(words), WIDTH), np.float32)
    for at in range(0, len(order), AT_ONCE):
        part = order[at : at + AT_ONCE]
        vectors[part] = model.vectors([words[i] for i in part]).numpy()
    with open(args.minilm, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    np.savez(args.out, words=np.array(words), common=len(common), vectors=vectors)
    print(f"{len(words)} words, {len(common)} of them common; all-MiniLM-L6-v2 is {digest}")


if __name__ == "__main__":
    main()
