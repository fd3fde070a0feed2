"""Parameters and multiply-accumulates: by hand, and as published."""

import pytest
import torch
from small import SMALL
from torch import nn

from intarsia.models import ImageModel, build
from intarsia.models.cost import gmacs, parameters
from intarsia.models.shapes import shapes_only


class Tiny(ImageModel):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.head = nn.Conv2d(8, 5, 1)

    def logits(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.stem(x))


def test_a_network_counted_by_hand() -> None:
    model = Tiny().train()
    model.stem[1].eval()  # a frozen norm stays frozen
    assert parameters(model) == (27 * 8 + 8) + 2 * 8 + (8 * 5 + 5)
    # 12 x 10 pixels become 6 x 5; each has 27 products a filter, then 8 a class
    assert gmacs(model, (12, 10)) == 6 * 5 * (27 * 8 + 8 * 5) / 1e9
    assert model.training and model.stem[0].training and not model.stem[1].training
    assert all(parameter.device.type == "cpu" for parameter in model.parameters())


def test_published_counts() -> None:
    with shapes_only():
        fcn, original = build("fcn8s", classes=21), build("unet_original", classes=2)
    assert parameters(fcn) == 134_362_751
    assert parameters(original) == 31_030_658
    # 388 pixels are mirrored to the paper's 572
    assert gmacs(original, (388, 388)) == pytest.approx(150.4, abs=0.05)


def test_auxiliary_heads_have_parameters_but_cost_nothing_in_prediction() -> None:
    with shapes_only():
        plain, auxiliary = (build("fcn", classes=21, auxiliary=stage) for stage in (0, 16))
    assert parameters(auxiliary) - parameters(plain) == 2_365_205
    assert gmacs(auxiliary, (64, 64)) == gmacs(plain, (64, 64))


@pytest.mark.parametrize("name", sorted(SMALL))
def test_every_architecture_is_counted_without_memory(name: str) -> None:
    with shapes_only():
        model = build(name, classes=3, **SMALL[name])
    assert 0 < gmacs(model, (32, 64)) < gmacs(model, (64, 64))


def test_attention_is_counted() -> None:
    """All but attention grows with the area; attention with its square, as every token looks at all of the reduced."""
    with shapes_only():
        model = build("segformer", classes=3, encoder="mit_b0", channels=16)

    def attention(side: int) -> int:
        stages = ((32, 4, 8), (64, 8, 4), (160, 16, 2), (256, 32, 1))  # width, stride, reduction; two blocks each
        tokens = [(side // stride) ** 2 for _, stride, _ in stages]
        products = 2 * sum(
            n * (n // reduction**2) * width for n, (width, _, reduction) in zip(tokens, stages, strict=True)
        )
        return 2 * products

    once, twice = (round(gmacs(model, (side, side)) * 1e9) for side in (128, 256))
    assert twice - 4 * once == attention(256) - 4 * attention(128) > 0
