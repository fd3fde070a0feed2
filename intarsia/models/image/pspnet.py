"""PSPNet: averages over regions of the deepest map."""

from __future__ import annotations

from torch import Tensor, nn

from intarsia.models.contract import ImageModel, Supervised
from intarsia.models.encoders import Encoder, build_encoder, require_stage
from intarsia.models.layers import FCNHead, PyramidPooling
from intarsia.models.registry import register

_BRANCHES = 4  # whose channels together are the map's
_AUXILIARY_WEIGHT = 0.4


class PSPNet(ImageModel):
    """Encoder, pyramid pooling and classifier; see `pspnet`."""

    encoder: Encoder

    def __init__(
        self,
        encoder: Encoder,
        *,
        classes: int,
        channels: int,
        kernels: tuple[int, int],
        global_norm: bool,
        auxiliary: int,
        dropout: float,
        align_corners: bool,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.align_corners = align_corners
        deep, (join, head) = encoder.channels[encoder.deepest], kernels
        self.pyramid = PyramidPooling(
            deep,
            channels,
            width=deep // _BRANCHES,
            kernel=join,
            global_norm=global_norm,
            align_corners=align_corners,
        )
        self.dropout = nn.Dropout2d(dropout)
        self.head = nn.Conv2d(channels, classes, head, padding=head // 2)
        self.auxiliary = auxiliary
        if auxiliary:
            self.auxiliary_head = FCNHead(require_stage(encoder, auxiliary), classes, dropout=dropout)

    def context(self, maps: dict[int, Tensor]) -> Tensor:
        out: Tensor = self.pyramid(maps[self.encoder.deepest])
        return out

    def join(self, maps: dict[int, Tensor], context: Tensor, size: tuple[int, int]) -> Tensor:
        out: Tensor = self.head(self.dropout(context))
        return out

    def supervised(self, x: Tensor) -> tuple[Supervised, ...]:
        if not self.auxiliary:
            return (Supervised(self.forward(x), 1.0),)
        maps = self.encoder(x)
        auxiliary = self.auxiliary_head(maps[self.auxiliary])
        logits = self.join(maps, self.context(maps), (x.shape[2], x.shape[3]))
        return self.at_input_size(x, [(logits, 1.0), (auxiliary, _AUXILIARY_WEIGHT)])


@register(paper="Zhao et al. 2017, Pyramid Scene Parsing Network, arXiv:1612.01105")
def pspnet(
    *,
    classes: int,
    encoder: str = "resnet50",
    in_channels: int = 3,
    output_stride: int = 8,
    deepest: int = 32,
    channels: int = 512,
    join_kernel: int = 3,
    head_kernel: int = 1,
    global_norm: bool = True,
    auxiliary: int = 16,
    dropout: float = 0.1,
    drop_path: float = 0.0,
    dilate_first_block: bool = False,
    align_corners: bool = False,
) -> ImageModel:
    """PSPNet: averages over 1, 4, 9 and 36 regions tell each place about the whole picture, over a dilated encoder.

    The form of segmentation-models-pytorch is light: ``output_stride=32``, ``deepest=8`` (the encoder ends after its
    map at stride 8), ``join_kernel=1``, ``head_kernel=3``, ``global_norm=False``, ``auxiliary=0``, ``dropout=0.2`` and
    ``align_corners=True``.

    Args:
        classes: number of output channels.
        encoder: encoder name.
        in_channels: channels of the input.
        output_stride: stride of the encoder's last stage: 8 as in the paper, 16, or 32, which is not dilated.
        deepest: the stage that the pyramid is built on; the encoder has none behind it.
        channels: width after the pyramid.
        join_kernel: side of the convolution that joins map and averages, odd.
        head_kernel: side of the last convolution's kernel, odd.
        global_norm: batch-norm after the average over the whole map, as after the others.
        auxiliary: stage that a second head reads in training, with weight 0.4 (section 3.3); 0 is none.
        dropout: share of channels that are dropped before the classifiers in training.
        drop_path: stochastic depth of the encoder.
        dilate_first_block: dilate the first block of a stage that lost its stride like the others, as smp does.
        align_corners: the convention of every resize: True in the published code and in smp.

    Raises:
        ModelError: the encoder cannot be dilated, or lacks a stage.
    """
    return PSPNet(
        build_encoder(
            encoder,
            in_channels=in_channels,
            output_stride=output_stride,
            deepest=deepest,
            drop_path=drop_path,
            dilate_first_block=dilate_first_block,
        ),
        classes=classes,
        channels=channels,
        kernels=(join_kernel, head_kernel),
        global_norm=global_norm,
        auxiliary=auxiliary,
        dropout=dropout,
        align_corners=align_corners,
    )
