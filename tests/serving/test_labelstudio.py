"""Label Studio's ML backend: what it sends, what it gets, and that nothing is fetched or read elsewhere."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from intarsia.annotations.formats.labelstudio import brush
from intarsia.errors import UsageError
from intarsia.serving.app import create_app
from intarsia.serving.routes import labelstudio
from intarsia.serving.settings import Settings

CONFIG = """
<View>
  <Image name="picture" value="$photo" zoom="true"/>
  <BrushLabels name="tag" toName="picture">
    <Label value="Bright" background="#ffffff"/>
    <Label value="Shadow" alias="dark"/>
    <Label value="Brigth"/>
  </BrushLabels>
</View>
"""


def data_url(content: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(content).decode()}"


def predicting(*pictures: Any, config: str = CONFIG, **params: Any) -> dict[str, Any]:
    """A request as Label Studio 1.23 sends it."""
    tasks = [
        {
            "id": number, "data": {"photo": picture}, "meta": {}, "is_labeled": False, "overlap": 1, "project": 1,
            "annotations": [], "predictions": [], "created_at": "2026-11-30T05:00:00Z", "file_upload": None,
        }
        for number, picture in enumerate(pictures, start=1)
    ]  # fmt: skip
    return {
        "tasks": tasks, "project": "1.1764478000", "label_config": config,
        "params": {"login": None, "password": None, "context": None} | params,
    }  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Label Studio's media folder, with a link that leads out of it."""
    root = tmp_path_factory.mktemp("media")
    (root / "upload" / "1").mkdir(parents=True)
    secret = tmp_path_factory.mktemp("elsewhere") / "secret.jpg"
    secret.write_bytes(b"secret")
    (root / "upload" / "out.jpg").symlink_to(secret)
    (root / "upload" / "loop.jpg").symlink_to(root / "upload" / "loop.jpg")
    return root


@pytest.fixture(scope="module")
def local(settings: Settings, folder: Path) -> Iterator[TestClient]:
    with TestClient(create_app(settings.model_copy(update={"label_studio_files": folder}))) as client:
        yield client


def test_it_is_up(client: TestClient) -> None:
    assert client.get("/ls/health").json() == client.get("/ls/").json() == {
        "status": "UP", "model_class": "Intarsia bright"
    }  # fmt: skip


def test_setup_tells_which_labels_are_classes(client: TestClient) -> None:
    sent = {
        "project": "1.1764478000", "schema": CONFIG, "hostname": "http://localhost:8080", "access_token": "t",
        "extra_params": "",
    }  # fmt: skip
    told = client.post("/ls/setup", json=sent).json()
    assert told["labels"] == {"Bright": "bright", "dark": "dark"}
    assert told["unknown_labels"] == {"Brigth": "Did you mean 'bright'?"}
    assert told["model_version"].startswith("bright@") and len(told["model_version"]) == len("bright@") + 8


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("<View></View>", "no BrushLabels, PolygonLabels, RectangleLabels"),
        (CONFIG.replace("$photo", ""), "no BrushLabels"),
        (CONFIG.replace("Bright", "brite").replace("alias", "hint"), "'brite': Did you mean 'bright'?"),
        ("<View><Image", "broken XML"),
        ('<!DOCTYPE x [<!ENTITY a "aaaa">]>' + CONFIG, "document type or entities"),
        ("<View>" + " " * (1 << 20) + "</View>", "more than any has"),
        (CONFIG.replace('name="tag"', 'name="tag" model="brigt"'), "no model is named 'brigt'. Did you mean 'bright'?"),
        (CONFIG.replace('name="tag"', 'name="tag" model="airborne-lidar"'), "point clouds"),
    ],
)
def test_interfaces_that_cannot_be_served_say_why(client: TestClient, config: str, said: str) -> None:
    for path, sent in (("setup", {"schema": config}), ("predict", predicting(config=config))):
        found = client.post(f"/ls/{path}", json=sent)
        assert 400 <= found.status_code < 500 and said in found.json()["detail"], found.text


