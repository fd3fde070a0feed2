"""timm backbones behind one contract: features by stride."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from intarsia.errors import ModelError, UsageError, suggest


class Encoder(nn.Module):
    """Any timm backbone with ``features_only`` support.

    Dilation follows timm: the first block of a stage that lost its stride keeps the previous rate.

    Args:
        name: timm model name, for instance ``efficientnet_lite0`` or ``resnet50``.
        output_stride: input pixels per pixel of the deepest feature map.
        drop_path: stochastic depth rate of the last block (0 is off; needs a backbone that supports it).

    Attributes:
        channels: stride -> number of channels, deepest map of each stride.
        output_stride: the deepest stride.
        mean, std: the normalisation the backbone's pretrained weights expect (RGB in 0..1).

    Raises:
        UsageError: timm does not know the name; the message suggests the closest.
        ModelError: the backbone cannot give feature maps at this output stride.
    """

    def __init__(self, name: str, *, output_stride: int = 32, drop_path: float = 0.0) -> None:
        super().__init__()
        import timm

        if not timm.is_model(name):
            raise UsageError(f"timm has no backbone named {name!r}.{suggest(name, timm.list_models())}")
        options: dict[str, Any] = {"drop_path_rate": drop_path} if drop_path else {}
        if output_stride != 32:
            options["output_stride"] = output_stride  # many backbones without dilation lack the argument
        try:
            backbone: Any = timm.create_model(name, pretrained=False, features_only=True, **options)
        except (AssertionError, NotImplementedError, RuntimeError, TypeError, ValueError) as error:
            raise ModelError(
                f"backbone {name!r} cannot be built with output stride {output_stride}: {error}"
            ) from error
        strides: list[int] = list(backbone.feature_info.reduction())
        widths: list[int] = list(backbone.feature_info.channels())
        self.name = name
        self._strides = strides
        self.channels: dict[int, int] = dict(zip(strides, widths, strict=True))
        self.output_stride = strides[-1]
        if self.output_stride != output_stride:
            raise ModelError(
                f"backbone {name!r} gives output stride {self.output_stride}, not {output_stride}; "
                f"ask for output_stride={self.output_stride}"
            )
        self._channels_last = str(getattr(backbone, "output_fmt", "")).endswith("NHWC")
        self.backbone: nn.Module = backbone
        config = backbone.pretrained_cfg
        self.mean: tuple[float, ...] = tuple(config["mean"])
        self.std: tuple[float, ...] = tuple(config["std"])

    def forward(self, x: Tensor) -> dict[int, Tensor]:
        """(N, 3, H, W) -> {stride: (N, channels[stride], ceil(H / stride), ceil(W / stride))}."""
        maps: list[Tensor] = self.backbone(x)
        if self._channels_last:
            maps = [features.permute(0, 3, 1, 2) for features in maps]
        return dict(zip(self._strides, maps, strict=True))


def require_stride(encoder: Encoder, stride: int) -> int:
    """Channels of the map at `stride`, or an error that lists what the backbone has."""
    if stride not in encoder.channels:
        has = ", ".join(str(known) for known in encoder.channels)
        raise ModelError(f"backbone {encoder.name!r} has no features at stride {stride} (it has {has})")
    return encoder.channels[stride]
