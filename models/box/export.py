"""Writes the trained network as GGUF, and reads it back."""

import gguf
import numpy as np
import torch
from tokenizers import Tokenizer

from network import Network, Shape
from vocabulary import CHAT_TEMPLATE, END, END_OF_TEXT, SPECIALS, bpe, merges


def interleave(weight: np.ndarray, heads: int) -> np.ndarray:
    """Rows of Q or K from Hugging Face's rotary layout (halves) to GGUF's (pairs)."""
    rows, width = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, width).swapaxes(1, 2).reshape(rows, width)


def split(weight: np.ndarray, heads: int) -> np.ndarray:
    """The inverse of `interleave`."""
    rows, width = weight.shape
    return weight.reshape(heads, rows // heads // 2, 2, width).swapaxes(1, 2).reshape(rows, width)


def heads_of(name: str, shape: Shape) -> int | None:
    """How many heads the rows of this tensor are made of; `None` when it is not rotated."""
    return {"attn_q": shape.heads, "attn_k": shape.kv_heads}.get(name.split(".")[-2])


def write(path: str, network: Network, tokenizer: Tokenizer) -> None:
    """Writes `path`: matrices F16, norms F32, the tokenizer and the chat template."""
    s = network.shape
    out = gguf.GGUFWriter(path, "llama")
    out.add_name("Sidestage model in the box")
    out.add_description("A very small chat model, trained on dialogues that a script generates.")
    out.add_license("MIT OR Apache-2.0")
    out.add_languages(["en"])
    out.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    out.add_context_length(s.context)
    out.add_embedding_length(s.width)
    out.add_block_count(s.layers)
    out.add_feed_forward_length(s.hidden)
    out.add_head_count(s.heads)
    out.add_head_count_kv(s.kv_heads)
    out.add_rope_dimension_count(s.head)
    out.add_rope_freq_base(s.rope_base)
    out.add_layer_norm_rms_eps(s.epsilon)
    out.add_vocab_size(s.vocabulary)

    tokens = [tokenizer.id_to_token(i) for i in range(s.vocabulary)]
    kinds = [gguf.TokenType.CONTROL if t in SPECIALS else gguf.TokenType.NORMAL for t in tokens]
    out.add_tokenizer_model("gpt2")
    out.add_tokenizer_pre("llama-bpe")
    out.add_token_list(tokens)
    out.add_token_types(kinds)
    out.add_token_merges(merges(tokenizer))
    out.add_bos_token_id(tokenizer.token_to_id(END_OF_TEXT))
    out.add_eos_token_id(tokenizer.token_to_id(END))
    out.add_pad_token_id(tokenizer.token_to_id(END_OF_TEXT))
    out.add_add_bos_token(False)
    out.add_chat_template(CHAT_TEMPLATE)

    for name, weight in network.state_dict().items():
        data = weight.detach().float().numpy()
        if heads := heads_of(name, s):
            data = interleave(data, heads)
        out.add_tensor(name, data.astype(np.float16) if data.ndim == 2 else data)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


def read(path: str, dtype: torch.dtype = torch.float32) -> Network:
    """The network that `path` holds, with every number widened to `dtype`."""
    reader = gguf.GGUFReader(path)

    def number(key: str) -> float:
        return reader.fields[f"llama.{key}"].contents()

    heads = int(number("attention.head_count"))
    shape = Shape(
        vocabulary=len(reader.fields["tokenizer.ggml.tokens"].data),
        width=int(number("embedding_length")),
        layers=int(number("block_count")),
        heads=heads,
        kv_heads=int(number("attention.head_count_kv")),
        head=int(number("embedding_length")) // heads,
        hidden=int(number("feed_forward_length")),
        context=int(number("context_length")),
        rope_base=float(number("rope.freq_base")),
        # The file holds a float32; its shortest decimal is the number that was meant.
        epsilon=float(str(np.float32(number("attention.layer_norm_rms_epsilon")))),
    )
    weights = {}
    for tensor in reader.tensors:
        data = gguf.dequantize(tensor.data, tensor.tensor_type).reshape(tuple(reversed(tensor.shape.tolist())))
        if heads := heads_of(tensor.name, shape):
            data = split(data, heads)
        weights[tensor.name] = torch.tensor(data, dtype=dtype)
    network = Network(shape).to(dtype)
    network.load_state_dict(weights)
    return network.eval()


def read_tokenizer(path: str) -> Tokenizer:
    """The tokenizer, built from nothing but what `path` holds."""
    fields = gguf.GGUFReader(path).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    pairs = [tuple(pair.split(" ")) for pair in fields["tokenizer.ggml.merges"].contents()]
    tokenizer = bpe({token: i for i, token in enumerate(tokens)}, pairs)
    kinds = fields["tokenizer.ggml.token_type"].contents()
    tokenizer.add_special_tokens([t for t, kind in zip(tokens, kinds) if kind == gguf.TokenType.CONTROL])
    return tokenizer
