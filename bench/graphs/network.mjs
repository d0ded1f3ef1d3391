/**
 * A network of images as a list of layers, channels last, that is written in every format. Weights are
 * random, of a fixed seed, and as large as initial ones.
 */
import { generator } from "../models.mjs";

/** Zeros before and behind, and windows, where there is one for every `stride` places ("SAME"). */
export function windows(size, kernel, stride) {
  const count = Math.ceil(size / stride);
  const padding = Math.max((count - 1) * stride + kernel - size, 0);
  return { count, before: padding >> 1, behind: padding - (padding >> 1) };
}

export class Network {
  layers = [];
  /** Multiply-adds. */
  macs = 0;
  #next = generator(1234);

  /** `shape`: `[height, width, channels]`. */
  constructor(shape) {
    this.input = { id: 0, shape };
  }

  #floats(count, spread) {
    return Float32Array.from({ length: count }, () => (this.#next() / 2 ** 31 - 1) * spread);
  }

  #layer(op, inputs, shape, more = {}) {
    const layer = {
      op,
      id: this.layers.length + 1,
      inputs,
      shape,
      activation: "none",
      ...more,
    };
    this.layers.push(layer);
    return layer;
  }

  /** What `taps` values of `fan` give each result; `activation` loses about half of it. */
  #weights(count, fan, activation) {
    return this.#floats(count, Math.sqrt((activation === "none" ? 3 : 6) / fan));
  }

  /** Weights: `[outputs, kernel, kernel, inputs]`. */
  conv(x, outputs, kernel, stride, activation) {
    const [height, width, channels] = x.shape;
    const shape = [windows(height, kernel, stride).count, windows(width, kernel, stride).count];
    const fan = kernel * kernel * channels;
    this.macs += shape[0] * shape[1] * outputs * fan;
    return this.#layer("conv", [x], [...shape, outputs], {
      kernel,
      stride,
      activation,
      weights: this.#weights(outputs * fan, fan, activation),
      bias: this.#floats(outputs, 0.05),
    });
  }

  /** Weights: `[kernel, kernel, channels]`. */
  depthwise(x, kernel, stride, activation) {
    const [height, width, channels] = x.shape;
    const shape = [windows(height, kernel, stride).count, windows(width, kernel, stride).count];
    this.macs += shape[0] * shape[1] * channels * kernel * kernel;
    return this.#layer("depthwise", [x], [...shape, channels], {
      kernel,
      stride,
      activation,
      weights: this.#weights(kernel * kernel * channels, kernel * kernel, activation),
      bias: this.#floats(channels, 0.05),
    });
  }

  add(x, y, activation) {
    return this.#layer("add", [x, y], x.shape, { activation });
  }

  maxPool(x, kernel, stride) {
    const [height, width, channels] = x.shape;
    const shape = [windows(height, kernel, stride).count, windows(width, kernel, stride).count];
    return this.#layer("max", [x], [...shape, channels], { kernel, stride });
  }

  /** Over the whole image. */
  mean(x) {
    return this.#layer("mean", [x], x.shape.slice(-1));
  }

  /** Weights: `[outputs, inputs]`. */
  dense(x, outputs) {
    const [inputs] = x.shape;
    this.macs += inputs * outputs;
    return this.#layer("dense", [x], [outputs], {
      weights: this.#weights(inputs * outputs, inputs, "none"),
      bias: this.#floats(outputs, 0.05),
    });
  }

  get output() {
    return this.layers.at(-1);
  }
}

/** Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", table 2. */
export function mobileNetV2() {
  const net = new Network([224, 224, 3]);
  let x = net.conv(net.input, 32, 3, 2, "relu6");
  const blocks = [
    ...[
      [1, 16, 1, 1],
      [6, 24, 2, 2],
      [6, 32, 3, 2],
      [6, 64, 4, 2],
    ],
    ...[
      [6, 96, 3, 1],
      [6, 160, 3, 2],
      [6, 320, 1, 1],
    ],
  ];
  for (const [expansion, outputs, count, first] of blocks) {
    for (let i = 0; i < count; i += 1) {
      const [before, stride] = [x, i === 0 ? first : 1];
      const inner = x.shape[2] * expansion;
      if (expansion > 1) x = net.conv(x, inner, 1, 1, "relu6");
      x = net.depthwise(x, 3, stride, "relu6");
      x = net.conv(x, outputs, 1, 1, "none");
      if (i > 0) x = net.add(before, x, "none");
    }
  }
  x = net.conv(x, 1280, 1, 1, "relu6");
  net.dense(net.mean(x), 1000);
  return net;
}

/** He et al., "Deep Residual Learning for Image Recognition", table 1; strides in the 3 × 3, as PyTorch has them. */
function resNet(counts, bottleneck) {
  const net = new Network([224, 224, 3]);
  let x = net.maxPool(net.conv(net.input, 64, 7, 2, "relu"), 3, 2);
  for (const [stage, count] of counts.entries()) {
    const width = 64 << stage;
    const outputs = bottleneck ? width * 4 : width;
    for (let i = 0; i < count; i += 1) {
      const stride = stage > 0 && i === 0 ? 2 : 1;
      let before = x;
      if (stride > 1 || x.shape[2] !== outputs)
        before = net.conv(x, outputs, 1, stride, "none");
      if (bottleneck) {
        x = net.conv(x, width, 1, 1, "relu");
        x = net.conv(x, width, 3, stride, "relu");
        x = net.conv(x, outputs, 1, 1, "none");
      } else {
        x = net.conv(x, width, 3, stride, "relu");
        x = net.conv(x, outputs, 3, 1, "none");
      }
      x = net.add(x, before, "relu");
    }
  }
  net.dense(net.mean(x), 1000);
  return net;
}

export const resNet18 = () => resNet([2, 2, 2, 2], false);
export const resNet50 = () => resNet([3, 4, 6, 3], true);
