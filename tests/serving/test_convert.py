"""Annotations converted over HTTP: equal to the command's, losses told, limits kept, and nothing left behind."""

from __future__ import annotations

import base64
import io
import json
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
from bombs import bomb
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from starlette.testclient import TestClient

from intarsia.annotations import open_annotations, write_annotations
from intarsia.annotations.tools import tool_named
from intarsia.serving.app import create_app
from intarsia.serving.settings import Settings

LABELME = {
    "version": "5.0.0", "flags": {}, "imagePath": "a.png", "imageData": None, "imageHeight": 40, "imageWidth": 60,
    "shapes": [
        {"label": "cat", "points": [[5, 5], [30, 5], [30, 30]], "shape_type": "polygon", "group_id": None, "flags": {}},
        {"label": "dog", "points": [[40, 20], [45, 20]], "shape_type": "circle", "group_id": None, "flags": {}},
    ],
}  # fmt: skip


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder of one's own, in which nothing may be left."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


def labelme(**more: Any) -> bytes:
    return json.dumps(LABELME | more).encode()


def zipped(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def png(width: int = 60, height: int = 40, **more: Any) -> bytes:
    made = io.BytesIO()
    Image.fromarray(np.zeros((height, width, 3), np.uint8)).save(made, "PNG", **more)
    return made.getvalue()


def convert(
    client: TestClient, to: str, *files: tuple[str, bytes], photos: dict[str, bytes] | None = None, **q: str
) -> Any:
    sent = [("file", one) for one in files] + [("photos", one) for one in (photos or {}).items()]
    return client.post("/v1/convert", params={"to": to, **q}, files=sent)


@pytest.mark.parametrize(
    "to", ["coco", "cvat", "rectlabel", "labelstudio", "via", "labelme", "masks", "yolo", "geojson"]
)
def test_files_and_losses_are_those_of_the_command(
    client: TestClient, to: str, tmp_path: Path, temporary: Path
) -> None:
    source, out = tmp_path / "in" / "a.json", tmp_path / "out"
    for folder in (source.parent, out):
        folder.mkdir()
    source.write_bytes(labelme())
    lost = write_annotations(open_annotations(source), out / f"a{tool_named(to).suffix}", tool=to)
    found = convert(client, to, ("a.json", labelme()))
    assert found.status_code == 200, found.text
    files = sorted(path for path in out.rglob("*") if path.is_file())
    if len(files) == 1:
        assert found.content == files[0].read_bytes()
    else:
        archive = zipfile.ZipFile(io.BytesIO(found.content))
        assert {name: archive.read(name) for name in archive.namelist()} == {
            path.relative_to(out).as_posix(): path.read_bytes() for path in files
        }
    assert unquote(found.headers.get("x-losses", "")) == "; ".join(lost.lines())
    assert found.headers["x-from"] == "labelme"
    assert list(temporary.iterdir()) == []


def test_json_holds_file_and_losses(client: TestClient) -> None:
    plain = convert(client, "coco", ("a.json", labelme()))
    sent = {"file": ("a.json", labelme())}
    told = client.post("/v1/convert?to=coco", files=sent, headers={"Accept": "application/json"}).json()
    assert base64.b64decode(told["content"]) == plain.content
    assert (told["from"], told["to"], told["name"], told["media_type"]) == (
        "labelme", "coco", "a.json", "application/json",
    )  # fmt: skip
    assert {"kind": "changed", "reason": "a circle became a polygon", "count": 1, "examples": ["a.png"]} in told[
        "losses"
    ]


def test_a_body_an_archive_and_several_files_are_read(client: TestClient, temporary: Path) -> None:
    one = convert(client, "coco", ("a.json", labelme()))
    raw = client.post("/v1/convert?to=coco", content=labelme(), headers={"Content-Type": "application/json"})
    archive = convert(client, "coco", ("export.zip", zipped({"a.json": labelme(), "a.png": png()})))
    assert raw.content == one.content == archive.content
    assert convert(client, "coco", ("a", labelme())).content == one.content
    two = convert(client, "coco", ("a.json", labelme()), ("b.json", labelme(imagePath="b.png")))
    assert [image["file_name"] for image in two.json()["images"]] == ["a.png", "b.png"]
    assert list(temporary.iterdir()) == []


def test_photos_tell_sizes(client: TestClient, temporary: Path) -> None:
    text = b"0 0.5 0.5 0.25 0.5\n"
    without = convert(client, "coco", ("a.txt", text), **{"from": "yolo"})
    assert without.status_code == 400 and "a.txt" in without.json()["detail"]
    found = convert(client, "coco", ("a.txt", text), photos={"a.png": png()}, **{"from": "yolo"})
    assert found.status_code == 200, found.text
    assert found.json()["annotations"][0]["bbox"] == [22.5, 10, 15, 20]
    found = convert(client, "labelme", ("a.txt", text), photos={"a.png": png()}, **{"from": "yolo"})
    archive = zipfile.ZipFile(io.BytesIO(found.content))
    told = json.loads(archive.read("a/a.json"))
    assert (told["imagePath"], told["imageWidth"], told["imageHeight"]) == ("a.png", 60, 40)
    assert list(temporary.iterdir()) == []


def test_what_cannot_be_converted_says_why_and_names_no_folder(client: TestClient, temporary: Path) -> None:
    entities = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "xx">]><annotations><version>1.1</version></annotations>'
    cases = [
        (convert(client, "cocoo", ("a.json", labelme())), 422, "Did you mean 'coco'?"),
        (convert(client, "coco", ("a.json", labelme()), **{"from": "labelmee"}), 422, "Did you mean 'labelme'?"),
        (convert(client, "coco", ("a.json", b"{")), 400, "a.json: not an annotation file"),
        (convert(client, "coco", ("a.json", b"{"), **{"from": "labelme"}), 400, "a.json"),
        (convert(client, "coco", ("a.zip", zipped({"a.json": labelme()})[:-30])), 400, "a.zip"),
        (convert(client, "coco", ("a.zip", zipped({"../a.json": labelme()}))), 400, "outside the folder"),
        (convert(client, "coco", ("a.xml", entities), **{"from": "cvat"}), 400, "document type or entities"),
        (convert(client, "coco", ("a.json", labelme()), ("a.json", labelme())), 422, "two files are named a.json"),
        (client.post("/v1/convert?to=coco"), 422, "curl -F file="),
        (client.post("/v1/convert?to=coco&form=x", content=labelme()), 422, "form"),
        (client.post("/v1/convert", content=labelme()), 422, "to"),
    ]
    for found, status, said in cases:
        assert found.status_code == status and said in found.json()["detail"], found.text
        assert str(temporary) not in found.text and "intarsia-" not in found.text
    assert list(temporary.iterdir()) == []


