"""Damaged, missing and foreign sources of every medium: one kind of message, in Python and in the shell."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jobs_made import files, job
from networks import PLAIN

from intarsia.bundle import Bundle
from intarsia.cli.main import main
from intarsia.errors import DataError, IntarsiaError
from intarsia.inference import Predictor
from intarsia.inference.clouds import CloudPredictor
from intarsia.labels import LabelSpace
from intarsia.models import build
from intarsia.preprocessing import CloudPreprocessing, Preprocessing

SPACE = LabelSpace(("dark", "bright"))
UNET = {"encoder": "test_resnet", "channels": [8, 8, 8, 8]}
VOLUMES = Preprocessing(mean=(0.5,) * 3, std=(0.2,) * 3, slices=3, window=(0.0, 1.0))

# A name of each medium, a model for it, and what a sane reader cannot make of a few bytes.
MEDIA = {
    "picture": ("a.jpg", "pictures"),
    "raster": ("a.tif", "pictures"),
    "volume": ("a.nii.gz", "volumes"),
    "video": ("a.mp4", "pictures"),
    "cloud": ("a.laz", "clouds"),
    "cloud in text": ("a.ply", "clouds"),
}
DAMAGE: dict[str, Callable[[Path], object]] = {
    "missing": lambda path: None,
    "empty": lambda path: path.write_bytes(b""),
    "noise": lambda path: path.write_bytes(np.random.default_rng(0).bytes(5000)),
    "text": lambda path: path.write_text("<html>Not found</html>"),
    "a folder": lambda path: path.mkdir(),
}


def bundle(kind: str) -> Bundle:
    if kind == "clouds":
        model = build("pointnet_scene", classes=2, in_channels=3)
        settings = CloudPreprocessing(features=(), block=8.0, points=64)
        return Bundle("pointnet_scene", {"in_channels": 3}, SPACE, settings, model.state_dict())
    preprocessing = VOLUMES if kind == "volumes" else PLAIN
    return Bundle("unet", UNET, SPACE, preprocessing, build("unet", classes=2, **UNET).state_dict())


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Any]]:
    folder = tmp_path_factory.mktemp("models")
    made: dict[str, tuple[Path, Any]] = {}
    for kind in ("pictures", "volumes", "clouds"):
        one = bundle(kind)
        one.save(folder / f"{kind}.safetensors")
        made[kind] = folder / f"{kind}.safetensors", CloudPredictor(one) if kind == "clouds" else Predictor(one)
    return made


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("medium", MEDIA)
def test_one_kind_of_message(
    medium: str, damage: str, models: dict[str, tuple[Path, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for extra in {"picture": (), "raster": ("rasterio",), "volume": ("nibabel",), "video": ("av",)}.get(
        medium, ("laspy", "lazrs")
    ):
        pytest.importorskip(extra)
    name, kind = MEDIA[medium]
    path, predictor = models[kind]
    source, out = tmp_path / name, tmp_path / "out"
    DAMAGE[damage](source)
    with pytest.raises(IntarsiaError) as raised:
        found = predictor.segment(source)
        list(found)
    assert isinstance(raised.value, DataError), raised.value
    said = str(raised.value)
    assert name in said and "Traceback" not in said
    code = main(["segment", str(source), "-m", str(path), "-o", str(out)])
    errors = capsys.readouterr().err
    assert (code, "Traceback" in errors) == (3, False) and name in errors
    assert [file for file in files(tmp_path) if file not in (name, "out/manifest.jsonl")] == []


def test_one_of_many_is_named_and_the_others_are_done(models: dict[str, tuple[Path, Any]], tmp_path: Path) -> None:
    from PIL import Image

    (tmp_path / "in").mkdir()
    for name in ("a.png", "c.png"):
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "in" / name)
    (tmp_path / "in" / "b.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    result = job(models["pictures"][1], tmp_path / "in", tmp_path / "out")
    assert list(result.failures) == [str(tmp_path / "in" / "b.png")] and result.exit_code == 1
    assert [record["status"] for record in result.records] == ["done", "error", "done"]
    keys = {tuple(sorted(record)) for record in result.records}
    assert len(keys) == 1, "the same keys, whatever happened"


@pytest.mark.parametrize(
    ("kind", "name"), [("pictures", "a.laz"), ("clouds", "a.jpg"), ("clouds", "a.mp4"), ("volumes", "a.mp4")]
)
def test_a_model_of_another_medium(kind: str, name: str, models: dict[str, tuple[Path, Any]], tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"anything")
    with pytest.raises(IntarsiaError, match=f"{name}: this model is for"):
        list(models[kind][1].segment(tmp_path / name))
    with pytest.raises(DataError, match=f"{name}: this model is for"):
        job(models[kind][1], tmp_path / name, tmp_path / "out")
    assert main(["segment", str(tmp_path / name), "-m", str(models[kind][0]), "-o", str(tmp_path / "out")]) == 3
    assert [path.name for path in tmp_path.iterdir()] == [name]
