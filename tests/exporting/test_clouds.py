"""Networks of points as ONNX files: the same neighbours, scores and labels, and clouds labelled without torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import intarsia
from intarsia.bundle import Bundle, Description, Exported
from intarsia.errors import ModelError, UsageError
from intarsia.exporting.comparing import compare, random_blocks
from intarsia.exporting.graph import require_exportable, to_onnx
from intarsia.exporting.writing import write_onnx
from intarsia.inference.clouds import CloudPredictor
from intarsia.labels import LabelSpace
from intarsia.media.clouds import PointCloud
from intarsia.models import build
from intarsia.models.cloud.layers import CloudModel, gather
from intarsia.models.cloud.neighbours import ball, farthest_points, ring
from intarsia.models.cloud.randlanet import RandLANet
from intarsia.models.cloud.rings import ring_order
from intarsia.preprocessing import CloudPreprocessing
from intarsia.runtimes import choose
from intarsia.runtimes.onnx import OnnxRuntime
from intarsia.runtimes.torch import TorchRuntime

pytest.importorskip("scipy")
SPACE = LabelSpace(("ground", "building", "tree"))
POINTS = 512


class Searches(CloudModel):
    """Every search that networks of points do, by which each point is described: equal outputs are equal neighbours."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(10, 4)

    def points(self, rows: Tensor) -> Tensor:
        xyz = rows[..., :3].contiguous()
        picked = farthest_points(xyz, torch.sym_min(300, xyz.shape[1]))  # more than the smallest block has
        centres = gather(xyz, picked)
        near, found = ball(centres, xyz, 0.2, 9)  # some have fewer than nine, and lonely ones none but themselves
        around, there = ring(centres, xyz, 0.1, 0.4, 6)
        around = torch.where(around < 0, picked[..., None], around)
        order = ring_order(gather(xyz, around), centres, nn.functional.normalize(centres, dim=-1))
        turned = gather(xyz, around.gather(2, order))
        turned = (turned * turned.roll((1, 1), (2, 3))).sum(dim=2)  # alike wherever the ring begins, as A-CNN is
        few = centres[:, :5]
        lonely, _ = ball(few + 5, xyz, 0.1, 3)  # nothing is in these balls: the nearest of all
        padded, _ = ball(xyz[:, :2], few, 9.0, 8)  # more than there are
        far = gather(xyz, lonely)[:, :, 2].mean(dim=1) + gather(few, padded)[:, 0].mean(dim=1)
        shares = torch.stack([found.float() / 9, there.float() / 6, found.float() * there], dim=-1)
        rest = far.sum(-1)[:, None, None] + shares[..., :1]
        described = torch.cat([gather(xyz, near)[:, :, -1], turned, shares, rest], dim=2)
        back, _ = ball(xyz, centres, 9.0, 1)
        scores: Tensor = self.out(gather(described, back[..., 0]))
        order = RandLANet._order(self, rows)  # type: ignore[arg-type]
        return torch.empty_like(scores).index_copy_(1, order, scores)


def written(model: CloudModel, points: int, file: Path) -> OnnxRuntime:
    told = Exported(stride=1, align_corners=False, margin=0, precision="fp32", origin="", agreement=1)
    network = to_onnx(require_exportable(model.eval(), "net"), points)
    write_onnx(network, {"intarsia.runtime": told.model_dump_json()}, file)
    return OnnxRuntime(file, 4)


def test_all_searches_find_the_same(tmp_path: Path) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Searches()
    made, original = written(model, POINTS, tmp_path / "net.onnx"), TorchRuntime(model, precision="fp32", device="cpu")
    blocks = random_blocks(3, POINTS, 2.0)
    assert [block.shape for block in blocks] == [(2, 3, 512), (2, 3, 256), (2, 3, 128)]
    found = compare(made, original, blocks, 4)
    assert found.agreement == 1 and found.difference < 1e-4 and found.inputs == 3
    turned = np.ascontiguousarray(blocks[0][:, :, ::-1])
    with pytest.raises(AssertionError):  # what is compared depends on the points
        np.testing.assert_allclose(original.logits(turned), original.logits(blocks[0]), atol=1e-3)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build("pointnet_scene", classes=3, in_channels=4)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm1d) and module.running_mean is not None:
                module.running_mean.normal_(0, 0.1)
        nn.init.normal_(model.out.weight)  # type: ignore[union-attr, arg-type]
        with torch.no_grad():  # no class is likelier than the others
            model.out.bias -= model.eval().logits(torch.from_numpy(random_blocks(4, 256, 8.0)[0])).mean((0, 2))  # type: ignore[union-attr, operator]
    seen = CloudPreprocessing(features=("intensity",), block=8.0, points=256)
    return Bundle("pointnet_scene", {"in_channels": 4}, SPACE, seen, model.state_dict())


def test_a_cloud_is_labelled_by_its_file(bundle: Bundle, tmp_path: Path) -> None:
    bundle.save(tmp_path / "net.safetensors")
    made = intarsia.export(tmp_path / "net.safetensors", tmp_path / "net.onnx")
    assert made.exported.agreement >= 0.9999 and made.exported.record["difference"] < 1e-4
    assert made.exported.stride == 1 and made.exported.origin == bundle.checksum()
    random = np.random.default_rng(0)
    xyz = random.uniform(0, (30, 30, 6), (2000, 3)) + np.array([770_000, 6_270_000, 100])
    given = PointCloud(xyz, {"intensity": random.integers(0, 65535, 2000).astype(np.uint16)})
    model = intarsia.load(made.file)
    assert isinstance(model, CloudPredictor) and model.runtime.name == "onnx"
    wanted = CloudPredictor(bundle).probabilities(given)
    assert np.abs(model.probabilities(given) - wanted).max() < 1e-4
    assert np.array_equal(model.segment(given).labels, wanted.argmax(axis=1)) and len(np.unique(wanted.argmax(1))) > 1
    # Training goes on from the file, and a bundle's own trees are not left for the file beside it.
    assert TorchRuntime.of(Bundle.of(Description.load(made.file))).logits(np.zeros((1, 4, 8), np.float32)).shape[1] == 3
    assert choose(Description.load(tmp_path / "net.safetensors"), "auto", "cpu")[0] == "torch"


def test_what_cannot_be_had_of_a_network_of_points_is_said(bundle: Bundle, tmp_path: Path) -> None:
    bundle.save(tmp_path / "net.safetensors")
    with pytest.raises(UsageError, match=r"networks of points are exported for ONNX Runtime alone: -o .*net\.onnx"):
        intarsia.export(tmp_path / "net.safetensors", tmp_path / "net.xml")
    with pytest.raises(ModelError, match="net cannot be exported: it tells what a cloud is as a whole"):
        require_exportable(build("pointnet", classes=3, task="classification"), "net")
    with pytest.raises(ModelError, match="net cannot be exported: a forest is no network"):
        require_exportable(build("point_forest", classes=3), "net")
