"""Open Inference Protocol: tensors in and out, as JSON and as bytes behind it, and what is refused."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from intarsia.serving import tensors
from intarsia.serving.app import create_app
from intarsia.serving.settings import Settings

URL = "/v2/models/bright/infer"
HEAD = "Inference-Header-Content-Length"


def image(photo: np.ndarray, **more: Any) -> dict[str, Any]:
    return {"name": "image", "datatype": "UINT8", "shape": list(photo.shape), "data": photo.tolist()} | more


def binary(document: dict[str, Any], blob: bytes) -> dict[str, Any]:
    """The body and header of Triton's binary form."""
    head = json.dumps(document).encode()
    return {"content": head + blob, "headers": {HEAD: str(len(head))}}


def with_blob(blob: bytes, datatype: str, shape: list[int], **more: Any) -> dict[str, Any]:
    sent = {"name": "image", "datatype": datatype, "shape": shape, "parameters": {"binary_data_size": len(blob)}}
    return binary({"inputs": [sent]} | more, blob)


def element(content: bytes) -> bytes:
    return len(content).to_bytes(4, "little") + content


def segmented(client: TestClient, content: bytes) -> np.ndarray:
    found = client.post("/v1/segment?model=bright", content=content)
    return np.asarray(Image.open(io.BytesIO(found.content)))


@pytest.fixture
def png(photo: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "PNG")
    return file.getvalue()


def test_server_and_model_tell_what_they_are(client: TestClient) -> None:
    assert client.get("/v2").json()["extensions"] == ["binary_tensor_data"]
    assert client.get("/v2/health/live").json() == {"live": True}
    told = client.get("/v2/models/bright").json()
    assert told["inputs"] == [{"name": "image", "datatype": "UINT8", "shape": [-1, -1, 3]}]
    assert told["outputs"][0] == {"name": "labels", "datatype": "UINT8", "shape": [-1, -1]}
    missing = client.get("/v2/models/brigt/ready")
    assert missing.status_code == 404 and "Did you mean 'bright'?" in missing.json()["error"]
    assert client.post("/v2/models/brigt/infer", json={}).status_code == 404, "whatever was sent to it"


def test_it_is_ready_when_the_server_is(client: TestClient, png: bytes) -> None:
    assert client.post("/v1/segment?model=bright", content=png).status_code == 200
    assert client.get("/v2/models/bright/ready").json() == {"name": "bright", "ready": True}
    client.app.state.engine.draining = True  # type: ignore[attr-defined]
    try:
        for path in ("/v2/health/ready", "/v2/models/bright/ready"):
            assert client.get(path).status_code == 503 and client.get(path).json()["error"]
    finally:
        client.app.state.engine.draining = False  # type: ignore[attr-defined]


def test_json_tensors_get_the_labels_of_the_api(client: TestClient, photo: np.ndarray, png: bytes) -> None:
    found = client.post(URL, json={"id": "42", "inputs": [image(photo)]})
    assert found.status_code == 200, found.text
    answer = found.json()
    (labels,) = answer["outputs"]
    assert (answer["id"], answer["model_name"]) == ("42", "bright")
    assert (labels["name"], labels["datatype"], labels["shape"]) == ("labels", "UINT8", [40, 60])
    assert np.array_equal(np.reshape(labels["data"], (40, 60)), segmented(client, png))
    flat = client.post(URL, json={"inputs": [image(photo, data=photo.ravel().tolist())]}).json()
    assert flat["outputs"] == answer["outputs"] and "id" not in flat
    batch = client.post(URL, json={"inputs": [image(photo[None])]}).json()["outputs"][0]
    assert batch["shape"] == [1, 40, 60] and batch["data"] == labels["data"]


def test_an_encoded_picture_gets_the_labels_of_the_api(client: TestClient, jpeg: bytes) -> None:
    expected = segmented(client, jpeg)
    sent = {
        "name": "image", "datatype": "BYTES", "shape": [1], "parameters": {"content_type": "base64"},
        "data": [base64.b64encode(jpeg).decode()],
    }  # fmt: skip
    for found in (
        client.post(URL, json={"inputs": [sent]}),
        client.post(URL, **with_blob(element(jpeg), "BYTES", [1])),
    ):
        assert found.status_code == 200, found.text
        assert np.array_equal(np.reshape(found.json()["outputs"][0]["data"], (40, 60)), expected)


def test_bytes_come_behind_the_json_where_they_are_asked_for(client: TestClient, photo: np.ndarray, png: bytes) -> None:
    expected = segmented(client, png)
    whole = client.post(
        URL, **with_blob(photo.tobytes(), "UINT8", [40, 60, 3], parameters={"binary_data_output": True})
    )
    size = int(whole.headers[HEAD])
    (told,) = json.loads(whole.content[:size])["outputs"]
    assert whole.headers["content-type"] == "application/octet-stream"
    assert told["parameters"] == {"binary_data_size": 2400} and "data" not in told
    assert whole.content[size:] == expected.tobytes()

    outputs = [
        {"name": "confidence", "parameters": {"binary_data": True}},
        {"name": "labels", "parameters": {"binary_data": False, "datatype": "INT64"}},
    ]
    both = client.post(URL, json={"inputs": [image(photo)], "outputs": outputs})
    size = int(both.headers[HEAD])
    confidence, labels = json.loads(both.content[:size])["outputs"]
    assert (confidence["datatype"], confidence["parameters"]) == ("FP32", {"binary_data_size": 9600})
    values = np.frombuffer(both.content[size:], "<f4").reshape(40, 60)
    assert values.min() >= 0.5 and values.max() <= 1
    assert labels["datatype"] == "INT64" and np.array_equal(np.reshape(labels["data"], (40, 60)), expected)


