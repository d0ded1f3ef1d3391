"""all-MiniLM-L6-v2, which knows what English texts mean: the teacher of the model in the box."""

import gguf
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer

WIDTH, HEADS, LAYERS = 384, 12, 6


class MiniLM:
    """BERT with six layers; a text's vector is the mean over its tokens (sentence-transformers, Apache-2.0)."""

    def __init__(self, path: str, tokenizer: str) -> None:
        tensors = gguf.GGUFReader(path).tensors
        self.weights = {t.name: torch.tensor(gguf.dequantize(t.data, t.tensor_type).reshape(tuple(reversed(t.shape.tolist())))).float() for t in tensors}
        self.tokenizer = Tokenizer.from_file(tokenizer)
        self.tokenizer.no_truncation()
        self.tokenizer.enable_padding()

    def narrow(self) -> None:
        """Holds the matrices in bfloat16, for autocast."""
        self.weights = {name: w.bfloat16() if name.startswith("blk.") and w.dim() == 2 else w for name, w in self.weights.items()}

    def norm(self, x: torch.Tensor, name: str) -> torch.Tensor:
        return F.layer_norm(x, (WIDTH,), self.weights[name + ".weight"], self.weights[name + ".bias"], 1e-12)

    def linear(self, x: torch.Tensor, name: str) -> torch.Tensor:
        return F.linear(x, self.weights[name + ".weight"], self.weights[name + ".bias"])

    @torch.no_grad()
    def vectors(self, texts: list[str]) -> torch.Tensor:
        """A vector for each text, `[texts, 384]`."""
        encoded = self.tokenizer.encode_batch(texts)
        ids = torch.tensor([e.ids for e in encoded])
        mask = torch.tensor([e.attention_mask for e in encoded], dtype=torch.bool)
        x = self.weights["token_embd.weight"][ids] + self.weights["position_embd.weight"][: ids.shape[1]] + self.weights["token_types.weight"][0]
        x = self.norm(x, "token_embd_norm")
        for i in range(LAYERS):
            p = f"blk.{i}."
            q, k, v = (self.linear(x, f"{p}attn_{part}").view(*ids.shape, HEADS, -1).transpose(1, 2) for part in "qkv")
            seen = F.scaled_dot_product_attention(q, k, v, mask[:, None, None]).transpose(1, 2).reshape(x.shape)
            x = self.norm(x + self.linear(seen, p + "attn_output"), p + "attn_output_norm")
            x = self.norm(x + self.linear(F.gelu(self.linear(x, p + "ffn_up")), p + "ffn_down"), p + "layer_output_norm")
        kept = mask[..., None].float()
        return (x.float() * kept).sum(1) / kept.sum(1)
