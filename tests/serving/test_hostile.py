"""What hostile or broken clients send: nothing of it is a defect of the server, and nothing of it stays."""

from __future__ import annotations

import errno
import logging
from typing import Any
from unittest import mock

import numpy as np
import pytest
import uvicorn
from loops import finish
from starlette.testclient import TestClient
from uvicorn.server import ServerState

from intarsia.errors import DataError
from intarsia.serving.calls import Call, GivenUp
from intarsia.serving.running import Patient
from intarsia.serving.settings import Settings
from intarsia.serving.uploads import PATIENCE
from intarsia.zoo import find_bundle


@pytest.mark.parametrize("origin", ["null", "http://[", "", "http://testserver:1", "http://testserver.evil.example"])
def test_origins_that_are_none_of_ours_are_refused(client: TestClient, origin: str) -> None:
    found = client.post("/ls/webhook", json={"action": "x"}, headers={"Origin": origin})
    assert found.status_code == 403, found.text
    assert client.post("/ls/webhook", json={"action": "x"}, headers={"Origin": "http://testserver"}).status_code == 201


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/v1/render", {"data": {"classes": "[" * 100_000}, "files": {"labels": b"\x89PNG"}}),
        ("/v1/convert?to=coco", {"files": {"file": ("a.json", b'{"a":' * 100_000)}}),
        ("/v2/models/bright/infer", {"content": b'{"inputs":' + b"[" * 100_000}),
        ("/ls/predict", {"content": b'{"tasks":' + b"[" * 100_000}),
        ("/v1/segment/interactive?model=bright", {"data": {"clicks": "[" * 100_000}, "files": {"file": b"\x89PNG"}}),
    ],
)
def test_json_that_is_nested_without_end_is_refused(client: TestClient, path: str, sent: dict[str, Any]) -> None:
    found = client.post(path, **sent)
    assert found.status_code in (400, 422), found.text


def test_a_small_picture_is_not_enlarged_beyond_the_limits(client: TestClient, jpeg: bytes) -> None:
    found = client.post("/v1/segment?model=bright&long_side=20000", content=jpeg)
    assert found.status_code == 413 and "long_side=20000 has 266.7 megapixels" in found.json()["detail"]
    assert client.post("/v1/segment?model=bright&long_side=120", content=jpeg).status_code == 200


def test_what_nobody_waits_for_ends_before_the_next_part_of_the_picture(client: TestClient, jpeg: bytes) -> None:
    assert client.post("/v1/segment?model=bright", content=jpeg).status_code == 200
    engine = client.app.state.engine  # type: ignore[attr-defined]
    predictor, call, parts = engine._loaded["bright"], Call(), []

    def work() -> None:
        for part in range(9):
            predictor.runtime.logits(np.zeros((1, 3, 4, 4), np.float32))
            parts.append(part)
            call.left.set()

    async def compute() -> None:
        await engine.compute(call, predictor, work)

    with pytest.raises(GivenUp):
        finish(compute())
    assert parts == [0]
    assert client.post("/v1/segment?model=bright", content=jpeg).status_code == 200


@pytest.mark.parametrize("model", ["clicks", "face-detector", "search"])
def test_models_that_give_no_labels_are_refused_without_telling_where_they_lie(
    client: TestClient, jpeg: bytes, model: str
) -> None:
    found = client.post(f"/v1/segment?model={model}", content=jpeg)
    assert found.status_code == 404 and f"no model is named '{model}'" in found.json()["detail"]
    assert str(find_bundle(model).parent) not in found.text


def test_a_full_disk_is_told_as_such_and_without_folders(
    client: TestClient, settings: Settings, jpeg: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: Any) -> None:
        cause = OSError(errno.ENOSPC, "No space left on device")
        raise DataError(f"cannot write {settings.state}/workspace/a.jpg: the disk is full") from cause

    monkeypatch.setattr("intarsia.serving.project.project.Project.add", full)
    found = client.post("/v1/project/items", files={"file": ("a.jpg", jpeg)})
    assert found.status_code == 507
    assert found.json()["detail"].startswith("cannot write workspace/a.jpg: the disk is full (of the server")


def test_classes_that_are_none_are_refused_in_a_line(client: TestClient) -> None:
    found = client.post("/v1/render", data={"classes": '[{"name": 1}]'}, files={"labels": b"x"})
    assert found.status_code == 422
    assert found.json()["detail"].endswith("(name: Input should be a valid string)")


def test_a_path_makes_no_lines_of_the_log(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "intarsia.serving"):
        assert client.get("/%0AGET%20/fake%20200%1B[2J").status_code == 404
    (line,) = [record.getMessage() for record in caplog.records if record.name == "intarsia.serving"]
    assert line.startswith("GET /%0AGET%20/fake%20200%1B%5B2J 404 ")


def test_a_client_that_leaves_in_the_middle_of_its_body_is_no_failure(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    sent: list[dict[str, Any]] = []
    told = [{"type": "http.request", "body": b"\x89PNG", "more_body": True}, {"type": "http.disconnect"}]

    async def receive() -> dict[str, Any]:
        return told.pop(0) if len(told) > 1 else told[0]

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/v1/segment", "raw_path": b"/v1/segment", "query_string": b"",
        "root_path": "", "headers": [(b"host", b"localhost")], "http_version": "1.1", "scheme": "http",
    }  # fmt: skip
    with caplog.at_level(logging.INFO, "intarsia.serving"):
        finish(client.app(scope, receive, send))  # type: ignore[arg-type]
    assert sent[0]["status"] == 499
    assert "POST /v1/segment 499" in caplog.text and "failed" not in caplog.text


class _Loop:
    """A loop whose time is turned by hand."""

    def __init__(self) -> None:
        self.looks: list[tuple[Any, ...]] = []

    def call_later(self, seconds: float, function: Any, *arguments: Any) -> mock.Mock:
        self.looks.append((seconds, function, arguments))
        return mock.Mock()

    def turn(self) -> None:
        seconds, function, arguments = self.looks.pop()
        assert seconds == PATIENCE
        function(*arguments)


def test_a_connection_on_which_no_request_comes_is_ended() -> None:
    loop, transport = _Loop(), mock.Mock()
    config = uvicorn.Config(mock.Mock(), log_config=None)
    connection = Patient(config=config, server_state=ServerState(), app_state={}, _loop=loop)
    connection.connection_made(transport)
    connection.data_received(b"GET /healthz HTTP/1.1\r\nHos")
    connection.cycle = mock.Mock(response_complete=False)
    loop.turn()  # a request is in work, however long
    loop.turn()
    connection.cycle.response_complete = True
    loop.turn()  # it is done since the last look
    transport.close.assert_not_called()
    loop.turn()
    transport.close.assert_called_once_with()
    assert not loop.looks
