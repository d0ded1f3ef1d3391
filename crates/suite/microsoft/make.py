"""Makes the cases of this folder: an operator of `com.microsoft` each, or one that ONNX's own suite
leaves out, with what onnxruntime gives.

    python -m venv venv && venv/bin/pip install onnxruntime onnx numpy
    venv/bin/python make.py
"""

import io
import os
import zipfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

HERE = os.path.dirname(os.path.abspath(__file__))
RANDOM = np.random.default_rng(5)
MS = "com.microsoft"


def floats(*dims, scale=1.0, dtype=np.float32):
    # Few bits each, so that the files are small.
    return (np.round(RANDOM.standard_normal(dims) * scale * 64) / 64).astype(dtype)


def integers(low, high, *dims, dtype=np.uint8):
    return RANDOM.integers(low, high, dims).astype(dtype)


def save(path, arrays):
    """As `numpy.savez_compressed`, but the same bytes each time."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.asarray(array), version=(1, 0))
            info = zipfile.ZipInfo(name + ".npy", (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, buffer.getvalue())


def case(name, op, inputs, outputs, domain=MS, weights=(), compare=None, **attributes):
    """One call. `inputs` are (name, array) or None; those of `weights` are in the model."""
    inputs = [at and (at[0], np.asarray(at[1])) for at in inputs]
    named = [(at[0] if at else "") for at in inputs]
    while named and not named[-1]:
        named.pop()
    given = [at for at in inputs if at and at[0] not in weights]
    known = [at for at in inputs if at and at[0] in weights]
    node = helper.make_node(op, named, [out or "" for out in outputs], domain=domain, **attributes)
    model(name, [node], given, known, outputs, compare)


def model(name, nodes, given, known, outputs, compare=None):
    """These nodes, of inputs and weights."""
    types = {np.dtype(np.float16): TensorProto.FLOAT16}
    kind = lambda array: types.get(array.dtype, helper.np_dtype_to_tensor_dtype(array.dtype))
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info(n, kind(a), a.shape) for n, a in given],
        [onnx.ValueInfoProto(name=out) for out in outputs if out],
        [numpy_helper.from_array(a, n) for n, a in known],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(MS, 1)]
    made = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(made.SerializeToString(), options)
    found = session.run(None, dict(given))
    arrays = {"in." + n: a for n, a in given}
    for out, array in zip([out for out in outputs if out], found):
        if compare is None or out in compare:
            arrays["out." + out] = array
    onnx.save(made, os.path.join(HERE, name + ".onnx"))
    save(os.path.join(HERE, name + ".npz"), arrays)


def activations():
    x, bias = floats(3, 8, scale=2), floats(8)
    case("bias_gelu", "BiasGelu", [("x", x), ("b", bias)], ["y"])
    case("fast_gelu", "FastGelu", [("x", x), ("b", bias)], ["y"])
    case("gelu", "Gelu", [("x", x)], ["y"])
    case("quick_gelu", "QuickGelu", [("x", x)], ["y"], alpha=1.5)


def norms():
    x, skip, gamma, beta = floats(2, 3, 16), floats(2, 3, 16), floats(16), floats(16)
    bias = floats(16)
    for half in (False, True):
        of = lambda a: a.astype(np.float16) if half else a
        end = "_f16" if half else ""
        case(
            "skip_layer_norm" + end,
            "SkipLayerNormalization",
            [("x", of(x)), ("s", of(skip)), ("g", of(gamma)), ("b", of(beta)), ("c", of(bias))],
            ["y", "", "", "sum"],
            epsilon=1e-5,
        )
        case(
            "skip_simplified" + end,
            "SkipSimplifiedLayerNormalization",
            [("x", of(x)), ("s", of(skip)), ("g", of(gamma))],
            ["y", "", "", "sum"],
            epsilon=1e-6,
        )
    case(
        "skip_layer_norm_broadcast",
        "SkipLayerNormalization",
        [("x", x), ("s", floats(1, 3, 16)), ("g", gamma)],
        ["y"],
    )
    case(
        "simplified",
        "SimplifiedLayerNormalization",
        [("x", x), ("g", gamma)],
        ["y"],
        domain="",
        epsilon=1e-6,
        axis=-1,
    )


def caches(length, half):
    angle = np.arange(length)[:, None] / 100 ** (np.arange(half) / half)[None]
    return np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)


def rotaries():
    cos, sin = caches(12, 4)
    table = [("cos", cos), ("sin", sin)]
    ids = np.array([[3, 4, 5], [0, 1, 7]], np.int64)
    case("rotary", "RotaryEmbedding", [("x", floats(2, 3, 24)), ("ids", ids)] + table, ["y"])
    case(
        "rotary_interleaved",
        "RotaryEmbedding",
        [("x", floats(2, 2, 3, 8)), ("ids", np.array([4], np.int64))] + table,
        ["y"],
        interleaved=1,
    )
    case(
        "rotary_part",
        "RotaryEmbedding",
        [("x", floats(2, 3, 32)), ("ids", ids)] + table,
        ["y"],
        num_heads=2,
        rotary_embedding_dim=8,
    )


def multi_heads():
    q, k, v = (("q", floats(2, 3, 16)), ("k", floats(2, 5, 16)), ("v", floats(2, 5, 24)))
    case("mha_cross", "MultiHeadAttention", [q, k, v], ["y"], num_heads=2)
    case(
        "mha_bias",
        "MultiHeadAttention",
        [q, k, v, ("b", floats(56)), ("m", integers(0, 2, 2, 5, dtype=np.int32)),
         ("a", floats(1, 2, 3, 5))],
        ["y"],
        num_heads=2,
        scale=0.3,
    )
    past = lambda: floats(2, 2, 4, 8)
    new = [("q", floats(2, 3, 16)), ("k", floats(2, 3, 16)), ("v", floats(2, 3, 16))]
    case(
        "mha_past",
        "MultiHeadAttention",
        new + [None, None, ("a", floats(2, 2, 3, 7)), ("pk", past()), ("pv", past())],
        ["y", "present_k", "present_v"],
        num_heads=2,
    )
    case("mha_causal", "MultiHeadAttention", new, ["y"], num_heads=2, unidirectional=1)
    case(
        "mha_lengths",
        "MultiHeadAttention",
        new + [None, ("m", np.array([2, 3], np.int32))],
        ["y"],
        num_heads=2,
    )


def attentions():
    x, weight, bias = floats(2, 3, 12), floats(12, 48, scale=0.4), floats(48, scale=0.3)
    all = [("x", x), ("w", weight), ("b", bias)]
    case("attention", "Attention", all, ["y"], weights=("w", "b"), num_heads=2)
    case(
        "attention_mask",
        "Attention",
        all + [("m", integers(0, 2, 2, 3, dtype=np.int32) | np.eye(2, 3, dtype=np.int32))],
        ["y"],
        num_heads=4,
    )
    case(
        "attention_past",
        "Attention",
        all + [None, ("p", floats(2, 2, 2, 4, 8))],
        ["y", "present"],
        num_heads=2,
        unidirectional=1,
    )
    case(
        "attention_sizes",
        "Attention",
        [("x", x), ("w", floats(12, 40, scale=0.4)), ("b", floats(40))],
        ["y"],
        num_heads=2,
        qkv_hidden_sizes=[16, 16, 8],
    )


def group_queries():
    cos, sin = caches(24, 8)
    tables = [("cos", cos), ("sin", sin)]

    def one(name, n, s, past, lengths=None, packed=False, rotary=True, more=(), room=None, **rest):
        heads, own, width = 4, 2, 16
        q = floats(n, s, (heads + 2 * own if packed else heads) * width)
        kv = [None, None] if packed else [
            ("k", floats(n, s, own * width)), ("v", floats(n, s, own * width))]
        old = [(p, floats(n, own, room or past, width)) for p in ("pk", "pv")]
        last = np.array(lengths or [past + s - 1] * n, np.int32)
        total = np.array(max(past + s, last.max() + 1), np.int32)
        case(
            name,
            "GroupQueryAttention",
            [("q", q)] + kv + old + [("last", last), ("total", total)]
            + (tables if rotary else [None, None]) + list(more),
            ["y", "present_k", "present_v"],
            compare=None if lengths is None and room is None else ["y"],
            num_heads=heads,
            kv_num_heads=own,
            do_rotary=int(rotary),
            **rest,
        )

    one("gqa_prompt", 1, 5, 0)
    one("gqa_token", 1, 1, 6)
    one("gqa_packed", 1, 1, 6, packed=True, rotary_interleaved=1)
    one("gqa_more", 1, 3, 4)
    one("gqa_window", 1, 1, 9, local_window_size=4)
    one("gqa_window_prompt", 1, 7, 0, local_window_size=3, softcap=5.0)
    one("gqa_softcap", 1, 2, 3, rotary=False, softcap=2.0, scale=0.7)
    one("gqa_lengths", 3, 1, 7, lengths=[7, 3, 5])
    one("gqa_room", 1, 1, 5, room=12)
    one("gqa_smooth", 1, 2, 3, smooth_softmax=1)
    one("gqa_bias", 1, 2, 3, more=[None, ("bias", floats(1, 4, 2, 5))])
    one("gqa_sink", 1, 2, 3, more=[None, None, ("sink", floats(4))])


def blocks():
    # Activations that lose nothing in 8 bits: of each block of 32 one is the largest there is.
    x = integers(-127, 128, 3, 64, dtype=np.float32) / 32
    x[:, ::32] = 127 / 32

    def one(name, bits, block, zeros=None, k=64, n=10, half=False, bias=False, **rest):
        count = -(-k // block)
        of = lambda a: a.astype(np.float16) if half else a
        q = integers(0, 256, n, count, block * bits // 8)
        scales = of((RANDOM.integers(2, 16, (n, count)) / 256).astype(np.float32))
        given = None
        if zeros == "packed":
            given = ("z", integers(0, 256, n, -(-count * bits // 8)))
        elif zeros == "floats":
            given = ("z", of(floats(n, count, scale=3) + np.float32(2 ** (bits - 1))))
        case(
            name,
            "MatMulNBits",
            [("x", of(x[:, :k])), ("q", q), ("s", scales), given, None,
             ("b", of(floats(n))) if bias else None],
            ["y"],
            weights=("q", "s", "z", "b"),
            N=n,
            K=k,
            bits=bits,
            block_size=block,
            **rest,
        )

    one("nbits_4", 4, 32)
    one("nbits_4_f16", 4, 32, half=True)
    one("nbits_4_wide", 4, 64, bias=True, accuracy_level=4)
    one("nbits_4_zeros", 4, 32, zeros="packed")
    one("nbits_4_floats", 4, 32, zeros="floats")
    one("nbits_4_small", 4, 16)
    one("nbits_4_part", 4, 32, k=40)
    one("nbits_8", 8, 32)
    one("nbits_8_zeros", 8, 32, zeros="packed")
    one("nbits_2", 2, 32)

    ids = integers(0, 9, 2, 3, dtype=np.int64)
    scales = (0.02 + 0.05 * RANDOM.random((9, 2))).astype(np.float32)
    for bits in (4, 8):
        case(
            f"gather_{bits}",
            "GatherBlockQuantized",
            [("q", integers(0, 256, 9, 64 * bits // 8)), ("i", ids), ("s", scales)],
            ["y"],
            weights=("q", "s"),
            bits=bits,
            block_size=32,
            quantize_axis=1,
        )
    case(
        "gather_zeros",
        "GatherBlockQuantized",
        [("q", integers(0, 256, 9, 32)), ("i", ids), ("s", scales), ("z", integers(0, 256, 9, 1))],
        ["y"],
        weights=("q", "s", "z"),
        bits=4,
        block_size=32,
        quantize_axis=1,
    )


def fused():
    case(
        "fused_matmul",
        "FusedMatMul",
        [("a", floats(2, 4, 3)), ("b", floats(2, 5, 4))],
        ["y"],
        transA=1,
        transB=1,
        alpha=0.25,
    )
    case(
        "fused_matmul_batch",
        "FusedMatMul",
        [("a", floats(3, 2, 4)), ("b", floats(2, 4, 5))],
        ["y"],
        transBatchA=1,
    )
    case(
        "fused_gemm",
        "FusedGemm",
        [("a", floats(3, 4)), ("b", floats(5, 4)), ("c", floats(5))],
        ["y"],
        transB=1,
        alpha=0.5,
        beta=2.0,
        activation="LeakyRelu",
        activation_alpha=0.2,
    )
    conv = [("x", floats(1, 2, 5, 5)), ("w", floats(3, 2, 3, 3)), ("b", floats(3))]
    shape = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [2, 2]}
    case("fused_conv", "FusedConv", conv, ["y"], activation="Relu", **shape)
    case(
        "fused_conv_sum",
        "FusedConv",
        conv + [("z", floats(1, 3, 3, 3))],
        ["y"],
        activation="Clip",
        activation_params=[-0.5, 1.5],
        **shape,
    )


def bytes_of(name, *dims, low=-128, high=128, dtype=np.int8, scale=0.05, zero=3):
    """A tensor of integers, its scale and its zero point."""
    return [
        (name, integers(low, high, *dims, dtype=dtype)),
        (name + "s", np.float32(scale)),
        (name + "z", np.array(zero, dtype)),
    ]


def qlinear():
    u8 = {"low": 0, "high": 256, "dtype": np.uint8, "zero": 120}
    y8, yi = [("ys", np.float32(0.07)), ("yz", np.uint8(130))], [
        ("ys", np.float32(0.06)), ("yz", np.int8(-5))]
    a, b = bytes_of("a", 3, 5, **u8), bytes_of("b", 5, **u8)
    case("qlinear_add", "QLinearAdd", a + b + y8, ["y"])
    case("qlinear_mul", "QLinearMul", bytes_of("a", 3, 5) + bytes_of("b", 3, 1) + yi, ["y"])
    unit = [("ys", np.float32(1 / 256)), ("yz", np.uint8(0))]
    case("qlinear_sigmoid", "QLinearSigmoid", a + unit, ["y"])
    case("qlinear_leaky_relu", "QLinearLeakyRelu", bytes_of("a", 4, 6) + yi, ["y"], alpha=0.2)
    case("qlinear_softmax", "QLinearSoftmax", a + unit, ["y"], axis=-1, opset=13)
    case(
        "qlinear_concat",
        "QLinearConcat",
        y8 + bytes_of("a", 2, 3, **u8) + bytes_of("b", 2, 4, low=0, high=256, dtype=np.uint8,
                                                   scale=0.09, zero=100),
        ["y"],
        axis=1,
    )
    x = bytes_of("x", 1, 2, 5, 5, **u8)
    pool = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [2, 2]}
    case("qlinear_average_pool", "QLinearAveragePool", x + y8, ["y"], **pool)
    case("qlinear_global_pool", "QLinearGlobalAveragePool", x + y8, ["y"])
    case(
        "qlinear_global_pool_last",
        "QLinearGlobalAveragePool",
        bytes_of("x", 1, 5, 5, 2, **u8) + y8,
        ["y"],
        channels_last=1,
    )


def products():
    a, b = floats(3, 8), integers(-128, 128, 8, 6, dtype=np.int8)
    scale = (RANDOM.integers(1, 9, 6) / 64).astype(np.float32)
    case(
        "dynamic_matmul",
        "DynamicQuantizeMatMul",
        [("a", a), ("b", b), ("s", scale), ("z", np.zeros(6, np.int8)), ("c", floats(6))],
        ["y"],
        weights=("b", "z"),
    )
    u8 = integers(0, 256, 2, 3, 8)
    one = np.float32(0.02)
    case(
        "integer_to_float",
        "MatMulIntegerToFloat",
        [("a", u8), ("b", b), ("as", one), ("bs", scale), ("az", np.uint8(117)),
         ("bz", integers(-3, 4, 6, dtype=np.int8)), ("c", floats(6))],
        ["y"],
        weights=("b", "bz"),
    )
    case(
        "qgemm",
        "QGemm",
        [("a", integers(0, 256, 3, 8)), ("as", one), ("az", np.uint8(117)), ("b", b.T.copy()),
         ("bs", scale), ("bz", np.zeros(6, np.int8)), ("c", integers(-99, 99, 6, dtype=np.int32)),
         ("ys", np.float32(0.5)), ("yz", np.uint8(100))],
        ["y"],
        transB=1,
    )
    case(
        "qattention",
        "QAttention",
        [("x", u8), ("w", integers(-128, 128, 8, 48, dtype=np.int8)), ("b", floats(48)),
         ("xs", np.float32(0.01)), ("ws", np.float32(0.004)), ("m", np.array([2, 3], np.int32)),
         ("xz", np.uint8(117)), ("wz", np.int8(0))],
        ["y"],
        weights=("w",),
        num_heads=2,
    )


def embeddings():
    ids = integers(0, 9, 2, 4, dtype=np.int32)
    case(
        "embed",
        "EmbedLayerNormalization",
        [("ids", ids), ("seg", ids % 2), ("w", floats(9, 8)), ("p", floats(6, 8)),
         ("t", floats(2, 8)), ("g", floats(8)), ("b", floats(8)),
         ("m", np.array([[1, 1, 1, 0], [1, 1, 0, 0]], np.int32))],
        ["y", "lengths"],
        mask_index_type=1,
    )


def left_out():
    """Operators of ONNX that its suite has no case of, or only with others around them."""
    x = floats(2, 3, 5, 4)
    for p in (1, 2, 3):
        case(f"global_lp_pool_{p}", "GlobalLpPool", [("x", x)], ["y"], domain="", p=p)
    parts = [("a", floats(2, 3)), ("b", floats(2, 3)), ("c", floats(2, 3))]
    listed = helper.make_node("SequenceConstruct", ["a", "b", "c"], ["list"])
    for name, inputs, new in [("last", [], 0), ("at", ["i"], 0), ("new_axis", ["i"], 1)]:
        erased = helper.make_node("SequenceErase", ["list", *inputs], ["rest"])
        joined = helper.make_node("ConcatFromSequence", ["rest"], ["y"], axis=-1, new_axis=new)
        given = parts + ([("i", np.array(-3 if new else 1, np.int64))] if inputs else [])
        model(f"sequence_erase_{name}", [listed, erased, joined], given, [], ["y"])


def taken_over():
    """Operators that were here before they were ONNX's."""
    scales = np.array([0.01, 0.02, 0.03], np.float32)
    case(
        "quantize_16",
        "QuantizeLinear",
        [("x", floats(2, 3, 4)), ("s", scales), ("z", np.array([7, 30000, 65000], np.uint16))],
        ["y"],
        axis=1,
    )
    case(
        "dequantize_16",
        "DequantizeLinear",
        [("x", integers(-9999, 9999, 2, 3, dtype=np.int16)), ("s", scales),
         ("z", np.array([0, 5, -70], np.int16))],
        ["y"],
        axis=-1,
    )
    case(
        "trilu",
        "Trilu",
        [("x", floats(2, 4, 5)), ("k", np.array(1, np.int64))],
        ["y"],
        upper=0,
    )
    grid = np.clip(floats(1, 3, 4, 2, scale=0.7), -1.2, 1.2)
    case("grid_sample", "GridSample", [("x", floats(1, 2, 4, 5)), ("grid", grid)], ["y"])
    ends = [("from", np.float32(1)), ("to", np.float32(4)), ("by", np.float32(0.5))]
    case("range", "Range", ends, ["y"])


if __name__ == "__main__":
    activations()
    norms()
    rotaries()
    multi_heads()
    attentions()
    group_queries()
    blocks()
    fused()
    qlinear()
    products()
    embeddings()
    left_out()
    taken_over()
