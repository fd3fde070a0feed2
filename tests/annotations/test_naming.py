"""Images of one export never share a name, and files that belong together find each other."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from intarsia.annotations import AnnotatedImage, Shape, open_annotations, write_annotations
from intarsia.annotations.geometry import Rectangle
from intarsia.errors import DataError, UsageError

BOX = Shape("cat", Rectangle(1, 1, 4, 4))


def photo(path: Path, shade: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 6), (shade, 0, 0)).save(path)
    return path


def export(path: Path, *images: Path, tool: str = "coco") -> None:
    documents = [AnnotatedImage(image.name, image=image, width=8, height=6, shapes=(BOX,)) for image in images]
    write_annotations(documents, path, tool=tool)


def names(place: Path) -> list[tuple[str, str | None]]:
    root = place if place.is_dir() else place.parent
    found = open_annotations(place).images()
    return [(one.name, one.image and one.image.relative_to(root).as_posix()) for one in found]


@pytest.mark.parametrize(("tool", "file"), [("coco", "x.json"), ("via", "x.json"), ("cvat", "x.xml")])
@pytest.mark.parametrize("there", [True, False])
def test_splits_that_count_from_zero(tmp_path: Path, tool: str, file: str, there: bool) -> None:
    for number, split in enumerate(("train", "valid")):
        image = photo(tmp_path / split / "000.png", number)
        export(tmp_path / split / file, image, tool=tool)
        if not there:
            image.unlink()
    wanted = [(f"{split}/000.png", f"{split}/000.png" if there else None) for split in ("train", "valid")]
    assert names(tmp_path) == wanted
    assert names(tmp_path / "train" / file) == [("000.png", "000.png" if there else None)]


def test_files_of_splits_in_one_folder_find_the_photos_of_theirs(tmp_path: Path) -> None:
    for number, split in enumerate(("train2017", "val2017")):
        export(tmp_path / f"annotations/instances_{split}.json", photo(tmp_path / split / "000.png", number))
    assert names(tmp_path) == [("000.png", "train2017/000.png"), ("val2017/000.png", "val2017/000.png")]


def test_a_converted_export_keeps_all_images(tmp_path: Path) -> None:
    for number, split in enumerate(("train", "valid", "test")):
        export(tmp_path / f"in/{split}/_annotations.coco.json", photo(tmp_path / "in" / split / "000.png", number))
    write_annotations(open_annotations(tmp_path / "in"), tmp_path / "out.json", tool="coco")
    written = [image["file_name"] for image in json.loads((tmp_path / "out.json").read_text())["images"]]
    assert written == ["test/000.png", "train/000.png", "valid/000.png"]


def panoptic(root: Path, name: str, seen: np.ndarray) -> None:
    value = {
        "images": [{"id": 1, "file_name": "x.jpg", "width": 6, "height": 4}],
        "annotations": [{"image_id": 1, "file_name": "x.png", "segments_info": [{"id": 1, "category_id": 1}]}],
        "categories": [{"id": 1, "name": "cat"}],
    }
    root.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(json.dumps(value))
    pixels = np.zeros((*seen.shape, 3), np.uint8)
    pixels[..., 0] = seen
    Image.fromarray(pixels).save(root / "x.png")


def test_the_panoptic_png_beside_the_json_is_taken(tmp_path: Path) -> None:
    seen = np.zeros((4, 6), np.uint8)
    seen[:, :2] = 1
    panoptic(tmp_path / "panoptic", "p.json", seen)
    panoptic(tmp_path / "instances", "other.json", seen[:, ::-1])
    (tmp_path / "instances/other.json").unlink()
    for place in (tmp_path, tmp_path / "panoptic/p.json"):
        (document,) = open_annotations(place, tool="coco-panoptic").images()
        assert document.shapes[0].geometry.left == 0  # type: ignore[union-attr]
    (tmp_path / "panoptic/p.json").rename(tmp_path / "p.json")
    documents = open_annotations(tmp_path, tool="coco-panoptic")
    with pytest.raises(DataError, match=r"which panoptic PNG is meant, .*x.png and .*x.png.*masks=FOLDER"):
        list(documents.images())
    (document,) = open_annotations(tmp_path, tool="coco-panoptic", masks=tmp_path / "instances").images()
    assert document.shapes[0].geometry.left == 4  # type: ignore[union-attr]


def test_an_encoding_is_said(tmp_path: Path) -> None:
    export(tmp_path / "set", photo(tmp_path / "set/a.png"), tool="labelme")
    path = tmp_path / "set/a.json"
    text = path.read_text().replace('"cat"', '"汽车"')
    path.write_bytes(text.encode("gb18030"))
    plain = open_annotations(tmp_path / "set")
    assert [one.labels() for one in plain.images()] == [{"Æû³µ"}]
    assert plain.lost.count("changed", "encoding=NAME reads another") == 1
    said = open_annotations(tmp_path / "set", encoding="gb18030")
    assert [one.labels() for one in said.images()] == [{"汽车"}] and not said.lost
    with pytest.raises(UsageError, match="no encoding is named 'gb18'"):
        open_annotations(tmp_path / "set", encoding="gb18")


def test_a_name_of_several_photos(tmp_path: Path) -> None:
    export(tmp_path / "x.json", photo(tmp_path / "a/0.png", 1))
    photo(tmp_path / "b/0.png", 1)
    copies = open_annotations(tmp_path / "x.json")
    assert [one.image for one in copies.images()] == [tmp_path / "a/0.png"] and not copies.lost
    photo(tmp_path / "b/0.png", 2)
    differing = open_annotations(tmp_path / "x.json")
    assert [one.image for one in differing.images()] == [tmp_path / "a/0.png"]
    assert differing.lost.lines() == ["changed 1: several images have this name, the first of them is taken (0.png)"]
