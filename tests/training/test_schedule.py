"""Learning-rate schedules, parameter groups, averaged weights."""

import math

import pytest
import torch

from intarsia.models import build
from intarsia.recipe import Optimizer
from intarsia.training.loop.ema import AveragedWeights
from intarsia.training.loop.optim import build_optimizer, learning_rate_factor, set_learning_rate


@pytest.mark.parametrize(
    ("schedule", "step", "expected"),
    [
        ("poly", 0, 1 / 11), ("poly", 9, 10 / 11), ("poly", 10, 1.0), ("poly", 55, 0.5**0.9),
        ("poly", 99, (1 / 90) ** 0.9),
        ("cosine", 10, 1.0), ("cosine", 55, 0.5), ("cosine", 99, (1 + math.cos(math.pi * 89 / 90)) / 2),
        ("one_cycle", 0, 1 - (1 - 0.04) * (1 + math.cos(math.pi / 11)) / 2), ("one_cycle", 10, 1.0),
        ("one_cycle", 55, (1 + 1e-4) / 2), ("constant", 99, 1.0), ("constant", 4, 5 / 11),
    ],
)  # fmt: skip
def test_schedules(schedule, step, expected):
    settings = Optimizer(schedule=schedule, warmup=0.1)
    assert learning_rate_factor(step, 100, settings) == pytest.approx(expected, abs=1e-9)


def model():
    return build("unet", classes=2, encoder="test_efficientnet", channels=(8, 8, 8, 8))


@pytest.mark.parametrize("name", ["adamw", "adam", "sgd"])
def test_groups_have_their_own_rate_and_decay(name):
    net = model()
    optimizer = build_optimizer(net, Optimizer(name=name, lr=0.01, encoder_lr=0.001, weight_decay=0.1))
    set_learning_rate(optimizer, 0.5)
    kind = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam, "sgd": torch.optim.SGD}[name]
    assert type(optimizer) is kind
    group_of = {id(p): group for group in optimizer.param_groups for p in group["params"]}
    assert len(group_of) == len(list(net.parameters()))
    for key, parameter in net.named_parameters():
        group = group_of[id(parameter)]
        assert group["lr"] == pytest.approx(0.0005 if key.startswith("encoder.") else 0.005)
        assert group["weight_decay"] == (0.1 if parameter.ndim > 1 else 0.0)


def test_average_follows_its_formula():
    torch.manual_seed(0)
    net = model()
    average = AveragedWeights(net, 0.9)
    expected = {key: value.clone() for key, value in net.state_dict().items()}
    for step in range(1, 6):
        with torch.no_grad():
            for value in net.state_dict().values():
                if value.is_floating_point():
                    value.add_(torch.randn_like(value))
                else:
                    value.add_(1)
        average.update(net, step)
        decay = min(0.9, (1 + step) / (10 + step))
        for key, value in net.state_dict().items():
            if value.is_floating_point():
                expected[key] = decay * expected[key] + (1 - decay) * value
            else:
                expected[key] = value.clone()
    with average.whole() as averaged:
        for key, value in averaged.state_dict().items():
            assert torch.allclose(value, expected[key], atol=1e-5), key
        assert not averaged.training


def test_the_cosine_ends_with_eta_min():
    net = model()
    settings = Optimizer(schedule="cosine", warmup=0, lr=0.01, encoder_lr=0.002, eta_min=0.001)
    optimizer = build_optimizer(net, settings)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(build_optimizer(net, settings), T_max=100, eta_min=0.001)
    for step in range(100):
        set_learning_rate(optimizer, learning_rate_factor(step, 100, settings), settings.eta_min)
        ours = [group["lr"] for group in optimizer.param_groups]
        assert ours == pytest.approx(theirs.get_last_lr(), rel=1e-6)
        theirs.optimizer.step()
        theirs.step()
