"""Networks and losses on a GPU: the numbers of the CPU."""

from __future__ import annotations

import pytest
import torch
from small import small
from torch import Tensor

from intarsia.losses import build_loss, loss_names
from intarsia.models import architectures_by_medium, build, image_model
from intarsia.runtimes.torch import accelerate

pytestmark = pytest.mark.gpu
PICTURES = sorted(name for name, found in architectures_by_medium()["image"].items() if not found.fitted)
CLOUDS = sorted(name for name, found in architectures_by_medium()["cloud"].items() if not found.fitted)


def assert_close(here: Tensor, there: Tensor, share: float) -> None:
    """Compare with the largest of the CPU's values."""
    assert (here - there.float().cpu()).abs().max() <= share * here.abs().max() + 1e-6


@pytest.mark.parametrize("name", PICTURES)
def test_logits_of_pictures(name: str, device: str) -> None:
    torch.manual_seed(0)
    model = small(name).eval()
    x = torch.rand(2, 3, 65, 97)
    faster = accelerate(image_model(model), "bf16", torch.device(device))
    with torch.inference_mode():
        expected = model(x)
        assert_close(expected, model.to(device)(x.to(device)), 1e-3)
        kind = next(faster.parameters()).dtype
        assert_close(expected, faster(x.to(device, kind)), 0.1)


@pytest.mark.parametrize("name", PICTURES)
def test_gradients_of_pictures(name: str, device: str) -> None:
    """Every parameter that learns on the CPU learns there, in bfloat16 too."""
    torch.manual_seed(0)
    model = small(name).to(device).train()
    x = torch.rand(2, 3, 64, 64, device=device)
    with torch.autocast("cuda", dtype=torch.bfloat16):
        total = sum(one.weight * one.logits.float().square().mean() for one in model.supervised(x))
    assert isinstance(total, Tensor) and torch.isfinite(total)
    total.backward()
    learned = {key: parameter.grad for key, parameter in model.named_parameters() if parameter.requires_grad}
    assert [key for key, grad in learned.items() if grad is None or not torch.isfinite(grad).all()] == []


@pytest.mark.parametrize("name", CLOUDS)
def test_logits_of_clouds(name: str, device: str) -> None:
    torch.manual_seed(0)
    model = build(name, classes=4, in_channels=7).eval()
    x = torch.rand(2, 7, 1024)
    with torch.inference_mode():
        expected, found = model(x), model.to(device)(x.to(device)).cpu()
    # Neighbours at equal distances may come in another order, which changes single points.
    assert (expected.argmax(1) == found.argmax(1)).float().mean() >= 0.98


@pytest.mark.parametrize("name", loss_names())
def test_losses_and_their_gradients(name: str, device: str) -> None:
    torch.manual_seed(0)
    loss = build_loss(name, ignore_index=255, options={})
    logits, target = torch.randn(2, 3, 24, 32), torch.randint(3, (2, 24, 32))
    target[torch.rand(target.shape) < 0.2] = 255
    values = []
    for place in ("cpu", device):
        given = logits.detach().to(place).requires_grad_()
        value = loss.to(place)(given, target.to(place))
        value.backward()
        assert given.grad is not None
        values.append((value.detach(), given.grad))
    (here, slope), (there, sloped) = values
    assert_close(here[None], there[None], 1e-4)
    assert_close(slope, sloped, 1e-3)
