"""Makes `ops.npz`: models of an operator or two, and what LiteRT computes with them. With arguments
only the cases whose names begin so are made anew.

    python -m venv venv && venv/bin/pip install ai-edge-litert flatbuffers numpy
    venv/bin/python make.py
"""

import io
import os
import sys
import zipfile

import numpy as np
from ai_edge_litert import interpreter as litert
from ai_edge_litert import schema_py_generated as S
import flatbuffers

HERE = os.path.dirname(os.path.abspath(__file__))
TYPES = {
    "float32": S.TensorType.FLOAT32, "float16": S.TensorType.FLOAT16, "int32": S.TensorType.INT32,
    "uint8": S.TensorType.UINT8, "int64": S.TensorType.INT64, "bool": S.TensorType.BOOL,
    "int16": S.TensorType.INT16, "int8": S.TensorType.INT8, "float64": S.TensorType.FLOAT64,
    "uint32": S.TensorType.UINT32, "resource": S.TensorType.RESOURCE, "int4": S.TensorType.INT4,
}
rng = np.random.default_rng(7)


def f(*shape, low=-2.0, high=2.0):
    return rng.uniform(low, high, shape).astype(np.float32)


def i8(*shape):
    return rng.integers(-128, 128, shape).astype(np.int8)


def ints(*values, dtype=np.int32):
    return np.array(values, dtype)


class Graph:
    """A subgraph."""

    def __init__(self, model):
        self.model, self.graph = model, S.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.graph.inputs, self.graph.outputs, self.given = [], [], []

    def tensor(self, dtype, shape, data=None, q=None, name=None, free=None):
        t = S.TensorT()
        t.name, t.shape, t.type = name or f"t{len(self.graph.tensors)}", list(shape), TYPES[dtype]
        t.buffer = 0 if data is None else self.model.buffer(data)
        if free:
            t.shapeSignature = free
        if q:
            scale, zero = np.atleast_1d(q[0]), np.atleast_1d(q[1])
            t.quantization = S.QuantizationParametersT()
            t.quantization.scale = [float(one) for one in scale]
            t.quantization.zeroPoint = [int(one) for one in np.resize(zero, len(scale))]
            t.quantization.quantizedDimension = q[2] if len(q) > 2 else 0
        self.graph.tensors.append(t)
        return len(self.graph.tensors) - 1

    def input(self, value, q=None, name=None, free=None):
        at = self.tensor(value.dtype.name, value.shape, q=q, name=name, free=free)
        self.graph.inputs.append(at)
        self.given.append(value)
        return at

    def const(self, value, q=None):
        value = np.asarray(value)
        return self.tensor(value.dtype.name, value.shape, value.tobytes(), q)

    def int4(self, value, q):
        flat = value.flatten().astype(np.uint8) & 15
        flat = np.append(flat, [0] * (len(flat) % 2)).astype(np.uint8)
        return self.tensor("int4", value.shape, (flat[::2] | flat[1::2] << 4).tobytes(), q)

    def state(self, shape, dtype="float32", q=None):
        at = self.tensor(dtype, shape, q=q)
        self.graph.tensors[at].isVariable = True
        return at

    def op(self, op, inputs, outputs, custom=None, **options):
        o = S.OperatorT()
        o.opcodeIndex, o.inputs = self.model.code(op, custom is not None), list(inputs)
        kinds = [one if isinstance(one, tuple) else (one, None) for one in outputs]
        o.outputs = [self.tensor(dtype, [], q=q) for dtype, q in kinds]
        if custom is not None:
            o.customOptions = list(custom)
        elif options:
            kind = OPTIONS[op]
            o.builtinOptionsType = getattr(S.BuiltinOptions, kind)
            o.builtinOptions = getattr(S, kind + "T")()
            for key, value in options.items():
                assert hasattr(o.builtinOptions, key), key
                setattr(o.builtinOptions, key, value)
        self.graph.operators.append(o)
        return o.outputs[0] if len(o.outputs) == 1 else o.outputs

    def output(self, *tensors):
        self.graph.outputs += tensors


