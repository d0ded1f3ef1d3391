"""Writes what llama.cpp's converter makes of the models of this crate: metadata and tensors.

    cargo run -p sidestage-miniatures --example write -- DIR
    python converted.py LLAMA_CPP DIR converted.json

LLAMA_CPP is llama.cpp's source tree. The models have no tokenizer: that part is left out.
"""

import json
import logging
import sys
import tempfile
from pathlib import Path

import numpy

LLAMA_CPP, ROOT, OUT = map(Path, sys.argv[1:])
sys.path[:0] = [str(LLAMA_CPP), str(LLAMA_CPP / "gguf-py")]

import conversion  # noqa: E402
import gguf  # noqa: E402

logging.disable(logging.WARNING)


def checksum(data):
    """The sum of each 32-bit word times its odd number, modulo 2^64."""
    words = numpy.frombuffer(data.astype("<f4").tobytes(), dtype="<u4").astype(numpy.uint64)
    odd = 2 * numpy.arange(len(words), dtype=numpy.uint64) + numpy.uint64(1)
    with numpy.errstate(over="ignore"):
        return int((words * odd).sum(dtype=numpy.uint64))


def convert(folder, out):
    architecture = json.loads((folder / "config.json").read_text())["architectures"][0]
    model_class = conversion.get_model_class(architecture)
    model_class.set_vocab = lambda self: None
    vocabulary = {str(token): token for token in range(96)}
    tokenizer = {"model": {"vocab": vocabulary}, "added_tokens": []}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    model_class(folder, gguf.LlamaFileType.ALL_F32, out).write()
    reader = gguf.GGUFReader(out)
    metadata = {}
    for key, field in reader.fields.items():
        if not key.startswith(("GGUF.", "general.")) or key == "general.architecture":
            value = field.contents()
            metadata[key] = float(f"{value:.6g}") if isinstance(value, float) else value
    tensors = {
        tensor.name: [[int(n) for n in reversed(tensor.shape)], checksum(tensor.data)]
        for tensor in reader.tensors
    }
    return {"metadata": metadata, "tensors": tensors}


def main():
    models = {}
    with tempfile.TemporaryDirectory() as temporary:
        for config in sorted(ROOT.glob("*/config.json")):
            name = config.parent.name
            try:
                models[name] = convert(config.parent, Path(temporary) / f"{name}.gguf")
            except Exception as error:  # the converter refuses what it does not know
                print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr)
    lines = [f'"{name}": {json.dumps(model)}' for name, model in models.items()]
    OUT.write_text("{\n" + ",\n".join(lines) + "\n}\n")


main()
