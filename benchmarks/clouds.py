"""Point clouds: PointNet against the usual PyTorch form, neighbour searches against brute force, and a whole tile.

The peer is PointNet for scenes as its PyTorch ports write it: convolutions of length one over (N, C, P), the pooled
feature repeated for every point and concatenated, batch-norms kept in prediction. Both compute the same function of the
same sizes, which is checked on shared weights.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from common import Row, alternate, arguments, compare, report
from torch import Tensor, nn
from torch.nn import functional as F

from intarsia.bundle import Bundle
from intarsia.inference.clouds import CloudPredictor
from intarsia.media.clouds import read_cloud
from intarsia.models import build
from intarsia.models.cloud.neighbours import farthest_points, nearest, ring
from intarsia.models.cloud.pointnet import PointNet
from intarsia.models.cloud.rings import radii_for, ring_fill
from intarsia.transforms.clouds.geometry import spacing

TILE = "clouds/ign_lidarhd/test_data_77055_627760_LA93_IGN69.laz"
RINGS = ((0.0, 0.1, 16), (0.1, 0.2, 48))


class PlainTransform(nn.Module):
    """A T-Net; the identity is left out, as both sides share weights."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.convs = nn.ModuleList([nn.Conv1d(a, b, 1) for a, b in ((size, 64), (64, 128), (128, 1024))])
        self.norms = nn.ModuleList([nn.BatchNorm1d(width) for width in (64, 128, 1024)])
        self.linears = nn.ModuleList([nn.Linear(1024, 512), nn.Linear(512, 256)])
        self.linear_norms = nn.ModuleList([nn.BatchNorm1d(width) for width in (512, 256)])
        self.out = nn.Linear(256, size * size)

    def forward(self, x: Tensor) -> Tensor:
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = F.relu(norm(conv(x)))
        x = torch.max(x, 2)[0]
        for linear, norm in zip(self.linears, self.linear_norms, strict=True):
            x = F.relu(norm(linear(x)))
        return self.out(x).view(-1, self.size, self.size)


