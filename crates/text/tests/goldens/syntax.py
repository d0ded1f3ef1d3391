"""Writes syntax.json: what Jinja2, in the environment of transformers, makes of those cases of
huggingface.js's syntax tests that JavaScript prints otherwise; null where it fails.

    pip install jinja2==3.1.6 && python syntax.py hfjs-syntax.json
"""

import json
import pathlib
import sys

from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def main():
    cases = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    environment.filters["tojson"] = tojson
    out = {}
    for name, template in cases["strings"].items():
        try:
            text = environment.from_string(template).render(**cases["contexts"][name])
        except Exception:
            text = None
        if text != cases["expected"][name]:
            out[name] = text
    path = pathlib.Path(__file__).with_name("syntax.json")
    path.write_text(json.dumps(out, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


main()
