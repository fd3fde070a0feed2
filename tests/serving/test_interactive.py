"""Clicks over HTTP: one request a click, sessions that are bounded, and undo by leaving clicks out."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from intarsia.inference.clicks import ClickSession
from intarsia.labels import LabelSpace
from intarsia.media.png import encode_mask
from intarsia.serving import clicking
from intarsia.serving.clicking import Sessions
from intarsia.serving.problems import Problem

SPACE = LabelSpace(("dark", "bright"))
ROUTE = "/v1/segment/interactive"


@pytest.fixture
def nothing(photo: np.ndarray) -> np.ndarray:
    return np.zeros(photo.shape[:2], np.uint8)


@pytest.fixture(autouse=True)
def fresh(client: TestClient) -> Iterator[None]:
    yield
    client.app.state.__dict__["_state"].pop("click_sessions", None)  # type: ignore[attr-defined]


def send(client: TestClient, clicks: list[dict[str, Any]], **given: Any) -> Any:
    """Post clicks with files (bytes) and fields (texts)."""
    parts: dict[str, Any] = {"clicks": (None, json.dumps(clicks))}
    for name, value in given.items():
        parts[name] = (f"{name}.png", value) if isinstance(value, bytes) else (None, value)
    model = {} if "session" in given or "classes" in given else {"model": "bright"}
    return client.post(ROUTE, params={"method": "grabcut", **model}, files=parts)


def box_of(answer: Any) -> tuple[tuple[int, ...], np.ndarray]:
    assert answer.status_code == 200, answer.text
    return tuple(map(int, answer.headers["x-box"].split(","))), np.asarray(Image.open(io.BytesIO(answer.content)))


def point(x: float, y: float, kind: int) -> dict[str, Any]:
    return {"x": x, "y": y, "class": kind}


def test_a_click_gives_what_python_gives(client: TestClient, jpeg: bytes, nothing: np.ndarray) -> None:
    pixels = np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"))
    session = ClickSession(pixels, nothing, SPACE, method="grabcut")
    expected = session.click(45, 20, 1)
    answer = send(client, [point(45, 20, 1)], file=jpeg, labels=encode_mask(nothing, SPACE))
    box, labels = box_of(answer)
    assert box == expected.box and (labels == expected.labels).all()
    assert answer.headers["x-revision"] == "1" and answer.headers["content-type"] == "image/png"
    assert "predict" in answer.headers["server-timing"]
    second = session.click(5, 5, 0), session.click(50, 3, 0)
    clicks = [point(45, 20, 1), point(5, 5, 0), point(50, 3, 0)]
    box, labels = box_of(send(client, clicks[:2], session=answer.headers["x-session"]))
    assert box == second[0].box == (0, 0, 0, 0) and labels.shape == (1, 1) and labels[0, 0] == 255
    box, labels = box_of(send(client, clicks, session=answer.headers["x-session"]))
    assert box == second[1].box and (labels == second[1].labels).all()


def test_clicks_that_are_left_out_are_taken_back(client: TestClient, jpeg: bytes, nothing: np.ndarray) -> None:
    first = send(client, [point(45, 20, 1)], file=jpeg, labels=encode_mask(nothing, SPACE))
    again = send(client, [point(45, 20, 1)], session=first.headers["x-session"])
    assert again.content == first.content and again.headers["x-box"] == first.headers["x-box"]
    assert again.headers["x-session"] == first.headers["x-session"] and again.headers["x-revision"] == "2"


def test_other_clicks_than_those_known_are_a_conflict(client: TestClient, jpeg: bytes, nothing: np.ndarray) -> None:
    key = send(client, [point(45, 20, 1)], file=jpeg, labels=encode_mask(nothing, SPACE)).headers["x-session"]
    answer = send(client, [point(46, 20, 1), point(3, 3, 1)], session=key)
    assert answer.status_code == 409 and "send it the labels" in answer.json()["detail"]
    sent = send(client, [point(46, 20, 1), point(3, 3, 1)], session=key, labels=encode_mask(nothing, SPACE))
    assert box_of(sent)[0] != (0, 0, 0, 0)


def test_locked_classes_are_refused(client: TestClient, jpeg: bytes, nothing: np.ndarray) -> None:
    labels = encode_mask(nothing, SPACE)
    answer = send(client, [point(45, 20, 1)], file=jpeg, labels=labels, locked="[0]")
    assert answer.status_code == 422 and "class 'dark' is locked" in answer.json()["detail"]


def test_classes_may_be_named_instead_of_a_model(client: TestClient, jpeg: bytes, nothing: np.ndarray) -> None:
    classes = json.dumps([{"name": name, "color": "#102030"} for name in ("a", "b", "c")])
    answer = send(client, [point(45, 20, 2)], file=jpeg, labels=encode_mask(nothing, SPACE), classes=classes)
    assert 2 in box_of(answer)[1]


@pytest.mark.parametrize(
    ("fields", "status", "reason"),
    [
        ({"clicks": "[]"}, 422, "clicks: send 1 to 1000"),
        ({"clicks": "no JSON"}, 422, "clicks: send 1 to 1000"),
        ({"clicks": '[{"x": NaN, "y": 1, "class": 0}]'}, 422, "clicks: send 1 to 1000"),
        ({"clicks": '[{"x": 1, "y": 1, "class": 7}]'}, 422, "there is no class 7"),
        ({"clicks": '[{"x": 600, "y": 1, "class": 1}]'}, 422, "outside the picture of 60x40 pixels"),
        ({"locked": '["sky"]'}, 422, "locked: send indices"),
        ({"locked": "[9]"}, 422, "there is no class 9"),
        ({"session": "gone"}, 404, "send the photo and labels again"),
    ],
)
def test_what_is_wrong_is_told(
    client: TestClient, jpeg: bytes, nothing: np.ndarray, fields: dict[str, str], status: int, reason: str
) -> None:
    files = {"file": ("a.jpg", jpeg), "labels": ("a.png", encode_mask(nothing, SPACE))}
    data = {"clicks": '[{"x": 1, "y": 1, "class": 1}]', **fields}
    answer = client.post(ROUTE, params={"model": "bright", "method": "grabcut"}, files=files, data=data)
    assert answer.status_code == status and reason in answer.json()["detail"]


def test_photo_and_labels_must_be_there_and_of_one_size(client: TestClient, jpeg: bytes, nothing: np.ndarray) -> None:
    clicks = [point(1, 1, 1)]
    missing = send(client, clicks, file=jpeg)
    assert missing.status_code == 422 and "'labels'" in missing.json()["detail"]
    other = send(client, clicks, file=jpeg, labels=encode_mask(nothing[1:], SPACE))
    assert other.status_code == 422 and "60x40 pixels, the labels 60x39" in other.json()["detail"]


def opened(sessions: Sessions) -> str:
    image = np.zeros((8, 8, 3), np.uint8)
    return sessions.open(image, np.zeros((8, 8), np.uint8), SPACE, "grabcut").key


def test_sessions_end_when_idle_and_the_idlest_first() -> None:
    now = [0.0]
    sessions = Sessions(clock=lambda: now[0])
    keys = [opened(sessions) for _ in range(clicking.MOST)]
    sessions.find(keys[0])
    opened(sessions)
    assert len(sessions) == clicking.MOST
    with pytest.raises(Problem, match="not known"):
        sessions.find(keys[1])
    now[0] = clicking.TTL
    sessions.find(keys[0])
    now[0] += 1
    sessions.find(keys[0])
    assert len(sessions) == 1
    now[0] += clicking.TTL + 1
    with pytest.raises(Problem, match="idle for 30 minutes"):
        sessions.find(keys[0])


def test_sessions_are_bounded_by_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = Sessions()
    first = opened(sessions)
    held = sessions.find(first).session.bytes
    monkeypatch.setattr(clicking, "MOST_BYTES", 2 * held)
    second, third = opened(sessions), opened(sessions)
    with pytest.raises(Problem, match="not known"):
        sessions.find(first)
    assert sessions.find(second) and sessions.find(third)
    monkeypatch.setattr(clicking, "MOST_BYTES", held - 1)
    with pytest.raises(Problem, match="send it smaller"):
        opened(sessions)
