"""Writes written.txt: headers made by gguf-py (PyPI gguf 0.19.0), in hexadecimal, and its names.

    python written.py > written.txt
"""
import tempfile
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFEndian, GGUFWriter
from gguf.constants import LlamaFileType


def headers(**options):
    """The headers of all files of a model of three tensors; no weight is written."""
    with tempfile.TemporaryDirectory() as folder:
        writer = GGUFWriter(Path(folder) / "model.gguf", "llama", **options)
        writer.add_name("three")
        # Three tensors of 1.6 GB, 4.3 GB and 64 bytes.
        rows = [(1 << 20, 1536), (1 << 20, 4096), (1, 16)]
        for at, (shape, kind) in enumerate(zip(rows, ["Q8_0", "Q8_0", "F32"])):
            kind = GGMLQuantizationType[kind]
            elements = shape[0] * shape[1]
            size = 4 * elements if kind == 0 else elements // 32 * 34
            if kind == 0:
                writer.add_tensor_info(f"t{at}", shape, np.float32, size)
            else:
                stored = (shape[0], shape[1] // 32 * 34)
                writer.add_tensor_info(f"t{at}", stored, np.uint8, size, raw_dtype=kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for file in writer.fout:
            file.close()
        return [path.read_bytes() for path in sorted(Path(folder).iterdir())]


def show(name, data):
    print("header", name, data.hex())


show("large", headers()[0])
show("big", headers(endianess=GGUFEndian.BIG)[0])
for at, data in enumerate(headers(split_max_tensors=1)):
    show(f"split{at}", data)
for kind in LlamaFileType:
    print("file_type", int(kind), kind.name)
