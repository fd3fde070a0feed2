"""Other classes by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intarsia.datasets import MaskCoding, open_dataset
from intarsia.datasets.remap import Remap, remapped
from intarsia.errors import UsageError
from intarsia.labels import LabelSpace

SPACE = LabelSpace(("sky", "road", "car", "truck"), ((1, 1, 1), (2, 2, 2), (3, 3, 3), (4, 4, 4)))


@pytest.mark.parametrize(
    ("rule", "names", "table"),
    [
        (Remap({"car": "vehicle", "truck": "vehicle"}, rest="keep"), ("sky", "road", "vehicle"), [0, 1, 2, 2]),
        (Remap({"car": "vehicle", "truck": "vehicle"}, rest="ignore"), ("vehicle",), [255, 255, 0, 0]),
        (Remap({"sky": "ignore"}, classes=("truck", "car", "road")), ("truck", "car", "road"), [255, 2, 1, 0]),
        (Remap({"car": "truck", "sky": "void"}, rest="keep"), ("road", "truck"), [255, 0, 1, 1]),
        (Remap(classes=("car", "bus"), rest="ignore"), ("car", "bus"), [255, 255, 0, 255]),
        (Remap({"car": "vehicle"}, classes=("other", "vehicle"), rest="other"), ("other", "vehicle"), [0, 0, 1, 0]),
        (Remap({"car": "vehicle", "sky": "other"}, rest="other"), ("other", "vehicle"), [0, 0, 1, 0]),
        (Remap(classes=("rest", "car"), rest="rest"), ("rest", "car"), [0, 0, 1, 0]),
    ],
)
def test_rules(rule: Remap, names: tuple[str, ...], table: list[int]) -> None:
    space, found = rule.apply(SPACE)
    assert space.names == names
    assert found[:4].tolist() == table
    assert found[SPACE.ignore_index] == space.ignore_index and len(found) == 256


def test_colours_come_along() -> None:
    space, _ = Remap({"car": "vehicle", "truck": "vehicle"}, rest="keep").apply(SPACE)
    assert space.palette == ((1, 1, 1), (2, 2, 2), (3, 3, 3))
    space, _ = Remap({"car": "vehicle"}, palette=((9, 9, 9),), rest="ignore").apply(SPACE)
    assert space.palette == ((9, 9, 9),)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (Remap({"cra": "vehicle"}, rest="keep"), "the data set has no class 'cra'. Did you mean 'car'"),
        (Remap({"car": "vehicle"}), "nothing is said about sky, road, truck; name them in map"),
        (
            Remap({"car": "vehicel"}, classes=("vehicle",), rest="ignore"),
            "no new class is named 'vehicel'. Did you mean",
        ),
        (Remap(rest="ignore"), "every class is ignored"),
    ],
)
def test_rules_that_do_not_fit(rule: Remap, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        rule.apply(SPACE)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1], "has the keys classes, palette, map, rest"),
        ({"mapp": {}}, "unknown key 'mapp'. Did you mean 'map'"),
        ({"map": {"a": 1}}, "map gives each name a new name"),
        ({"map": "a"}, "map gives each name a new name"),
        ({"rest": "drop"}, "rest is 'drop', neither error, keep, ignore nor a new class; name it in classes as well"),
        ({"classes": ["a", "other"], "rest": "othre"}, "rest is 'othre'.* Did you mean 'other'"),
        ({"classes": "road"}, "classes is a list of names"),
        ({"palette": [[1, 2]]}, "palette is a list of colours"),
    ],
)
def test_wrong_files(value: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / "remap.json"
    path.write_text(json.dumps(value))
    with pytest.raises(UsageError, match=rf"remap\.json: .*{message}"):
        Remap.load(path)


def test_files_of_both_kinds(tmp_path: Path) -> None:
    value = {"map": {"car": "vehicle", "sky": None}, "classes": ["vehicle"], "palette": [[1, 2, 3]], "rest": "ignore"}
    (tmp_path / "a.json").write_text(json.dumps(value))
    (tmp_path / "a.yaml").write_text(
        "map: {car: vehicle, sky: null}\nclasses: [vehicle]\npalette: [[1, 2, 3]]\nrest: ignore\n"
    )
    expected = Remap({"car": "vehicle", "sky": "ignore"}, ("vehicle",), ((1, 2, 3),), "ignore")
    assert Remap.load(tmp_path / "a.json") == Remap.load(tmp_path / "a.yaml") == expected
    (tmp_path / "b.yaml").write_text("map: [")
    for name in ("b.yaml", "absent.yaml"):
        with pytest.raises(UsageError, match=f"{name}: cannot be read as a remapping"):
            Remap.load(tmp_path / name)


@given(
    kind=st.sampled_from(["values", "colors", "threshold"]),
    labels=st.lists(st.sampled_from([0, 1, 255]), min_size=2, max_size=2),
    table=st.lists(st.integers(0, 4), min_size=2, max_size=2),
)
def test_a_mapped_coding_decodes_as_decoding_and_mapping(kind: str, labels: list[int], table: list[int]) -> None:
    old, new = LabelSpace(("a", "b")), LabelSpace(tuple("vwxyz"))
    lookup = np.full(256, new.ignore_index, np.uint8)
    lookup[:2] = table
    raw = np.array([[0, 200], [200, 0]], np.uint8)
    if kind == "values":
        coding = MaskCoding(values=dict(zip((0, 200), labels, strict=True)))
    elif kind == "colors":
        coding = MaskCoding(colors={(0, 0, 0): labels[0], (200, 200, 200): labels[1]})
        raw = np.repeat(raw[..., None], 3, axis=2)
    else:
        coding = MaskCoding(threshold=127)
    expected = lookup[coding.decode(raw, old)]
    mapped = coding.mapped(lookup)
    assert np.array_equal(mapped.decode(raw, new), expected)
    assert MaskCoding.from_json(mapped.to_json()) == mapped


def test_a_whole_data_set(pairs: Callable[..., Path]) -> None:
    mask = np.tile(np.repeat(np.array([0, 1, 2, 255], np.uint8), 3), (8, 1))
    root = pairs([mask] * 2)
    (root / "classes.txt").write_text("sky\nroad\ncar\n")
    data = remapped(open_dataset(root, val_fraction=0), Remap({"sky": "ignore", "car": "vehicle"}, rest="keep"))
    assert data.space.names == ("road", "vehicle")
    assert data.splits["all"].read(0)[1][0].tolist() == [255] * 3 + [0] * 3 + [1] * 3 + [255] * 3
    assert data.notes[-1] == "Remapped from 3 classes to 2: road, vehicle; ignored: sky."


def test_outlines_are_drawn_in_the_old_classes_first(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (12, 8)).save(tmp_path / "a.png")
    box = {"label": "dog", "shape_type": "rectangle", "points": [[0, 0], [5, 7]]}
    (tmp_path / "a.json").write_text(json.dumps({"shapes": [box], "imagePath": "a.png"}))
    data = remapped(open_dataset(tmp_path, val_fraction=0), Remap({"dog": "animal", "background": "ignore"}))
    assert data.splits["all"].read(0)[1][0].tolist() == [0] * 6 + [255] * 6
