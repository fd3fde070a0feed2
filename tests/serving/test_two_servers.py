"""Two servers on one state folder: nothing is lost, and who does jobs is told."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from intarsia.labels import LabelSpace
from intarsia.media.png import encode_mask
from intarsia.serving.app import create_app
from intarsia.serving.project.drafts import Draft, Drafts
from intarsia.serving.project.revisions import Revisions
from intarsia.serving.settings import Settings

SPACE = LabelSpace(("dark", "bright"))
MASK = encode_mask(np.ones((40, 60), np.uint8), SPACE)


@pytest.fixture
def two(settings: Settings, tmp_path: Path) -> Iterator[tuple[TestClient, TestClient]]:
    own = settings.model_copy(update={"state": tmp_path / "state"})
    with TestClient(create_app(own)) as first, TestClient(create_app(own)) as second:
        yield first, second


def test_the_second_tells_who_does_the_jobs(two: tuple[TestClient, TestClient], jpeg: bytes) -> None:
    first, second = two
    assert first.post("/v1/jobs", files={"files": ("a.jpg", jpeg)}).status_code == 202
    found = second.post("/v1/jobs", files={"files": ("a.jpg", jpeg)})
    assert found.status_code == 503
    assert f"another server (process {os.getpid()})" in found.json()["detail"] and "--state" in found.json()["detail"]


def test_both_may_work_on_the_project(two: tuple[TestClient, TestClient], jpeg: bytes) -> None:
    first, second = two
    for client in two:
        assert client.post("/v1/project/items", files={"file": ("a.jpg", jpeg)}).status_code == 201
    told = [client.get("/v1/project").json()["items"] for client in two]
    assert told[0] == told[1] and len({one["id"] for one in told[0]}) == 2
    place = f"/v1/project/items/{told[0][0]['id']}/labels"
    saved = first.put(place, content=MASK, headers={"If-Match": "0"})
    assert saved.status_code == 204, saved.text
    late = second.put(place, content=MASK, headers={"If-Match": "0"})
    assert late.status_code == 409 and "saved elsewhere meanwhile" in late.json()["detail"]
    assert second.get(place).content == MASK
    assert second.put(place, content=MASK, headers={"If-Match": "1"}).status_code == 204


def test_a_draft_may_be_kept_while_labels_are_saved(tmp_path: Path) -> None:
    drafts, revisions = Drafts(tmp_path / "items"), Revisions(tmp_path / "items")
    failed: list[BaseException] = []

    def predict() -> None:
        try:
            for _ in range(60):
                drafts.keep("a", 0, MASK, MASK, Draft("bright", 0.5))
        except BaseException as error:
            failed.append(error)

    predicting = threading.Thread(target=predict)
    predicting.start()
    for revision in range(60):
        revisions.save("a", 0, MASK, expected=revision)
    predicting.join()
    assert not failed
    assert drafts.of("a")[0].model == "bright" and drafts.labels("a", 0) == MASK
    assert revisions.read("a") == (MASK, 60)
