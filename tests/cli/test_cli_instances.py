"""Jobs that tell things apart: label images, and annotations with a mask a thing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import Cli
from jobs_made import job
from PIL import Image
from threshold import threshold

import intarsia
from intarsia.annotations import open_annotations
from intarsia.errors import DataError, UsageError
from intarsia.inference import Predictor
from intarsia.media.images import read_mask
from intarsia.result import contract


@pytest.fixture
def predictor(monkeypatch: pytest.MonkeyPatch) -> Predictor:
    """Bright is what has things, dark what has not."""
    made = threshold()
    monkeypatch.setattr(intarsia, "load", lambda *_, **settings: made if not settings.get("tta") else None)
    return made


@pytest.fixture
def coins(tmp_path: Path) -> Path:
    """A bright disc, and two that touch."""
    rows, columns = np.indices((60, 90))
    image = np.zeros((60, 90, 3), np.uint8)
    for y, x, radius in ((20, 20, 10), (35, 50, 12), (35, 71, 11)):
        image[(rows - y) ** 2 + (columns - x) ** 2 <= radius**2] = 255
    Image.fromarray(image).save(tmp_path / "coins.png")
    return tmp_path / "coins.png"


def test_a_result_tells_its_things_apart(predictor: Predictor, coins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = predictor.segment(coins.read_bytes())
    found = result.instances(["bright"], neck=0.7)
    assert len(found.things) == found.numbers.max() == 3
    assert [thing.label for thing in found.things] == [1, 1, 1]
    assert len(result.instances(["bright"], neck=None).things) == 2
    assert len(result.instances(["bright"], neck=None, least=500).things) == 1
    with pytest.raises(UsageError, match="bright"):
        result.instances(["brigth"])
    monkeypatch.setattr(contract, "MOST_NUMBERED", 100)
    with pytest.raises(DataError, match="cut it into parts"):
        result.instances(["bright"])


def test_a_job_writes_numbers(predictor: Predictor, coins: Path, tmp_path: Path) -> None:
    options = {"of": ["bright"], "neck": 0.7}
    (record,) = job(predictor, coins, tmp_path / "out", outputs=("labels", "instances"), instances=options).records
    assert record["details"]["instances"] == 3 and record["settings"]["instances"] == options
    numbers = read_mask(tmp_path / "out" / record["outputs"]["instances"])
    labels = read_mask(tmp_path / "out" / record["outputs"]["labels"])
    assert np.unique(numbers).tolist() == [0, 1, 2, 3] and ((numbers > 0) == (labels == 1)).all()
    with pytest.raises(UsageError, match="instances"):  # other numbers than those that are there
        job(predictor, coins, tmp_path / "out", outputs=("labels", "instances"), instances={"of": ["bright"]})


def test_annotations_hold_a_mask_a_thing(predictor: Predictor, coins: Path, tmp_path: Path, cli: Cli) -> None:
    out = tmp_path / "out"
    told: Any = cli.json(
        "segment", coins, "-o", out, "--instances", "--things", "bright", "--neck", "0.7",
        "--annotations", "coco,coco-panoptic",
    )  # fmt: skip
    assert all(one["pixels_changed"] == 0 for one in told["annotations"].values())
    numbers = read_mask(out / "coins.instances.png")
    coco = json.loads((out / "coco.json").read_text())
    assert sorted(one["area"] for one in coco["annotations"]) == sorted(np.bincount(numbers.ravel())[1:].tolist())
    panoptic = json.loads((out / "coco-panoptic.json").read_text())
    assert [(one["name"], one["isthing"]) for one in panoptic["categories"]] == [("dark", 0), ("bright", 1)]
    pixels = np.asarray(Image.open(out / "coco-panoptic" / "coins.png"), np.uint32)
    ids = pixels @ np.array([1, 256, 65536], np.uint32)
    (segments,) = (one["segments_info"] for one in panoptic["annotations"])
    assert {one["id"]: one["area"] for one in segments} == dict(enumerate(np.bincount(ids.ravel())[1:].tolist(), 1))
    for number in (1, 2, 3):
        assert len(np.unique(ids[numbers == number])) == 1
    (document,) = open_annotations(out / "coco-panoptic.json", images=tmp_path)
    assert sorted(shape.label for shape in document.shapes) == ["bright"] * 3 + ["dark"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--neck", "0.5"], "--neck belongs to --instances"),
        (["--instances", "--annotations", "labelme"], "written for coco and coco-panoptic, not for labelme"),
        (["--instances", "--things", "brigth"], "bright"),
    ],
)
def test_what_makes_no_sense_is_said(
    predictor: Predictor, coins: Path, tmp_path: Path, cli: Cli, arguments: list[str], said: str
) -> None:
    assert cli("segment", coins, "-o", tmp_path / "out", *arguments) == 2 and said in cli.err
    assert not list((tmp_path / "out").glob("*.png"))
