"""rembg's route: its fields, its answers, and what it does not do here."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx_made import write_onnx
from PIL import Image
from starlette.testclient import TestClient

from intarsia.apps.portrait import portrait
from intarsia.bundle import Description
from intarsia.labels import LabelSpace
from intarsia.preprocessing import Preprocessing
from intarsia.serving.app import create_app
from intarsia.serving.settings import Settings


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Who is bright is a person, with little doubt."""
    sure = Preprocessing(mean=(0.5, 0.5, 0.5), std=(0.05, 0.05, 0.05))
    description = Description("threshold", {}, LabelSpace(("background", "person")), sure)
    return write_onnx(tmp_path_factory.mktemp("people") / "somebody.onnx", stride=1, description=description)


@pytest.fixture(scope="module")
def rembg(model: Path) -> Iterator[TestClient]:
    stones = write_onnx(model.parent / "stones.onnx", stride=1, space=LabelSpace(("sand", "stone")))
    settings = Settings(models=(str(model), str(stones)), rembg=True, state=model.parent / "state")
    with TestClient(create_app(settings)) as client:
        yield client


@pytest.fixture
def photo() -> NDArray[np.uint8]:
    pixels = np.full((60, 80, 3), 30, np.uint8)
    pixels[10:50, 20:60] = (250, 240, 230)
    return pixels


@pytest.fixture
def png(photo: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "PNG")
    return file.getvalue()


def removed(client: TestClient, content: bytes, query: str = "", **fields: Any) -> Any:
    sent = {"model": "somebody"} | fields
    return client.post(f"/api/remove{query}", data=sent, files={"file": ("a.png", content, "image/png")})


def pixels(found: Any) -> NDArray[np.uint8]:
    assert found.status_code == 200, found.text
    assert found.headers["content-type"] == "image/png"
    return np.asarray(Image.open(io.BytesIO(found.content)))


def test_it_is_there_only_when_asked_for(client: TestClient, png: bytes) -> None:
    assert removed(client, png).status_code == 404
    assert "/api/remove" not in client.get("/openapi.json").json()["paths"]


def test_the_cut_out_is_that_of_portrait_mode(rembg: TestClient, model: Path, png: bytes) -> None:
    expected = np.asarray(portrait(png, background="transparent", model=model))
    cut = pixels(removed(rembg, png))
    assert cut.shape == (60, 80, 4) and np.array_equal(cut, expected)
    assert cut[30, 40].tolist() == [250, 240, 230, 255] and cut[0, 0, 3] == 0
    assert np.array_equal(pixels(removed(rembg, png, om="true")), expected[..., 3])


def test_without_soft_edges_the_mask_is_the_class(rembg: TestClient, png: bytes) -> None:
    labels = np.asarray(Image.open(io.BytesIO(rembg.post("/v1/segment?model=somebody", content=png).content)))
    assert np.array_equal(pixels(removed(rembg, png, om="1", ppm="1")), np.where(labels == 1, 255, 0))
    assert np.array_equal(pixels(removed(rembg, png, ppm="true"))[..., 3], np.where(labels == 1, 255, 0))


def test_a_colour_comes_behind(rembg: TestClient, png: bytes, photo: NDArray[np.uint8]) -> None:
    for found in (removed(rembg, png, bgc="0,128,255,255"), removed(rembg, png, "?bgc=0,128,255,255")):
        made = pixels(found)
        assert made[0, 0].tolist() == [0, 128, 255, 255] and made[30, 40].tolist() == [250, 240, 230, 255]
    assert pixels(removed(rembg, png, bgc="9,8,7"))[0, 0].tolist() == [9, 8, 7, 255]
    assert pixels(removed(rembg, png, bgc="0,0,0,0"))[0, 0, 3] == 0


def test_what_has_no_effect_is_told(rembg: TestClient, png: bytes) -> None:
    plain = removed(rembg, png)
    asked = removed(rembg, png, a="true", af="200", ae="5", extras="{}")
    assert asked.content == plain.content and "x-note" not in plain.headers
    assert [part.partition(":")[0] for part in asked.headers["x-note"].split("; ")] == ["a", "af", "ae", "extras"]


def test_what_cannot_be_done_says_why(rembg: TestClient, png: bytes) -> None:
    nobody = io.BytesIO()
    Image.new("RGB", (80, 60)).save(nobody, "PNG")
    cases = [
        (removed(rembg, png, model="u2net"), 404, "no model is named 'u2net'"),
        (removed(rembg, png, model="persn"), 404, "Did you mean 'person'?"),
        (removed(rembg, png, model="stones"), 422, "person"),
        (removed(rembg, png, model="stones", ppm="1"), 422, "person"),
        (removed(rembg, png, bgc="red"), 422, "255,255,255,255"),
        (removed(rembg, png, bgc="1,2,3,256"), 422, "bgc"),
        (removed(rembg, png, bgc="1,2"), 422, "bgc"),
        (removed(rembg, png, af="300"), 422, "af"),
        (removed(rembg, png, om="perhaps"), 422, "om"),
        (removed(rembg, b"text"), 400, "not an image"),
        (removed(rembg, png, url="http://169.254.169.254/"), 422, "fetches nothing"),
        (rembg.get("/api/remove?url=http://169.254.169.254/"), 422, "fetches nothing"),
        (rembg.post("/api/remove", data={"model": "somebody"}), 400, "not an image"),
        (removed(rembg, nobody.getvalue()), 422, "nobody is found"),
    ]
    for found, status, said in cases:
        assert found.status_code == status and said in found.json()["detail"], found.text
