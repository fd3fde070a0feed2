"""smp's encoders: which of ours is each, and how its tensors are called."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from intarsia.models.encoders import build_encoder
from intarsia.models.encoders.mit import MIX_TRANSFORMERS
from intarsia.models.importers.foreign import Names, renamed
from intarsia.models.shapes import shapes_only

TIMM = "tu-"
# smp's names of one family each, by a tensor that only that family has; the networks differ in their tensors' shapes.
_FAMILIES: dict[str, dict[str, str]] = {
    "block1.skip.weight": {"xception": "smp_xception"},  # which has a conv1, too
    "layer1.0.conv1.paths.0.conv.weight": {f"timm-skresnet{depth}": f"smp_skresnet{depth}" for depth in (18, 34)},
    "layer1.0.conv2.paths.0.conv.weight": {"timm-skresnext50_32x4d": "smp_skresnext50_32x4d"},
    "conv1.weight": {
        **{name: name for name in ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d")},
        **{name: name for name in (f"resnext101_32x{width}d" for width in (4, 8, 16, 32, 48))},
    },
    "layer0.conv1.weight": {
        **{f"se_resnet{depth}": f"legacy_seresnet{depth}" for depth in (50, 101, 152)},
        **{f"se_resnext{depth}_32x4d": f"legacy_seresnext{depth}_32x4d" for depth in (50, 101)},
    },
    "layer0.conv3.weight": {"senet154": "legacy_senet154"},
    "features.0.weight": {
        f"vgg{depth}{norm}": f"vgg{depth}{norm}" for depth in (11, 13, 16, 19) for norm in ("", "_bn")
    },
    "features.conv0.weight": {f"densenet{depth}": f"smp_densenet{depth}" for depth in (121, 161, 169, 201)},
    "features.conv1_1.conv.weight": {
        f"dpn{kind}": f"smp_dpn{kind}" for kind in ("68", "68b", "92", "98", "107", "131")
    },
    "stage0.rbr_conv.0.conv.weight": {f"mobileone_s{size}": f"mobileone_s{size}" for size in range(5)},
    "conv2d_1a.conv.weight": {"inceptionresnetv2": "smp_inceptionresnetv2"},
    "features.0.conv.weight": {"inceptionv4": "smp_inceptionv4"},
    "features.0.0.weight": {"mobilenet_v2": "torchvision_mobilenet_v2"},
    "_conv_stem.weight": {f"efficientnet-b{size}": f"smp_efficientnet_b{size}" for size in range(8)},
    "blocks.0.0.se.conv_reduce.weight": {
        f"timm-efficientnet-{size}": f"smp_timm_efficientnet_{size}"
        for size in (*(f"b{index}" for index in range(9)), "l2")
    },
    "conv_stem.weight": {
        f"timm-tf_efficientnet_lite{size}": f"smp_timm_tf_efficientnet_lite{size}" for size in range(5)
    },
    "patch_embed1.proj.weight": {name: name for name in MIX_TRANSFORMERS},
}
OURS = {theirs: ours for family in _FAMILIES.values() for theirs, ours in family.items()}
# Tensors that smp keeps of the classifiers, which no map needs.
_UNUSED = r"encoder\.(_conv_head|_bn1|conv_head|bn2)\."
_HEAD_WIDTHS = {"b2": 1408, "b3": 1536, "b4": 1792, "b5": 2048, "b6": 2304, "b7": 2560, "b8": 2816, "l2": 5504}
_DEPRECATED = ("regnet", "res2", "resnest", "mobilenetv3", "gernet")  # "timm-..." that became "tu-..."


@dataclass(frozen=True)
class Native:
    """One of smp's encoders.

    Attributes:
        name: smp's name, "tu-..." for those of timm.
        ours: our encoder's name.
        names: as those of `Foreign`.
    """

    name: str
    ours: str
    names: Names

    @property
    def is_timm(self) -> bool:
        """Whether it is one of timm's, with timm's convention of dilation."""
        return self.name.startswith(TIMM)

    @property
    def channels(self) -> dict[int, int]:
        """Stage -> number of channels."""
        return _shapes(self.ours)[1]

    def left_out(self, state: Mapping[str, Tensor], deepest: int) -> tuple[str, ...]:
        """Names of the encoder's tensors that no map up to `deepest` needs."""
        behind = self._expected(32) - self._expected(deepest) if deepest != 32 else set()
        whole = set() if self.is_timm else self._expected(32)
        return tuple(
            name
            for name in state
            if name in behind or (not self.is_timm and re.match(_UNUSED, name) and name not in whole)
        )

    def fits(self, state: Mapping[str, Tensor]) -> bool:
        """Whether the encoder's tensors are all of these, the first convolution's inputs aside."""
        shapes = {renamed(f"encoder.{name}", self.names): shape for name, shape in _shapes(self.ours)[0].items()}
        theirs = {
            name: tensor.shape
            for name, tensor in state.items()
            if name.startswith("encoder.")
            and not name.endswith("num_batches_tracked")
            and (name in shapes or not re.match(_UNUSED, name))
        }
        if shapes.keys() != theirs.keys():
            return False
        return sum(shape != theirs[name] for name, shape in shapes.items()) <= 1

    def _expected(self, deepest: int) -> set[str]:
        return {renamed(f"encoder.{name}", self.names) for name in _tensors(self.ours, deepest)}


