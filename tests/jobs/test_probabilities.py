"""Probabilities of all classes as files: of pictures, maps and volumes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from jobs_made import job
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from intarsia.errors import UsageError
from intarsia.inference import Predictor
from intarsia.jobs.parts import cutting_of
from intarsia.jobs.plan import plan
from intarsia.models import ImageModel
from intarsia.preprocessing import Preprocessing

MakePredictor = Callable[..., Predictor]


class Brighter(ImageModel):
    """Stride 1: the brighter, the surer."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = torch.nn.Parameter(torch.tensor(4.0))

    def logits(self, x: Tensor) -> Tensor:
        mean = x.mean(1, keepdim=True)
        return torch.cat([torch.zeros_like(mean), (mean - 0.5) * self.gain], dim=1)


class Disk(NamedTuple):
    free: int


def noise(height: int, width: int, bands: int = 3) -> NDArray[np.uint8]:
    return np.random.default_rng(height).integers(0, 256, (height, width, bands), dtype=np.uint8)


def one(predictor: Predictor, source: Path, out: Path, *outputs: str) -> dict[str, Any]:
    (record,) = job(predictor, source, out, outputs=outputs).records
    return record


def sure(brightness: NDArray[Any]) -> NDArray[Any]:
    return 1 / (1 + np.exp(-4 * (brightness / 255 - 0.5)))


@pytest.mark.usefixtures("tiled")
@pytest.mark.parametrize("options", [{}, {"tta": True}, {"refine": "guided"}])
def test_a_picture_gives_what_python_gives(
    make_predictor: MakePredictor, tmp_path: Path, options: dict[str, Any]
) -> None:
    predictor = make_predictor(Brighter(), tile=128, overlap=32, **options)
    Image.fromarray(noise(300, 200)).save(tmp_path / "a.png")
    record = one(predictor, tmp_path / "a.png", tmp_path / "out", "labels", "probabilities")
    assert record["outputs"] == {"labels": "a.mask.png", "probabilities": "a.probabilities.npy"}
    found = np.load(tmp_path / "out" / "a.probabilities.npy")
    assert found.dtype == np.float32 and np.array_equal(found, predictor.probabilities(tmp_path / "a.png"))
    assert np.array_equal(found.argmax(0), np.asarray(Image.open(tmp_path / "out" / "a.mask.png")))
    assert record["sha256"].keys() == {"labels", "probabilities"}


def test_a_map_has_a_band_for_each_class(make_predictor: MakePredictor, tmp_path: Path) -> None:
    rasterio = pytest.importorskip("rasterio", reason="rasters need intarsia[geo]")
    values = noise(600, 300).transpose(2, 0, 1)
    values[:, 100:110] = 0
    place = {"crs": "EPSG:32633", "transform": rasterio.Affine(2, 0, 500000, 0, -2, 4000000), "nodata": 0}
    with rasterio.open(
        tmp_path / "m.tif", "w", driver="GTiff", width=300, height=600, count=3, dtype="uint8", **place
    ) as file:
        file.write(values)
    predictor = make_predictor(Brighter())
    record = one(predictor, tmp_path / "m.tif", tmp_path / "labels.tif", "probabilities")
    assert record["outputs"] == {"labels": "labels.tif", "probabilities": "labels.probabilities.tif"}
    with rasterio.open(tmp_path / "labels.probabilities.tif") as file:
        found = file.read()
        assert file.descriptions == ("dark", "bright") and file.crs.to_epsg() == 32633 and np.isnan(file.nodata)
        assert file.transform == place["transform"] and file.dtypes == ("float32", "float32")
    assert np.isnan(found[:, 100:110]).all()
    rest = np.delete(np.arange(600), np.s_[100:110])
    assert np.allclose(found[1, rest], sure(values.mean(0))[rest], atol=1e-6)
    assert np.allclose(found.sum(0)[rest], 1, atol=1e-6)
    # What several workers would keep as parts, in this job nobody does.
    (task,) = plan(tmp_path / "m.tif", tmp_path / "out", outputs=["labels", "probabilities"]).tasks
    assert cutting_of(task) is None


@pytest.mark.parametrize("codes", ["RAS", "LPS", "SAR"])
def test_a_volume_has_a_fourth_axis(make_predictor: MakePredictor, tmp_path: Path, codes: str) -> None:
    nibabel = pytest.importorskip("nibabel", reason="volumes need intarsia[volumes]")
    from volumes_made import write_nifti

    values = np.random.default_rng(1).uniform(0, 255, (9, 7, 5)).round().astype(np.int16)
    path = write_nifti(tmp_path / "ct.nii.gz", values, codes=codes)
    predictor = make_predictor(
        Brighter(), preprocessing=Preprocessing(slices=3, window=(0, 255), mean=(0,) * 3, std=(1,) * 3)
    )
    record = one(predictor, path, tmp_path / "out", "labels", "probabilities")
    assert record["outputs"]["probabilities"] == "ct.probabilities.nii"
    found = nibabel.load(tmp_path / "out" / "ct.probabilities.nii")
    labels = nibabel.load(tmp_path / "out" / "ct.mask.nii.gz")
    assert found.shape == (*labels.shape, 2) and np.array_equal(found.affine, labels.affine)
    every = np.asarray(found.dataobj)
    assert every.dtype == np.float32 and np.allclose(every.sum(-1), 1, atol=1e-6)
    assert np.array_equal(every.argmax(-1), np.asarray(labels.dataobj))
    assert len(np.unique(every)) > 100


def test_what_the_disk_has_no_room_for_is_refused_before_any_work(
    make_predictor: MakePredictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(noise(500, 1000)).save(tmp_path / "a.png")
    monkeypatch.setattr("shutil.disk_usage", lambda place: Disk(3_900_000))
    record = one(make_predictor(Brighter()), tmp_path / "a.png", tmp_path / "out", "labels", "probabilities")
    assert record["status"] == "error" and not list((tmp_path / "out").glob("a.*"))
    assert "the probabilities of 2 classes take 4 MB, and there are 4 MB free" in record["error"]


def test_media_without_them_say_what_they_have(make_predictor: MakePredictor, tmp_path: Path) -> None:
    frames = [Image.fromarray(noise(16, 16)) for _ in range(3)]
    frames[0].save(tmp_path / "s.tif", save_all=True, append_images=frames[1:])
    with pytest.raises(UsageError, match="probabilities is not written of stacks; of them: labels, overlay"):
        one(make_predictor(Brighter()), tmp_path / "s.tif", tmp_path / "out", "probabilities")
