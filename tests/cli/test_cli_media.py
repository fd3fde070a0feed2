"""`intarsia segment`, `train` and `evaluate` with volumes and rasters: exit codes, files and what is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("nibabel", reason="volumes need intarsia[volumes]")
rasterio = pytest.importorskip("rasterio", reason="rasters need intarsia[geo]")

import numpy as np  # noqa: E402
import torch  # noqa: E402
from volumes_made import body, write_nifti, write_series  # noqa: E402

from intarsia.bundle import Bundle  # noqa: E402
from intarsia.cli.main import main  # noqa: E402
from intarsia.labels import LabelSpace  # noqa: E402
from intarsia.models import build  # noqa: E402
from intarsia.preprocessing import Preprocessing  # noqa: E402

SPACE = LabelSpace(("background", "organ", "lesion"))
OPTIONS = {"encoder": "test_resnet", "channels": (8, 8, 8, 8)}


def save_bundle(path: Path, preprocessing: Preprocessing) -> Path:
    torch.manual_seed(0)
    channels = len(preprocessing.mean)
    model = build("unet", classes=len(SPACE), **OPTIONS, in_channels=channels)
    Bundle("unet", {**OPTIONS, "in_channels": channels}, SPACE, preprocessing, model.state_dict()).save(path)
    return path


@pytest.fixture(scope="module")
def for_volumes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "ct.safetensors"
    return save_bundle(path, Preprocessing(mean=(0.5,) * 3, std=(0.2,) * 3, slices=3, window=(-200, 250)))


@pytest.fixture(scope="module")
def for_pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_bundle(tmp_path_factory.mktemp("model") / "photo.safetensors", Preprocessing())


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


def map_file(path: Path, *, bands: int = 3, known: bool = True) -> Path:
    values = np.random.default_rng(0).integers(0, 256, (bands, 40, 48), dtype=np.uint8)
    place = {"crs": "EPSG:32633", "transform": rasterio.Affine(1, 0, 5e5, 0, -1, 4e6)} if known else {}
    with rasterio.open(path, "w", driver="GTiff", count=bands, height=40, width=48, dtype="uint8", **place) as file:
        file.write(values)
    return path


def test_a_volume_into_one_file(for_volumes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ct = write_nifti(tmp_path / "ct.nii.gz", body()[0])
    out = tmp_path / "out.nii.gz"
    code, said, _ = run(capsys, "segment", ct, "-m", for_volumes, "-o", out)
    assert code == 0 and "(14x12x9" in said and " ml" in said and str(out) in said
    code, _, errors = run(capsys, "segment", ct, "-m", for_volumes, "-o", out)
    assert code == 2 and "exists already; overwrite (--overwrite)" in errors
    code, said, _ = run(capsys, "segment", ct, "-m", for_volumes, "-o", out, "--overwrite", "--json")
    assert code == 0 and json.loads(said)["records"][0]["outputs"] == {"labels": "out.nii.gz"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ct.nii.gz", "out.nii.gz"]


def test_a_series_into_one_file(for_volumes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = np.zeros((3, 8, 8), np.int16)
    folder = write_series(tmp_path / "ct", values, uid="1.2.3")
    write_series(folder, values, uid="1.2.4")
    code, _, errors = run(capsys, "segment", folder, "-m", for_volumes, "-o", tmp_path / "o.nii.gz")
    assert code == 3 and "holds 2 series; choose one by the end of its UID (--series)" in errors
    code, _, _ = run(capsys, "segment", folder, "-m", for_volumes, "-o", tmp_path / "o.nii.gz", "--series", "2.4")
    assert code == 0 and (tmp_path / "o.nii.gz").is_file()


def test_a_map_with_outlines(for_pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = map_file(tmp_path / "map.tif")
    out = tmp_path / "o" / "out.tif"
    code, said, _ = run(capsys, "segment", source, "-m", for_pictures, "-o", out, "--write", "polygons, confidence")
    assert code == 0 and "1 polygon" in said and "(48x40" in said
    assert sorted(path.name for path in out.parent.iterdir()) == ["out.confidence.tif", "out.geojson", "out.tif"]
    five = map_file(tmp_path / "five.tif", bands=5)
    code, _, errors = run(capsys, "segment", five, "-m", for_pictures, "-o", tmp_path / "f.tif")
    assert code == 3 and "choose three (--bands 4,3,2" in errors
    code, _, _ = run(capsys, "segment", five, "-m", for_pictures, "-o", tmp_path / "f.tif", "--bands", "5,1,2")
    assert code == 0
    nowhere = map_file(tmp_path / "nowhere.tif", known=False)
    code, said, _ = run(capsys, "segment", nowhere, "-m", for_pictures, "-o", tmp_path / "n.tif")
    assert code == 0 and "note: " in said and "has no georeference" in said
    code, _, errors = run(
        capsys, "segment", nowhere, "-m", for_pictures, "-o", tmp_path / "p.tif", "--write", "polygons"
    )
    assert code == 3 and "have no map coordinates" in errors and not (tmp_path / "p.tif").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (("-o", "out", "--write", "confidence"), 2, "confidence is not written of volumes; of them: labels, overlay"),
        (("-o", "o.nii.gz", "--write", "polygons"), 2, "polygons is not written of volumes"),
        (("-o", "o.png"), 2, "those of volumes are written as .nii.gz or .nii"),
        (("-o", "o.nii.gz", "--annotations", "coco"), 2, "--annotations is for pictures, not for volumes"),
        (("-o", "o.nii.gz", "--window", "5"), 2, "two numbers with a comma between"),
        (("-o", "o.nii.gz", "--bands", "a"), 2, "--bands is for rasters, not for volumes"),
        (("-o", "o.nii.gz", "--tile", "100"), 2, "tile must be a multiple of 32"),
    ],
)
def test_wrong_calls(
    for_volumes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...], code: int, reason: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    write_nifti(tmp_path / "ct.nii.gz", body()[0])
    found, _, errors = run(capsys, "segment", "ct.nii.gz", "-m", for_volumes, *arguments)
    assert found == code and reason in errors and "Traceback" not in errors


def test_bad_files_end_with_3(for_volumes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = write_nifti(tmp_path / "a.nii.gz", np.random.default_rng(0).normal(size=(20, 20, 20))).read_bytes()
    (tmp_path / "a.nii.gz").write_bytes(whole[: len(whole) // 2])
    for name in ("a.nii.gz", "nothing.nii.gz"):
        code, _, errors = run(capsys, "segment", tmp_path / name, "-m", for_volumes, "-o", tmp_path / "o.nii.gz")
        assert code == 3 and name in errors and "Traceback" not in errors
    assert [path.name for path in tmp_path.iterdir()] == ["a.nii.gz"]


def test_evaluate_in_millimetres(for_volumes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for index in range(2):
        values, labels = body(seed=index)
        write_nifti(tmp_path / "images" / f"c{index}.nii", values)
        write_nifti(tmp_path / "labels" / f"c{index}.nii", labels, names={1: "organ", 2: "lesion"})
    code, said, _ = run(capsys, "evaluate", tmp_path, "-m", for_volumes, "--split", "val", "--spacing", "file")
    assert code == 0 and "1 volume of the split 'val'" in said and "Dice per case" in said and "HD95" in said
    code, _, errors = run(capsys, "evaluate", tmp_path, "-m", for_volumes, "--spacing", "1,1,1,1")
    assert code == 2 and "the word file" in errors
    code, said, _ = run(capsys, "data", "check", tmp_path)
    assert code in (0, 1) and "volumes" in said
