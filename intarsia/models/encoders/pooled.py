"""Networks of segmentation-models-pytorch (smp) that shrink by pooling: timm's, with smp's maps and padding."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from intarsia.errors import ModelError
from intarsia.models.encoders.contract import Encoder, load_matching, require_stage

_STRIDE = 32
_PREFIX = "smp_"


class Step(NamedTuple):
    """A layer, the stage that its result is the map of (0 for none), and whether the map is its positive part."""

    layer: nn.Module
    stage: int = 0
    positive: bool = False


def _densenet(net: Any) -> list[Step]:
    """Maps are taken behind the norm of each transition, where timm takes them before; the last one keeps its sign."""
    features = net.features
    features.norm5.act = nn.Identity()
    steps = [Step(features.conv0), Step(features.norm0, 2), Step(features.pool0)]
    for number, stage in ((1, 4), (2, 8), (3, 16)):
        transition = features.get_submodule(f"transition{number}")
        steps += [Step(features.get_submodule(f"denseblock{number}")), Step(transition.norm, stage)]
        steps += [Step(transition.conv), Step(transition.pool)]
    return [*steps, Step(features.denseblock4), Step(features.norm5, 32)]


def _dpn(net: Any) -> list[Step]:
    """The last norm is followed by a ReLU, where timm has an ELU."""
    net.features.conv5_bn_ac.bn.act = nn.ReLU()
    named = dict(net.features.named_children())
    ends = {"conv1_1": 2, "conv5_bn_ac": 32}
    for block, stage in ((2, 4), (3, 8), (4, 16)):
        ends[[name for name in named if name.startswith(f"conv{block}_")][-1]] = stage
    return [Step(layer, ends.get(name, 0), ends.get(name) in (4, 8, 16)) for name, layer in named.items()]


def _inception_resnet(net: Any) -> list[Step]:
    _pad_evenly(net)
    return _steps(net, {"conv2d_2b": 2, "conv2d_4a": 4, "repeat": 8, "repeat_1": 16, "conv2d_7b": 32})


def _inception(net: Any) -> list[Step]:
    _pad_evenly(net)
    return _steps(net.features, {"2": 2, "4": 4, "8": 8, "14": 16, str(len(net.features) - 1): 32})


def _xception(net: Any) -> list[Step]:
    """The last norm keeps its sign."""
    net.conv1.padding = net.conv2.padding = (1, 1)
    return _steps(net, {"act2": 2, "block1": 4, "block2": 8, "block11": 16, "bn4": 32})


def _selective(net: Any) -> list[Step]:
    return _steps(net, {"act1": 2, "layer1": 4, "layer2": 8, "layer3": 16, "layer4": 32})


def _steps(net: nn.Module, ends: Mapping[str, int]) -> list[Step]:
    """The parts of a network, which run in the order in which they stand, up to the last map."""
    steps = [Step(layer, ends.get(name, 0)) for name, layer in net.named_children()]
    return steps[: 1 + max(index for index, step in enumerate(steps) if step.stage)]


def _pad_evenly(net: nn.Module) -> None:
    """Give every convolution of 3x3 and every pool a margin, so that sizes are halved exactly."""
    for layer in net.modules():
        if isinstance(layer, nn.MaxPool2d) or (isinstance(layer, nn.Conv2d) and layer.kernel_size == (3, 3)):
            layer.padding = (1, 1)


def _network(name: str, in_channels: int) -> Any:
    """A network of timm's; of selective kernels, smp has other widths than timm's recipes."""
    import timm

    if not name.startswith("skres"):
        return timm.create_model(name, pretrained=False, in_chans=in_channels, num_classes=0)
    from timm.models import sknet
    from timm.models.resnet import ResNet

    basic: Any = sknet.SelectiveKernelBasic  # which ResNet takes, though its types do not say so
    bottleneck: Any = sknet.SelectiveKernelBottleneck
    layers = (2, 2, 2, 2) if name.endswith("18") else (3, 4, 6, 3)
    options: dict[str, Any] = {"in_chans": in_channels, "num_classes": 0, "zero_init_last": False}
    if name == "skresnext50_32x4d":
        return ResNet(bottleneck, layers, cardinality=32, base_width=4, **options)
    narrow = {"sk_kwargs": {"rd_ratio": 1 / 8, "split_input": True}}
    return ResNet(basic, layers, block_args=narrow, **options)


# our name -> timm's name, and how its layers run
_NETWORKS: Mapping[str, tuple[str, Callable[[Any], list[Step]]]] = {
    **{f"{_PREFIX}densenet{depth}": (f"densenet{depth}", _densenet) for depth in (121, 161, 169, 201)},
    **{f"{_PREFIX}{name}": (name, _dpn) for name in ("dpn68", "dpn68b", "dpn92", "dpn98", "dpn107", "dpn131")},
    f"{_PREFIX}inceptionresnetv2": ("inception_resnet_v2", _inception_resnet),
    f"{_PREFIX}inceptionv4": ("inception_v4", _inception),
    f"{_PREFIX}xception": ("legacy_xception", _xception),
    **{f"{_PREFIX}{name}": (name, _selective) for name in ("skresnet18", "skresnet34", "skresnext50_32x4d")},
}
SMP_POOLED = tuple(_NETWORKS)


class PooledEncoder(Encoder):
    """DenseNet, DPN, Inception v4, Inception-ResNet v2, Xception and SK-ResNet with the maps that smp's encoders give.

    Sides that are no multiple of 32 are padded with zeros at the right and at the bottom, and the maps cut to what they
    would have without.

    Args:
        name: one of `SMP_POOLED`.
        in_channels: channels of the input.
        output_stride: must be 32 or the deepest stage; these networks are not dilated.
        deepest: the stage that the encoder ends with; what lies behind it is left out.
        drop_path: must be 0; these networks have no stochastic depth.
        dilate_first_block: says nothing here.
        multi_grid: must be empty.

    Raises:
        ModelError: options that these networks do not have.
    """

    def __init__(
        self,
        name: str,
        *,
        in_channels: int = 3,
        output_stride: int = _STRIDE,
        deepest: int = _STRIDE,
        drop_path: float = 0.0,
        dilate_first_block: bool = False,
        multi_grid: tuple[int, ...] = (),
    ) -> None:
        super().__init__()
        import timm

        if output_stride < min(deepest, _STRIDE) or drop_path or multi_grid:
            raise ModelError(f"{name} is not dilated here, and has neither drop_path nor multi_grid")
        self.name, (self.pretrained, steps) = name, _NETWORKS[name]
        net = _network(self.pretrained, in_channels)
        known: Any = timm.get_pretrained_cfg(self.pretrained)
        self.mean, self.std = known.mean, known.std
        self._steps = steps(net)
        with torch.no_grad():  # in evaluation, so that no statistics are gathered
            net.eval()
            maps = _run(self._steps, torch.zeros(1, in_channels, _STRIDE, _STRIDE))
            net.train()
        self.channels = {stage: one.shape[1] for stage, one in maps.items()}
        require_stage(self, deepest)
        self.channels = {stage: width for stage, width in self.channels.items() if stage <= deepest}
        self.output_stride = deepest
        self._steps = self._steps[: 1 + [step.stage for step in self._steps].index(deepest)]
        _leave_out(net, {step.layer for step in self._steps})
        self.backbone: nn.Module = net

    def forward(self, x: Tensor) -> dict[int, Tensor]:
        height, width = x.shape[2:]
        maps = _run(self._steps, F.pad(x, (0, -width % _STRIDE, 0, -height % _STRIDE)))
        return {stage: one[:, :, : -(-height // stage), : -(-width // stage)] for stage, one in maps.items()}

    def load_pretrained(self, state: dict[str, Tensor]) -> None:
        load_matching(self.backbone, state, self.name)


def _run(steps: Iterable[Step], x: Tensor) -> dict[int, Tensor]:
    maps: dict[int, Tensor] = {}
    for layer, stage, positive in steps:
        x = layer(x)
        if stage:
            maps[stage] = F.relu(x) if positive else x
    return maps


def _leave_out(module: nn.Module, used: set[nn.Module]) -> None:
    """Remove what is not among the layers that are used, in place, and keep the others' names."""
    for name, child in list(module.named_children()):
        if child in used:
            continue
        if any(inner in used for inner in child.modules()):
            _leave_out(child, used)
        else:
            delattr(module, name)
