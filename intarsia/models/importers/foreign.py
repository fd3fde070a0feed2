"""What an importer says about a foreign model, and what importers share."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

Names = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Foreign:
    """A model of another library, and how ours is made of it.

    Attributes:
        title: what people call it, for messages.
        architecture: our builder's name.
        options: our builder's arguments, plain JSON; ``classes`` and ``in_channels`` are read from the weights.
        names: pairs of a pattern of our tensors' names and its replacement, which gives theirs; the first that
            matches counts.
        heads: their classifiers; one row of each one's weights and biases is a class.
        left_out: the beginnings of their tensors' names that segmentation does not need.
        assumed: what the file cannot tell and was taken from the library's defaults, for people; "" if nothing.
        rolled: their convolutions whose inputs are joined in another order -> the inputs that come last there and first
            here.
    """

    title: str
    architecture: str
    options: dict[str, Any]
    names: Names
    heads: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    assumed: str = ""
    rolled: Mapping[str, int] = field(default_factory=dict)

    def their_name(self, ours: str) -> str:
        """The other library's name of one of our tensors."""
        return renamed(ours, self.names)


def renamed(ours: str, names: Names) -> str:
    """A tensor's name after the first of `names` that matches."""
    for pattern, replacement in names:
        theirs, found = re.subn(rf"^{pattern}", replacement, ours)
        if found:
            return theirs
    return ours


def outputs(state: Mapping[str, Tensor], head: str) -> int:
    """Classes that a head predicts; 0 if there is no such head."""
    weight = state.get(f"{head}.weight")
    return 0 if weight is None or not weight.ndim else weight.shape[0]


def aspp_names(theirs: str) -> Names:
    """Names in an atrous pyramid of torchvision's structure, which smp shares."""
    return (
        (r"aspp\.branches\.(\d)\.conv\.", rf"{theirs}.convs.\1.1."),
        (r"aspp\.branches\.(\d)\.norm\.", rf"{theirs}.convs.\1.2."),
        (r"aspp\.branches\.", f"{theirs}.convs."),
        (r"aspp\.project\.", f"{theirs}.project."),
    )


_RESNETS: dict[tuple[tuple[int, ...], bool], str] = {
    ((2, 2, 2, 2), False): "resnet18",
    ((3, 4, 6, 3), False): "resnet34",
    ((3, 4, 6, 3), True): "resnet50",
    ((3, 4, 23, 3), True): "resnet101",
    ((3, 8, 36, 3), True): "resnet152",
}
RESNETS = tuple(_RESNETS.values())
_RESNET_PARTS = {"conv1", "bn1", "conv2", "bn2", "conv3", "bn3", "downsample"}


def resnet_name(state: Mapping[str, Tensor], prefix: str) -> str:
    """Which of the plain ResNets has its tensors under `prefix`; "" if none, or one of another kind."""
    layer = re.compile(rf"{re.escape(prefix)}layer([1-4])\.(\d+)\.(\w+)\.")
    found = [match.groups() for key in state if (match := layer.match(key))]
    blocks = tuple(len({block for stage, block, _ in found if stage == str(index)}) for index in (1, 2, 3, 4))
    parts = {part for _, _, part in found}
    stem, first = state.get(f"{prefix}conv1.weight"), state.get(f"{prefix}layer1.0.conv1.weight")
    if stem is None or first is None or first.shape[0] != 64 or not parts <= _RESNET_PARTS:
        return ""  # a ResNet-D, ResNeXt, Wide ResNet, SE-ResNet, ...
    return _RESNETS.get((blocks, "conv3" in parts), "")