def wrong_requests(photo: np.ndarray) -> list[tuple[dict[str, Any], int, str]]:
    raw, good = photo.tobytes(), {"inputs": [image(photo)]}
    return [
        ({"content": b"not JSON"}, 400, "no request for inference"),
        ({"content": b"[" * 10_000}, 400, "no request for inference"),
        ({"json": {"inputs": []}}, 400, "one input named 'image'"),
        ({"json": {"inputs": [image(photo, name="x")]}}, 400, "one input named 'image'"),
        ({"json": {"inputs": [image(photo, datatype="FP32")]}}, 400, "not FP32"),
        ({"json": {"inputs": [image(photo, shape=[40, 60])]}}, 400, "[height, width, 3]"),
        ({"json": {"inputs": [image(photo, shape=[2, 40, 60, 3])]}}, 400, "[height, width, 3]"),
        ({"json": {"inputs": [image(photo, shape=[0, 60, 3])]}}, 400, "[height, width, 3]"),
        ({"json": {"inputs": [image(photo, shape=[40, 61, 3])]}}, 400, "7200 values"),
        ({"json": {"inputs": [image(photo, shape=[-1, 60, 3])]}}, 400, "no request for inference"),
        ({"json": {"inputs": [image(photo, data=[[1, 2], [3]])]}}, 400, "whole numbers from 0 to 255"),
        ({"json": {"inputs": [image(photo, data=[1.5])]}}, 400, "whole numbers from 0 to 255"),
        ({"json": {"inputs": [image(photo, data=[256])]}}, 400, "whole numbers from 0 to 255"),
        ({"json": {"inputs": [image(photo, data=[10**30])]}}, 400, "whole numbers from 0 to 255"),
        ({"json": {"inputs": [image(photo, data=None)]}}, 400, "whole numbers from 0 to 255"),
        ({"json": {"inputs": [image(photo, datatype="BYTES", shape=[2])]}}, 400, "shape [1]"),
        ({"json": {"inputs": [image(photo, datatype="BYTES", shape=[1], data=["x"])]}}, 400, "base64"),
        ({"json": good | {"outputs": [{"name": "label"}]}}, 400, "Did you mean 'labels'?"),
        ({"json": good | {"outputs": [{"name": "labels"}] * 2}}, 400, "twice"),
        ({"json": good | {"parameters": {"binary_data_output": "yes"}}}, 400, "true or false"),
        ({"json": good | {"outputs": [{"name": "labels", "parameters": {"datatype": "FP32"}}]}}, 400, "or INT64"),
        (with_blob(raw[:-1], "UINT8", [40, 60, 3]), 400, "7199 values"),
        (with_blob(b"\1\0\0\0", "BYTES", [1]), 400, "4 bytes"),
        (with_blob(element(b"no picture"), "BYTES", [1]), 400, "not an image"),
        (binary({"inputs": [image(photo)]}, b"more"), 400, "4 bytes follow the JSON"),
        ({"content": b"{}", "headers": {HEAD: "3"}}, 400, "the body has 2 bytes"),
        ({"content": b"{}", "headers": {HEAD: "-1"}}, 400, "the body has 2 bytes"),
        ({"content": b"{}", "headers": {HEAD: 5000 * "9"}}, 400, "the body has 2 bytes"),
        ({"json": {"inputs": [1] * 100_000}}, 400, "no request for inference"),
        ({"content": b"{}", "headers": {"Content-Encoding": "gzip"}}, 415, "Content-Encoding"),
    ]  # fmt: skip


def test_wrong_requests_are_told_in_the_protocols_own_member(client: TestClient, photo: np.ndarray) -> None:
    for sent, status, said in wrong_requests(photo):
        found = client.post(URL, **sent)
        assert found.status_code == status, (said, found.text)
        assert said in found.json()["error"] == found.json()["detail"], said
    clouds = client.post("/v2/models/airborne-lidar/infer", json={"inputs": [image(photo)]})
    assert clouds.status_code == 415 and "/v1/pointclouds/segment" in clouds.json()["error"]


def test_what_is_too_large_is_judged_before_it_is_computed(
    settings: Settings, photo: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    with TestClient(create_app(settings.model_copy(update={"max_pixels": 2399}))) as client:
        found = client.post(URL, **with_blob(photo.tobytes(), "UINT8", [40, 60, 3]))
        assert found.status_code == 413 and "megapixels" in found.json()["error"]
        monkeypatch.setattr(tensors, "MOST_JSON", 100)
        found = client.post(URL, json={"inputs": [image(photo)]})
        assert found.status_code == 413 and "binary_data_size" in found.json()["error"]