class Model:
    def __init__(self):
        self.model = S.ModelT()
        self.model.version = 3
        self.model.buffers, self.model.operatorCodes, self.codes = [S.BufferT()], [], {}
        self.main = Graph(self)
        self.graphs = [self.main]

    def buffer(self, data):
        b = S.BufferT()
        b.data = np.frombuffer(data, np.uint8)
        self.model.buffers.append(b)
        return len(self.model.buffers) - 1

    def code(self, op, custom):
        if op not in self.codes:
            c = S.OperatorCodeT()
            number = 32 if custom else getattr(S.BuiltinOperator, op)
            c.builtinCode, c.deprecatedBuiltinCode = number, min(number, 127)
            c.version = VERSIONS.get(op, 1)
            if custom:
                c.customCode = op
            self.codes[op] = len(self.model.operatorCodes)
            self.model.operatorCodes.append(c)
        return self.codes[op]

    def graph(self):
        self.graphs.append(Graph(self))
        return len(self.graphs) - 1, self.graphs[-1]

    def bytes(self):
        self.model.subgraphs = [graph.graph for graph in self.graphs]
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def run(content, given, kind):
    it = litert.Interpreter(model_content=content, experimental_op_resolver_type=kind)
    details = it.get_input_details()
    for detail, value in zip(details, given):
        if list(detail["shape"]) != list(value.shape):
            it.resize_tensor_input(detail["index"], value.shape)
    it.allocate_tensors()
    results = []
    for _ in range(2):
        for detail, value in zip(it.get_input_details(), given):
            it.set_tensor(detail["index"], value)
        it.invoke()
        results.append([it.get_tensor(detail["index"]) for detail in it.get_output_details()])
    return results


failed, cases = [], {}


def save(name, model, given=None):
    if len(sys.argv) > 1 and not any(name.startswith(one) for one in sys.argv[1:]):
        return
    content, given = model.bytes(), given or model.main.given
    arrays = {f"in.{at}": value for at, value in enumerate(given)}
    for key, kind in [("out", litert.OpResolverType.BUILTIN_REF), ("xnn", litert.OpResolverType.BUILTIN)]:
        try:
            first, second = run(content, given, kind)
            for at, value in enumerate(first):
                arrays[f"{key}.{at}"] = value
            # Only what keeps a state gives something else.
            if key == "out" and not all(map(np.array_equal, first, second)):
                for at, value in enumerate(second):
                    arrays[f"again.{at}"] = value
        except (RuntimeError, ValueError) as error:
            print(name, key, str(error)[:300])
    if "out.0" not in arrays and "xnn.0" not in arrays:
        failed.append(name)
        return
    outs = [key for key in arrays if key.startswith("out.")]
    if all(np.array_equal(arrays[key], arrays.get("xnn" + key[3:])) for key in outs):
        arrays = {key: value for key, value in arrays.items() if not (outs and key.startswith("xnn."))}
    arrays["model"] = np.frombuffer(content, np.uint8)
    cases[name] = arrays