def test_brushes_are_the_labels_in_label_studios_form(client: TestClient, jpeg: bytes) -> None:
    found = client.post("/ls/predict", json=predicting(data_url(jpeg)))
    assert {"network", "decode", "encode"} <= set(re.findall(r"(\w+);dur=", found.headers["server-timing"]))
    assert found.status_code == 200, found.text
    (task,) = found.json()["results"]
    assert set(found.json()) == {"results", "model_version"} and set(task) == {"result", "score", "model_version"}
    assert task["model_version"] == found.json()["model_version"]
    bright, shadow = task["result"]
    assert set(bright) == {
        "id", "type", "from_name", "to_name", "original_width", "original_height", "image_rotation", "value", "score",
    }  # fmt: skip
    assert (bright["type"], bright["from_name"], bright["to_name"]) == ("brushlabels", "tag", "picture")
    assert (bright["original_width"], bright["original_height"], bright["image_rotation"]) == (60, 40, 0)
    assert (bright["value"]["format"], bright["value"]["brushlabels"]) == ("rle", ["Bright"])
    assert shadow["value"]["brushlabels"] == ["dark"], "the label's alias, as Label Studio's own regions carry"
    assert bright["id"] != shadow["id"]
    masks = [brush.decode(one["value"]["rle"], (40, 60)) for one in (bright, shadow)]
    assert masks[0][:, 30:].all() and not masks[0][:, :20].any()
    assert np.array_equal(masks[0], ~masks[1])
    assert 0.5 < min(bright["score"], shadow["score"]) <= task["score"] <= max(bright["score"], shadow["score"]) <= 1


def test_polygons_and_rectangles_are_percentages(client: TestClient, jpeg: bytes) -> None:
    for tag, key in (("PolygonLabels", "polygonlabels"), ("RectangleLabels", "rectanglelabels")):
        config = CONFIG.replace("BrushLabels", tag)
        (task,) = client.post("/ls/predict", json=predicting(data_url(jpeg), config=config)).json()["results"]
        bright = next(one for one in task["result"] if one["value"][key] == ["Bright"])
        value = bright["value"]
        if tag == "PolygonLabels":
            x, y = np.transpose(value["points"])
            assert value["closed"] is True
            assert (x.min(), x.max(), y.min(), y.max()) == pytest.approx((100 * 25 / 60, 100, 0, 100), abs=3)
        else:
            box = [value[side] for side in ("x", "y", "width", "height", "rotation")]
            assert box == pytest.approx([100 * 25 / 60, 0, 100 * 35 / 60, 100, 0], abs=3)


def test_a_class_is_drawn_once_by_the_first_control_that_offers_it(client: TestClient, jpeg: bytes) -> None:
    config = """<View><Image name="i" value="$photo"/>
      <PolygonLabels name="first" toName="i"><Label value="DARK"/></PolygonLabels>
      <BrushLabels name="second" toName="i"><Label value="dark"/><Label value="bright"/></BrushLabels></View>"""
    (task,) = client.post("/ls/predict", json=predicting(data_url(jpeg), config=config)).json()["results"]
    assert {one["from_name"]: one["value"][one["type"]] for one in task["result"]} == {
        "first": ["DARK"], "second": ["bright"],
    }  # fmt: skip


def test_tasks_that_are_not_reached_in_time_are_left_for_the_next_request(
    client: TestClient, jpeg: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labelstudio, "_SHARE", 0.0)
    found = client.post("/ls/predict", json=predicting(data_url(jpeg), data_url(jpeg)))
    first, second = found.json()["results"]
    assert found.status_code == 200 and len(first["result"]) == 2 and "problem" not in first
    assert "result" not in second and second["problem"]["status"] == 504
    assert "retrieve predictions again" in second["problem"]["detail"]


@pytest.mark.parametrize(
    ("picture", "status", "said"),
    [
        ("http://169.254.169.254/latest/meta-data", 422, "fetches nothing"),
        ("file:///etc/passwd", 422, "fetches nothing"),
        ("/data/upload/1/a.jpg", 422, "--label-studio-files"),
        ("s3://bucket/a.jpg", 422, "fetches nothing"),
        (None, 422, "no picture"),
        ("data:image/png;base64,???", 400, "no base64"),
        ("data:image/png;base64,aGVsbG8=", 400, "not an image"),
        ("data:text/html;base64,aGVsbG8=", 422, "fetches nothing"),
    ],
)
def test_a_task_without_a_usable_picture_has_a_problem_and_others_go_on(
    client: TestClient, jpeg: bytes, picture: Any, status: int, said: str
) -> None:
    found = client.post("/ls/predict", json=predicting(picture, data_url(jpeg)))
    bad, good = found.json()["results"]
    assert found.status_code == 200 and len(good["result"]) == 2 and "problem" not in good
    assert "result" not in bad and bad["problem"]["status"] == status and said in bad["problem"]["detail"]