def native(name: str, state: Mapping[str, Tensor]) -> Native | None:
    """The encoder of a name; None if none of ours is the same network."""
    name = modern(name)
    if name.startswith(TIMM):
        prefix = "encoder.model." if is_timm(state) else "encoder."  # old versions of smp had no level between
        return Native(name, name.removeprefix(TIMM), ((r"encoder\.backbone\.", prefix),))
    if name not in OURS:
        return None
    return Native(name, OURS[name], _names(OURS[name]))


def recognise(state: Mapping[str, Tensor]) -> Native | None:
    """The encoder whose tensors these are; None if it is one of timm's, or of a kind that is not known here."""
    family = next((names for tensor, names in _FAMILIES.items() if f"encoder.{tensor}" in state), {})
    heads = [
        state[name].shape[0] for name in ("encoder._conv_head.weight", "encoder.conv_head.weight") if name in state
    ]
    for name in family:
        if heads and heads[0] != _HEAD_WIDTHS.get(name.rpartition("-")[2], 1280):
            continue  # told apart without building the largest of them
        found = native(name, state)
        if found is not None and found.fits(state):
            return found
    return None


def is_timm(state: Mapping[str, Tensor]) -> bool:
    """Whether the encoder is one of timm's, which its tensors do not name."""
    return any(name.startswith("encoder.model.") for name in state)


def modern(name: str) -> str:
    """Today's name of an encoder that smp has renamed."""
    bare = name.removeprefix("timm-")
    if bare == name or not bare.startswith(_DEPRECATED):
        return name
    return f"{TIMM}tf_{bare}" if bare.startswith("mobilenetv3") else f"{TIMM}{bare}"


@lru_cache(maxsize=64)
def _tensors(ours: str, deepest: int) -> tuple[str, ...]:
    """Names of the tensors of an encoder that ends with a stage."""
    with shapes_only():
        return tuple(build_encoder(ours, deepest=deepest).state_dict())


@lru_cache(maxsize=64)
def _shapes(ours: str) -> tuple[dict[str, torch.Size], dict[int, int]]:
    """Shapes of an encoder's tensors, counters of batch-norms aside, and its channels."""
    with shapes_only():
        encoder = build_encoder(ours)
    state = encoder.state_dict().items()
    return {name: value.shape for name, value in state if not name.endswith("num_batches_tracked")}, encoder.channels


def _names(ours: str) -> Names:
    if ours in MIX_TRANSFORMERS:
        return _mit_names()
    if ours.startswith("smp_efficientnet"):
        return _efficientnet_names(ours)
    if ours.startswith("vgg"):
        return ((r"encoder\.backbone\.features_", "encoder.features."),)
    if ours.startswith("mobileone"):
        return _mobileone_names()
    return ((r"encoder\.backbone\.", "encoder."),)


def _mobileone_names() -> Names:
    """Names of Apple's own code."""
    parts = {"conv_kxk": "rbr_conv", "conv_scale": "rbr_scale", "identity": "rbr_skip"}
    parts |= {r"attn\.fc1": "se.reduce", r"attn\.fc2": "se.expand"}
    places = {r"stem\.": "stage0."} | {rf"stages_{stage}\.(\d+)\.": rf"stage{stage + 1}.\1." for stage in range(4)}
    return tuple(
        (rf"encoder\.backbone\.{ours}{part}\.", f"encoder.{theirs}{name}.")
        for ours, theirs in places.items()
        for part, name in parts.items()
    )


def _mit_names() -> Names:
    names: Names = ()
    parts: Names = (
        ("attention.reduce.", "attn.sr."),
        ("attention.reduce_norm.", "attn.norm."),
        ("attention.", "attn."),
    )
    parts += (("ffn.conv.", "mlp.dwconv.dwconv."), ("ffn.", "mlp."))
    for stage in range(4):
        ours, number = rf"encoder\.stages\.{stage}\.", stage + 1
        names += (
            (ours + r"embed\.", f"encoder.patch_embed{number}.proj."),
            (ours + r"embed_norm\.", f"encoder.patch_embed{number}.norm."),
            (ours + r"norm\.", f"encoder.norm{number}."),
            *(
                (rf"{ours}blocks\.(\d+)\.{re.escape(own)}", rf"encoder.block{number}.\1.{other}")
                for own, other in parts
            ),
            (ours + r"blocks\.", f"encoder.block{number}."),
        )
    return names


def _efficientnet_names(ours: str) -> Names:
    """Names of the original port to PyTorch, which counts the blocks of all stages on."""
    prefix, theirs = r"encoder\.backbone\.", "encoder."
    names: Names = ((rf"{prefix}conv_stem\.", f"{theirs}_conv_stem."), (rf"{prefix}bn1\.", f"{theirs}_bn0."))
    expanded: Names = ("conv_pw", "_expand_conv"), ("bn1", "_bn0"), ("conv_dw", "_depthwise_conv"), ("bn2", "_bn1")
    expanded += ("conv_pwl", "_project_conv"), ("bn3", "_bn2")
    plain = ("conv_dw", "_depthwise_conv"), ("bn1", "_bn1"), ("conv_pw", "_project_conv"), ("bn2", "_bn2")
    squeeze = (r"se\.conv_reduce", "_se_reduce"), (r"se\.conv_expand", "_se_expand")
    tensors = _shapes(ours)[0]
    blocks = dict.fromkeys(".".join(name.split(".")[2:4]) for name in tensors if ".blocks." in name)
    for number, block in enumerate(blocks):
        parts = expanded if f"backbone.blocks.{block}.conv_pwl.weight" in tensors else plain
        for own, other in (*parts, *squeeze):
            names += ((rf"{prefix}blocks\.{re.escape(block)}\.{own}\.", f"{theirs}_blocks.{number}.{other}."),)
    return names
