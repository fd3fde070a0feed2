"""JSON files that are no annotation tool's export, but known all the same: what they lack, and the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Any

from intarsia.annotations.finding import walk
from intarsia.annotations.reading import load_json
from intarsia.errors import DataError

_RESULTS = (
    "a list of COCO results, which numbers images and classes without naming them; score it beside the COCO file that "
    "names them (intarsia metrics RESULTS.json COCO.json), or write it into that file's key annotations"
)
_CAPTIONS = "captions of COCO, which are sentences about whole images; take the file instances_....json"
_WITHOUT_IMAGES = "a COCO file without the key images, which gives names and sizes of the images; export it whole"
_WITHOUT_SHAPES = "a COCO file of images alone (a test set's list): it has no annotations"
_CREATE_ML = "boxes of CreateML, which have no outlines; export as COCO or LabelMe"
_SUPERVISELY = "an image's annotation of Supervisely; export as COCO or as Pascal VOC masks"
_DATUMARO = "a file of Datumaro; convert it (datum convert -f coco)"
_BDD = "labels of BDD100K; take its masks (labels/sem_seg/masks), or convert them to COCO (bdd100k.label.to_coco)"
_CITYSCAPES = "polygons of Cityscapes; take the masks made of them (..._gtFine_labelIds.png)"
_HASTY = "an export of Hasty in its own form; export as COCO or as masks"
_QUPATH = "GeoJSON of QuPath; export a labelled image instead (LabeledImageServer), one for each picture"
_GEOJSON = "GeoJSON in map coordinates; draw it onto the map's grid as a mask (gdal_rasterize -a CLASS -tr ... )"
_PAIRS = "a list of pairs; as a manifest save it as .jsonl, one object a line, or as .csv"


def what_it_is(place: Path) -> str:
    """Say what a JSON file, or the first of a folder, is that no tool's reader takes, and what to do with it.

    Returns:
        "" where that is not known.
    """
    if place.is_dir():
        files = list(islice((file for file in walk(place, (".json",)) if file.name != "meta.json"), 1))
        return f"{files[0].relative_to(place).as_posix()} is {told}" if files and (told := what_it_is(files[0])) else ""
    if not place.is_file() or place.suffix.lower() not in (".json", ".geojson"):
        return ""
    try:
        found = load_json(place, "the tool")
    except DataError:
        return ""
    return next((told for fits, told in _KNOWN if fits(found)), "")


def _list_with(*keys: str) -> Callable[[Any], bool]:
    """Whether a value is a list of objects that have all these keys."""

    def fits(value: Any) -> bool:
        return isinstance(value, list) and bool(value) and all(_has(one, keys) for one in value[:20])

    return fits


def _has(value: Any, keys: Iterable[str]) -> bool:
    return isinstance(value, dict) and set(keys) <= value.keys()


_KNOWN: tuple[tuple[Callable[[Any], bool], str], ...] = (
    (_list_with("image_id", "category_id"), _RESULTS),
    (_list_with("image_id", "caption"), _CAPTIONS),
    (lambda value: _has(value, ("annotations",)) and _list_with("caption")(value["annotations"]), _CAPTIONS),
    (lambda value: _has(value, ("annotations", "categories")) and "images" not in value, _WITHOUT_IMAGES),
    (lambda value: _has(value, ("images", "categories")) and not value.get("annotations"), _WITHOUT_SHAPES),
    (_list_with("image", "mask"), _PAIRS),
    (_list_with("image", "annotations"), _CREATE_ML),
    (lambda value: _has(value, ("objects", "size")), _SUPERVISELY),
    (lambda value: _has(value, ("objects", "imgHeight")), _CITYSCAPES),
    (lambda value: _has(value, ("items", "categories")), _DATUMARO),
    (_list_with("name", "labels"), _BDD),
    (lambda value: _has(value, ("label_classes", "images")), _HASTY),
    (
        lambda value: (
            _has(value, ("features",))
            and _list_with("properties")(value["features"])
            and any(_has(one["properties"], ("objectType",)) for one in value["features"])
        ),
        _QUPATH,
    ),
    (lambda value: _has(value, ("features",)) and value.get("type") == "FeatureCollection", _GEOJSON),
)