def test_pictures_may_come_beside(client: TestClient, jpeg: bytes) -> None:
    expected = client.post("/ls/predict", json=predicting(data_url(jpeg))).json()
    sent = json.dumps(predicting("/data/upload/1/0a1b-a.jpg"))
    found = client.post(
        "/ls/predict", data={"request": sent}, files={"pictures": ("0a1b-a.jpg", jpeg, "image/jpeg")}
    )  # fmt: skip
    assert found.json() == expected


def test_uploads_of_one_folder_are_read(local: TestClient, folder: Path, jpeg: bytes) -> None:
    expected = local.post("/ls/predict", json=predicting(data_url(jpeg))).json()["results"][0]
    (folder / "upload" / "1" / "0a1b-a b.jpg").write_bytes(jpeg)
    for said in ("/data/upload/1/0a1b-a%20b.jpg", "/data/local-files/?d=upload/1/0a1b-a%20b.jpg"):
        assert local.post("/ls/predict", json=predicting(said)).json()["results"] == [expected]


@pytest.mark.parametrize(
    "said",
    [
        "/data/upload/out.jpg", "/data/upload/loop.jpg", "/data/../../etc/passwd", "/data/%2e%2e/%2e%2e/etc/passwd",
        "/data//etc/passwd", "/data/local-files/?d=/etc/passwd", "/data/local-files/?d=../../../../etc/passwd",
        "/data/upload", "/data/upload/none.jpg", "/data/a%00b.jpg", "/data/" + 300 * "a", "/data/local-files/",
    ],
)  # fmt: skip
def test_nothing_outside_the_folder_is_read(local: TestClient, said: str) -> None:
    (task,) = local.post("/ls/predict", json=predicting(said)).json()["results"]
    assert task["problem"]["status"] == 404 and "is no file below" in task["problem"]["detail"]


def test_large_files_of_the_folder_are_refused(settings: Settings, folder: Path, jpeg: bytes) -> None:
    (folder / "large.jpg").write_bytes(jpeg + bytes(10_000))
    tight = settings.model_copy(update={"label_studio_files": folder, "max_bytes": 10_000})
    with TestClient(create_app(tight)) as client:
        (task,) = client.post("/ls/predict", json=predicting("/data/large.jpg")).json()["results"]
    assert task["problem"]["status"] == 413


def test_the_folder_must_be_there(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--label-studio-files"):
        create_app(settings.model_copy(update={"label_studio_files": tmp_path / "none"}))


def test_events_are_counted_and_clicks_refused(client: TestClient, jpeg: bytes) -> None:
    counts = [client.post("/ls/webhook", json={"action": "ANNOTATION_CREATED", "task": {"id": 1}}) for _ in range(2)]
    assert [one.status_code for one in counts] == [201, 201]
    assert (
        counts[1].json()["events"] == counts[0].json()["events"] + 1 and "intarsia train" in counts[0].json()["detail"]
    )
    clicked = client.post("/ls/predict", json=predicting(data_url(jpeg), context={"result": [{"type": "keypoint"}]}))
    assert clicked.status_code == 422 and "clicks" in clicked.json()["detail"]


@pytest.mark.parametrize("path", ["setup", "predict", "webhook"])
def test_what_label_studio_never_sends_is_refused(client: TestClient, path: str) -> None:
    for body in (b"", b"[]", b"no JSON", b"{}", b"[" * 10_000, b'{"tasks": [' + b"1," * 99_999 + b"1]}"):
        found = client.post(f"/ls/{path}", content=body, headers={"Content-Type": "application/json"})
        assert found.status_code == 422 and "not what Label Studio sends" in found.json()["detail"]
        assert len(found.content) < 2000
