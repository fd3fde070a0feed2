"""Settings of the dense CRF that the literature uses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from intarsia.errors import UsageError, suggest


@dataclass(frozen=True)
class Preset:
    """The two kernels of Krähenbühl and Koltun 2011, equation 3, and how often marginals are updated.

    Attributes:
        spatial_weight: of the kernel that compares positions only; 0 leaves it out.
        spatial_xy: its standard deviation in pixels.
        bilateral_weight: of the kernel that compares positions and colours; 0 leaves it out.
        bilateral_xy: its standard deviation in pixels.
        bilateral_rgb: its standard deviation in grey levels of 0..255.
        iterations: mean field updates.
        source: where the numbers come from.

    Raises:
        UsageError: a weight below 0, a standard deviation that is not positive, or a negative number of iterations.
    """

    spatial_weight: float
    spatial_xy: float
    bilateral_weight: float
    bilateral_xy: float
    bilateral_rgb: float
    iterations: int = 10
    source: str = ""

    def __post_init__(self) -> None:
        for name in ("spatial_weight", "bilateral_weight", "iterations"):
            if not getattr(self, name) >= 0:
                raise UsageError(f"{name} is at least 0, not {getattr(self, name)}")
        for name in ("spatial_xy", "bilateral_xy", "bilateral_rgb"):
            if not getattr(self, name) > 0:
                raise UsageError(f"{name} is a standard deviation, a positive number, not {getattr(self, name)}")


DEFAULT = "deeplabv2-resnet101"

PRESETS: dict[str, Preset] = {
    "deeplabv1-largefov": Preset(
        3, 3, 4, 49, 5, 10,
        "Chen et al., Semantic Image Segmentation with Deep Convolutional Nets and Fully Connected CRFs, ICLR 2015; "
        "run_densecrf.sh of the authors' release",
    ),
    "deeplabv2-vgg16": Preset(
        2, 2, 4, 65, 3, 10,
        "Chen et al., DeepLab, TPAMI 2018; run_densecrf.sh of the authors' release for VGG-16",
    ),
    "deeplabv2-resnet101": Preset(
        3, 1, 4, 67, 3, 10,
        "Chen et al., DeepLab, TPAMI 2018; the settings for ResNet-101, as in kazuto1011/deeplab-pytorch, voc12.yaml",
    ),
    "kraehenbuehl-demo": Preset(
        3, 3, 10, 80, 13, 5,
        "Krähenbühl and Koltun, Efficient Inference in Fully Connected CRFs with Gaussian Edge Potentials, NIPS 2011; "
        "the example of the authors' code, and of pydensecrf",
    ),
    "crf-as-rnn": Preset(
        3, 3, 5, 160, 3, 10,
        "Zheng et al., Conditional Random Fields as Recurrent Neural Networks, ICCV 2015; the weights "
        "that the released network starts from, 5 iterations in training and 10 in test",
    ),
}  # fmt: skip


def find(preset: str | Preset, **changes: Any) -> Preset:
    """A preset by name, with some of its numbers changed.

    Raises:
        UsageError: no such preset or number (the message suggests the closest), or one out of range.
    """
    if isinstance(preset, str):
        if preset not in PRESETS:
            raise UsageError(f"no CRF preset is named {preset!r}.{suggest(preset, PRESETS)}")
        preset = PRESETS[preset]
    known = [name for name in vars(preset) if name != "source"]
    for name in changes:
        if name not in known:
            raise UsageError(f"the dense CRF has no setting {name!r}.{suggest(name, known)}")
    return replace(preset, **changes)
