"""What makes labels less sure is said with them: empty fields, another density, another unit, decisions on reading."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from intarsia.inference.clouds.doubts import Doubts, look
from intarsia.media.clouds import PointCloud
from intarsia.preprocessing import CloudPreprocessing
from intarsia.transforms.clouds.blocks import windows
from intarsia.transforms.clouds.columns import occupancy
from intarsia.transforms.clouds.scene import prepare

pytest.importorskip("scipy")


def said(xyz: np.ndarray, **settings: object) -> str:
    preprocessing = CloudPreprocessing(features=(), **{"block": 16.0, "points": 1024} | settings)  # type: ignore[arg-type]
    doubts = Doubts(preprocessing)
    doubts.add(look(preprocessing, PointCloud(xyz), prepare(PointCloud(xyz), preprocessing)))
    return " ".join(doubts.notes())


def test_density_and_unit() -> None:
    random = np.random.default_rng(0)
    shares = random.uniform(0, 1, (2000, 3))
    assert said(shares * (20, 20, 5)) == ""
    assert said(shares * (20, 20, 5), density=2.0) == ""
    sparse = said(shares * (200, 200, 5))
    assert "points per square metre, and the model has learnt from about 4" in sparse and "train on clouds" in sparse
    assert "learnt from about 50" in said(shares * (20, 20, 5), density=50.0)
    assert "the whole cloud is 0.0003 by 0.0003 wide" in said(
        np.add(np.round(shares * 3e-4, 9), (11.5, 48.1, 200)), voxel=0.3
    )
    assert said(shares * (200, 200, 5), whole=True, block=2.0) == ""
    assert said(np.zeros((1, 3))) == said(np.ones((50, 3))) == ""


def test_fields_without_content() -> None:
    doubts = Doubts(CloudPreprocessing(features=("height", "color", "returns", "category"), block=1.0, points=8))
    present = ("red", "green", "blue", "return_number", "number_of_returns", "category")
    doubts.fields({"return_number", "green"}, present)
    assert list(doubts.notes()) == []
    doubts.fields({"return_number"}, present)
    assert list(doubts.notes()) == ["red, green, blue: 0 everywhere, and the model looks at them (color): less sure"]
    doubts.fields(set(), ("return_number", "number_of_returns"))
    assert [note.partition(":")[0] for note in doubts.notes()] == ["return_number, number_of_returns"]


def test_columns_of_nearly_empty_ground_do_not_overlap() -> None:
    random = np.random.default_rng(0)
    thin = random.uniform(0, 160, (200, 3)).astype(np.float32)
    assert occupancy(np.array([[0, 0, 0], [1, 1, 1], [16, 0, 0]], np.float32), 16.0).tolist() == [2, 2, 1]
    seen = np.zeros(len(thin), dtype=int)
    for centre, index, wanted in windows(thin, 16.0, 1024):
        assert wanted.all() and len(index) == 128
        assert (centre % 16 == 8).all()
        seen[np.unique(index)] += 1
    assert (seen == 1).all()
    # Where it is not, nothing changes, and what is nearly empty beside it is no longer asked for there.
    dense = np.concatenate([random.uniform(160, 192, (2000, 3)), thin]).astype(np.float32)
    asked = np.zeros(len(dense), dtype=int)
    for _, index, wanted in windows(dense, 16.0, 1024):
        asked[np.unique(index[wanted])] += 1
    assert (asked[2000:] == 1).all() and asked[:2000].min() >= 1 and asked[:2000].mean() > 2.5


def test_columns_count_by_whole_multiples_of_their_side() -> None:
    """So that a part of a scene gets the blocks of the whole."""
    random = np.random.default_rng(1)
    xyz = random.uniform(-100, 100, (600, 3)).astype(np.float32)
    part = np.flatnonzero((xyz[:, 0] >= -32) & (xyz[:, 0] < 48))
    assert np.array_equal(occupancy(xyz, 16.0)[part], occupancy(xyz[part], 16.0))


def test_notes_of_the_reader_come_with_the_result(tmp_path: Path) -> None:
    import torch

    from intarsia.bundle import Bundle
    from intarsia.errors import DataError
    from intarsia.inference.clouds import CloudPredictor
    from intarsia.labels import LabelSpace
    from intarsia.models import build

    torch.manual_seed(0)
    space, options = LabelSpace(("ground", "building")), {"in_channels": 4}
    model = build("pointnet_scene", classes=2, **options)
    settings = CloudPreprocessing(features=("intensity",), block=8.0, points=64)
    predictor = CloudPredictor(Bundle("pointnet_scene", options, space, settings, model.state_dict()))
    rows = np.random.default_rng(0).uniform(0, 8, (80, 4))
    np.savetxt(tmp_path / "a.txt", rows * (1, 1, 1, 0), fmt="%.3f", header="x y z intensity", comments="")
    assert predictor.segment(tmp_path / "a.txt").notes == (
        "intensity: 0 everywhere, and the model looks at them (intensity): less sure",
    )
    np.savetxt(tmp_path / "b.txt", rows, fmt="%.3f")
    found = predictor.segment(tmp_path / "b.txt")
    assert found.notes[0].startswith("its columns have no names and are taken for 'x y z intensity'")
    assert [one.cloud.name for one in predictor.segment(tmp_path)] == [
        str(tmp_path / name) for name in ("a.txt", "b.txt")
    ]
    np.savetxt(tmp_path / "c.txt", np.hstack([rows[:, :3], np.round(rows[:, 3:])]), fmt="%.3f")
    with pytest.raises(DataError, match=r"c\.txt \(.*taken for 'x y z label'.*\).*intensity \(needs intensity\)"):
        predictor.segment(tmp_path / "c.txt")
    drawn = found.render("top", size=400)
    assert drawn.width <= 400 and drawn.height > found.render("top", size=400).width * 0.9
    colors = {
        color for _, color in drawn.crop((0, drawn.height - 40, drawn.width, drawn.height)).getcolors(10**6) or []
    }
    assert {space.palette[space.index(name)] for name in found.areas()} <= colors
