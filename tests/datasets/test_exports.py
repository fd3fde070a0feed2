"""Any annotation tool's export as a data set: a folder, a file or a zip archive."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from intarsia.annotations import AnnotatedImage, Shape, write_annotations
from intarsia.annotations.geometry import Circle, Points, Polygon
from intarsia.annotations.tools import tools
from intarsia.datasets import open_dataset
from intarsia.datasets.integrity import check
from intarsia.errors import DataError

TRIANGLE = Polygon.of([(2.0, 2.0), (30.0, 4.0), (12.0, 28.0)])


def make(folder: Path, tool: str, count: int = 4) -> Path:
    """An export of `count` images, photos beside it."""
    documents = []
    for number in range(count):
        path = folder / f"photo {number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((32, 40, 3), number, np.uint8)).save(path)
        shapes = (Shape("tree", TRIANGLE), Shape("ball", Circle(30, 20, 4.0)), Shape("ball", Points(((1.0, 1.0),))))
        documents.append(AnnotatedImage(path.name, image=path, width=40, height=32, shapes=shapes))
    suffix = tools()[tool].suffix
    write_annotations(documents, folder / f"export{suffix}" if suffix else folder, tool=tool)
    return folder


@pytest.mark.parametrize("tool", ["labelme", "coco", "cvat", "via", "rectlabel"])
@pytest.mark.parametrize("packed", [False, True])
def test_every_tools_export_is_a_data_set(tmp_path: Path, tool: str, packed: bool) -> None:
    place = make(tmp_path / "set", tool)
    if packed:
        place = tmp_path / "set.zip"
        with zipfile.ZipFile(place, "w") as archive:
            for path in (tmp_path / "set").rglob("*"):
                archive.write(path, path.relative_to(tmp_path))
    data = open_dataset(place)
    assert data.layout == "annotations"
    background = data.space.names[0]
    assert background in ("background", "_background_") and set(data.space.names[1:]) == {"tree", "ball"}
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 3, "val": 1}
    image, target = data.splits["train"].read(0)
    assert image.shape == (32, 40, 3)
    tree, ball = data.space.index("tree"), data.space.index("ball")
    assert target[5, 12] == tree and target[20, 30] == ball and target[31, 0] == 0
    assert np.array_equal(pickle.loads(pickle.dumps(data.splits["train"])).read(0)[1], target)


def test_a_file_alone_is_opened_too(tmp_path: Path) -> None:
    folder = make(tmp_path, "coco")
    data = open_dataset(folder / "export.json", val_fraction=0)
    assert len(data.splits["all"]) == 4
    assert not check(data).errors


def test_missing_images_and_shapes_without_area_are_told(tmp_path: Path) -> None:
    folder = make(tmp_path, "labelme")
    (folder / "photo 2.png").unlink()
    data = open_dataset(folder)
    assert len(data) == 3
    notes = " ".join(data.notes)
    assert "Annotated images that are not here, left out: 1 (photo 2.png)" in notes
    data = open_dataset(make(tmp_path / "c", "cvat"))
    assert "Shapes without area, not drawn: 4 points." in data.notes


def test_embedded_images_are_used(real_data: Path) -> None:
    data = open_dataset(real_data / "annotations/labelme/old_versions", val_fraction=0)
    assert len(data) == 2  # the third has no copy of its image
    image, target = data.splits["all"].read(0)
    assert image.shape[:2] == target.shape and target.max() > 0


def test_an_export_without_any_image(tmp_path: Path) -> None:
    folder = make(tmp_path, "coco")
    for path in folder.glob("*.png"):
        path.unlink()
    with pytest.raises(
        DataError, match=r"no image of this coco export is here, for instance photo 0.png; put the images"
    ):
        open_dataset(folder)


def test_real_exports(real_data: Path) -> None:
    coco = open_dataset(real_data / "annotations/coco/labelbox_sdk_coco_val20", val_fraction=0.25)
    assert (coco.layout, len(coco)) == ("annotations", 20)
    assert len(coco.space) == 81 and coco.space.names[:3] == ("background", "person", "bicycle")
    labels = np.unique(np.concatenate([np.unique(coco.splits["train"].read(i)[1]) for i in range(3)]))
    assert len(labels) > 3
