"""TIFF files of several pages: read page by page, written as stacks, paired with stacks of masks."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from jobs_made import job
from numpy.typing import NDArray
from PIL import Image

from intarsia.datasets import open_dataset
from intarsia.errors import DataError
from intarsia.media.images import open_image
from intarsia.media.medium import PICTURE, STACK, expand, medium_of
from intarsia.media.stacks import StackReader, StackWriter
from intarsia.models import ImageModel

PAGES = np.random.default_rng(0).integers(0, 2, (4, 24, 32)).astype(np.uint8)


def stack(path: Path, pages: NDArray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with StackWriter(path) as writer:
        for page in pages:
            writer.write(page)
    return path


def read(path: Path) -> list[NDArray]:
    with Image.open(path) as image:
        found = []
        for number in range(image.n_frames):  # type: ignore[attr-defined]
            image.seek(number)
            found.append(np.asarray(image))
    return found


def test_pages_are_pictures(tmp_path: Path) -> None:
    path = stack(tmp_path / "a.tif", 200 * PAGES)
    stack(tmp_path / "one.tif", PAGES[:1])
    assert [(item.name.name, item.medium) for item in expand(tmp_path).items] == [
        ("a.tif", STACK),
        ("one.tif", PICTURE),
    ]
    reader = StackReader(path)
    assert len(reader) == 4
    assert [(page.width, page.height, page.name) for page in reader.pages()][1] == (32, 24, f"{path} page 2")
    assert np.array_equal([page.read()[..., 0] for page in reader.pages()], 200 * PAGES)
    with pytest.raises(DataError, match="holds 4 pages, not one picture"):
        open_image(path)


def test_pages_of_16_bits_tell_their_depth_once(tmp_path: Path) -> None:
    reader = StackReader(stack(tmp_path / "a.tif", PAGES.astype(np.uint16) * 3000))
    assert [page.read().max() for page in reader.pages()] == [3000 >> 4] * 4
    assert len(reader.notes) == 1 and "taken as 12-bit ones" in reader.notes[0]
    fixed = StackReader(tmp_path / "a.tif", windows=((0, 6000),))
    assert [page.read().max() for page in fixed.pages()] == [128] * 4 and fixed.notes == ()


def test_stacks_are_written_whole_or_not_at_all(tmp_path: Path) -> None:
    kinds = {"gray": PAGES, "wide": PAGES.astype(np.uint16) * 700, "colour": np.repeat(PAGES[..., None], 3, axis=3)}
    for name, pages in kinds.items():
        assert np.array_equal(read(stack(tmp_path / f"{name}.tif", pages)), pages)
    with pytest.raises(RuntimeError), StackWriter(tmp_path / "torn.tif") as writer:
        writer.write(PAGES[0])
        raise RuntimeError
    assert sorted(path.stem for path in tmp_path.iterdir()) == ["colour", "gray", "wide"]


def test_a_job_writes_as_many_pages(tmp_path: Path, make_predictor, local: ImageModel) -> None:  # type: ignore[no-untyped-def]
    path = stack(tmp_path / "a.tif", 200 * PAGES)
    predictor = make_predictor(local, classes=5)
    (record,) = job(predictor, path, tmp_path / "out").records
    assert record["status"] == "done", record["error"]
    assert record["outputs"] == {"labels": "a.mask.tif", "overlay": "a.overlay.tif"}
    assert (record["medium"], record["size"], record["details"]) == ("stack", [32, 24, 4], {"pages": 4})
    each = [predictor.segment(np.repeat(200 * page[..., None], 3, axis=2)).labels for page in PAGES]
    assert np.array_equal(read(tmp_path / "out" / "a.mask.tif"), each)
    assert [page.shape for page in read(tmp_path / "out" / "a.overlay.tif")] == [(24, 32, 3)] * 4
    assert np.array_equal([found.labels for found in predictor.segment(path)], each)
    job(predictor, path, tmp_path / "labels.tif")
    assert np.array_equal(read(tmp_path / "labels.tif"), each)
    assert medium_of(tmp_path / "labels.tif") is STACK


def test_stacks_of_pictures_and_masks_are_a_data_set(tmp_path: Path) -> None:
    stack(tmp_path / "images" / "em.tif", 200 * PAGES)
    stack(tmp_path / "masks" / "em.tif", PAGES)
    Image.fromarray(PAGES[0] * 99).save(tmp_path / "images" / "x.png")
    Image.fromarray(PAGES[0]).save(tmp_path / "masks" / "x.png")
    dataset = open_dataset(tmp_path, val_fraction=0)
    split = dataset.split("all")
    assert [item.id for item in split.items] == ["em/1", "em/2", "em/3", "em/4", "x"]
    for index, page in enumerate(PAGES):
        image, target = split.read(index)
        assert np.array_equal(image[..., 0], 200 * page) and np.array_equal(target, page)
    assert dataset.check().errors == []
    assert sum(one.pixels.sum() for one in dataset.check().counts.values()) == 5 * 24 * 32


def test_pages_of_masks_whose_zero_is_white_are_read_as_stored(tmp_path: Path) -> None:
    stack(tmp_path / "images" / "em.tif", 200 * PAGES)
    stack(tmp_path / "masks" / "em.tif", PAGES)
    path = tmp_path / "masks" / "em.tif"
    white = struct.pack("<HHII", 262, 3, 1, 0)  # the tag PhotometricInterpretation of each page, from 1 to 0
    path.write_bytes(path.read_bytes().replace(struct.pack("<HHII", 262, 3, 1, 1), white))
    split = open_dataset(tmp_path, val_fraction=0).split("all")
    assert [split.read(index)[1].tolist() for index in range(len(PAGES))] == PAGES.tolist()


def test_stacks_of_unequal_length_are_told(tmp_path: Path) -> None:
    stack(tmp_path / "images" / "em.tif", 200 * PAGES)
    stack(tmp_path / "masks" / "em.tif", PAGES[:3])
    with pytest.raises(DataError, match="holds 3 pages, not one picture"):
        open_dataset(tmp_path, val_fraction=0)
