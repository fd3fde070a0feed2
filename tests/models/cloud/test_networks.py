"""Every network of points: sizes as published, symmetries, gradients, bundles, and the blocks that break them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from intarsia.bundle import Bundle
from intarsia.errors import ModelError, UsageError
from intarsia.labels import LabelSpace
from intarsia.losses import CrossEntropy
from intarsia.models import Penalty, architectures_by_medium, build
from intarsia.models.cloud.layers import CloudModel, Shared
from intarsia.models.cloud.pointnet import Transform, orthogonality
from intarsia.models.cost import parameters
from intarsia.models.restore import restore
from intarsia.preprocessing import CloudPreprocessing
from intarsia.training.loop.supervision import supervised_loss

pytest.importorskip("scipy")

# Options that make each network small; one without an entry fails the sweep.
SMALL: dict[str, dict[str, Any]] = {
    "acnn": {"in_channels": 7, "spacing": 0.1},
    "pointnet": {"in_channels": 4},
    "pointnet2": {"in_channels": 4, "points": [64, 32, 16, 8], "width": 0.25, "radius": 0.3},
    "pointnet_scene": {"in_channels": 4},
    "pointnext": {"in_channels": 4, "radius": 0.3, "neighbours": 8},
    "randlanet": {"in_channels": 4, "widths": [8, 8], "neighbours": 6},
}
NETWORKS = sorted(name for name, known in architectures_by_medium()["cloud"].items() if not known.fitted)


def blocks(channels: int, batch: int = 2, points: int = 150, seed: int = 0) -> Tensor:
    return torch.rand(batch, channels, points, generator=torch.Generator().manual_seed(seed))


def small(name: str, classes: int = 3) -> CloudModel:
    torch.manual_seed(0)
    model = build(name, classes=classes, **SMALL[name])
    assert isinstance(model, CloudModel)
    # Norms with something to fold, T-Nets that turn something.
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 2)
        if isinstance(module, Transform):
            torch.nn.init.normal_(module.out.weight, std=0.02)
    return model


@pytest.mark.parametrize(
    ("name", "classes", "options", "count"),
    [
        ("pointnet", 40, {"task": "classification"}, 3_480_049),
        ("pointnet", 40, {"task": "classification", "transforms": False}, 819_624),
        ("pointnet", 50, {}, 3_558_907),
        ("pointnet", 50, {"task": "part", "in_channels": 19}, 8_574_923),
        ("pointnet_scene", 13, {}, 1_174_669),
        ("acnn", 40, {"task": "classification"}, 1_774_792),
        ("acnn", 50, {"task": "part", "in_channels": 22}, 1_434_162),
        # The released tables say 0.792, 3.828, 7.125 and 41.576 M for 13 classes, colour and height.
        ("pointnext", 13, {"in_channels": 6, "size": "s"}, 792_237),
        ("pointnext", 13, {"in_channels": 6, "size": "b"}, 3_827_853),
        ("pointnext", 13, {"in_channels": 6, "size": "l"}, 7_125_069),
        ("pointnext", 13, {"in_channels": 6, "size": "xl"}, 41_576_461),
    ],
)
def test_published_sizes(name: str, classes: int, options: dict[str, Any], count: int) -> None:
    assert parameters(build(name, classes=classes, **options)) == count


@pytest.mark.parametrize("name", NETWORKS)
def test_contract_and_gradients(name: str) -> None:
    model = small(name, classes=5).train()
    x = blocks(model.in_channels)
    loss = supervised_loss(CrossEntropy(), model.supervised(x), torch.randint(0, 5, (2, 150)))
    loss.backward()
    assert model(x).shape == (2, 5, 150)
    assert [key for key, value in model.named_parameters() if value.grad is None] == []


@pytest.mark.parametrize("name", sorted({*NETWORKS} - {"randlanet"}))
def test_points_of_a_permuted_cloud_get_the_same_logits(name: str) -> None:
    """All but RandLA-Net, which samples at random by design."""
    model = small(name).eval()
    x = blocks(model.in_channels)
    order = torch.randperm(150)
    with torch.no_grad():
        assert torch.allclose(model(x)[:, :, order], model(x[:, :, order]), atol=1e-4)


def test_randlanet_is_deterministic_when_it_predicts() -> None:
    model = small("randlanet").eval()
    x = blocks(4)
    with torch.no_grad():
        first = model(x)
        torch.manual_seed(99)
        assert torch.equal(first, model(x))


@pytest.mark.parametrize("name", NETWORKS)
def test_clouds_of_a_batch_do_not_see_each_other(name: str) -> None:
    model = small(name).eval()
    x = blocks(model.in_channels)
    with torch.no_grad():
        assert torch.allclose(model(x)[1:], model(x[1:]), atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("points", [1, 5])
def test_one_block_of_few_or_equal_points(name: str, points: int) -> None:
    model = small(name).train()
    for x in (blocks(model.in_channels, 1, points), torch.ones(1, model.in_channels, points)):
        out = model(x)
        assert out.shape == (1, 3, points)
        assert out.isfinite().all()
        out.sum().backward()
        assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


def test_folded_norm_and_split_weight_change_nothing() -> None:
    layer = Shared(7, 5)
    layer.norm.running_mean.uniform_(-1, 1)
    layer.norm.running_var.uniform_(0.5, 2)
    x, common = torch.randn(2, 9, 4), torch.randn(2, 3)
    joined = torch.cat([x, common[:, None].expand(-1, 9, -1)], -1)
    expected = layer.norm.eval()(layer.linear(joined)).relu()
    layer.eval()
    assert torch.allclose(layer(joined), expected, atol=1e-6)
    assert torch.allclose(layer(x, common), expected, atol=1e-6)


def test_alignment_starts_as_the_identity() -> None:
    for size in (3, 64):
        matrix = Transform(size, size)(torch.randn(4, 30, size))
        assert torch.equal(matrix, torch.eye(size).expand(4, -1, -1))
    assert orthogonality(matrix).item() == pytest.approx(0, abs=1e-5)
    # 2 I: T T' - I is 3 I, whose norm is 3 sqrt(3)
    assert orthogonality(2 * torch.eye(3).expand(5, -1, -1)).item() == pytest.approx(3 * 3**0.5)


def test_orthogonality_is_a_penalty_in_training_only() -> None:
    outputs = build("pointnet", classes=3).supervised(blocks(3))
    assert [type(output).__name__ for output in outputs] == ["Supervised", "Penalty"]
    assert isinstance(outputs[1], Penalty)
    assert outputs[1].weight == 0.001
    assert len(build("pointnet", classes=3, transforms=False).supervised(blocks(3))) == 1


def test_whole_clouds_are_classified() -> None:
    for name, channels in (("pointnet", 3), ("acnn", 6)):
        assert build(name, classes=4, task="classification").eval()(blocks(channels, 2, 600)).shape == (2, 4)


def test_parts_depend_on_the_category() -> None:
    for name, channels in (("pointnet", 19), ("acnn", 22)):
        model = build(name, classes=5, task="part", in_channels=channels).eval()
        x = blocks(channels, 1, 600)
        x[:, -16:] = 0
        other = x.clone()
        x[:, -16], other[:, -1] = 1, 1
        with torch.no_grad():
            assert not torch.allclose(model(x), model(other))


def test_category_head() -> None:
    model = build("pointnet", classes=5, task="part", in_channels=19).eval()
    assert model.category_logits(blocks(19)).shape == (2, 16)  # type: ignore[operator]


@pytest.mark.parametrize("name", NETWORKS)
def test_bundle_restores_the_logits(name: str, tmp_path: Path) -> None:
    model = small(name).eval()
    settings = CloudPreprocessing(features=("height",), block=4, points=128)
    space = LabelSpace(("a", "b", "c"))
    Bundle(name, dict(SMALL[name]), space, settings, model.state_dict()).save(tmp_path / "m.safetensors")
    bundle = Bundle.load(tmp_path / "m.safetensors")
    assert bundle.preprocessing == settings
    x = blocks(model.in_channels)
    with torch.no_grad():
        assert torch.equal(restore(bundle)(x), model(x))


@pytest.mark.parametrize(
    ("name", "options", "problem"),
    [
        ("pointnet", {"in_channels": 2}, "at least 3"),
        ("pointnet", {"task": "parts"}, "semantic, part or classification"),
        ("pointnet", {"task": "part"}, "at least 19"),
        ("acnn", {"in_channels": 3}, "the normal"),
        ("pointnet2", {"points": [64]}, "four levels"),
        ("pointnet2", {"radius": 0.0}, "greater than 0"),
        ("pointnext", {"radius": 0.0}, "greater than 0"),
        ("pointnext", {"size": "m"}, "s, b, l or xl"),
        ("randlanet", {"widths": [3]}, "even numbers"),
    ],
)
def test_options_that_cannot_be(name: str, options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ModelError, match=problem):
        build(name, classes=3, **options)


def test_misspelt_option() -> None:
    with pytest.raises(UsageError, match="Did you mean 'neighbours'"):
        build("randlanet", classes=3, neighbors=8)
