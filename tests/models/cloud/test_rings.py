"""A-CNN's claims: the order around a ring, its circular kernel, and how full rings are."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from intarsia.models.cloud.rings import AnnularLevel, Level, RingConv, RingSpec, radii_for, ring_fill, ring_order


def rotation(seed: int) -> Tensor:
    matrix, _ = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(seed)).double())
    return matrix * torch.linalg.det(matrix)


def test_order_is_the_angle_clockwise_from_the_first() -> None:
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        angles = torch.rand(9, generator=generator).double() * 2 * math.pi
        radii = 0.5 + torch.rand(9, generator=generator).double()
        height = torch.randn(9, generator=generator).double()  # is projected away
        flat = torch.stack([radii * angles.cos(), radii * angles.sin(), height], -1)
        turn = rotation(seed)
        centre = torch.randn(3, generator=generator).double()
        order = ring_order((flat @ turn.T + centre)[None, None], centre[None, None], (turn[:, 2])[None, None])[0, 0]
        clockwise = (angles[0] - angles) % (2 * math.pi)
        assert order[0] == 0
        assert order[1:].tolist() == (clockwise[1:].argsort() + 1).tolist()


def test_order_of_points_in_the_centre_is_defined() -> None:
    neighbours = torch.zeros(1, 1, 4, 3)
    neighbours[0, 0, 2] = torch.tensor([1.0, 0, 0])
    order = ring_order(neighbours, torch.zeros(1, 1, 3), torch.tensor([[[0.0, 0, 1]]]))
    assert order.tolist() == [[[0, 1, 2, 3]]]


def test_kernel_is_a_circular_convolution() -> None:
    conv = RingConv(5, (7,)).eval()
    x = torch.randn(2, 3, 8, 5)
    linear = conv.layers[0].linear
    weight = linear.weight.view(7, 3, 5).permute(0, 2, 1)  # as torch's convolutions have it
    rows = F.pad(x.flatten(0, 1).transpose(1, 2), (0, 2), "circular")
    expected = F.relu(F.conv1d(rows, weight, linear.bias) / math.sqrt(1 + 1e-5)).amax(2).view(2, 3, 7)
    assert torch.allclose(conv(x), expected, atol=1e-5)
    assert torch.allclose(conv(x), conv(x.roll(3, 2)), atol=1e-6)  # where a ring starts does not matter


def level(count: int = 300) -> Level:
    generator = torch.Generator().manual_seed(0)
    normals = F.normalize(torch.randn(1, count, 3, generator=generator), dim=-1)
    return Level(normals, torch.rand(1, count, 4, generator=generator), normals)  # a sphere


def test_level_does_not_depend_on_the_order_of_points() -> None:
    module = AnnularLevel(4, 32, (RingSpec(0, 0.3, 6, (8, 8)), RingSpec(0.3, 0.6, 12, (8,)))).eval()
    given = level()
    order = torch.randperm(300)
    out, moved = module(given), module(Level(*(part[:, order] for part in given)))
    assert torch.equal(out.xyz, moved.xyz)
    assert torch.allclose(out.features, moved.features, atol=1e-6)


def test_turned_cloud_has_the_same_rings() -> None:
    """Only the offsets, which are features as well, see a rotation; without their weights nothing changes."""
    module = AnnularLevel(4, 300, (RingSpec(0, 0.3, 6, (8,)), RingSpec(0.3, 0.6, 12, (8,)))).eval()
    for conv in module.convs:
        weight = conv.layers[0].linear.weight.view(8, 3, 7)
        weight.data[:, :, 4:] = 0
    given, turn = level(), rotation(3).float()
    turned = Level(given.xyz @ turn.T, given.features, given.normals @ turn.T)
    out, other = module(given), module(turned)
    same = torch.cdist(out.xyz @ turn.T, other.xyz).argmin(-1)[0]  # all points are sampled, each in its own order
    assert torch.allclose(out.features, other.features[:, same], atol=1e-4)


def test_ring_fill_on_a_sphere_is_what_geometry_says() -> None:
    """On a unit sphere a cap of chord r holds the share r * r / 4 of the points."""
    generator = torch.Generator().manual_seed(0)
    xyz = F.normalize(torch.randn(8, 1024, 3, generator=generator), dim=-1)
    inner, outer = ring_fill(xyz, 1024, ((0, 0.1, 16), (0.1, 0.2, 48)))
    assert inner * 16 == pytest.approx(1 + 1023 * 0.01 / 4, rel=0.05)
    assert outer * 48 == pytest.approx(1023 * 0.03 / 4, rel=0.05)


def test_radii_follow_the_spacing() -> None:
    assert radii_for(0.2, 2) == [((0.0, 0.5), (0.5, 1.0)), ((0.0, 1.0), (1.0, 2.0))]
