"""The network: a Llama decoder, in the shape that `box.gguf` stores.

Every matrix has rows of 256 or 768 numbers, so that each of the block formats
of GGUF, the K-quants with their blocks of 256 included, can hold it.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass(frozen=True)
class Shape:
    """The hyper-parameters of the network, in units of numbers, layers and tokens."""

    vocabulary: int = 9216
    width: int = 256
    layers: int = 4
    heads: int = 4
    kv_heads: int = 2
    head: int = 64
    hidden: int = 768
    context: int = 512
    rope_base: float = 10000.0
    epsilon: float = 1e-5


def rotations(shape: Shape, length: int, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines and sines of the rotary embedding, each `[length, head]`.

    The layout is that of Hugging Face (half of the head beside the other half);
    `export.py` permutes the rows of Q and K to the layout of GGUF.
    """
    steps = torch.arange(0, shape.head, 2, dtype=torch.float64) / shape.head
    angles = torch.outer(torch.arange(length, dtype=torch.float64), shape.rope_base**-steps)
    angles = torch.cat((angles, angles), dim=-1)
    return angles.cos().to(dtype), angles.sin().to(dtype)


def rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Turns `[batch, heads, length, head]` by its positions."""
    half = x.shape[-1] // 2
    turned = torch.cat((-x[..., half:], x[..., :half]), dim=-1)
    return x * cos.to(x.dtype) + turned * sin.to(x.dtype)


class Norm(nn.Module):
    """RMS norm with a gain for each of `width` numbers."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(shape.width))
        self.epsilon = shape.epsilon

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.rms_norm(x, x.shape[-1:], self.weight.to(x.dtype), self.epsilon)
        # Narrowed once here, or autocast would do it again for each matrix that reads it.
        return x.to(torch.get_autocast_dtype("cpu")) if torch.is_autocast_enabled("cpu") else x


class Layer(nn.Module):
    """One decoder layer: grouped-query attention, then a gated feed-forward part."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.shape = shape
        self.attn_norm = Norm(shape)
        self.attn_q = nn.Linear(shape.width, shape.heads * shape.head, bias=False)
        self.attn_k = nn.Linear(shape.width, shape.kv_heads * shape.head, bias=False)
        self.attn_v = nn.Linear(shape.width, shape.kv_heads * shape.head, bias=False)
        self.attn_output = nn.Linear(shape.heads * shape.head, shape.width, bias=False)
        self.ffn_norm = Norm(shape)
        self.ffn_gate = nn.Linear(shape.width, shape.hidden, bias=False)
        self.ffn_up = nn.Linear(shape.width, shape.hidden, bias=False)
        self.ffn_down = nn.Linear(shape.hidden, shape.width, bias=False)

    def forward(self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        batch, length, _ = x.shape
        s = self.shape
        h = self.attn_norm(x)
        q = self.attn_q(h).view(batch, length, s.heads, s.head).transpose(1, 2)
        k = self.attn_k(h).view(batch, length, s.kv_heads, s.head).transpose(1, 2)
        v = self.attn_v(h).view(batch, length, s.kv_heads, s.head).transpose(1, 2)
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        # The query heads that share a KV head are further rows of one product.
        group = s.heads // s.kv_heads
        q = q.reshape(batch, s.kv_heads, group * length, s.head)
        # Written out: the fused kernel's backward pass is several times slower on a CPU in bfloat16.
        later = torch.full((length, length), float("-inf"), dtype=q.dtype).triu(1)
        scores = (q * s.head**-0.5) @ k.transpose(-1, -2)
        scores = scores.view(batch, s.kv_heads, group, length, length) + later
        seen = scores.softmax(-1).to(v.dtype).view(batch, s.kv_heads, group * length, length) @ v
        seen = seen.view(batch, s.heads, length, s.head)
        x = x + self.attn_output(seen.transpose(1, 2).reshape(batch, length, -1))
        h = self.ffn_norm(x)
        return x + self.ffn_down(F.silu(self.ffn_gate(h)) * self.ffn_up(h))


class Network(nn.Module):
    """Token ids `[batch, length]` in, logits `[batch, length, vocabulary]` out."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.shape = shape
        self.token_embd = nn.Embedding(shape.vocabulary, shape.width)
        self.blk = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.output_norm = Norm(shape)
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                last = name.endswith(("attn_output.weight", "ffn_down.weight"))
                nn.init.normal_(weight, std=0.02 * 2 if not last else 0.04 / (2 * shape.layers) ** 0.5)

    def hidden(self, ids: torch.Tensor, table: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The normalised last hidden state and the one before the last layer, each `[batch, length, width]`."""
        x = before = F.embedding(ids, table)
        cos, sin = rotations(self.shape, ids.shape[1], x.dtype)
        for layer in self.blk:
            before = x
            x = layer(x, cos, sin)
        return self.output_norm(x), before

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        table = self.token_embd.weight
        return F.linear(self.hidden(ids, table)[0], table)
