"""Models as exporters and quantisers make them, with random weights: `sidestage run` against onnxruntime.

By hand, for it needs PyTorch:

    python -m venv venv
    venv/bin/pip install torch torchvision timm transformers onnx onnxscript onnxruntime
    venv/bin/python exports.py target/release/sidestage [part of a name]

Prints the largest difference of each model's outputs, of the largest value, and that of onnxruntime with
its own optimisations on; a line that ends in `!` wants to be looked at.
"""

import contextlib
import io
import itertools
import json
import logging
import os
import subprocess
import sys
import tempfile
import warnings

import numpy as np
import onnx
import onnxruntime
import timm
import torch
import torchvision
import transformers
from onnxruntime import quantization as quant

logging.disable(logging.CRITICAL)
warnings.filterwarnings("ignore")
torch.manual_seed(0)
BINARY = os.path.abspath(sys.argv[1])
PART = sys.argv[2] if len(sys.argv) > 2 else ""

IMAGES = {
    64: ["mobilenet_v3_small", "efficientnet_b0", "shufflenet_v2_x0_5", "squeezenet1_1", "densenet121",
         "regnet_y_400mf", "mnasnet0_5", "resnext50_32x4d", "convnext_tiny", "swin_t", "swin_v2_t"],
    224: ["vit_b_32", "maxvit_t"],
}
TIMM = {
    64: ["ghostnet_100", "edgenext_xx_small", "tinynet_e", "poolformer_s12", "hrnet_w18_small",
         "cspdarknet53", "starnet_s1", "mambaout_femto"],
    224: ["mobilevit_s", "levit_128s", "fastvit_t8", "repvit_m0_9", "efficientformerv2_s0",
          "deit_tiny_patch16_224", "xcit_nano_12_p16_224", "coatnet_nano_rw_224",
          "mobilenetv4_conv_small", "eva02_tiny_patch14_224", "tiny_vit_5m_224"],
}
SMALL = {"vocab_size": 100, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
         "intermediate_size": 64, "max_position_embeddings": 64}
SOUND = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64,
         "conv_dim": (16, 16), "conv_stride": (5, 2), "conv_kernel": (10, 3),
         "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4}
IDS = (torch.randint(5, 90, (1, 9)),)
TEXTS = {
    "Bert": SMALL, "Roberta": SMALL, "Albert": {**SMALL, "embedding_size": 16}, "MPNet": SMALL,
    "DistilBert": {"vocab_size": 100, "dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64},
    "DebertaV2": {**SMALL, "relative_attention": True, "pos_att_type": ["p2c", "c2p"]},
    "ModernBert": {**SMALL, "pad_token_id": 0, "cls_token_id": 1, "sep_token_id": 2},
}


class First(torch.nn.Module):
    """The first output of a model of `transformers`."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, *inputs):
        return self.model(*inputs)[0]


def hugging(family, options):
    config = getattr(transformers, family + "Config")(**options)
    config._attn_implementation = "eager"
    return First(getattr(transformers, family + "Model")(config))


def models():
    """Name, how it is made, inputs."""
    for size, names in IMAGES.items():
        for name in names:
            make = lambda name=name: getattr(torchvision.models, name)(weights=None)
            yield f"torchvision {name}", make, (torch.randn(1, 3, size, size),)
    for size, names in TIMM.items():
        for name in names:
            make = lambda name=name: timm.create_model(name, pretrained=False)
            yield f"timm {name}", make, (torch.randn(1, 3, size, size),)
    for family, options in TEXTS.items():
        yield f"transformers {family}", lambda f=family, o=options: hugging(f, o), IDS
    for family in ("Wav2Vec2", "Hubert"):
        yield f"transformers {family}", lambda f=family: hugging(f, SOUND), (torch.randn(1, 2000),)


def export(model, inputs, path, exporter):
    how = {"dynamo": True, "external_data": False} if exporter == "dynamo" else {
        "dynamo": False, "opset_version": 17}
    quiet = io.StringIO()
    with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
        torch.onnx.export(model.eval(), inputs, path, **how)


def compare(name, path, feeds, near=1e-5):
    plain = onnxruntime.SessionOptions()
    plain.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    truth, optimised = (
        onnxruntime.InferenceSession(path, options).run(None, feeds) for options in (plain, None))
    with tempfile.TemporaryDirectory() as folder:
        args = [BINARY, "run", "--model", path, "--out", folder]
        for input, array in feeds.items():
            np.save(os.path.join(folder, f"in.{input}.npy"), array)
            args += ["--input", f"{input}={folder}/in.{input}.npy"]
        ended = subprocess.run(args, capture_output=True, text=True, check=False)
        if ended.returncode:
            print(f"{name}: {ended.stderr.strip()} !", flush=True)
            return
        with open(os.path.join(folder, "outputs.json"), encoding="utf-8") as file:
            found = [np.load(os.path.join(folder, one["file"])) for one in json.load(file)]
    far = lambda a, b: float(np.abs(a.astype("f8") - b).max() / max(np.abs(b).max(), 1e-9))
    same = all(a.shape == b.shape and a.dtype == b.dtype for a, b in zip(found, truth))
    if not same:
        print(f"{name}: outputs of another shape or type !", flush=True)
        return
    ours = max(far(a, b) for a, b in zip(found, truth) if b.size)
    theirs = max(far(a, b) for a, b in zip(optimised, truth) if b.size)
    mark = "" if ours <= max(near, 2 * theirs) else " !"
    print(f"{name}: {ours:.1e} ({theirs:.1e}){mark}", flush=True)


class Again(quant.CalibrationDataReader):
    def __init__(self, feeds):
        self.left = [feeds] * 2

    def get_next(self):
        return self.left.pop() if self.left else None


# Two steps of 8 bits: where a sum of floats lies between two integers, its order decides.
STEPS = 2e-2


def quantised(name, path, feeds, folder):
    """As onnxruntime's quantiser writes it, in every way that it can."""
    to = os.path.join(folder, "quantised.onnx")
    Type, Format = quant.QuantType, quant.QuantFormat
    quant.quantize_dynamic(path, to)
    compare(f"{name}, dynamic", to, feeds, STEPS)
    types = (Type.QUInt8, Type.QInt8, Type.QInt16, Type.QUInt16)
    weights = (Type.QInt8, Type.QUInt8, Type.QInt16, Type.QInt4)
    for form, a, w, channels in itertools.product(Format, types, weights, (False, True)):
        try:
            quant.quantize_static(path, to, Again(feeds), quant_format=form, activation_type=a,
                                  weight_type=w, per_channel=channels)
        except Exception:
            continue  # It cannot write these.
        kind = f"{form.name} {a.name} {w.name}{' by channel' * channels}"
        compare(f"{name}, {kind}", to, feeds, STEPS)


def main():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.onnx")
        for name, make, inputs in models():
            if PART not in name:
                continue
            for exporter in ("dynamo", "torchscript"):
                try:
                    export(make(), inputs, path, exporter)
                except Exception as error:
                    print(f"{name}, {exporter}: not exported: {str(error).splitlines()[0]}")
                    continue
                ports = onnx.load(path, load_external_data=False).graph.input
                feeds = {port.name: array.numpy() for port, array in zip(ports, inputs)}
                compare(f"{name}, {exporter}", path, feeds)
                if name in ("torchvision mobilenet_v3_small", "transformers Bert"):
                    quantised(f"{name}, {exporter}", path, feeds, folder)


if __name__ == "__main__":
    main()
