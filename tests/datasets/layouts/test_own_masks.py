"""Label rasters that say themselves, by a mask inside or beside the file, where they hold no data."""

from __future__ import annotations

from pathlib import Path

import pytest

rasterio = pytest.importorskip("rasterio", reason="rasters need intarsia[geo]")

import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

from intarsia.datasets import open_dataset  # noqa: E402
from intarsia.media.maskfile import NOWHERE, read_mask_file  # noqa: E402

LABELS = np.random.default_rng(0).integers(0, 3, (20, 30)).astype(np.uint8)
HIDDEN = np.zeros((20, 30), dtype=bool)
HIDDEN[:4] = True


def write(path: Path, values: NDArray, *, known: NDArray | None = None, inside: bool = True, step: float = 2) -> None:
    path.parent.mkdir(exist_ok=True)
    place = {"crs": "EPSG:32633", "transform": rasterio.Affine(step, 0, 500000, 0, -step, 5000000)}
    size = {"height": values.shape[1], "width": values.shape[2], "count": len(values), "dtype": values.dtype}
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=inside),
        rasterio.open(path, "w", driver="GTiff", **size, **place) as file,
    ):
        file.write(values)
        if known is not None:
            file.write_mask(known)


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("finer", [1, 3])
def test_what_a_mask_of_its_own_hides_is_not_labelled(tmp_path: Path, inside: bool, finer: int) -> None:
    photo = np.random.default_rng(1).integers(1, 256, (3, 20, 30), dtype=np.uint8)
    fine, known = (np.kron(one, np.ones((finer, finer), one.dtype)) for one in (LABELS, ~HIDDEN))
    for name in "abc":
        write(tmp_path / f"images/{name}.tif", photo)
        write(tmp_path / f"masks/{name}.tif", fine[None], known=known, inside=inside, step=2 / finer)
    stored = read_mask_file(tmp_path / "masks/a.tif", "a.tif", 10_000).values
    assert np.array_equal(stored, np.where(known, fine.astype(np.uint16), NOWHERE))
    dataset = open_dataset(tmp_path, val_fraction=0)
    assert dataset.space.names == ("class_0", "class_1", "class_2")
    assert any("under the file's own mask is no class" in note for note in dataset.notes)
    target = dataset.split("all").read(0)[1]
    assert np.array_equal(target, np.where(HIDDEN, dataset.space.ignore_index, LABELS))


def test_gaps_of_a_raster_are_counted_as_training_sees_it(tmp_path: Path) -> None:
    photo = np.random.default_rng(1).integers(1, 256, (3, 20, 30), dtype=np.uint8)
    for name in "abc":
        write(tmp_path / f"images/{name}.tif", photo, known=~HIDDEN)
        write(tmp_path / f"masks/{name}.tif", LABELS[None])
    split = open_dataset(tmp_path, val_fraction=0).split("all")
    expected = np.where(HIDDEN, split.space.ignore_index, LABELS)
    assert np.array_equal(split.read(0)[1], expected)
    assert split.count().pixels.tolist() == [3 * int((expected == label).sum()) for label in range(3)]
