"""An image model in two parts, one for every frame and one that video may save: cheap, deep, and how they join."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from intarsia.errors import ModelError
from intarsia.models.contract import ImageModel
from intarsia.models.encoders import Encoder
from intarsia.models.layers import resize

# Early maps are keyed by stage, from 2 on; these two come along under numbers that no stage has.
FRAME, SCORES = 0, 1
Maps = dict[int, Tensor]


class Parts(nn.Module):
    """Base: ``join(low, deep(low))`` with ``low = cheap(frame)`` are the image model's logits.

    Args:
        image: the image model.
    """

    image: ImageModel

    def __init__(self, image: ImageModel) -> None:
        super().__init__()
        self.image = image

    def encoder(self) -> Encoder:
        """The image model's encoder.

        Raises:
            ModelError: it is none of those that tell their stages.
        """
        encoder = self.image.backbone
        if encoder is None:
            raise ModelError(
                f"{type(self.image).__name__} has no encoder with stages, so it cannot be run in two parts"
            )
        return encoder

    def cheap(self, frame: Tensor) -> Maps:
        """What every frame costs: (N, C, H, W) -> maps, with the frame itself under `FRAME`."""
        return {FRAME: frame}

    def deep(self, low: Maps) -> Tensor:
        """What is saved between ticks."""
        raise NotImplementedError

    def join(self, low: Maps, high: Tensor, *, fresh: bool) -> Tensor:
        """Logits from this frame's early maps and a deep result; `fresh` if that is of this very frame."""
        raise NotImplementedError

    def early(self, low: Maps) -> Tensor:
        """What tells how much frames differ; see `ImageModel.early`."""
        return low[FRAME]

    def exchange(self, change: Callable[[ImageModel], ImageModel]) -> None:
        """Put in place of each image model what `change` makes of it."""
        self.image = change(self.image)

    def _cast(self, frame: Tensor) -> Tensor:
        dtype = next(self.image.parameters()).dtype
        return frame.to(dtype, memory_format=torch.channels_last)


class Whole(Parts):
    """The whole network is the deep part, and its logits are what is carried on (Deep Feature Flow, on scores)."""

    def deep(self, low: Maps) -> Tensor:
        return self.image.logits(self._cast(low[FRAME]))

    def join(self, low: Maps, high: Tensor, *, fresh: bool) -> Tensor:
        return high


class Halves(Parts):
    """Early layers on every frame; what the later ones make of them is the deep part (Clockwork Convnets).

    Args:
        image: a model that exposes its stages.
        stage: the last stage that runs on every frame.

    Raises:
        ModelError: the model cannot be split there.
    """

    def __init__(self, image: ImageModel, stage: int = 8) -> None:
        super().__init__(image)
        self.stage = stage
        size = (64, 64)
        with torch.no_grad():
            probe = torch.zeros(1, image.in_channels, *size)
            was_training = image.training
            image.eval()
            low = self.cheap(probe)
            try:
                self.channels = int(self.deep(low).shape[1])
                self.join(low, self.deep(low), fresh=True)
            except KeyError as error:
                raise ModelError(
                    f"stage {stage} is too early to split this model at: its last layers also need stage {error}"
                ) from None
            finally:
                image.train(was_training)

    def cheap(self, frame: Tensor) -> Maps:
        return {FRAME: frame, **self.encoder().shallow(self._cast(frame), self.stage)}

    def deep(self, low: Maps) -> Tensor:
        early = {stage: features for stage, features in low.items() if stage > SCORES}
        return self.image.context({**early, **self.encoder().deepen(early)})

    def join(self, low: Maps, high: Tensor, *, fresh: bool) -> Tensor:
        frame = low[FRAME]
        return self.image.join(low, high.to(low[self.stage].dtype), (frame.shape[2], frame.shape[3]))

    def early(self, low: Maps) -> Tensor:
        return self.image.early({stage: features for stage, features in low.items() if stage > SCORES})


class Updated(Parts):
    """Scores of a large network on key frames, carried on, and of a small one on every frame (Accel).

    The scores of both are joined by one 1x1 convolution, which starts as "the large network's alone" (Jain et al. 2019,
    arXiv:1807.06667, start it at random; section 3.3). Where the large network's are of the present frame, they stand.

    Args:
        image: the large network.
        update: the small one, of the same classes.
        classes: their number.
    """

    update: ImageModel

    def __init__(self, image: ImageModel, update: ImageModel, *, classes: int) -> None:
        super().__init__(image)
        self.update = update
        self.fusion = nn.Conv2d(2 * classes, classes, 1)
        with torch.no_grad():
            self.fusion.weight.zero_()
            self.fusion.weight[:, :classes, 0, 0] = torch.eye(classes)
            nn.init.zeros_(self.fusion.bias)  # type: ignore[arg-type]

    def exchange(self, change: Callable[[ImageModel], ImageModel]) -> None:
        super().exchange(change)
        self.update = change(self.update)

    def cheap(self, frame: Tensor) -> Maps:
        dtype = next(self.update.parameters()).dtype
        return {FRAME: frame, SCORES: self.update.logits(frame.to(dtype, memory_format=torch.channels_last))}

    def deep(self, low: Maps) -> Tensor:
        return self.image.logits(self._cast(low[FRAME]))

    def join(self, low: Maps, high: Tensor, *, fresh: bool) -> Tensor:
        if fresh:
            return high
        scores = resize(low[SCORES].float(), high.shape[2:], align_corners=self.update.align_corners)
        fused: Tensor = self.fusion(torch.cat([high.float(), scores], dim=1))
        return fused
