"""Writes gguf_py.txt: rows of f32 and what gguf-py makes of them.

    pip install gguf==0.19.0 numpy
    python make.py > gguf_py.txt
"""

import importlib.metadata

import numpy as np
from gguf import GGMLQuantizationType, quants

TYPES = ["F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"]


def rows():
    random = np.random.default_rng(7)
    for scale in [1.0, 0.02, 1e-5, 3e-8, 300.0]:
        yield random.normal(size=32) * scale
    yield random.uniform(0.5, 1.5, size=32)
    yield random.normal(size=32) ** 5
    # Ties of every type: the scale is 1 or a power of two.
    ties = np.arange(32) / 2 - 8
    for top in [127, -127, -8, 8, 16, -16, 15, 31]:
        row = np.clip(ties, -abs(top), abs(top))
        row[5] = top
        yield row
    yield np.zeros(32)
    yield np.full(32, 0.1)
    yield np.full(32, -2.5)
    # Two values of the largest magnitude: the first one's sign counts.
    for first in [-1.0, 1.0]:
        row = random.normal(size=32) * 0.1
        row[3], row[20] = first, -first
        yield row
    # Numbers between two of binary16 and of bfloat16, and too large for binary16.
    yield np.array([1.0 + i * 2.0**-12 for i in range(32)])
    yield np.array([2.0**-25 * (i - 16) for i in range(32)])
    yield np.array([65503.9 + i for i in range(32)])


def main():
    values = np.stack(list(rows())).astype(np.float32)
    print(f"# By make.py with gguf-py {importlib.metadata.version('gguf')}: little-endian bytes.")
    print("F32", values.astype("<f4").tobytes().hex())
    with np.errstate(over="ignore"):
        for name in TYPES:
            quantized = quants.quantize(values, GGMLQuantizationType[name])
            print(name, quantized.tobytes().hex())


main()
