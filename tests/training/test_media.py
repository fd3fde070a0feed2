"""Training on volumes and on rasters, from a plain folder to a bundle that segments them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny import TINY

import intarsia
from intarsia.bundle import Bundle
from intarsia.errors import ModelError, UsageError
from intarsia.evaluation import Measures
from intarsia.models import build
from intarsia.preprocessing import Preprocessing
from intarsia.recipe import Recipe
from intarsia.training.plan.setup import preprocessing_of

SMALL = (*TINY, "training.epochs=1", "input.crop=[32, 32]", "training.class_weights=none")


def test_a_folder_of_volumes(tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel", reason="volumes need intarsia[volumes]")
    from volumes_made import body, write_nifti

    for index in range(3):
        values, labels = body((40, 36, 12), seed=index)
        write_nifti(tmp_path / "ct" / "images" / f"c{index}.nii.gz", values, codes=("RAS", "LPS", "SAR")[index])
        write_nifti(tmp_path / "ct" / "labels" / f"c{index}.nii.gz", labels, names={1: "organ", 2: "lesion"})
    run = intarsia.train(tmp_path / "ct", tmp_path / "run", changes=SMALL, progress=False)
    bundle = Bundle.load(run.best)
    assert bundle.preprocessing.slices == 3 and bundle.preprocessing.axis == "axial"
    low, high = bundle.preprocessing.windows[0]
    assert 40 <= low <= 60 and 180 <= high <= 190  # organ 60, lesion 180, noise of 9
    assert bundle.recipe is not None and bundle.recipe["augment"]["flip"] == 0
    assert (tmp_path / "run" / "report.html").is_file() and list((tmp_path / "run" / "samples").rglob("*.jpg"))
    found = intarsia.load(run.best).segment(tmp_path / "ct" / "images" / "c1.nii.gz")
    found.save(tmp_path / "out.nii.gz")
    source = nibabel.load(tmp_path / "ct" / "images" / "c1.nii.gz")
    assert nibabel.load(tmp_path / "out.nii.gz").shape == source.shape
    scores = intarsia.evaluate(
        run.best, tmp_path / "ct", split="val", measures=Measures(spacing="file"), out=tmp_path / "report"
    )
    assert scores.medium == "volume" and len(scores.images) == 1
    assert (tmp_path / "report" / "evaluation.html").is_file()


def test_a_folder_of_rasters(tmp_path: Path) -> None:
    rasterio = pytest.importorskip("rasterio", reason="rasters need intarsia[geo]")
    random = np.random.default_rng(0)
    place = {"crs": "EPSG:32633", "transform": rasterio.Affine(1, 0, 5e5, 0, -1, 4e6)}
    for index in range(3):
        labels = np.kron(random.integers(0, 2, (6, 8)), np.ones((16, 16), int)).astype(np.uint8)
        values = (random.integers(0, 900, (4, 96, 128)) + 2000 * labels.astype(int)).astype(np.uint16)
        for folder, bands in (("images", values), ("gt", labels[None])):
            path = tmp_path / "map" / folder / f"t{index}.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            size = {"count": len(bands), "height": 96, "width": 128, "dtype": bands.dtype}
            with rasterio.open(path, "w", driver="GTiff", **size, **place) as file:
                file.write(bands)
    changes = [change for change in SMALL if not change.startswith("model.options")]
    options = "{encoder: test_resnet, channels: [16, 16, 16, 16], in_channels: 4}"
    run = intarsia.train(
        tmp_path / "map", tmp_path / "run", changes=[*changes, f"model.options={options}"], progress=False
    )
    bundle = Bundle.load(run.best)
    assert bundle.preprocessing.bands == (1, 2, 3, 4) and len(bundle.preprocessing.windows or ()) == 4
    assert intarsia.load(run.best).segment(tmp_path / "map" / "images" / "t0.tif").labels.shape == (96, 128)
    assert intarsia.evaluate(run.best, tmp_path / "map", split="val").medium == "raster"


def model(channels: int):
    return build("unet", classes=2, encoder="test_resnet", channels=(8, 8, 8, 8), in_channels=channels)


def test_the_recipe_and_the_model_agree_on_channels() -> None:
    recipe = Recipe().override({"input.slices": 5, "input.window": [-200, 250], "input.axis": "coronal"})
    found = preprocessing_of(model(5), recipe)
    assert (found.slices, found.window, found.axis) == (5, (-200, 250), "coronal")
    assert len(found.mean) == 5 and len(set(found.mean)) == 1
    with pytest.raises(ModelError, match=r"input\.slices is 5: set model\.options\.in_channels to 5"):
        preprocessing_of(model(3), recipe)
    with pytest.raises(ModelError, match=r"or input\.slices \(volumes\) or input\.bands"):
        preprocessing_of(model(4), Recipe())
    with pytest.raises(UsageError, match="slices is an odd number"):
        preprocessing_of(model(4), Recipe().override({"input.slices": 4}))
    with pytest.raises(UsageError, match="the lower bound comes first"):
        preprocessing_of(model(3), Recipe().override({"input.slices": 3, "input.window": [5, 5]}))
    bands = preprocessing_of(model(2), Recipe().override({"input.bands": [4, 2], "input.window": [[0, 1], [2, 9]]}))
    assert bands.bands == (4, 2) and bands.windows == ((0, 1), (2, 9))


def test_bundles_for_pictures_say_nothing_of_other_media() -> None:
    assert set(Preprocessing().model_dump()) == {"mean", "std", "long_side"}
    volume = Preprocessing(mean=(0.5,), std=(0.2,), slices=1, window=(0, 1), axis="sagittal")
    assert Preprocessing.model_validate(volume.model_dump(mode="json")) == volume
    for wrong in (
        {"slices": 3, "bands": (1, 2, 3)},
        {"slices": 5},
        {"bands": (1, 2)},
        {"window": ((0, 1), (0, 1))},
        {"window": (0, float("nan"))},
    ):
        with pytest.raises(ValueError):
            Preprocessing(**wrong)
