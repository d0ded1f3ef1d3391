"""Makes small random decoders in the forms in which exporters write them, with onnxruntime's logits.

    python -m venv venv && venv/bin/pip install onnxruntime onnx numpy
    venv/bin/python make.py

`grouped.onnx` is in the form of onnxruntime-genai and onnx-community's quantised files: one call of
GroupQueryAttention a layer, weights of 4 bits. `spelt.onnx` is in the form of optimum: attention spelt out,
the mask made of the attention mask and the length of the past, positions as an input.
"""

import io
import os
import zipfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

HERE = os.path.dirname(os.path.abspath(__file__))
RANDOM = np.random.default_rng(7)
MS = "com.microsoft"
LAYERS, HEADS, OWN = 2, 4, 2


class Graph:
    """Nodes and weights, each named after its result."""

    def __init__(self):
        self.nodes, self.weights, self.count = [], [], 0

    def __call__(self, op, *inputs, out=None, domain="", outs=1, **attributes):
        self.count += 1
        names = out if isinstance(out, list) else [out or f"{op}_{self.count}"]
        names += [f"{op}_{self.count}_{i}" for i in range(len(names), outs)]
        inputs = [one if isinstance(one, str) else self.constant(one) for one in inputs]
        self.nodes.append(
            helper.make_node(op, inputs, names, names[0], domain=domain, **attributes)
        )
        return names if outs > 1 else names[0]

    def constant(self, array):
        self.count += 1
        self.weights.append(numpy_helper.from_array(np.asarray(array), f"c_{self.count}"))
        return f"c_{self.count}"

    def weight(self, *dims, scale=1.0):
        # In halves, so that the file is small.
        array = (RANDOM.standard_normal(dims) * scale / dims[0] ** 0.5).astype(np.float16)
        return self("Cast", array, to=TensorProto.FLOAT)


def save(name, graph, width, past_name="past_key_values", more=()):
    past = [(f"{past_name}.{i}.{kind}", f"present.{i}.{kind}")
            for i in range(LAYERS) for kind in ("key", "value")]
    info = helper.make_tensor_value_info
    ints, floats = TensorProto.INT64, TensorProto.FLOAT
    inputs = [info("input_ids", ints, ["batch", "seq"]), info("attention_mask", ints, ["batch", "all"])]
    inputs += [info(one, ints, ["batch", "seq"]) for one in more]
    inputs += [info(p, floats, ["batch", OWN, "past", width]) for p, _ in past]
    outputs = [info("logits", floats, ["batch", "seq", "vocab"])]
    outputs += [info(p, floats, ["batch", OWN, "all", width]) for _, p in past]
    proto = helper.make_graph(graph.nodes, name, inputs, outputs, graph.weights)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(MS, 1)]
    model = helper.make_model(proto, opset_imports=opsets, ir_version=9)
    onnx.save(model, os.path.join(HERE, name + ".onnx"))
    session = onnxruntime.InferenceSession(model.SerializeToString())
    tokens = RANDOM.integers(0, 64, 40)
    feed = {"input_ids": tokens[None], "attention_mask": np.ones((1, 40), np.int64)}
    if more:
        feed["position_ids"] = np.arange(40)[None]
    feed.update({p: np.zeros((1, OWN, 0, width), np.float32) for p, _ in past})
    logits = session.run(["logits"], feed)[0][0]
    print(name, np.abs(logits).max(), os.path.getsize(os.path.join(HERE, name + ".onnx")))
    with zipfile.ZipFile(os.path.join(HERE, name + ".npz"), "w", zipfile.ZIP_DEFLATED) as archive:
        for key, array in (("tokens", tokens.astype(np.int32)), ("logits", logits)):
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, array, version=(1, 0))
            place = zipfile.ZipInfo(key + ".npy", (1980, 1, 1, 0, 0, 0))
            place.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(place, buffer.getvalue())


