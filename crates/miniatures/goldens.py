"""Writes what Hugging Face's `transformers` computes for the models of this crate.

    cargo run -p sidestage-miniatures --example write -- DIR
    python goldens.py DIR goldens.json

Needs `torch` and `transformers`; the versions used stand in the file. In float32, with the eager
attention, which does soft-caps and windows as the papers have them.
"""

import json
import sys
from pathlib import Path

import torch
import transformers

POSITIONS = [0, 7, 23, 40, 74]


def logits(folder, tokens):
    model, info = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
    )
    for problem in ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs"):
        found = [key for key in info.get(problem, []) if "lm_head" not in str(key)]
        assert not found, f"{folder.name}: {problem}: {found}"
    with torch.no_grad():
        rows = model.eval()(torch.tensor([tokens]), use_cache=False).logits[0]
    assert torch.isfinite(rows).all(), folder.name
    return [[float(f"{x:.6g}") for x in rows[position].tolist()] for position in POSITIONS]


def main(root, out):
    tokens = json.loads((root / "tokens.json").read_text())
    folders = sorted(path.parent for path in root.glob("*/config.json"))
    models = {folder.name: logits(folder, tokens) for folder in folders}
    head = {
        "made by": "goldens.py",
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "positions": POSITIONS,
    }
    lines = [f'"{name}": {json.dumps(rows)}' for name, rows in models.items()]
    text = json.dumps(head, indent=0)[:-2]
    out.write_text(f'{text},\n"models": {{\n' + ",\n".join(lines) + "\n}}\n")


main(Path(sys.argv[1]), Path(sys.argv[2]))
