"""The bundled model of airborne laser scans."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

import intarsia
from intarsia.bundle import Bundle
from intarsia.cli.main import main
from intarsia.datasets.layouts.clouds import decode
from intarsia.media.clouds import read_cloud
from intarsia.metrics import ConfusionMatrix
from intarsia.preprocessing import CloudPreprocessing

ZOO = Path(str(files("intarsia") / "zoo"))
TILE = "clouds/ign_lidarhd/test_data_77055_627760_LA93_IGN69.laz"
CODES = {code: code - 1 for code in range(1, 7)}


def test_it_is_small_needs_no_colours_and_tells_what_it_is() -> None:
    path = ZOO / "airborne-lidar.safetensors"
    assert path.stat().st_size <= 10_000_000
    bundle = Bundle.load(path)
    assert bundle.space.names == (
        "unclassified", "ground", "low_vegetation", "medium_vegetation", "high_vegetation", "building",
    )  # fmt: skip
    assert isinstance(bundle.preprocessing, CloudPreprocessing)
    assert bundle.preprocessing.features == ("height", "intensity", "returns", "shape")
    assert not bundle.metrics, "every tile that could measure it was trained on"
    assert bundle.recipe is not None
    assert not Path(bundle.recipe["data"]["path"]).is_absolute()
    card = (ZOO / "airborne-lidar.md").read_text()
    for word in ("Licence Ouverte 2.0", "77055_627760", "Limits", *bundle.space.names):
        assert word in card


def test_it_labels_a_tile_and_keeps_the_file(real_data: Path, tmp_path: Path) -> None:
    """The tile is one of those that it was trained on: a check of the whole path, no measurement."""
    pytest.importorskip("laspy")
    source, target = real_data / TILE, tmp_path / "labelled.laz"
    assert main(["segment", str(source), "-o", str(target)]) == 0
    before, after = read_cloud(source), read_cloud(target)
    assert np.array_equal(before.xyz, after.xyz)
    assert np.array_equal(before.fields["gps_time"], after.fields["gps_time"])
    assert before.label is not None
    assert after.label is not None
    space = intarsia.load("airborne-lidar").space
    matrix = ConfusionMatrix(len(space), ignore_index=space.ignore_index)
    matrix.update(decode(after.label, CODES, space), decode(before.label, CODES, space))
    scores = matrix.compute()
    assert scores.pixel_accuracy > 0.93
    assert scores.miou > 0.68