class PlainPointNet(nn.Module):
    """PointNet's segmentation network over (N, C, P)."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.align, self.align_features = PlainTransform(3), PlainTransform(64)

        def chain(*widths: int) -> nn.Sequential:
            layers: list[nn.Module] = []
            for a, b in pairwise(widths):
                layers += [nn.Conv1d(a, b, 1), nn.BatchNorm1d(b), nn.ReLU()]
            return nn.Sequential(*layers)

        self.first, self.second = chain(3, 64, 64), chain(64, 64, 128, 1024)
        self.head, self.out = chain(1088, 512, 256, 128, 128), nn.Conv1d(128, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.bmm(x.transpose(2, 1), self.align(x)).transpose(2, 1)
        x = self.first(x)
        own = torch.bmm(x.transpose(2, 1), self.align_features(x)).transpose(2, 1)
        pooled = torch.max(self.second(own), 2, keepdim=True)[0]
        return self.out(self.head(torch.cat([own, pooled.repeat(1, 1, own.shape[2])], 1)))


def share_weights(ours: nn.Module, plain: nn.Module) -> None:
    """Give both the same weights; their layers come in the same order."""
    kinds = (nn.Linear, nn.Conv1d, nn.BatchNorm1d)
    mine = [module for module in ours.modules() if isinstance(module, kinds)]
    theirs = [module for module in plain.modules() if isinstance(module, kinds)]
    layers = [module for module in mine if isinstance(module, nn.Linear)]
    norms = [module for module in mine if isinstance(module, nn.BatchNorm1d)]
    for target in theirs:
        source = (norms if isinstance(target, nn.BatchNorm1d) else layers).pop(0)
        for name, value in source.state_dict().items():
            own = target.state_dict()[name]
            own.copy_(value.view(own.shape))


def reorder(plain: PlainPointNet, ours: PointNet) -> None:
    """Both hold alignment, first layers, feature alignment, second layers and head; only their order differs."""
    pairs = (
        (ours.align, plain.align), (ours.first, plain.first), (ours.align_features, plain.align_features),
        (ours.second, plain.second), (ours.head, plain.head), (ours.out, plain.out),
    )  # fmt: skip
    for mine, theirs in pairs:
        assert mine is not None
        share_weights(mine, theirs)


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def pointnet_rows(rounds: int) -> list[Row]:
    torch.manual_seed(0)
    ours, plain = build("pointnet", classes=13), PlainPointNet(13)
    assert isinstance(ours, PointNet)
    reorder(plain, ours)
    x, target = torch.rand(8, 3, 4096), torch.randint(0, 13, (8, 4096))
    with torch.no_grad():
        difference = (ours.eval()(x) - plain.eval()(x)).abs().max().item()
    assert difference < 1e-3, f"the two networks differ by {difference}"

    def predict(model: nn.Module) -> Callable[[], float]:
        def run() -> float:
            with torch.inference_mode():
                return 8 * 4096 / seconds(lambda: model.eval()(x))

        return run

    def step(model: nn.Module) -> Callable[[], float]:
        def run() -> float:
            model.train().zero_grad()
            return 8 / seconds(lambda: F.cross_entropy(model(x), target).backward())

        return run

    row = partial(compare, "PointNet, 8 blocks of 4096", peer_name="as PyTorch ports write it", higher_is_better=True)
    predicted = alternate(rounds, predict(ours), predict(plain))
    trained = alternate(rounds, step(ours), step(plain))
    return [
        row("prediction", "points/s", ours=predicted[0], peer=predicted[1]),
        row("training", "blocks/s", ours=trained[0], peer=trained[1]),
    ]


def brute_ring(query: Tensor, xyz: Tensor, inner: float, outer: float, count: int) -> Tensor:
    distance = torch.cdist(query, xyz)
    return distance.masked_fill((distance < inner) | (distance >= outer), torch.inf).topk(count, largest=False).indices


def plain_sampling(xyz: Tensor, count: int) -> Tensor:
    picked = torch.zeros(len(xyz), count, dtype=torch.long)
    distance = torch.full(xyz.shape[:2], 1e10)
    last = torch.zeros(len(xyz), dtype=torch.long)
    for step in range(count):
        picked[:, step] = last
        offset = xyz - xyz[torch.arange(len(xyz)), last][:, None]
        distance = torch.minimum(distance, (offset**2).sum(-1))
        last = distance.argmax(-1)
    return picked


def neighbour_rows(rounds: int) -> list[Row]:
    xyz = F.normalize(torch.randn(8, 4096, 3), dim=-1)
    centres = xyz[:, :1024]

    def rings(find: Callable[..., object]) -> Callable[[], float]:
        return lambda: seconds(lambda: [find(centres, xyz, *spec) for spec in RINGS])

    def knn() -> float:
        return seconds(lambda: nearest(centres, xyz, 16))

    def knn_brute() -> float:
        return seconds(lambda: torch.cdist(centres, xyz).topk(16, largest=False))

    def sample(find: Callable[[Tensor, int], Tensor]) -> Callable[[], float]:
        return lambda: seconds(lambda: find(xyz, 1024))

    searches = alternate(rounds, rings(ring), rings(brute_ring))
    nearests = alternate(rounds, knn, knn_brute)
    samplings = alternate(rounds, sample(farthest_points), sample(plain_sampling))
    rows = [
        compare("rings of A-CNN, 8 x 4096", "search", "s", *searches, "cdist and topk"),
        compare("16 nearest of 4096, 8 x 1024", "search", "s", *nearests, "cdist and topk"),
        compare("farthest points, 8 x 4096 to 1024", "sampling", "s", *samplings, "plain torch"),
    ]
    for (inner, outer, count), share in zip(RINGS, ring_fill(xyz[:, :1024], 512, RINGS), strict=True):
        rows.append(Row(f"ring {inner:g}-{outer:g}, unit sphere", f"fill of {count}", "", share, None, "", None))
    return rows


def tile_rows(tile: Path, bundle: Path | None) -> list[Row]:
    cloud = read_cloud(tile)
    xyz = (cloud.xyz - cloud.xyz.mean(axis=0)).astype(np.float32)
    gap = spacing(xyz)
    sample = torch.from_numpy(xyz[None, :: max(1, len(xyz) // 4096)])
    gap_of_sample = spacing(sample[0].numpy())
    rows = [Row(f"{tile.name}", "median spacing", "m", gap, None, "", None)]
    for (inner, outer), count in zip(radii_for(gap_of_sample, 1)[0], (16, 32), strict=True):
        fill = ring_fill(sample, 1024, ((inner, outer, count),))[0]
        rows.append(Row(f"ring {inner:.2f}-{outer:.2f} m, by spacing", f"fill of {count}", "", fill, None, "", None))
    if bundle is not None:
        predictor = CloudPredictor(Bundle.load(bundle))
        took = seconds(lambda: predictor.segment(tile))
        rows.append(Row(f"whole tile, {len(cloud):,} points", "prediction", "s", took, None, "", None))
    return rows


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--bundle", type=Path, help="a model of clouds, to time on a whole tile")
    options = parser.parse_args()
    tile = Path(os.environ.get("INTARSIA_DATA", "../shared/data")) / TILE
    rounds = 2 if options.quick else 6
    rows = [*pointnet_rows(rounds), *neighbour_rows(rounds)]
    if tile.is_file():
        rows += tile_rows(tile, options.bundle)
    report("Point clouds", rows, options.json, threads=torch.get_num_threads())


if __name__ == "__main__":
    main()
