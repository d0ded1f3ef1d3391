"""The table of the tokens' vectors while it is trained: what is known of each word, and what each token learns."""

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import nn

import vocabulary
from network import Shape

# The length of a row at first, and how much of a word's row is its own.
LENGTH, OWN = 0.64, 0.25
NEIGHBOURS = 12


class Known:
    """What `vectors.py` found: words, the commonest first, and their vectors."""

    def __init__(self, path: str) -> None:
        with np.load(path) as file:
            self.words, self.vectors = file["words"].tolist(), torch.tensor(file["vectors"])
            self.common = self.words[: int(file["common"])]

    def of(self, tokenizer: Tokenizer, shape: Shape) -> torch.Tensor:
        """A row of length 1 for each token that writes a known word, else zeros: `[vocabulary, width]`.

        The rows are the vectors without their mean, turned to their principal directions.
        """
        centred = F.normalize(self.vectors - self.vectors[: len(self.common)].mean(0))
        _, directions = torch.linalg.eigh(centred.T @ centred)
        rows = F.normalize(centred @ directions.flip(1)[:, : shape.width])
        at = {word: i for i, word in enumerate(self.words)}
        found = torch.zeros(shape.vocabulary, shape.width)
        for token in range(shape.vocabulary):
            i = at.get(vocabulary.word(tokenizer, token))
            if i is not None:
                found[token] = rows[i]
        return found


class Words(nn.Module):
    """The table is `known @ turn + own`: what the network learns of one word holds for the words beside it.

    Tokens that the text never has (`seen` is false) learn nothing of their own, so they stay where their neighbours are.
    """

    def __init__(self, known: torch.Tensor, seen: torch.Tensor):
        super().__init__()
        width = known.shape[1]
        self.register_buffer("known", known, persistent=False)
        self.register_buffer("seen", seen.float()[:, None], persistent=False)
        self.turn = nn.Parameter(torch.eye(width) * LENGTH)
        is_word = known.norm(dim=1, keepdim=True) > 0
        self.own = nn.Parameter(torch.randn(known.shape) * (LENGTH / width**0.5) * torch.where(is_word, OWN, 1.0))

    def rows(self, tokens: torch.Tensor) -> torch.Tensor:
        """The rows of these tokens, `[tokens, width]`."""
        own = self.own[tokens]
        fixed = own.detach()
        return self.known[tokens] @ self.turn + fixed + (own - fixed) * self.seen[tokens]

    @property
    def weight(self) -> torch.Tensor:
        return self.rows(torch.arange(len(self.own)))


def neighbours(known: torch.Tensor) -> torch.Tensor:
    """For each token the tokens whose words are nearest, `[vocabulary, NEIGHBOURS]`; for one of no word itself."""
    itself = torch.arange(len(known))
    near = known @ known.T
    near[itself, itself] = -1.0
    near = near.topk(NEIGHBOURS, dim=1).indices
    return torch.where(known.norm(dim=1, keepdim=True) > 0, near, itself[:, None])
