"""Exports that can be read, but mean something else: told by every command that reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from intarsia.annotations import open_annotations
from intarsia.annotations.checking import check
from intarsia.annotations.formats.masks import write
from intarsia.annotations.oddities import SHARES

POLYGON = {"label": "car", "points": [[2, 2], [9, 2], [9, 7], [2, 7]], "shape_type": "polygon"}


def labelme(folder: Path, *shapes: dict[str, Any], size: tuple[int, int] = (12, 10)) -> Path:
    folder.mkdir(exist_ok=True)
    Image.fromarray(np.zeros((10, 12, 3), np.uint8)).save(folder / "a.png")
    said = {"imagePath": "a.png", "imageData": None, "imageWidth": size[0], "imageHeight": size[1]}
    (folder / "a.json").write_text(json.dumps({"version": "5.0", "flags": {}, "shapes": shapes, **said}))
    return folder


def coco(folder: Path, *rings: list[float]) -> Path:
    folder.mkdir(exist_ok=True)
    Image.fromarray(np.zeros((10, 12, 3), np.uint8)).save(folder / "a.png")
    shapes = [
        {
            "id": k,
            "image_id": 1,
            "category_id": 1,
            "segmentation": [ring],
            "area": 1,
            "bbox": [0, 0, 1, 1],
            "iscrowd": 0,
        }
        for k, ring in enumerate(rings)
    ]
    images = [{"id": 1, "file_name": "a.png", "width": 12, "height": 10}]
    value = {"images": images, "annotations": shapes, "categories": [{"id": 1, "name": "car"}]}
    (folder / "a.json").write_text(json.dumps(value))
    return folder


def told(place: Path, out: Path) -> tuple[list[str], list[str]]:
    """What check finds, and what drawing counts as lost."""
    export = open_annotations(place)
    lost = write(export, out)
    lost.merge(export.lost)
    return [problem for _, problem in check(open_annotations(place))], [reason for _, reason in lost.entries]


@pytest.mark.parametrize("tool", ["labelme", "coco", "rectangle"])
def test_shares_of_the_image_are_told(tmp_path: Path, tool: str) -> None:
    share = [[0.1, 0.2], [0.8, 0.2], [0.8, 0.9]]
    if tool == "coco":
        place = coco(tmp_path / "in", [value for point in share for value in point])
    elif tool == "labelme":
        place = labelme(tmp_path / "in", {**POLYGON, "points": share})
    else:
        place = labelme(tmp_path / "in", {**POLYGON, "points": [share[0], share[2]], "shape_type": "rectangle"})
    problems, lost = told(place, tmp_path / "out")
    assert SHARES in problems and SHARES in lost


def test_small_things_beside_others_are_not(tmp_path: Path) -> None:
    small = {**POLYGON, "points": [[0, 0], [1, 0], [1, 1]]}
    for name, shapes in (("both", (POLYGON, small)), ("none", ()), ("large", (POLYGON,))):
        problems, lost = told(labelme(tmp_path / name, *shapes), tmp_path / f"{name}-out")
        assert SHARES not in problems and SHARES not in lost, name


@pytest.mark.parametrize(("size", "odd"), [((12, 10), False), ((24, 20), True), ((10, 12), True)])
def test_masks_drawn_at_another_size_than_the_photo(tmp_path: Path, size: tuple[int, int], odd: bool) -> None:
    problems, lost = told(labelme(tmp_path / "in", POLYGON, size=size), tmp_path / "out")
    assert ("drawn at the size that the file says, which its photo has not" in lost) == odd
    assert any("it was drawn on an image of" in problem for problem in problems) == odd


def test_blank_labels_are_none_and_spaces_make_no_class(tmp_path: Path) -> None:
    shapes = ({**POLYGON, "label": " "}, POLYGON, {**POLYGON, "label": "car ", "points": [[1, 1], [5, 1], [5, 5]]})
    export = open_annotations(labelme(tmp_path / "in", *shapes))
    problems = [problem for _, problem in check(export)]
    assert "the class 'car ' is also spelt 'car'" in problems
    assert [reason for _, reason in export.lost.entries] == ["a shape without a label"]
