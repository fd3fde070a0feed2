"""What models of masks share: queries that answer with a mask and a class, and the logits that these amount to."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from intarsia.models.contract import ImageModel, Queries, Supervised

_SMALL = 1e-6
MASK_STRIDE = 4


class MaskClassifier(ImageModel):
    """Base of the models that classify masks instead of pixels (Cheng et al. 2021, MaskFormer).

    Their logits are logarithms of the paper's semantic scores (section 3.4): the sum over the queries of the class's
    probability times the mask's. So their softmax is the scores' share, and every loss of logits can train them; the
    loss ``matching`` looks at the queries themselves.

    Args:
        width: of the vectors that stand for queries.
        classes: number of output channels.
        activation: between the layers of the mask head.
        channels: of the map that mask vectors are compared with.
    """

    def __init__(self, width: int, *, classes: int, activation: nn.Module, channels: int) -> None:
        super().__init__()
        self.head = nn.Linear(width, classes)
        self.nothing = nn.Linear(width, 1)
        self.mask_head = nn.Sequential(
            nn.Linear(width, width), activation, nn.Linear(width, width), activation, nn.Linear(width, channels)
        )

    def answers(self, x: Tensor) -> list[Queries]:
        """What the queries say of (N, in_channels, H, W), the last of the network's layers that tell first.

        Masks are (N, Q, ceil(H / 4), ceil(W / 4)). In prediction only the last layer is asked.
        """
        raise NotImplementedError

    def answer(self, queries: Tensor, features: Tensor) -> Queries:
        """What queries (N, Q, width) say of features (N, channels, h, w)."""
        classes = torch.cat([self.head(queries), self.nothing(queries)], dim=2)
        masks = self.mask_head(queries) @ features.flatten(2)
        return Queries(classes, masks.reshape(*masks.shape[:2], *features.shape[2:]))

    def logits(self, x: Tensor) -> Tensor:
        return semantic_logits(self.answers(x)[0])

    def supervised(self, x: Tensor) -> tuple[Supervised, ...]:
        """Logits at the masks' resolution, of each layer that tells, with the queries that they are made of."""
        return tuple(Supervised(semantic_logits(queries), 1.0, queries) for queries in self.answers(x))


def semantic_logits(queries: Queries) -> Tensor:
    """(N, C, h, w) logarithms of the scores; a class that no query speaks of gets that of 1e-6."""
    probabilities = queries.classes.softmax(2)[..., :-1]
    scores = probabilities.transpose(1, 2) @ queries.masks.sigmoid().flatten(2).to(probabilities.dtype)
    wide = scores.to(torch.promote_types(scores.dtype, torch.float32))
    return (wide + _SMALL).log().reshape(*wide.shape[:2], *queries.masks.shape[2:])
