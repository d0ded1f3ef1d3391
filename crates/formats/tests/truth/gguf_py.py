"""Writes gguf_py.txt: what gguf-py (PyPI gguf 0.19.0) reads in the GGUF files of the test data.

    python gguf_py.py TESTDATA > gguf_py.txt

One line per metadata pair: key, type, number of elements, FNV-1a of the bytes (each string preceded
by its length, as in the file). One line per file for its tensors: FNV-1a of a line of text for each.
"""
import sys
from pathlib import Path

from gguf import GGUFReader, GGUFValueType

SHORT = {"uint": "u", "int": "i", "float": "f"}


def fnv(data):
    h = 0xCBF29CE484222325
    for byte in data:
        h = (h ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return h


def short(kind):
    name = kind.name.lower()
    for long, letter in SHORT.items():
        if name.startswith(long):
            return letter + name[len(long):]
    return name


def content(field):
    text = field.types[-1] == GGUFValueType.STRING
    for at in field.data:
        part = field.parts[at]
        if text:
            yield len(part).to_bytes(8, "little")
        yield part.tobytes()


root = Path(sys.argv[1])
for path in sorted(root.glob("**/*.gguf")):
    reader = GGUFReader(path)
    version = int(reader.fields["GGUF.version"].contents())
    print("file", path.relative_to(root), version, reader.alignment)
    for key, field in reader.fields.items():
        if not key.startswith("GGUF."):
            kind = " of ".join(short(kind) for kind in field.types)
            print("pair", key, kind.replace(" ", "_"), len(field.data), f"{fnv(b''.join(content(field))):016x}")
    lines = "".join(
        f"{t.name} {t.tensor_type.name} {[int(n) for n in reversed(t.shape)]} {t.data_offset} {t.n_bytes}\n"
        for t in reader.tensors
    )
    print("tensors", len(reader.tensors), f"{fnv(lines.encode()):016x}")
