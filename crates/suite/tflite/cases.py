# Read by make.py: the cases.

# Functions of one element and of two.
x = f(2, 3, 4)
positive = f(2, 3, 4, low=0.1, high=4.0)
for op in ["ABS", "CEIL", "COS", "ELU", "EXP", "FLOOR", "HARD_SWISH", "LOGISTIC", "NEG", "RELU", "RELU6",
           "RELU_N1_TO_1", "RELU_0_TO_1", "ROUND", "SIGN", "SIN", "SQUARE", "TANH", "ZEROS_LIKE"]:
    case(op.lower(), op, [x * 4], "float32")
for op in ["LOG", "RSQRT", "SQRT"]:
    case(op.lower(), op, [positive], "float32")
case("gelu", "GELU", [x], "float32", approximate=False)
case("gelu_tanh", "GELU", [x], "float32", approximate=True)
case("leaky_relu", "LEAKY_RELU", [x], "float32", alpha=0.2)
case("prelu", "PRELU", [x, const(f(1, 1, 4))], "float32")
y = f(2, 3, 4)
for op in ["MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "FLOOR_DIV", "FLOOR_MOD"]:
    case(op.lower(), op, [x, y], "float32")
case("pow", "POW", [positive, y], "float32")
case("atan2", "ATAN2", [np.append(f(12), [0, 0, 1, -1, 0]).astype(np.float32),
                        np.append(f(12), [1, -1, 0, 0, 0]).astype(np.float32)], "float32")
case("floor_div_int", "FLOOR_DIV", [ints(7, -7, 7, -7, 6), ints(2, 2, -2, -2, 3)], "int32")
case("floor_mod_int", "FLOOR_MOD", [ints(7, -7, 7, -7, 6), ints(2, 2, -2, -2, 3)], "int32")
for op in ["EQUAL", "NOT_EQUAL", "LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL"]:
    a = rng.integers(0, 3, (3, 4)).astype(np.int32)
    case(op.lower(), op, [a, rng.integers(0, 3, (4,)).astype(np.int32)], "bool")
truth = np.array([True, False, True, False])
case("logical_and", "LOGICAL_AND", [truth, truth[::-1].copy()], "bool")
case("logical_or", "LOGICAL_OR", [truth, np.array([True, True, False, False])], "bool")
case("logical_not", "LOGICAL_NOT", [truth], "bool")
case("add_relu", "ADD", [x, f(4)], "float32", fusedActivationFunction=1)
case("sub_relu6", "SUB", [x * 6, f(3, 1)], "float32", fusedActivationFunction=3)
case("mul_n1", "MUL", [x, y], "float32", fusedActivationFunction=2)
case("div", "DIV", [x, positive], "float32", fusedActivationFunction=0)
case("add_int", "ADD", [ints(1, -2, 3), ints(5, 6, 7)], "int32", fusedActivationFunction=0)
case("add_n", "ADD_N", [x, y, x + y], "float32")
case("select", "SELECT", [np.array([True, False]), x, y], "float32")
case("select_v2", "SELECT_V2", [np.array([[True], [False], [True]]), x, f(4)], "float32")
case("cast_int", "CAST", [x * 3], "int32", inDataType=0, outDataType=2)
case("cast_bool", "CAST", [ints(0, 1, -3, 256)], "bool", inDataType=2, outDataType=6)
case("cast_float", "CAST", [ints(0, 1, -3, 256)], "float32", inDataType=2, outDataType=0)

# Windows.
image = f(1, 7, 8, 3)
for name, padding, stride, dilation, act in [("valid", VALID, 1, 1, 0), ("same", SAME, 2, 1, 1),
                                             ("dilated", SAME, 1, 2, 3)]:
    case(f"conv_{name}", "CONV_2D", [image, const(f(5, 3, 3, 3)), const(f(5))], "float32", padding=padding,
         strideW=stride, strideH=stride, dilationWFactor=dilation, dilationHFactor=dilation,
         fusedActivationFunction=act)
    case(f"depthwise_{name}", "DEPTHWISE_CONV_2D", [image, const(f(1, 3, 3, 6)), const(f(6))], "float32",
         padding=padding, strideW=stride, strideH=stride, dilationWFactor=dilation,
         dilationHFactor=dilation, depthMultiplier=2, fusedActivationFunction=act)
case("conv_1x1", "CONV_2D", [f(2, 3, 4, 8), const(f(5, 1, 1, 8)), const(f(5))], "float32", padding=VALID,
     strideW=1, strideH=1, fusedActivationFunction=1)
case("conv_1x1_stride", "CONV_2D", [f(2, 5, 4, 8), const(f(5, 1, 1, 8)), const(f(5))], "float32", padding=SAME,
     strideW=2, strideH=2)
case("conv_grouped", "CONV_2D", [f(1, 5, 5, 4), const(f(6, 3, 3, 2)), const(f(6))], "float32", padding=SAME,
     strideW=1, strideH=1)
case("transpose_conv_same", "TRANSPOSE_CONV", [const(ints(1, 8, 6, 4)), const(f(4, 3, 3, 2)), f(1, 4, 3, 2)],
     "float32", padding=SAME, strideW=2, strideH=2)
case("transpose_conv_valid", "TRANSPOSE_CONV", [const(ints(1, 9, 7, 4)), const(f(4, 3, 3, 2)), f(1, 4, 3, 2),
     const(f(4))], "float32", padding=VALID, strideW=2, strideH=2, fusedActivationFunction=1)
case("conv_3d", "CONV_3D", [f(1, 4, 5, 6, 2), const(f(2, 3, 3, 2, 4)), const(f(4))], "float32", padding=SAME,
     strideD=1, strideW=2, strideH=1, fusedActivationFunction=0)
case("conv_3d_transpose", "CONV_3D_TRANSPOSE", [const(ints(1, 4, 6, 4, 3)), const(f(2, 2, 2, 3, 2)), f(1, 2, 3, 2, 2)],
     "float32", padding=SAME, strideD=2, strideW=2, strideH=2)
for op in ["AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D"]:
    case(op.lower(), op, [image], "float32", padding=SAME, strideW=2, strideH=2, filterWidth=3, filterHeight=2,
         fusedActivationFunction=1)

# Matrices.
case("fully_connected", "FULLY_CONNECTED", [f(3, 8), const(f(5, 8)), const(f(5))], "float32", fusedActivationFunction=1)
case("fully_connected_keep", "FULLY_CONNECTED", [f(2, 3, 8), const(f(5, 8)), None], "float32", keepNumDims=True)
case("fully_connected_flat", "FULLY_CONNECTED", [f(2, 2, 4), const(f(5, 8)), const(f(5))], "float32", fusedActivationFunction=0)
case("batch_matmul", "BATCH_MATMUL", [f(2, 1, 3, 4), f(5, 4, 6)], "float32", adjX=False, adjY=False)
case("batch_matmul_adj", "BATCH_MATMUL", [f(2, 4, 3), f(2, 6, 4)], "float32", adjX=True, adjY=True)

# Rows.
case("softmax", "SOFTMAX", [f(3, 7)], "float32", beta=0.5)
case("softmax_4d", "SOFTMAX", [f(1, 2, 3, 7)], "float32", beta=1.0)
case("log_softmax", "LOG_SOFTMAX", [f(3, 7)], "float32")
case("l2_normalization", "L2_NORMALIZATION", [f(2, 3, 7)], "float32", fusedActivationFunction=0)
case("local_response", "LOCAL_RESPONSE_NORMALIZATION", [f(1, 2, 3, 9)], "float32", radius=2, bias=1.5, alpha=0.7, beta=0.6)
for op in ["MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD"]:
    case(op.lower(), op, [f(2, 3, 4, 5), const(ints(1, -2))], "float32", keepDims=False)
    case(op.lower() + "_keep", op, [f(2, 3, 4), const(ints(2))], "float32", keepDims=True)
case("sum_int", "SUM", [ints(1, 2, 3), const(ints(0))], "int32", keepDims=True)
bools = rng.integers(0, 2, (3, 4)).astype(bool)
case("reduce_any", "REDUCE_ANY", [bools, const(ints(1))], "bool", keepDims=False)
case("reduce_all", "REDUCE_ALL", [bools, const(ints(0))], "bool", keepDims=False)
for op in ["ARG_MAX", "ARG_MIN"]:
    case(op.lower(), op, [f(3, 4, 5), const(ints(-2))], "int64", outputType=4)
case("cumsum", "CUMSUM", [f(3, 5), const(ints(1))], "float32", exclusive=True, reverse=True)
case("topk", "TOPK_V2", [f(3, 9), const(np.int32(4))], "float32", "int32")

# What moves elements.
case("reshape", "RESHAPE", [f(2, 3, 4), const(ints(4, -1))], "float32", newShape=[4, -1])
case("reshape_option", "RESHAPE", [f(2, 3, 4)], "float32", newShape=[6, 4])
case("squeeze", "SQUEEZE", [f(1, 3, 1, 4)], "float32", squeezeDims=[0, -2])
case("squeeze_all", "SQUEEZE", [f(1, 3, 1, 4)], "float32", squeezeDims=[])
case("expand_dims", "EXPAND_DIMS", [f(3, 4), const(ints(-2))], "float32")
case("concatenation", "CONCATENATION", [f(2, 3), f(2, 4), f(2, 1)], "float32", axis=-1, fusedActivationFunction=0)
case("pack", "PACK", [f(2, 3), f(2, 3)], "float32", valuesCount=2, axis=1)
case("unpack", "UNPACK", [f(2, 3, 2)], "float32", "float32", "float32", num=3, axis=1)
case("split", "SPLIT", [const(np.int32(1)), f(2, 6)], "float32", "float32", "float32", numSplits=3)
case("split_v", "SPLIT_V", [f(2, 6), const(ints(1, -1, 2)), const(np.int32(-1))], "float32", "float32", "float32", numSplits=3)
case("transpose", "TRANSPOSE", [f(2, 3, 4), const(ints(2, 0, 1))], "float32")
case("tile", "TILE", [f(2, 3), const(ints(2, 3))], "float32")
case("pad", "PAD", [f(2, 3), const(np.array([[1, 2], [0, 3]], np.int32))], "float32")
case("padv2", "PADV2", [f(2, 3), const(np.array([[1, 2], [0, 3]], np.int32)), const(np.float32(9.5))], "float32")
case("mirror_reflect", "MIRROR_PAD", [f(3, 4), const(np.array([[2, 1], [0, 3]], np.int32))], "float32", mode=0)
case("mirror_symmetric", "MIRROR_PAD", [f(3, 4), const(np.array([[3, 1], [0, 4]], np.int32))], "float32", mode=1)
case("space_to_depth", "SPACE_TO_DEPTH", [f(1, 4, 6, 3)], "float32", blockSize=2)
case("depth_to_space", "DEPTH_TO_SPACE", [f(1, 2, 3, 12)], "float32", blockSize=2)
case("space_to_batch", "SPACE_TO_BATCH_ND", [f(2, 3, 4, 3), const(ints(2, 2)), const(np.array([[1, 0], [0, 2]], np.int32))], "float32")
case("batch_to_space", "BATCH_TO_SPACE_ND", [f(8, 2, 3, 2), const(ints(2, 2)), const(np.array([[1, 0], [0, 2]], np.int32))], "float32")
case("reverse", "REVERSE_V2", [f(2, 3, 4), const(ints(1))], "float32")
case("reverse_sequence", "REVERSE_SEQUENCE", [f(3, 5, 2), const(ints(2, 5, 0))], "float32", seqDim=1, batchDim=0)
case("slice", "SLICE", [f(3, 4, 5), const(ints(1, 0, 2)), const(ints(2, -1, 2))], "float32")
for name, begin, end, strides, masks in [
    ("plain", [1, 0, 1], [3, 4, 5], [1, 2, 3], {}),
    ("negative", [-1, 3, 0], [0, -5, 5], [-1, -1, 1], {}),
    ("masks", [1, 2, 2], [2, 3, 4], [1, 1, 1], {"beginMask": 1, "endMask": 2, "shrinkAxisMask": 4}),
    ("ellipsis", [0, 0, 1], [1, 0, 3], [1, 1, 1], {"ellipsisMask": 2, "newAxisMask": 1}),
]:
    case(f"strided_slice_{name}", "STRIDED_SLICE", [f(3, 4, 5), const(ints(*begin)), const(ints(*end)), const(ints(*strides))],
         "float32", **({"beginMask": 0} | masks))
case("dynamic_update_slice", "DYNAMIC_UPDATE_SLICE", [f(4, 5), f(2, 3), ints(3, 1)], "float32")
case("shape", "SHAPE", [f(2, 3)], "int32", outType=2)
case("rank", "RANK", [f(2, 3)], "int32")
case("fill", "FILL", [const(ints(2, 3)), f()], "float32")
case("range", "RANGE", [const(np.int32(2)), const(np.int32(11)), const(np.int32(3))], "int32")
case("broadcast_to", "BROADCAST_TO", [f(3, 1), const(ints(2, 3, 4))], "float32")
case("broadcast_args", "BROADCAST_ARGS", [const(ints(2, 1, 3)), const(ints(4, 1))], "int32")

# Elements by their indices.
case("gather", "GATHER", [f(3, 4, 2), ints(2, 0, 1)], "float32", axis=1, batchDims=0)
case("gather_batch", "GATHER", [f(2, 4, 3), np.array([[3, 0], [1, 1]], np.int32)], "float32", axis=1, batchDims=1)
case("gather_nd", "GATHER_ND", [f(3, 4, 2), np.array([[0, 1], [2, 3]], np.int32)], "float32")
case("embedding_lookup", "EMBEDDING_LOOKUP", [ints(2, 0, 2), const(f(4, 5))], "float32")
case("one_hot", "ONE_HOT", [ints(1, 0, 5, 2), const(np.int32(4)), const(np.float32(3)), const(np.float32(-1))], "float32", axis=-1)
case("one_hot_axis", "ONE_HOT", [np.array([[1, 0], [3, 2]], np.int32), const(np.int32(4)), const(np.float32(1)), const(np.float32(0))], "float32", axis=0)
case("where", "WHERE", [bools], "int64")
case("scatter_nd", "SCATTER_ND", [np.array([[1], [3], [1]], np.int32), f(3, 2), const(ints(5, 2))], "float32")
case("sparse_to_dense", "SPARSE_TO_DENSE", [np.array([[0, 1], [2, 3]], np.int32), const(ints(3, 4)), f(2), const(np.float32(7))], "float32")
case("unique", "UNIQUE", [ints(3, 1, 3, 2, 1)], "int32", "int32", idxOutType=2)
case("segment_sum", "SEGMENT_SUM", [f(5, 3), ints(0, 0, 1, 1, 2)], "float32")
for op in ["SUM", "PROD", "MAX", "MIN"]:
    case(f"unsorted_segment_{op.lower()}", f"UNSORTED_SEGMENT_{op}", [f(5, 3), ints(2, 0, 1, 2, 2), const(np.int32(3))], "float32")

# Sizes.
for op, name in [("RESIZE_BILINEAR", "bilinear"), ("RESIZE_NEAREST_NEIGHBOR", "nearest")]:
    for kind, options in [("plain", {}), ("corners", {"alignCorners": True}), ("half", {"halfPixelCenters": True})]:
        case(f"resize_{name}_{kind}", op, [f(1, 3, 4, 2), const(ints(7, 6))], "float32", **({"alignCorners": False} | options))
    case(f"resize_{name}_down", op, [f(1, 7, 6, 2), const(ints(3, 4))], "float32", alignCorners=False, halfPixelCenters=True)

# Integers with scales.
case("quantize", "QUANTIZE", [f(3, 4)], ("int8", (0.02, -5)))
case("quantize_u8", "QUANTIZE", [f(3, 4)], ("uint8", (0.015, 130)))
case("requantize", "QUANTIZE", [(i8(3, 4), (0.02, 3))], ("int8", (0.03, -7)))
case("dequantize", "DEQUANTIZE", [(i8(3, 4), (0.02, 3))], "float32")
case("dequantize_f16", "DEQUANTIZE", [const(f(3, 4).astype(np.float16))], "float32")
case("fake_quant", "FAKE_QUANT", [f(3, 4)], "float32", min=-1.0, max=1.5, numBits=8, narrowRange=False)
q1, q2, qo = (0.02, 3), (0.05, -10), (0.04, 5)
for op in ["ADD", "SUB", "MUL"]:
    case(f"{op.lower()}_i8", op, [(i8(2, 40), q1), (i8(2, 40), q2)], ("int8", qo), fusedActivationFunction=0)
    u8 = lambda *shape: rng.integers(0, 256, shape).astype(np.uint8)
    case(f"{op.lower()}_u8", op, [(u8(2, 40), (0.02, 120)), (u8(40), (0.05, 99))], ("uint8", (0.04, 111)), fusedActivationFunction=1)
    i16 = lambda *shape: rng.integers(-32768, 32768, shape).astype(np.int16)
    case(f"{op.lower()}_i16", op, [(i16(2, 40), (0.0002, 0)), (i16(2, 40), (0.0005, 0))], ("int16", (0.0007, 0)), fusedActivationFunction=0)
case("div_u8", "DIV", [(u8(20), (0.02, 120)), (u8(20), (0.05, 0))], ("uint8", (0.04, 111)), fusedActivationFunction=0)
for op in ["LOGISTIC", "TANH"]:
    out = ("int8", (1 / 256, -128)) if op == "LOGISTIC" else ("int8", (1 / 128, 0))
    case(f"{op.lower()}_i8", op, [(i8(100), (0.05, 4))], out)
    case(f"{op.lower()}_i16", op, [(i16(100), (1 / 4096, 0))], ("int16", (1 / 32768, 0)))
case("hard_swish_i8", "HARD_SWISH", [(i8(100), (0.05, 4))], ("int8", (0.03, -100)))
case("leaky_relu_i8", "LEAKY_RELU", [(i8(100), (0.05, 4))], ("int8", (0.03, -10)), alpha=0.1)
case("prelu_i8", "PRELU", [(i8(1, 5, 5, 4), (0.05, 4)), const(i8(1, 1, 4), (0.01, 2))], ("int8", (0.04, -10)))
case("relu_i8", "RELU", [(i8(100), (0.05, 4))], ("int8", (0.05, 4)))
case("softmax_i8", "SOFTMAX", [(i8(3, 10), (0.1, 4))], ("int8", (1 / 256, -128)), beta=1.0)
case("mean_i8", "MEAN", [(i8(2, 5, 6, 3), (0.05, 4)), const(ints(1, 2))], ("int8", (0.02, -3)), keepDims=True)
case("sum_i8", "SUM", [(i8(2, 5), (0.05, 4)), const(ints(1))], ("int8", (0.1, -3)), keepDims=False)
case("average_pool_i8", "AVERAGE_POOL_2D", [(i8(1, 6, 6, 4), q1)], ("int8", q1), padding=SAME, strideW=2, strideH=2, filterWidth=2, filterHeight=3, fusedActivationFunction=0)
case("max_pool_i8", "MAX_POOL_2D", [(i8(1, 6, 6, 4), q1)], ("int8", q1), padding=VALID, strideW=2, strideH=2, filterWidth=2, filterHeight=2, fusedActivationFunction=3)
case("concat_i8", "CONCATENATION", [(i8(2, 3), q1), (i8(2, 4), q1)], ("int8", q1), axis=1, fusedActivationFunction=0)
case("pad_i8", "PAD", [(i8(2, 3), q1), const(np.array([[1, 2], [0, 3]], np.int32))], ("int8", q1))
case("resize_i8", "RESIZE_BILINEAR", [(i8(1, 4, 4, 2), q1), const(ints(6, 7))], ("int8", q1), alignCorners=False)
case("maximum_i8", "MAXIMUM", [(i8(20), q1), (i8(20), q1)], ("int8", q1))
case("less_i8", "LESS", [(i8(20), q1), (i8(20), q2)], "bool")
case("batch_matmul_i8", "BATCH_MATMUL", [(i8(2, 3, 4), q1), (i8(2, 4, 5), q2)], ("int8", (0.1, 3)), adjX=False, adjY=False)
scales = rng.uniform(0.005, 0.02, 6)
w = rng.integers(-127, 128, (6, 3, 3, 4)).astype(np.int8)
bias = rng.integers(-500, 500, 6).astype(np.int32)
for kind, xs, xq, oq, bs, bt in [("i8", i8(1, 6, 7, 4), (0.05, 7), ("int8", (0.2, -11)), bias, np.int32),
                                 ("i16", i16(1, 6, 7, 4), (0.0005, 0), ("int16", (0.002, 0)), bias, np.int64)]:
    case(f"conv_{kind}", "CONV_2D", [(xs, xq), const(w, (scales, 0, 0)), const(bs.astype(bt), (scales * xq[0], 0, 0))], oq,
         padding=SAME, strideW=2, strideH=1, fusedActivationFunction=1)
    dw = rng.integers(-127, 128, (1, 3, 3, 4)).astype(np.int8)
    case(f"depthwise_{kind}", "DEPTHWISE_CONV_2D", [(xs, xq), const(dw, (scales[:4], 0, 3)), const(bs[:4].astype(bt), (scales[:4] * xq[0], 0, 0))], oq,
         padding=VALID, strideW=1, strideH=1, depthMultiplier=1, fusedActivationFunction=3)
    fc = rng.integers(-127, 128, (5, 28)).astype(np.int8)
    case(f"fully_connected_{kind}", "FULLY_CONNECTED", [(xs.reshape(6, 28), xq), const(fc, (0.01, 0)), const(bs[:5].astype(bt), (0.01 * xq[0], 0))], oq,
         fusedActivationFunction=0)
    tw = rng.integers(-127, 128, (6, 3, 3, 4)).astype(np.int8)
    case(f"transpose_conv_{kind}", "TRANSPOSE_CONV", [const(ints(1, 12, 14, 6)), const(tw, (scales, 0, 0)), (xs, xq)], oq,
         padding=SAME, strideW=2, strideH=2)
case("conv_u8", "CONV_2D", [(u8(1, 6, 7, 4), (0.05, 120)), const(rng.integers(0, 256, (6, 3, 3, 4)).astype(np.uint8), (0.01, 133)),
     const(bias, (0.0005, 0))], ("uint8", (0.2, 101)), padding=SAME, strideW=1, strideH=1, fusedActivationFunction=0)
case("fully_connected_u8", "FULLY_CONNECTED", [(u8(3, 28), (0.05, 120)), const(rng.integers(0, 256, (5, 28)).astype(np.uint8), (0.01, 133)),
     const(bias[:5], (0.0005, 0))], ("uint8", (0.3, 101)), fusedActivationFunction=1)
case("fully_connected_i4", "FULLY_CONNECTED", [(i8(3, 28), (0.05, 7)), ("int4", rng.integers(-7, 8, (5, 28)), (0.1, 0)),
     const(bias[:5], (0.005, 0))], ("int8", (0.3, 11)), fusedActivationFunction=0)
case("conv_i4", "CONV_2D", [(i8(1, 6, 7, 4), (0.05, 7)), ("int4", rng.integers(-7, 8, (6, 3, 3, 4)), (scales * 10, 0, 0)),
     const(bias, (scales * 0.5, 0, 0))], ("int8", (0.3, 11)), padding=SAME, strideW=1, strideH=1)
case("fully_connected_per_channel", "FULLY_CONNECTED", [(i8(3, 28), (0.05, 7)), const(fc, (scales[:5], 0, 0)),
     const(bias[:5], (scales[:5] * 0.05, 0, 0))], ("int8", (0.2, 11)), fusedActivationFunction=0)

# Boxes.
corner = f(12, 2, low=0.0, high=3.0)
boxes = np.concatenate([corner, corner + f(12, 2, low=0.5, high=2.0)], 1)
scores = rng.permutation(12).astype(np.float32) / 12
case("non_max_suppression_v4", "NON_MAX_SUPPRESSION_V4", [boxes, scores, const(np.int32(6)), const(np.float32(0.3)), const(np.float32(0.2))], "int32", "int32")
case("non_max_suppression_v5", "NON_MAX_SUPPRESSION_V5", [boxes, scores, const(np.int32(6)), const(np.float32(0.6)), const(np.float32(0.1)), const(np.float32(0.4))],
     "int32", "float32", "int32")
from flatbuffers import flexbuffers
for name, regular in [("fast", False), ("regular", True)]:
    fbb = flexbuffers.Builder()
    with fbb.Map():
        for key, value in [("max_detections", 5), ("max_classes_per_detection", 1), ("detections_per_class", 4), ("num_classes", 3)]:
            fbb.Int(key, value)
        fbb.Bool("use_regular_nms", regular)
        for key, value in [("nms_score_threshold", 0.2), ("nms_iou_threshold", 0.4), ("y_scale", 10.0), ("x_scale", 10.0), ("h_scale", 5.0), ("w_scale", 5.0)]:
            fbb.Float(key, value)
    anchors = np.concatenate([f(20, 2, low=0.2, high=0.8), f(20, 2, low=0.1, high=0.4)], 1)
    case(f"detection_{name}", "TFLite_Detection_PostProcess", [f(1, 20, 4), f(1, 20, 4, low=0.0, high=1.0), const(anchors)],
         "float32", "float32", "float32", "float32", custom=bytes(fbb.Finish()))

# Layers with a state.
n, cells = 6, 5
def layer(cifg=False, peephole=False, norm=False, projection=None, kind=np.float32):
    width = projection or cells
    quantised = lambda *shape: const(i8(*shape), (0.01, 0)) if kind == np.int8 else const(f(*shape, low=-0.5, high=0.5))
    gates = lambda make: [None if cifg else make()] + [make() for _ in range(3)]
    operands = gates(lambda: quantised(cells, n)) + gates(lambda: quantised(cells, width))
    operands += gates(lambda: const(f(cells)))[:1] + [const(f(cells)) for _ in range(2)] if peephole else [None] * 3
    operands += gates(lambda: const(f(cells)))
    operands += [quantised(projection, cells), const(f(projection))] if projection else [None, None]
    operands += [("state", (2, width)), ("state", (2, cells))]
    if norm:
        operands += gates(lambda: const(f(cells)))
    return operands
sequence = f(2, 4, n)
lstm_options = dict(fusedActivationFunction=4, cellClip=0.0, projClip=0.0)
for name, how, more in [("plain", {}, {}), ("cifg", {"cifg": True}, {}), ("peephole", {"peephole": True}, {"cellClip": 0.5}),
                        ("norm", {"norm": True}, {}), ("projection", {"projection": 3}, {"projClip": 0.2})]:
    case(f"lstm_{name}", "UNIDIRECTIONAL_SEQUENCE_LSTM", [sequence] + layer(**how), "float32", timeMajor=False, **(lstm_options | more))
case("lstm_hybrid", "UNIDIRECTIONAL_SEQUENCE_LSTM", [sequence] + layer(kind=np.int8), "float32", timeMajor=False, **lstm_options)
case("lstm_time", "UNIDIRECTIONAL_SEQUENCE_LSTM", [f(4, 2, n)] + layer(), "float32", timeMajor=True, **lstm_options)
case("lstm_full", "LSTM", [f(2, n)] + layer(), "float32", kernelType=0, **lstm_options)
model = Model()
g = model.main
operands = [g.input(f(2, n)), g.input(f(2, cells)), g.const(f(4 * cells, n + cells)), g.const(f(4 * cells)), g.input(f(2, cells))]
# The last two results are room to work in.
g.output(*g.op("LSTM", operands, ["float32"] * 4, kernelType=1, **lstm_options)[:2])
save("lstm_basic", model)
forward, backward = layer(), layer()
case("lstm_both", "BIDIRECTIONAL_SEQUENCE_LSTM", [f(4, 2, n)] + forward[:17] + backward[:17] + forward[17:] + backward[17:] + [None] * 9,
     "float32", timeMajor=True, mergeOutputs=True, **lstm_options)
rnn = lambda: [const(f(cells, n, low=-0.5, high=0.5)), const(f(cells, cells, low=-0.5, high=0.5)), const(f(cells)), ("state", (2, cells))]
case("rnn", "RNN", [f(2, n)] + rnn(), "float32", fusedActivationFunction=4)
case("rnn_sequence", "UNIDIRECTIONAL_SEQUENCE_RNN", [sequence] + rnn(), "float32", timeMajor=False, fusedActivationFunction=1)
case("rnn_both", "BIDIRECTIONAL_SEQUENCE_RNN", [sequence] + rnn() + rnn() + [None] * 3, "float32", "float32", timeMajor=False, mergeOutputs=False, fusedActivationFunction=4)
case("svdf", "SVDF", [f(2, n), const(f(8, n)), const(f(8, 3)), const(f(4)), ("state", (2, 24))], "float32", rank=2, fusedActivationFunction=1)

# Control flow.
def branch(flag):
    model = Model()
    g = model.main
    x, c = g.input(np.array([1.5, -2, 3], np.float32)), g.input(np.array([flag]))
    (then, a), (other, b) = model.graph(), model.graph()
    for graph, op, value in [(a, "ADD", 10.0), (b, "MUL", 3.0)]:
        inner = graph.tensor("float32", [3]); graph.graph.inputs.append(inner)
        graph.output(graph.op(op, [inner, graph.const(np.float32(value))], ["float32"], fusedActivationFunction=0))
    g.output(g.op("IF", [c, x], ["float32"], thenSubgraphIndex=then, elseSubgraphIndex=other))
    save(f"if_{str(flag).lower()}", model)
branch(True)
branch(False)
model = Model()
g = model.main
(cond, c), (body, b) = model.graph(), model.graph()
for graph in (c, b):
    for dtype, shape in [("int32", []), ("float32", [3])]:
        graph.graph.inputs.append(graph.tensor(dtype, shape))
c.output(c.op("LESS", [0, c.const(np.int32(5))], ["bool"]))
b.output(b.op("ADD", [0, b.const(np.int32(1))], ["int32"], fusedActivationFunction=0), b.op("MUL", [1, b.const(np.float32(1.5))], ["float32"], fusedActivationFunction=0))
start, x = g.input(np.int32(2).reshape(())), g.input(f(3))
g.output(*g.op("WHILE", [start, x], ["int32", "float32"], condSubgraphIndex=cond, bodySubgraphIndex=body))
save("while", model)

# Dynamic-range: numbers times integers.
case("fully_connected_hybrid", "FULLY_CONNECTED", [f(3, 28), const(i8(5, 28), (0.01, 0)), const(f(5))], "float32", fusedActivationFunction=0)
case("conv_hybrid", "CONV_2D", [f(1, 6, 7, 4), const(w, (scales, 0, 0)), const(f(6))], "float32", padding=SAME, strideW=1, strideH=1)
case("depthwise_hybrid", "DEPTHWISE_CONV_2D", [f(1, 6, 7, 4), const(dw, (scales[:4], 0, 3)), const(f(4))], "float32", padding=SAME, strideW=1, strideH=1, depthMultiplier=1)
case("fully_connected_hybrid_both", "FULLY_CONNECTED", [f(3, 28) + 1, const(i8(5, 28), (0.01, 0)), None], "float32", fusedActivationFunction=1, asymmetricQuantizeInputs=True)
case("embedding_hybrid", "EMBEDDING_LOOKUP", [ints(2, 0, 2), const(i8(4, 5), (0.02, 0))], "float32")
case("l2_normalization_i8", "L2_NORMALIZATION", [(i8(3, 16), (0.05, 4))], ("int8", (1 / 128, 0)), fusedActivationFunction=0)
case("squared_difference_i8", "SQUARED_DIFFERENCE", [(i8(20), q1), (i8(20), q2)], ("int8", (0.3, -100)))
case("rsqrt_i8", "RSQRT", [(rng.integers(10, 127, 20).astype(np.int8), (0.05, -10))], ("int8", (0.02, -100)))
case("exp_i8", "EXP", [(i8(20), (0.02, 0))], ("int8", (0.06, -100)))
case("gather_i8", "GATHER", [(i8(4, 3), q1), ints(2, 0)], ("int8", q1), axis=0)
case("arg_max_i8", "ARG_MAX", [(i8(4, 3), q1), const(ints(1))], "int32", outputType=2)
case("bucketize", "BUCKETIZE", [f(3, 4)], "int32", boundaries=[-1.0, 0.0, 0.5])

# What a file may say of its tensors.
model = Model()
g = model.main
first, second = g.input(f(2, 3), name="a", free=[-1, 3]), g.input(f(2, 3), name="b", free=[-1, 3])
results = [g.op("ADD", [first, second], ["float32"], fusedActivationFunction=0), g.op("SUB", [first, second], ["float32"], fusedActivationFunction=0)]
g.output(*results)
signature = S.SignatureDefT()
signature.signatureKey, signature.subgraphIndex, signature.inputs, signature.outputs = "serving_default", 0, [], []
for maps, pairs in [(signature.inputs, [("left", second), ("right", first)]), (signature.outputs, [("less", results[1]), ("more", results[0])])]:
    for name, tensor in pairs:
        entry = S.TensorMapT()
        entry.name, entry.tensorIndex = name, tensor
        maps.append(entry)
model.model.signatureDefs = [signature]
cases["signature"] = {"model": np.frombuffer(model.bytes(), np.uint8)}

model = Model()
g = model.main
x = g.input(f(2, 4))
for blocks, values in [(None, [1, 3, 2]), (2, [1, 0, 0, 2, 3, 4, 0, 5])]:
    weight = g.tensor("float32", [4, 4], np.array(values, np.float32).tobytes())
    sparsity = S.SparsityParametersT()
    sparsity.traversalOrder, sparsity.blockMap, sparsity.dimMetadata = ([0, 1], [], []) if not blocks else ([0, 1, 2, 3], [0, 1], [])
    levels = [(0, 4), ([0, 1, 1, 3, 3], [1, 0, 3])] if not blocks else [(0, 2), ([0, 1, 2], [1, 0]), (0, 2), (0, 2)]
    for a, b in levels:
        level = S.DimensionMetadataT()
        if isinstance(a, int):
            level.format, level.denseSize = 0, b
        else:
            level.format, level.arraySegmentsType, level.arrayIndicesType = 1, 1, 3
            level.arraySegments, level.arrayIndices = S.Int32VectorT(), S.Uint8VectorT()
            level.arraySegments.values, level.arrayIndices.values = a, b
        sparsity.dimMetadata.append(level)
    g.graph.tensors[weight].sparsity = sparsity
    whole = g.op("DENSIFY", [weight], ["float32"])
    x = g.op("FULLY_CONNECTED", [x, whole, -1], ["float32"], fusedActivationFunction=0)
g.output(x)
save("densify", model)

model = Model()
g = model.main
start, b = model.graph()
handle = lambda graph: graph.op("VAR_HANDLE", [], ["resource"], sharedName="v", container="")
b.op("ASSIGN_VARIABLE", [handle(b), b.const(f(2))], [])
g.op("CALL_ONCE", [], [], initSubgraphIndex=start)
x, v = g.input(f(2)), handle(g)
y = g.op("ADD", [x, g.op("READ_VARIABLE", [v], ["float32"])], ["float32"], fusedActivationFunction=0)
g.op("ASSIGN_VARIABLE", [v, y], [])
g.output(g.op("MUL", [x, g.op("READ_VARIABLE", [v], ["float32"])], ["float32"], fusedActivationFunction=0))
save("variable", model)

model = Model()
g = model.main
x, w = g.input(f(2)), g.const(f(2))
g.output(g.op("ADD", [x, w], ["float32"], fusedActivationFunction=0))
buffer = model.model.buffers[1]
data, buffer.data, buffer.offset, buffer.size = bytes(buffer.data), None, 1 << 20, 8
buffer.offset = -(-len(model.bytes()) // 16) * 16
content = model.bytes().ljust(buffer.offset, b"\0") + data
model.bytes = lambda: content
save("weights_behind", model)

# Bits, and rows apart.
case("bitcast", "BITCAST", [f(2, 3)], "int32")
case("bitcast_narrow", "BITCAST", [f(2, 3)], "int16")
case("bitcast_wide", "BITCAST", [ints(1, -2, 3, 4, 5, -6, dtype=np.int16).reshape(3, 2)], "int32")
for kind in [np.int8, np.uint8, np.int16, np.int32]:
    least = 0 if kind == np.uint8 else -100
    left, right = rng.integers(least, 100, (2, 3)).astype(kind), rng.integers(0, 7, (2, 3)).astype(kind)
    case(f"right_shift_{kind.__name__}", "RIGHT_SHIFT", [left, right], kind.__name__)
    case(f"bitwise_xor_{kind.__name__}", "BITWISE_XOR", [left, right], kind.__name__)
case("dilate", "DILATE", [f(2, 3, 4), const(ints(1, 3, 2)), const(np.float32(-1.5))], "float32")
case("dilate_int", "DILATE", [rng.integers(-9, 9, (3, 2)).astype(np.int8), const(ints(2, 1)), const(np.int8(7))], "int8")
