"""`intarsia makeup`, with the bundled models on a drawn face."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from commands import Cli
from faces_drawn import drawn_face, drawn_points
from PIL import Image

from intarsia.inference.faces.parts import face_parts

pytest.importorskip("onnxruntime")


@pytest.fixture
def face(tmp_path: Path) -> Path:
    Image.fromarray(drawn_face()).save(tmp_path / "face.png")
    return tmp_path / "face.png"


def test_a_face_is_made_up(cli: Cli, face: Path, tmp_path: Path) -> None:
    assert cli("makeup", face, "--lips", "#b0123b", "--strength", "1", "-o", tmp_path / "out") == 0
    assert "lips" in cli.out and "no licence is stated" not in cli.out
    assert "ask people" in cli.out
    before, after = drawn_face(), np.asarray(Image.open(tmp_path / "out" / "face.makeup.png"))
    parts = face_parts(drawn_points(), before.shape[:2])
    changed = (before != after).any(axis=2)
    beside_teeth = cv2.dilate(parts["mouth"], np.ones((3, 3), np.uint8)) > 0  # pixels that are half teeth stay
    assert changed[(parts["lips"] > 0.99) & ~beside_teeth].mean() > 0.98
    assert not changed[:200].any()
    assert not changed[parts["mouth"] > 0.99].any()


def test_the_record_is_json(cli: Cli, face: Path, tmp_path: Path) -> None:
    told = cli.json("makeup", face, "--lips", "red", "--skin", "smooth", "--hair", "navy", "-o", tmp_path / "out")
    (record,) = told["records"]
    assert record["settings"] == {"lips": "red", "hair": "navy", "skin": "smooth", "strength": 0.8}
    assert record["outputs"] == {"makeup": "face.makeup.png"}
    assert record["details"] == {"faces": 1}
    assert record["areas"]["hair"] > 0.08
    (note,) = told["notes"]  # the other models have the same terms
    assert note.startswith("model clothes: ") and "no licence is stated" in note
    cli.json("makeup", face, "--lips", "red", "--skin", "smooth", "--hair", "navy", "-o", tmp_path / "out", "--resume")


def test_no_face_is_said(cli: Cli, tmp_path: Path) -> None:
    Image.new("RGB", (80, 60), "teal").save(tmp_path / "blank.png")
    assert cli("makeup", tmp_path / "blank.png", "--lips", "red", "-o", tmp_path / "out") == 1
    assert "no face was found" in cli.err
    assert not (tmp_path / "out" / "blank.makeup.png").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "nothing to paint"),
        (("--lips", "crimsn"), "Did you mean 'crimson'"),
        (("--lips", "red", "-m", "person"), "a model is needed for hair alone"),
        (("--hair", "red", "-m", "street"), "has no class hair"),
        (("--lips", "red", "--overwrite", "--resume"), "choose one"),
    ],
)
def test_what_means_nothing_is_refused(cli: Cli, face: Path, arguments: tuple[str, ...], message: str) -> None:
    assert cli("makeup", face, *arguments) == 2
    assert message in cli.err


def test_a_plan_is_shown(cli: Cli, face: Path, tmp_path: Path) -> None:
    told = cli.json("makeup", face, "--lips", "red", "-o", tmp_path / "out", "--dry-run")
    assert told["planned"][0]["outputs"] == {"makeup": str(tmp_path / "out" / "face.makeup.png")}
    assert not (tmp_path / "out").exists()