def write(path):
    """As `numpy.savez_compressed`, but the same bytes each time."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, arrays in sorted(cases.items()):
            for key, array in arrays.items():
                buffer = io.BytesIO()
                np.lib.format.write_array(buffer, np.asarray(array), version=(1, 0))
                info = zipfile.ZipInfo(f"{name}/{key}.npy", (1980, 1, 1, 0, 0, 0))
                info.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(info, buffer.getvalue())


def case(name, op, operands, *results, **options):
    """A model of one operator. Operands: arrays are inputs, ("const", array) weights, None nothing;
    (array, scale, zero) an input of integers; results: types, or (type, (scale, zero))."""
    model = Model()
    g = model.main
    inputs = []
    for operand in operands:
        if operand is None:
            inputs.append(-1)
        elif isinstance(operand, np.ndarray):
            inputs.append(g.input(operand))
        elif operand[0] == "const" if isinstance(operand[0], str) else False:
            inputs.append(g.const(operand[1], operand[2] if len(operand) > 2 else None))
        elif operand[0] == "int4" if isinstance(operand[0], str) else False:
            inputs.append(g.int4(operand[1], operand[2]))
        elif operand[0] == "state" if isinstance(operand[0], str) else False:
            inputs.append(g.state(*operand[1:]))
        else:
            inputs.append(g.input(operand[0], operand[1]))
    outputs = g.op(op, inputs, results, **options)
    g.output(*(outputs if isinstance(outputs, list) else [outputs]))
    save(name, model)


def const(value, q=None):
    return ("const", np.asarray(value), q)


ACT = {"none": 0, "relu": 1, "relu_n1_to_1": 2, "relu6": 3, "tanh": 4}
SAME, VALID = 0, 1
OPTIONS = {
    "ADD": "AddOptions", "SUB": "SubOptions", "MUL": "MulOptions", "DIV": "DivOptions",
    "CONV_2D": "Conv2DOptions", "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "TRANSPOSE_CONV": "TransposeConvOptions", "CONV_3D": "Conv3DOptions",
    "CONV_3D_TRANSPOSE": "Conv3DOptions", "AVERAGE_POOL_2D": "Pool2DOptions",
    "MAX_POOL_2D": "Pool2DOptions", "L2_POOL_2D": "Pool2DOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions", "BATCH_MATMUL": "BatchMatMulOptions",
    "SOFTMAX": "SoftmaxOptions", "CONCATENATION": "ConcatenationOptions",
    "L2_NORMALIZATION": "L2NormOptions", "RESHAPE": "ReshapeOptions",
    "LOCAL_RESPONSE_NORMALIZATION": "LocalResponseNormalizationOptions",
    "RESIZE_BILINEAR": "ResizeBilinearOptions", "SQUEEZE": "SqueezeOptions",
    "RESIZE_NEAREST_NEIGHBOR": "ResizeNearestNeighborOptions", "PACK": "PackOptions",
    "UNPACK": "UnpackOptions", "SPLIT": "SplitOptions", "SPLIT_V": "SplitVOptions",
    "STRIDED_SLICE": "StridedSliceOptions", "GATHER": "GatherOptions", "MEAN": "ReducerOptions",
    "SUM": "ReducerOptions", "REDUCE_MAX": "ReducerOptions", "REDUCE_MIN": "ReducerOptions",
    "REDUCE_PROD": "ReducerOptions", "REDUCE_ANY": "ReducerOptions", "REDUCE_ALL": "ReducerOptions",
    "ARG_MAX": "ArgMaxOptions", "ARG_MIN": "ArgMinOptions", "CAST": "CastOptions",
    "LEAKY_RELU": "LeakyReluOptions", "GELU": "GeluOptions", "MIRROR_PAD": "MirrorPadOptions",
    "ONE_HOT": "OneHotOptions", "SHAPE": "ShapeOptions", "UNIQUE": "UniqueOptions",
    "SPACE_TO_DEPTH": "SpaceToDepthOptions", "DEPTH_TO_SPACE": "DepthToSpaceOptions",
    "REVERSE_SEQUENCE": "ReverseSequenceOptions", "CUMSUM": "CumsumOptions", "SVDF": "SVDFOptions",
    "RNN": "RNNOptions", "LSTM": "LSTMOptions", "IF": "IfOptions", "WHILE": "WhileOptions",
    "UNIDIRECTIONAL_SEQUENCE_RNN": "SequenceRNNOptions", "CALL_ONCE": "CallOnceOptions",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTMOptions",
    "BIDIRECTIONAL_SEQUENCE_LSTM": "BidirectionalSequenceLSTMOptions",
    "BIDIRECTIONAL_SEQUENCE_RNN": "BidirectionalSequenceRNNOptions",
    "VAR_HANDLE": "VarHandleOptions", "FAKE_QUANT": "FakeQuantOptions",
    "BUCKETIZE": "BucketizeOptions",
}
VERSIONS = {
    "FULLY_CONNECTED": 9, "CONV_2D": 5, "DEPTHWISE_CONV_2D": 6, "TRANSPOSE_CONV": 4, "ADD": 2,
    "MUL": 2, "SUB": 2, "PAD": 2, "PADV2": 2, "RESIZE_BILINEAR": 3, "RESIZE_NEAREST_NEIGHBOR": 3,
    "DEQUANTIZE": 3, "QUANTIZE": 2, "SOFTMAX": 2, "LOGISTIC": 2, "TANH": 2, "CONCATENATION": 2,
    "LSTM": 4, "UNIDIRECTIONAL_SEQUENCE_LSTM": 3, "SVDF": 4, "BATCH_MATMUL": 4, "GATHER": 4,
    "STRIDED_SLICE": 4, "MEAN": 2, "ABS": 2, "RSQRT": 2, "BROADCAST_TO": 3, "ARG_MAX": 2,
    "UNIDIRECTIONAL_SEQUENCE_RNN": 3, "RNN": 3, "LEAKY_RELU": 2, "MAXIMUM": 2, "MINIMUM": 2,
    "REDUCE_MAX": 2, "REDUCE_MIN": 2, "SPLIT": 2, "SPLIT_V": 2, "SLICE": 2, "TRANSPOSE": 2,
    "SPACE_TO_BATCH_ND": 3, "BATCH_TO_SPACE_ND": 3, "AVERAGE_POOL_2D": 2, "MAX_POOL_2D": 2,
    "PACK": 2, "UNPACK": 2, "LOG_SOFTMAX": 2, "L2_NORMALIZATION": 2, "SQUARED_DIFFERENCE": 2,
    "RELU": 2, "RELU6": 2, "DIV": 2, "TOPK_V2": 2, "BIDIRECTIONAL_SEQUENCE_LSTM": 3,
    "BIDIRECTIONAL_SEQUENCE_RNN": 3, "EQUAL": 2, "LESS": 2, "SUM": 2, "GATHER_ND": 2, "TILE": 2,
    "REVERSE_V2": 2, "CAST": 2, "EXP": 2, "LOG": 2, "GREATER": 2, "MIRROR_PAD": 2, "ELU": 1,
    "GELU": 2, "PRELU": 1, "HARD_SWISH": 1, "SELECT_V2": 1, "EXPAND_DIMS": 1, "ONE_HOT": 1,
}


path = os.path.join(HERE, "ops.npz")
if len(sys.argv) > 1:
    for key, value in np.load(path).items():
        name, what = key.split("/")
        cases.setdefault(name, {})[what] = value
exec(open(os.path.join(HERE, "cases.py")).read())
write(path)
print("refused:", failed)
