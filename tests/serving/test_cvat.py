"""CVAT's automatic annotation, against a stand-in for its SDK that keeps its checks and its reading of masks."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx_made import write_onnx
from PIL import Image

import intarsia
from intarsia.annotations import AnnotatedImage, Shape, rasterize
from intarsia.annotations.geometry import Polygon
from intarsia.annotations.tools import tool_named
from intarsia.errors import UsageError
from intarsia.labels import LabelSpace
from intarsia.serving import cvat

SPACE = LabelSpace(("background", "person"))


@dataclass(frozen=True)
class Spec:
    labels: list[Any]


@dataclass
class Drawn:
    label_id: int
    type: str
    points: list[float]
    more: dict[str, Any] = field(default_factory=dict)


def decode(points: list[float], width: int, height: int) -> NDArray[np.bool_]:
    """As the SDK reads a mask: runs that begin outside, in the box whose ends are included."""
    *lengths, left, top, right, bottom = map(int, points)
    inside = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    found = np.zeros((height, width), bool)
    found[top : bottom + 1, left : right + 1] = inside.reshape(bottom - top + 1, right - left + 1)
    return found


@pytest.fixture
def sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("cvat_sdk.auto_annotation")
    made = {
        "DetectionFunctionSpec": Spec,
        "label_spec": lambda name, id, **more: SimpleNamespace(name=name, id=id, **more),
        "mask": lambda label_id, points, **more: Drawn(label_id, "mask", points, more),
        "polygon": lambda label_id, points, **more: Drawn(label_id, "polygon", points, more),
    }
    for name, value in made.items():
        setattr(module, name, value)
    monkeypatch.setitem(sys.modules, "cvat_sdk", ModuleType("cvat_sdk"))
    monkeypatch.setitem(sys.modules, "cvat_sdk.auto_annotation", module)


@pytest.fixture
def model(tmp_path: Path) -> str:
    return str(write_onnx(tmp_path / "bright.onnx", stride=1, space=SPACE))


@pytest.fixture
def photo() -> NDArray[np.uint8]:
    """Somebody bright, with a dark hole."""
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[5:35, 10:50] = 255
    pixels[12:22, 20:40] = 0
    return pixels


def context(least: float | None = None, *, polygons: bool = False) -> Any:
    return SimpleNamespace(frame_name="a.jpg", conf_threshold=least, conv_mask_to_poly=polygons)


def test_without_the_sdk_it_says_what_to_install(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cvat_sdk.auto_annotation", None)
    with pytest.raises(UsageError, match="pip install cvat-cli"):
        cvat.create(model=model)


def test_labels_are_the_classes_but_the_background(sdk: None, model: str) -> None:
    (label,) = cvat.create(model=model).spec.labels
    assert (label.name, label.id, label.type) == ("person", 1, "mask")
    both = cvat.create(model=model, classes="person, background, person").spec.labels
    assert [(one.name, one.id) for one in both] == [("person", 1), ("background", 0)]
    with pytest.raises(UsageError, match="Did you mean 'person'"):
        cvat.create(model=model, classes="persn")


def test_a_number_is_the_name_of_a_class(sdk: None, tmp_path: Path) -> None:
    digits = LabelSpace(("0", "7"))
    model = str(write_onnx(tmp_path / "digits.onnx", stride=1, space=digits))
    (label,) = cvat.create(model=model, classes=7).spec.labels  # type: ignore[arg-type]  # -p classes=int:7
    assert (label.name, label.id) == ("7", 1)
    with pytest.raises(UsageError, match="no class is named '1'"):
        cvat.create(model=model, classes=1)  # type: ignore[arg-type]


def test_masks_are_the_labels(sdk: None, model: str, photo: NDArray[np.uint8]) -> None:
    expected = intarsia.load(model).segment(photo).labels
    (mask,) = cvat.create(model=model).detect(context(), Image.fromarray(photo))
    assert (mask.label_id, mask.type, mask.more) == (1, "mask", {})
    assert mask.points[-4:] == [10, 5, 49, 34] and all(isinstance(value, float) for value in mask.points)
    assert np.array_equal(decode(mask.points, 60, 40), expected == 1)


def test_polygons_drawn_in_their_order_are_the_labels(sdk: None, model: str, photo: NDArray[np.uint8]) -> None:
    expected = intarsia.load(model).segment(photo).labels
    detector = cvat.create(model=model, classes="person,background")
    found = detector.detect(context(polygons=True), Image.fromarray(photo))
    assert {one.type for one in found} == {"polygon"}
    layers = [one.more["z_order"] for one in found]
    assert layers == sorted(set(layers))
    shapes = [
        Shape(SPACE.names[one.label_id], Polygon.of(list(zip(one.points[::2], one.points[1::2], strict=True))))
        for one in found
    ]
    document = AnnotatedImage("a.jpg", width=60, height=40, shapes=tuple(shapes))
    assert np.array_equal(rasterize(document, (40, 60), SPACE, tool_named("cvat").drawing), expected)


def test_what_is_not_sure_enough_is_left_out(sdk: None, model: str, photo: NDArray[np.uint8]) -> None:
    detector, image = cvat.create(model=model), Image.fromarray(photo)
    assert len(detector.detect(context(0.5), image)) == 1
    assert detector.detect(context(1.0), image) == []
    assert detector.detect(context(), Image.new("RGB", (60, 40))) == []
