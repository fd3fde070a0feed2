"""PointNeXt against a plain form of the paper's blocks: every neighbour's product taken, (B, C, M, k) convolutions."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from intarsia.models import build
from intarsia.models.cloud.layers import RowNorm, Shared
from intarsia.models.cloud.neighbours import farthest_points, interpolation
from intarsia.models.cloud.pointnext import InvertedResidual, PointNeXt, SetAbstraction, Stage

pytest.importorskip("scipy")

NEIGHBOURS = 8


def layer(shared: Shared, x: Tensor, *, active: bool = True) -> Tensor:
    """Convolution of size 1, norm and activation of (B, C, ...)."""
    norm = shared.norm
    weight = shared.linear.weight.view(*shared.linear.weight.shape, *[1] * (x.ndim - 2))
    y = (F.conv1d if x.ndim == 3 else F.conv2d)(x, weight)
    y = F.batch_norm(y, norm.running_mean, norm.running_var, norm.weight, norm.bias, norm.training, norm.momentum)
    return F.relu(y) if active else y


def group(xyz: Tensor, centres: Tensor, features: Tensor, radius: float, count: int) -> Tensor:
    """Offsets over the radius and features of the neighbours: (B, 3 + C, M, k)."""
    distance = torch.cdist(centres, xyz, compute_mode="donot_use_mm_for_euclid_dist")
    near, index = distance.topk(min(count, xyz.shape[1]), largest=False)
    index = torch.where(near < radius, index, index[..., :1])
    index = torch.cat([index, index[..., :1].expand(-1, -1, count - index.shape[2])], 2)
    batch = torch.arange(len(xyz))[:, None, None]
    offset = (xyz[batch, index] - centres[:, :, None]) / radius
    return torch.cat([offset, features.transpose(1, 2)[batch, index]], -1).permute(0, 3, 1, 2)


def farthest(xyz: Tensor, count: int) -> Tensor:
    picked = [int(farthest_points(xyz[None], 1))]  # where it starts is free
    while len(picked) < count:
        picked.append(int(torch.cdist(xyz, xyz[picked]).amin(1).argmax()))
    return torch.tensor(picked)


def abstraction(module: SetAbstraction, xyz: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
    picked = torch.stack([farthest(cloud, xyz.shape[1] // 4) for cloud in xyz])
    batch = torch.arange(len(xyz))[:, None]
    centres = xyz[batch, picked]
    grouped = group(xyz, centres, features, module.radius, module.neighbours)
    y = layer(module.around.layer, grouped)
    if module.second is None:
        return centres, y.amax(3)
    assert module.shortcut is not None
    own = features.transpose(1, 2)[batch, picked].transpose(1, 2)
    y = layer(module.second, y, active=False).amax(3)
    return centres, F.relu(y + F.conv1d(own, module.shortcut.weight[..., None], module.shortcut.bias))


def residual(module: InvertedResidual, xyz: Tensor, features: Tensor) -> Tensor:
    y = layer(module.around.layer, group(xyz, xyz, features, module.around.radius, NEIGHBOURS)).amax(3)
    return F.relu(layer(module.narrow, layer(module.wide, y), active=False) + features)


def upsampled(upper: Tensor, lower: Tensor, features: Tensor) -> Tensor:
    distance = torch.cdist(lower, upper, compute_mode="donot_use_mm_for_euclid_dist")
    distance, index = distance.topk(min(3, upper.shape[1]), largest=False)
    weight = 1 / distance.clamp(min=1e-10)
    weight = weight / weight.sum(2, keepdim=True)
    values = features.transpose(1, 2)[torch.arange(len(upper))[:, None, None], index]
    return (values * weight[..., None]).sum(2).transpose(1, 2)


def plain(model: PointNeXt, x: Tensor) -> Tensor:
    """The whole network of (B, C, N); drop-out is off."""
    xyz, features = x[:, :3].transpose(1, 2), F.conv1d(x[:, 2:], model.stem.weight[..., None], model.stem.bias)
    stages = [(xyz, features)]
    for stage in model.stages:
        assert isinstance(stage, Stage)
        xyz, features = abstraction(stage.abstraction, *stages[-1])
        for block in stage.blocks:
            assert isinstance(block, InvertedResidual)
            features = residual(block, xyz, features)
        stages.append((xyz, features))
    y = features
    for place, mlp in enumerate(model.decoder):
        (upper, _), (lower, skip) = stages[-1 - place], stages[-2 - place]
        y = torch.cat([skip, upsampled(upper, lower, y)], 1)
        assert isinstance(mlp, nn.Sequential)
        for shared in mlp:
            assert isinstance(shared, Shared)
            y = layer(shared, y)
    return F.conv1d(layer(model.head, y), model.out.weight[..., None], model.out.bias)


def network(**options: Any) -> PointNeXt:
    torch.manual_seed(0)
    model = build("pointnext", classes=5, in_channels=6, radius=0.25, neighbours=NEIGHBOURS, dropout=0.0, **options)
    assert isinstance(model, PointNeXt)
    for module in model.modules():
        if isinstance(module, RowNorm):
            nn.init.uniform_(module.weight, -1.5, 1.5)  # negative ones turn the order of the neighbours around
            nn.init.uniform_(module.bias, -0.2, 0.2)
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 2)
    return model


@pytest.mark.parametrize("size", ["s", "b"])
@pytest.mark.parametrize("training", [False, True])
def test_it_is_the_papers_network(size: str, training: bool) -> None:
    model = network(size=size).train(training).double()
    x = torch.rand(2, 6, 512, generator=torch.Generator().manual_seed(1)).double()
    expected = plain(model, x)
    found = model(x)
    assert torch.allclose(found, expected, atol=1e-8)
    assert expected.std() > 0.05


def test_gradients_are_those_of_the_plain_form() -> None:
    model = network().train().double()
    x = torch.rand(2, 6, 256, generator=torch.Generator().manual_seed(1)).double()
    weight = torch.randn(2, 5, 256, generator=torch.Generator().manual_seed(2)).double()
    names, values = zip(*model.named_parameters(), strict=True)
    found = torch.autograd.grad((model(x) * weight).sum(), values)
    expected = torch.autograd.grad((plain(model, x) * weight).sum(), values)
    for name, ours, theirs in zip(names, found, expected, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-6, atol=1e-6), name


def test_where_the_block_lies_matters_only_for_its_height() -> None:
    model = network().eval()
    x = torch.rand(1, 6, 256, generator=torch.Generator().manual_seed(1))
    moved, lifted = x.clone(), x.clone()
    moved[:, :2] += 8
    lifted[:, 2] += 1
    with torch.no_grad():
        found = model(x)
        assert torch.allclose(model(moved), found, atol=1e-3)
        assert (model(lifted) - found).abs().max() > 0.02


def test_plain_distances_weigh_its_interpolation() -> None:
    xyz = torch.tensor([[[0.0, 0, 0], [4, 0, 0]]])
    index, weight = interpolation(torch.tensor([[[1.0, 0, 0]]]), xyz, power=1)
    assert index.tolist() == [[[0, 1]]]
    assert weight[0, 0].tolist() == pytest.approx([0.75, 0.25])