def grouped():
    g, width, vocab, inner, head = Graph(), 64, 64, 96, 16

    def linear(x, n, k):
        q = RANDOM.integers(0, 256, (n, k // 32, 16)).astype(np.uint8)
        scales = (0.15 + 0.1 * RANDOM.random((n, k // 32))) / k**0.5
        scales = scales.astype(np.float16).astype(np.float32)
        return g("MatMulNBits", x, q, scales, domain=MS, N=n, K=k, bits=4, block_size=32)

    sums = g("ReduceSum", "attention_mask", np.array([1]), keepdims=0)
    last = g("Cast", g("Sub", sums, np.array([1])), to=TensorProto.INT32)
    total = g("Gather", g("Shape", "attention_mask"), np.array(1), axis=0)
    total = g("Cast", total, to=TensorProto.INT32)
    angle = np.arange(64)[:, None] / 100 ** (np.arange(head // 2) / (head // 2))[None]
    cos, sin = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)
    x = g("Gather", g.weight(vocab, width, scale=8), "input_ids")
    norm = lambda: (1 + 0.1 * RANDOM.standard_normal(width)).astype(np.float32)
    taken = g("SimplifiedLayerNormalization", x, norm(), epsilon=1e-6, axis=-1)
    for i in range(LAYERS):
        packed = linear(taken, (HEADS + 2 * OWN) * head, width)
        attended = g(
            "GroupQueryAttention", packed, "", "", f"past_key_values.{i}.key",
            f"past_key_values.{i}.value", last, total, cos, sin,
            out=[f"attention_{i}", f"present.{i}.key", f"present.{i}.value"], outs=3, domain=MS,
            num_heads=HEADS, kv_num_heads=OWN, do_rotary=1,
            # The second layer sees the latest positions only.
            **({"local_window_size": 8} if i == 1 else {}),
        )[0]
        attended = linear(attended, width, HEADS * head)
        taken, _, _, x = g("SkipSimplifiedLayerNormalization", x, attended, norm(), domain=MS,
                           outs=4, epsilon=1e-6)
        gate, up = linear(taken, inner, width), linear(taken, inner, width)
        fed = linear(g("Mul", g("Mul", gate, g("Sigmoid", gate)), up), width, inner)
        taken, _, _, x = g("SkipSimplifiedLayerNormalization", x, fed, norm(), domain=MS, outs=4,
                           epsilon=1e-6)
    g.nodes.append(helper.make_node("Identity", [linear(taken, vocab, width)], ["logits"]))
    save("grouped", g, head)


def spelt():
    g, width, vocab, inner, head = Graph(), 32, 64, 48, 8
    dim = lambda x, axis: g("Gather", g("Shape", x), np.array(axis), axis=0)
    list_of = lambda *parts: g("Concat", *[g("Unsqueeze", p, np.array([0])) if isinstance(p, str)
                                           else np.array([p]) for p in parts], axis=0)
    seq, past = dim("input_ids", 1), dim("past_key_values.0.key", 2)
    total = g("Add", seq, past)
    # The mask: what is to come, and what the attention mask leaves out.
    places = g("Range", past, total, np.array(1))
    keys = g("Range", np.array(0), total, np.array(1))
    later = g("Greater", keys, g("Reshape", places, np.array([-1, 1])))
    later = g("Cast", later, to=TensorProto.FLOAT)
    low = np.float32(np.finfo(np.float32).min)
    mask = g("Mul", g("ConstantOfShape", list_of(seq, total),
                      value=numpy_helper.from_array(low.reshape(1))), later)
    mask = g("Unsqueeze", g("Unsqueeze", mask, np.array([0])), np.array([1]))
    mask = g("Expand", mask, list_of(dim("input_ids", 0), 1, seq, total))
    given = g("Unsqueeze", g("Unsqueeze", "attention_mask", np.array([1])), np.array([2]))
    hidden = g("Equal", g("Add", mask, g("Cast", given, to=TensorProto.FLOAT)), np.float32(0))
    mask = g("Where", hidden, low, mask)
    # Positions: angles of the input.
    inverse = (1 / 100 ** (np.arange(head // 2) / (head // 2))).astype(np.float32)
    ids = g("Cast", g("Unsqueeze", "position_ids", np.array([1])), to=TensorProto.FLOAT)
    angles = g("Transpose", g("MatMul", inverse.reshape(1, -1, 1), ids), perm=[0, 2, 1])
    angles = g("Concat", angles, angles, axis=-1)
    cos = g("Unsqueeze", g("Cos", angles), np.array([1]))
    sin = g("Unsqueeze", g("Sin", angles), np.array([1]))

    def norm(x):
        square = g("ReduceMean", g("Pow", x, np.float32(2)), axes=[-1])
        root = g("Sqrt", g("Add", square, np.float32(1e-6)))
        weight = (1 + 0.1 * RANDOM.standard_normal(width)).astype(np.float32)
        return g("Mul", weight, g("Mul", x, g("Div", np.float32(1), root)))

    def heads(x, count):
        x = g("MatMul", x, g.weight(width, count * head, scale=2))
        x = g("Reshape", x, list_of(dim(x, 0), dim(x, 1), count, head))
        return g("Transpose", x, perm=[0, 2, 1, 3])

    def turned(x):
        half = g("Div", dim(x, 3), np.array(2))
        half = g("Unsqueeze", half, np.array([0]))
        b = g("Slice", x, half, np.array([2**62]), np.array([3]), np.array([1]))
        a = g("Slice", x, np.array([0]), half, np.array([3]), np.array([1]))
        both = g("Concat", g("Neg", b), a, axis=-1)
        return g("Add", g("Mul", x, cos), g("Mul", both, sin))

    def repeated(x):
        shape = list_of(dim(x, 0), OWN, HEADS // OWN, dim(x, 2), head)
        x = g("Expand", g("Unsqueeze", x, np.array([2])), shape)
        return g("Reshape", x, list_of(dim(x, 0), HEADS, dim(x, 3), head))

    x = g("Gather", g.weight(vocab, width, scale=8), "input_ids")
    for i in range(LAYERS):
        taken = norm(x)
        q, k, v = turned(heads(taken, HEADS)), turned(heads(taken, OWN)), heads(taken, OWN)
        k = g("Concat", f"past_key_values.{i}.key", k, out=f"present.{i}.key", axis=-2)
        v = g("Concat", f"past_key_values.{i}.value", v, out=f"present.{i}.value", axis=-2)
        k, v = g("Transpose", repeated(k), perm=[0, 1, 3, 2]), repeated(v)
        # Both sides by the root of the scale, which the shape says.
        scale = g("Cast", dim(q, 3), to=TensorProto.FLOAT)
        root = g("Sqrt", g("Div", np.float32(1), g("Sqrt", scale)))
        scores = g("MatMul", g("Mul", q, root), g("Mul", k, root))
        shares = g("Softmax", g("Add", scores, mask), axis=-1)
        y = g("Transpose", g("MatMul", shares, v), perm=[0, 2, 1, 3])
        y = g("Reshape", y, np.array([0, 0, HEADS * head]))
        x = g("Add", x, g("MatMul", y, g.weight(HEADS * head, width)))
        taken = norm(x)
        gate = g("MatMul", taken, g.weight(width, inner))
        up = g("MatMul", taken, g.weight(width, inner))
        fed = g("Mul", g("Mul", gate, g("Sigmoid", gate)), up)
        x = g("Add", x, g("MatMul", fed, g.weight(inner, width)))
    g("MatMul", norm(x), g.weight(width, vocab, scale=2), out="logits")
    save("spelt", g, head, more=["position_ids"])


if __name__ == "__main__":
    grouped()
    spelt()
