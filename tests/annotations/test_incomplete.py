"""JSON files that no tool's reader takes, but that people try: told what they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from intarsia.annotations import open_annotations
from intarsia.annotations.incomplete import what_it_is
from intarsia.datasets import open_dataset
from intarsia.errors import DataError

IMAGES = [{"id": 1, "file_name": "a.png", "width": 8, "height": 6}]
CATEGORIES = [{"id": 1, "name": "car"}]
BOX = {"image_id": 1, "id": 1, "category_id": 1, "bbox": [1, 1, 3, 3]}
SQUARE = [[[7.1, 50.1], [7.2, 50.1], [7.2, 50.2], [7.1, 50.1]]]
FEATURE = {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": SQUARE}}


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ([{**BOX, "score": 0.9}], "a list of COCO results, .* score it beside the COCO file that names them"),
        ([{"image_id": 1, "caption": "a car"}], "captions of COCO"),
        ({"images": IMAGES, "annotations": [{"image_id": 1, "id": 1, "caption": "a car"}]}, "captions of COCO"),
        ({"categories": CATEGORIES, "annotations": [BOX]}, "a COCO file without the key images"),
        ({"images": IMAGES, "categories": CATEGORIES}, "a COCO file of images alone"),
        ([{"image": "a.png", "annotations": [{"label": "car", "coordinates": {}}]}], "boxes of CreateML"),
        ({"size": {"height": 6, "width": 8}, "objects": []}, "an image's annotation of Supervisely"),
        ({"type": "FeatureCollection", "features": [FEATURE]}, "GeoJSON in map coordinates"),
        ({"imgHeight": 6, "imgWidth": 8, "objects": []}, "polygons of Cityscapes"),
        ({"info": {}, "categories": {"label": {"labels": []}}, "items": []}, "a file of Datumaro"),
        ([{"name": "a.png", "labels": []}], "labels of BDD100K"),
        ({"label_classes": [], "images": []}, "an export of Hasty"),
        (
            {"type": "FeatureCollection", "features": [{**FEATURE, "properties": {"objectType": "annotation"}}]},
            "GeoJSON of",
        ),
        ([{"image": "a.png", "mask": "b.png"}], "a list of pairs; as a manifest save it as .jsonl"),
    ],
)
def test_files_that_are_no_export_are_called_what_they_are(tmp_path: Path, value: Any, told: str) -> None:
    Image.fromarray(np.zeros((6, 8, 3), np.uint8)).save(tmp_path / "a.png")
    file = tmp_path / "found.json"
    file.write_text(json.dumps(value))
    for opened in (open_annotations, open_dataset):
        with pytest.raises(DataError, match=f"found.json: {told}"):
            opened(file)
    for look in (open_annotations, open_dataset):
        with pytest.raises(DataError, match=f"found.json is {told}"):
            look(tmp_path)


def test_exports_and_other_files_are_not_named(tmp_path: Path) -> None:
    whole = tmp_path / "whole.json"
    whole.write_text(json.dumps({"images": IMAGES, "categories": CATEGORIES, "annotations": [BOX]}))
    assert open_annotations(whole).tool == "coco" and what_it_is(whole) == ""
    for name, text in (("a.json", "{"), ("b.json", "[]"), ("c.json", "3"), ("d.txt", "[]")):
        (tmp_path / name).write_text(text)
        assert what_it_is(tmp_path / name) == ""
