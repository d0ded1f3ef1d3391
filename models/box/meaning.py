"""The second lesson: what a question means.

A network of this size that only learns answers goes by the words and forms that it has seen. So where an answer
begins, its state before the last layer must also tell the vector that all-MiniLM-L6-v2 has for the question, which is
near for whatever means the same.
"""

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import nn

from minilm import WIDTH, MiniLM
from network import Shape
from vocabulary import OPENINGS

# How much of the vectors' mean a batch renews.
RENEWED = 0.01


class Meaning(nn.Module):
    """How far what a state tells is from the question's vector without the mean of all: one minus the cosine."""

    def __init__(self, teacher: MiniLM, tokenizer: Tokenizer, shape: Shape, bfloat16: bool):
        super().__init__()
        self.teacher, self.tokenizer, self.bfloat16 = teacher, tokenizer, bfloat16
        self.user, self.assistant = (tokenizer.token_to_id(OPENINGS[role]) for role in ("user", "assistant"))
        self.turn = nn.Linear(shape.width, WIDTH, bias=False)
        self.register_buffer("mean", torch.zeros(WIDTH))
        if bfloat16:
            teacher.narrow()

    def forward(self, ids: torch.Tensor, before: torch.Tensor) -> torch.Tensor:
        """Of the dialogues of one question: `ids` are `[batch, length]`, `before` is `[batch, length - 1, width]`."""
        rows = ((ids == self.user).sum(1) == 1).nonzero()[:, 0]
        if not len(rows):
            return before.new_zeros(())
        first = (ids[rows] == self.user).int().argmax(1) + 1
        last = (ids[rows] == self.assistant).int().argmax(1)
        texts = self.tokenizer.decode_batch([ids[row, a : b - 1].tolist() for row, a, b in zip(rows, first, last)])
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat16):
            wanted = F.normalize(self.teacher.vectors(texts).float())
        self.mean += (RENEWED if self.mean.any() else 1.0) * (wanted.mean(0) - self.mean)
        told = self.turn(F.rms_norm(before[rows, last].float(), before.shape[-1:]))
        return 1 - F.cosine_similarity(told, wanted - self.mean).mean()
