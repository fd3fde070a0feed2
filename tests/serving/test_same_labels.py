"""One picture, one model, one answer: whichever program asks, by whichever road."""

from __future__ import annotations

import base64
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from commands import Cli
from numpy.typing import NDArray
from onnx_made import write_onnx
from PIL import Image
from starlette.testclient import TestClient

from intarsia.annotations.formats.labelstudio import brush
from intarsia.annotations.rle import decode_runs
from intarsia.labels import LabelSpace
from intarsia.serving import cvat
from intarsia.serving.app import create_app
from intarsia.serving.settings import Settings

NAMES = ("background", "person")
HEAD = "Inference-Header-Content-Length"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_onnx(tmp_path_factory.mktemp("same") / "same.onnx", stride=4, space=LabelSpace(NAMES))


@pytest.fixture(scope="module")
def server(model: Path) -> Iterator[TestClient]:
    with TestClient(create_app(Settings(models=(str(model),), rembg=True, state=model.parent / "state"))) as client:
        yield client


@pytest.fixture(scope="module", params=["grey", "turned"])
def photo(request: pytest.FixtureRequest, model: Path) -> Path:
    """A blurred noise that a model of stride 4 finds hard; a JPEG on its side, or a grey PNG."""
    rng = np.random.default_rng(7)
    noise = np.kron(rng.integers(0, 256, (13, 17)), np.ones((5, 5))).astype(np.uint8)
    if request.param == "grey":
        path = model.parent / "grey.png"
        Image.fromarray(noise).save(path)
    else:
        path, exif = model.parent / "turned.jpg", Image.Exif()
        exif[0x0112] = 6
        Image.fromarray(np.dstack([noise, noise[::-1], noise])).save(path, "JPEG", exif=exif)
    return path


@pytest.fixture
def expected(server: TestClient, photo: Path) -> NDArray[np.uint8]:
    found = server.post("/v1/segment?model=same", content=photo.read_bytes())
    labels = np.asarray(Image.open(io.BytesIO(found.content)))
    assert set(np.unique(labels)) == {0, 1}
    return labels


def test_the_command_line(
    model: Path, photo: Path, expected: NDArray[np.uint8], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Cli(capsys)("segment", str(photo), "-m", str(model), "-o", str(tmp_path / "mask.png")) == 0
    assert np.array_equal(np.asarray(Image.open(tmp_path / "mask.png")), expected)


def infer(server: TestClient, sent: dict[str, Any], blob: bytes = b"", **more: Any) -> NDArray[np.uint8]:
    head = json.dumps({"inputs": [{"name": "image"} | sent]} | more).encode()
    headers = {HEAD: str(len(head))} if blob else {}
    found = server.post("/v2/models/same/infer", content=head + blob, headers=headers)
    assert found.status_code == 200, found.text
    size = int(found.headers.get(HEAD, len(found.content)))
    (told,) = json.loads(found.content[:size])["outputs"]
    values = told.get("data") or np.frombuffer(found.content[size:], np.uint8)
    return np.reshape(np.asarray(values, np.uint8), told["shape"])


def test_open_inference_protocol(server: TestClient, photo: Path, expected: NDArray[np.uint8]) -> None:
    pixels = np.asarray(server.app.state.engine._loaded["same"].segment(str(photo)).image)  # type: ignore[attr-defined]
    content, shape = photo.read_bytes(), list(pixels.shape)
    wanted = {"parameters": {"binary_data_output": True}}
    base64_said = {"datatype": "BYTES", "shape": [1], "parameters": {"content_type": "base64"}}
    binary_said = {"datatype": "UINT8", "shape": shape, "parameters": {"binary_data_size": pixels.size}}
    encoded = len(content).to_bytes(4, "little") + content
    encoded_said = {"datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": len(encoded)}}
    for found in (
        infer(server, {"datatype": "UINT8", "shape": shape, "data": pixels.tolist()}),
        infer(server, base64_said | {"data": [base64.b64encode(content).decode()]}, **wanted),
        infer(server, binary_said, pixels.tobytes()),
        infer(server, encoded_said, encoded, **wanted),
    ):
        assert np.array_equal(found, expected)


def test_label_studio(server: TestClient, photo: Path, expected: NDArray[np.uint8]) -> None:
    labels = "".join(f'<Label value="{name}"/>' for name in NAMES)
    config = f'<View><Image name="i" value="$p"/><BrushLabels name="b" toName="i">{labels}</BrushLabels></View>'
    picture = f"data:image/png;base64,{base64.b64encode(photo.read_bytes()).decode()}"
    sent = {"tasks": [{"id": 1, "data": {"p": picture}}], "label_config": config}
    (task,) = server.post("/ls/predict", json=sent).json()["results"]
    assert len(task["result"]) == 2
    for region in task["result"]:
        index = NAMES.index(region["value"]["brushlabels"][0])
        assert (region["original_height"], region["original_width"]) == expected.shape
        assert np.array_equal(brush.decode(region["value"]["rle"], expected.shape), expected == index)


def test_cvat(photo: Path, model: Path, expected: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch) -> None:
    sdk: Any = ModuleType("cvat_sdk.auto_annotation")
    sdk.DetectionFunctionSpec, sdk.mask = SimpleNamespace, lambda *said: said
    sdk.label_spec = lambda name, number, **more: (name, number)
    monkeypatch.setitem(sys.modules, "cvat_sdk", ModuleType("cvat_sdk"))
    monkeypatch.setitem(sys.modules, "cvat_sdk.auto_annotation", sdk)
    context = SimpleNamespace(conf_threshold=None, conv_mask_to_poly=False)
    with Image.open(photo) as image:
        found = cvat.create(str(model), ",".join(NAMES)).detect(context, image)
    assert [index for index, _ in found] == [0, 1]
    for index, points in found:
        *lengths, left, top, right, bottom = map(int, points)
        mask = np.zeros(expected.shape, bool)
        size = (bottom - top + 1, right - left + 1)
        mask[top : bottom + 1, left : right + 1] = decode_runs(lengths, size, "C")
        assert np.array_equal(mask, expected == index)


def test_rembg(server: TestClient, photo: Path, expected: NDArray[np.uint8]) -> None:
    fields = {"model": "same", "om": "true", "ppm": "true"}
    found = server.post("/api/remove", data=fields, files={"file": photo.read_bytes()})
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(found.content))), np.where(expected == 1, 255, 0))
