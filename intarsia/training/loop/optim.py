"""Optimiser, parameter groups, and learning-rate schedules as pure functions of the step."""

from __future__ import annotations

import math

import torch
from torch import nn

from intarsia import recipe
from intarsia.models import SegmentationModel

_ONE_CYCLE_START = 1 / 25
_ONE_CYCLE_END = 1e-4


def build_optimizer(model: SegmentationModel, settings: recipe.Optimizer) -> torch.optim.Optimizer:
    """AdamW, Adam or SGD with the encoder at its own rate, and no weight decay on biases and norms."""
    encoder = {id(parameter) for parameter in model.encoder_parameters()}
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for parameter in model.parameters():
        if parameter.requires_grad:
            groups.setdefault((id(parameter) in encoder, parameter.ndim > 1), []).append(parameter)
    parameters = [
        {
            "params": members,
            "lr": (settings.encoder_lr or settings.lr) if in_encoder else settings.lr,
            "weight_decay": settings.weight_decay if decays else 0.0,
        }
        for (in_encoder, decays), members in sorted(groups.items(), key=lambda entry: entry[0])
    ]
    for group in parameters:
        group["peak_lr"] = group["lr"]
    if settings.name == "sgd":
        return torch.optim.SGD(parameters, lr=settings.lr, momentum=settings.momentum, nesterov=settings.momentum > 0)
    kind = torch.optim.Adam if settings.name == "adam" else torch.optim.AdamW
    return kind(parameters, lr=settings.lr)


def freeze_norms(model: nn.Module) -> list[nn.BatchNorm1d | nn.BatchNorm2d]:
    """Exempt every batch-norm from training, in place; in eval mode, the returned ones keep their statistics too."""
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)]
    for norm in norms:
        norm.requires_grad_(False)
    return norms


def learning_rate_factor(step: int, total: int, settings: recipe.Optimizer) -> float:
    """Share of the peak rate at `step` (0-based) of `total`.

    After a linear warm-up: poly (1 - t)^power (Chen et al. 2018, DeepLab), half a cosine (Loshchilov & Hutter 2017),
    one cycle (Smith & Topin 2018: a cosine up from 1/25, a cosine down to 1e-4), or constant.
    """
    warmup = round(settings.warmup * total)
    if step < warmup:
        progress = (step + 1) / (warmup + 1)
        if settings.schedule == "one_cycle":
            return _cosine(_ONE_CYCLE_START, 1.0, progress)
        return progress
    progress = (step - warmup) / max(1, total - warmup)
    if settings.schedule == "poly":
        return float((1 - progress) ** settings.power)
    if settings.schedule == "cosine":
        return _cosine(1.0, 0.0, progress)
    if settings.schedule == "one_cycle":
        return _cosine(1.0, _ONE_CYCLE_END, progress)
    return 1.0


def set_learning_rate(optimizer: torch.optim.Optimizer, factor: float, least: float = 0.0) -> None:
    """Set every group to `factor` times its peak rate; with `least`, to that share of the way up from there."""
    for group in optimizer.param_groups:
        group["lr"] = least + factor * (group["peak_lr"] - least)


def _cosine(start: float, end: float, progress: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2