def bombs() -> dict[str, Callable[[], Any]]:
    zeros, hidden = bytes(30 << 20), zipped({"a.json": labelme(), "a.png": bomb(9000)})
    text = PngInfo()
    text.add_text("Comment", "x" * (30 << 20), zip=True)
    return {
        "zip": lambda: {"files": [("file", ("a.zip", zipped({"a.json": zeros, "b.json": zeros})))]},
        "picture in a zip": lambda: {"files": [("file", ("a.zip", hidden))]},
        "picture": lambda: {"files": [("file", ("a.json", labelme())), ("photos", ("a.png", bomb(9000)))]},
        "size": lambda: {"files": [("file", ("a.json", labelme(imageHeight=90_000, imageWidth=90_000)))]},
        "text": lambda: {"files": [("file", ("a.json", labelme())), ("photos", ("a.png", png(pnginfo=text)))]},
    }  # fmt: skip


@pytest.mark.parametrize("kind", sorted(bombs()))
def test_bombs_are_refused_and_leave_nothing(settings: Settings, kind: str, temporary: Path) -> None:
    with TestClient(create_app(settings.model_copy(update={"max_bytes": 10 << 20}))) as client:
        found = client.post("/v1/convert?to=masks", **bombs()[kind]())
        assert found.status_code == (200 if kind == "text" else 413), found.text
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("packed", [False, True])
def test_more_values_than_memory_holds_are_refused_before_they_are_read(
    settings: Settings, packed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A zip archive of some kilobytes may hold millions of them."""
    images = [{"id": 1, "file_name": "a.png", "width": 60, "height": 40}]
    few = {"images": images, "categories": [], "annotations": [{"id": 1, "image_id": 1, "bbox": [1, 2, 3, 4]}]}
    many = json.dumps(few | {"annotations": [{}] * 20_000}).encode()
    app = create_app(settings.model_copy(update={"max_held": 1 << 20}))
    with TestClient(app) as client:
        assert client.post("/v1/convert?to=cvat", content=json.dumps(few)).status_code == 200
        monkeypatch.setattr("intarsia.serving.routes.convert.convert", lambda *sent: pytest.fail("it was read"))
        sent = zipped({"export/all.json": many, "a.png": png()}) if packed else many
        found = client.post("/v1/convert?to=cvat&name=all", content=sent)
        assert found.status_code == 413, found.text
        assert "all.json holds so many values" in found.json()["detail"] and "--max-held" in found.json()["detail"]
        assert app.state.budget.held == 0
