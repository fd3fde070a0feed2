"""What every encoder promises: feature maps by stage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from torch import Tensor, nn

from intarsia.errors import ModelError


class Encoder(nn.Module):
    """Base of all encoders: ``forward(x)`` maps (N, in_channels, H, W) to ``{stage: features}``.

    A stage is named by the stride that it has when nothing is dilated (2, 4, 8, 16, 32); only the deepest map of each
    is given. A dilated encoder has the same stages, of which those beyond `output_stride` stay at that stride.

    Attributes:
        name: what recipes call it.
        channels: stage -> number of channels.
        output_stride: input pixels per pixel of the deepest map.
        pretrained: name of the timm model whose weights `load_pretrained` takes; empty if timm has none that fit.
        mean: per channel, RGB in 0..1, what the pretrained weights expect to be subtracted.
        std: per channel, RGB in 0..1, what they expect to be divided by.
    """

    IMAGENET_MEAN: ClassVar[tuple[float, ...]] = (0.485, 0.456, 0.406)
    IMAGENET_STD: ClassVar[tuple[float, ...]] = (0.229, 0.224, 0.225)

    name: str
    channels: dict[int, int]
    output_stride: int = 32
    pretrained: str = ""
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD

    @property
    def deepest(self) -> int:
        """The last stage."""
        return max(self.channels)

    def forward(self, x: Tensor) -> dict[int, Tensor]:
        """(N, in_channels, H, W) -> {stage: (N, channels[stage], ceil(H / stride), ceil(W / stride))}."""
        raise NotImplementedError

    def chain(self) -> list[tuple[nn.Module, int]]:
        """The layers in the order in which they run, each with the stage that its result is the map of; 0 for none.

        Raises:
            ModelError: this network is no chain of layers, so that it cannot be run in two parts.
        """
        raise ModelError(f"encoder {self.name!r} cannot be run in two parts; 'resnet50', for instance, can")

    def shallow(self, x: Tensor, stage: int) -> dict[int, Tensor]:
        """The maps of `forward` up to `stage`; nothing beyond them is computed.

        Raises:
            ModelError: there is no such stage, or nothing after it, or the network cannot be run in two parts.
        """
        require_stage(self, stage)
        if stage == self.deepest:
            raise ModelError(f"stage {stage} is the whole encoder {self.name!r}; split it at an earlier one")
        layers = self.chain()
        return run_chain(layers[: _position(layers, stage) + 1], x)

    def deepen(self, maps: Mapping[int, Tensor]) -> dict[int, Tensor]:
        """The maps of `forward` after the deepest of `maps`, computed from that one alone."""
        layers, stage = self.chain(), max(maps)
        return run_chain(layers[_position(layers, stage) + 1 :], maps[stage])

    def load_pretrained(self, state: dict[str, Tensor]) -> None:
        """Take classification weights, as timm names them; tensors of the classifier are left out.

        A first convolution for other than three channels gets the weights summed (one channel) or repeated and scaled.

        Raises:
            ModelError: tensors are missing or have other shapes.
        """
        raise NotImplementedError


def run_chain(layers: Iterable[tuple[nn.Module, int]], x: Tensor) -> dict[int, Tensor]:
    """Run layers one after the other, and keep the results that are a stage's map."""
    maps: dict[int, Tensor] = {}
    for layer, stage in layers:
        x = layer(x)
        if stage:
            maps[stage] = x
    return maps


def _position(layers: Sequence[tuple[nn.Module, int]], stage: int) -> int:
    return [end for _, end in layers].index(stage)


def cut_short(encoder: Encoder, layers: nn.Sequential, taps: Mapping[int, int], deepest: int) -> None:
    """End an encoder with a stage: drop the layers and channels behind it, in place.

    Args:
        encoder: which has its channels.
        layers: its chain.
        taps: layer -> the stage that its result is the map of.
        deepest: the stage.

    Raises:
        ModelError: there is no such stage.
    """
    require_stage(encoder, deepest)
    encoder.channels = {stage: width for stage, width in encoder.channels.items() if stage <= deepest}
    last = next(layer for layer, stage in taps.items() if stage == deepest)
    del layers[last + 1 :]


def load_matching(module: nn.Module, state: dict[str, Tensor], name: str) -> None:
    """Load all of `module`'s tensors from `state`, the first convolution adapted to the module's input channels.

    Raises:
        ModelError: tensors are missing or have other shapes.
    """
    wanted = module.state_dict()
    fitting = {key: _adapted(state[key], tensor) for key, tensor in wanted.items() if key in state}
    missing = [key for key, tensor in wanted.items() if key not in fitting or fitting[key].shape != tensor.shape]
    if missing:
        raise ModelError(f"weights for {name!r} lack {len(missing)} of {len(wanted)} tensors, first {missing[0]}")
    module.load_state_dict(fitting)


def _adapted(stored: Tensor, wanted: Tensor) -> Tensor:
    is_first_conv = stored.ndim == wanted.ndim == 4 and stored.shape[1] == 3 != wanted.shape[1]
    if not is_first_conv or stored.shape[0] != wanted.shape[0]:
        return stored
    from timm.models import adapt_input_conv

    adapted: Tensor = adapt_input_conv(wanted.shape[1], stored)
    return adapted


def require_stage(encoder: Encoder, stage: int) -> int:
    """Channels of a stage, or an error that lists what the encoder has."""
    if stage not in encoder.channels:
        has = ", ".join(str(known) for known in encoder.channels)
        raise ModelError(f"encoder {encoder.name!r} has no features at stride {stage} (it has {has})")
    return encoder.channels[stage]
