"""The project over HTTP: what the studio asks, and what it is told when something is wrong."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_made import write_onnx
from PIL import Image
from starlette.testclient import TestClient
from volumes_made import body, write_nifti

from intarsia.media.png import encode_mask
from intarsia.serving.app import create_app
from intarsia.serving.settings import Settings


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[TestClient]:
    """A workspace of its own, and a model that knows bright from dark."""
    settings = Settings(
        models=(str(write_onnx(tmp_path / "bright.onnx", stride=1)),), state=tmp_path / "state", max_pixels=100_000
    )
    with TestClient(create_app(settings)) as client:
        yield client


@pytest.fixture
def item(studio: TestClient, jpeg: bytes) -> str:
    (found,) = studio.post("/v1/project/items", files={"file": ("My photo.jpg", jpeg)}).json()["items"]
    assert found["name"] == "My_photo.jpg" and (found["width"], found["height"]) == (60, 40)
    return f"/v1/project/items/{found['id']}"


def opened(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image)


def mask(studio: TestClient, value: int = 1) -> bytes:
    return encode_mask(np.full((40, 60), value, np.uint8), studio.app.state.project.get().space)  # type: ignore[attr-defined]


def test_an_empty_workspace_has_the_default_model_s_classes(studio: TestClient) -> None:
    found = studio.get("/v1/project").json()
    assert (found["items"], found["total"], found["ignore_index"]) == ([], 0, 255)
    model = next(one for one in studio.get("/v1/models").json()["models"] if one["name"] == "bright")
    assert found["classes"] == model["classes"]


def test_models_that_are_a_step_of_something_else_are_not_offered(studio: TestClient) -> None:
    names = {one["name"] for one in studio.get("/v1/models").json()["models"]}
    assert {"person", "face"} <= names
    assert not names & {"clicks", "face-detector", "search"}
    refused = studio.post("/v1/segment?model=clicks", content=b"")
    assert refused.status_code < 500


def test_pictures_are_listed_a_part_at_a_time(studio: TestClient, jpeg: bytes) -> None:
    files = [("file", (f"{letter}.jpg", jpeg)) for letter in "cab"]
    assert len(studio.post("/v1/project/items", files=files).json()["items"]) == 3
    found = studio.get("/v1/project", params={"offset": 1, "limit": 1}).json()
    assert [one["id"] for one in found["items"]] == ["b"] and found["total"] == 3
    assert found["items"][0]["model"] == "bright"
    assert found["items"][0]["state"] == "new" and found["items"][0]["revision"] == 0


def test_a_text_that_is_no_cloud_is_refused(studio: TestClient) -> None:
    before = studio.get("/v1/project").json()["total"]
    found = studio.post("/v1/project/items", files={"file": ("notes.txt", b"hello")})
    assert found.status_code == 400 and found.json()["detail"].startswith("notes.txt: not a table of numbers")
    assert studio.get("/v1/project").json()["total"] == before
    cloud = {"file": ("notes.txt", b"0 0 0\n1 1 1\n")}
    assert studio.post("/v1/project/items", files=cloud).json()["items"][0]["medium"] == "cloud"


def test_what_cannot_be_used_is_told_beside_what_was_added(studio: TestClient, jpeg: bytes) -> None:
    files = [("file", ("a.jpg", jpeg)), ("file", ("b.jpg", b"no picture"))]
    found = studio.post("/v1/project/items", files=files).json()
    assert [one["id"] for one in found["items"]] == ["a"]
    assert found["refused"][0]["name"] == "b.jpg" and "not an image" in found["refused"][0]["detail"]
    alone = studio.post("/v1/project/items", files={"file": ("b.jpg", b"no picture")})
    assert alone.status_code == 400 and "b.jpg" in alone.json()["detail"]
    assert studio.post("/v1/project/items").status_code == 422


def test_the_image_is_what_the_model_gets(studio: TestClient, item: str, jpeg: bytes) -> None:
    found = studio.get(f"{item}/image")
    assert found.headers["content-type"] == "image/png"
    assert np.array_equal(opened(found.content), np.asarray(Image.open(io.BytesIO(jpeg))))
    again = studio.get(f"{item}/image", headers={"If-None-Match": found.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    small = studio.get(f"{item}/image", params={"max_side": 30})
    assert opened(small.content).shape == (20, 30, 3) and small.headers["etag"] != found.headers["etag"]


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ({"frame": 1}, 422, "1 frame"), ({"window": "5,1"}, 422, "two numbers"),
        ({"window": "nan,1"}, 422, "two numbers"), ({"max_side": 0}, 422, "max_side"), ({"frame": -1}, 422, "frame"),
    ],
)  # fmt: skip
def test_images_that_cannot_be(studio: TestClient, item: str, query: dict[str, Any], status: int, said: str) -> None:
    found = studio.get(f"{item}/image", params=query)
    assert found.status_code == status and said in found.json()["detail"]
    assert found.headers["content-type"] == "application/problem+json"


def test_a_picture_that_is_too_large_is_shown_smaller(studio: TestClient) -> None:
    file = io.BytesIO()
    Image.new("RGB", (400, 300)).save(file, "PNG")
    studio.post("/v1/project/items", files={"file": ("big.png", file.getvalue())})
    whole = studio.get("/v1/project/items/big/image")
    assert whole.status_code == 413 and "--max-pixels" in whole.json()["detail"]
    assert opened(studio.get("/v1/project/items/big/image?max_side=200").content).shape == (150, 200, 3)
    assert studio.get("/v1/project/items/big/image?max_side=20000").status_code == 413
    assert studio.post("/v1/project/items/big/predict").status_code == 413


def test_labels_are_saved_over_the_revision_they_began_with(studio: TestClient, item: str) -> None:
    none = studio.get(f"{item}/labels")
    assert none.status_code == 404 and none.json()["revision"] == 0
    first = studio.put(f"{item}/labels", content=mask(studio, 0), headers={"If-Match": '"0"'})
    assert (first.status_code, first.headers["etag"]) == (204, '"1"')
    second = studio.put(f"{item}/labels", content=mask(studio, 1), headers={"If-Match": '"1"'})
    assert second.headers["etag"] == '"2"'
    stale = studio.put(f"{item}/labels", content=mask(studio, 0), headers={"If-Match": '"1"'})
    assert stale.status_code == 409 and stale.json()["revision"] == 2 and stale.headers["etag"] == '"2"'
    found = studio.get(f"{item}/labels")
    assert found.headers["etag"] == '"2"' and found.content == mask(studio, 1)
    assert studio.get(f"{item}/labels", headers={"If-None-Match": '"2"'}).status_code == 304
    listed = studio.get("/v1/project").json()["items"][0]
    assert (listed["state"], listed["revision"]) == ("corrected", 2)


@pytest.mark.parametrize("said", [None, "*", '"x"', ""])
def test_labels_without_a_revision_are_not_taken(studio: TestClient, item: str, said: str | None) -> None:
    headers = {} if said is None else {"If-Match": said}
    found = studio.put(f"{item}/labels", content=mask(studio), headers=headers)
    assert found.status_code == 428 and "If-Match" in found.json()["detail"]


def test_labels_that_do_not_fit(studio: TestClient, item: str, jpeg: bytes) -> None:
    wrong = encode_mask(np.zeros((3, 3), np.uint8), studio.app.state.project.get().space)  # type: ignore[attr-defined]
    for content in (wrong, jpeg, b"junk"):
        found = studio.put(f"{item}/labels", content=content, headers={"If-Match": "0"})
        assert found.status_code == 400 and found.json()["detail"]
    assert studio.get(f"{item}/labels").status_code == 404


def test_a_prediction_is_a_draft_with_its_doubt(studio: TestClient, item: str) -> None:
    found = studio.post(f"{item}/predict")  # by the model that the server was started with
    labels = opened(found.content)
    assert (labels[:, :20] == 0).all() and (labels[:, 30:] == 1).all()
    assert found.headers["x-model"] == "bright"
    doubt = opened(studio.get(f"{item}/uncertainty").content)
    assert doubt.shape == (40, 60)
    assert doubt.mean() / 255 == pytest.approx(float(found.headers["x-uncertainty"]), abs=0.003)
    listed = studio.get("/v1/project").json()["items"][0]
    assert listed["state"] == "predicted" and listed["uncertainty"] == pytest.approx(
        float(found.headers["x-uncertainty"])
    )
    assert studio.get(f"{item}/labels").status_code == 404  # stored by PUT alone
    again = studio.post(f"{item}/predict", params={"model": "bright"})
    assert again.content == found.content and "server-timing" in again.headers


def test_the_most_uncertain_come_first_and_the_worst(studio: TestClient) -> None:
    for name, level in (("even", 0), ("faint", 118), ("none", 255)):
        file = io.BytesIO()
        Image.new("RGB", (60, 40), (level,) * 3).save(file, "PNG")
        studio.post("/v1/project/items", files={"file": (f"{name}.png", file.getvalue())})
        if name != "none":
            studio.post(f"/v1/project/items/{name}/predict", params={"model": "bright"})
    listed = studio.get("/v1/project", params={"order": "uncertainty"}).json()["items"]
    assert [one["id"] for one in listed] == ["faint", "even", "none"]
    studio.put("/v1/project/items/none/labels", content=mask(studio, 0), headers={"If-Match": "0"})
    studio.post("/v1/project/items/none/predict", params={"model": "bright"})
    listed = studio.get("/v1/project", params={"order": "worst"}).json()["items"]
    assert (listed[0]["id"], listed[0]["agreement"]) == ("none", 0.0)


def test_classes_are_changed(studio: TestClient, item: str) -> None:
    classes = studio.get("/v1/project").json()["classes"]
    classes[1] |= {"name": "light", "color": "#ffff00"}
    found = studio.patch("/v1/project", json={"classes": [*classes[::-1], {"name": "new"}]}).json()
    assert [one["name"] for one in found["classes"]] == ["light", classes[0]["name"], "new"]
    assert [one["index"] for one in found["classes"]] == [1, 0, 2]
    assert studio.get("/v1/project").json()["classes"] == found["classes"]
    # A model's class is found by the name that it had.
    labels = opened(studio.post(f"{item}/predict", params={"model": "bright"}).content)
    assert (labels[:, 30:] == 1).all()
    alone = {"classes": [{"index": 0, "name": "alone"}]}
    assert studio.patch("/v1/project", json=alone).json()["classes"][0]["name"] == "alone"  # nothing is labelled yet
    studio.patch("/v1/project", json={"classes": [{"index": 0, "name": "alone"}, {"name": "light"}]})
    studio.put(f"{item}/labels", content=mask(studio, 0), headers={"If-Match": "0"})
    gone = studio.patch("/v1/project", json=alone)
    assert gone.status_code == 422 and "'light' is missing" in gone.json()["detail"]


def test_classes_that_two_change_are_not_lost(studio: TestClient, item: str) -> None:
    first = studio.get("/v1/project").json()
    rows, began = first["classes"], first["classes_revision"]
    more = studio.patch("/v1/project", json={"classes": [*rows, {"name": "new"}], "classes_revision": began}).json()
    assert (more["classes_revision"], more["classes_numbered"]) == (began + 1, first["classes_numbered"])
    stale = studio.patch("/v1/project", json={"classes": rows, "classes_revision": began})
    assert (stale.status_code, stale.json()["classes_revision"]) == (409, began + 1)
    assert studio.get("/v1/project").json()["classes"] == more["classes"]
    fewer = studio.patch("/v1/project", json={"classes": more["classes"][1:], "classes_revision": began + 1}).json()
    assert fewer["classes_revision"] == fewer["classes_numbered"] == began + 2
    old = {"params": {"classes_revision": began + 1}, "headers": {"If-Match": "0"}}
    refused = studio.put(f"{item}/labels", content=mask(studio, 0), **old)
    assert (refused.status_code, refused.json()["classes_revision"]) == (409, began + 2)
    assert studio.get(item).json()["revision"] == 0
    now = {"params": {"classes_revision": began + 2}, "headers": {"If-Match": "0"}}
    assert studio.put(f"{item}/labels", content=mask(studio, 0), **now).status_code == 204
    renamed = [{**fewer["classes"][0], "name": "another"}, *fewer["classes"][1:]]
    studio.patch("/v1/project", json={"classes": renamed})
    again = {"params": {"classes_revision": began + 2}, "headers": {"If-Match": "1"}}
    assert studio.put(f"{item}/labels", content=mask(studio, 0), **again).status_code == 204, "numbers are as they were"


def test_items_are_removed(studio: TestClient, item: str) -> None:
    assert studio.delete(item).status_code == 204
    assert studio.get("/v1/project").json()["total"] == 0
    for method, path in (("GET", item), ("GET", f"{item}/image"), ("GET", f"{item}/labels"), ("DELETE", item)):
        assert studio.request(method, path).status_code == 404
    assert studio.post(f"{item}/predict").status_code == 404


@pytest.mark.parametrize("path", ["..%2F..%2Fetc", "%00", "a%2Fb", "é"])
def test_ids_lead_nowhere(studio: TestClient, path: str) -> None:
    for part in ("", "/image", "/labels"):
        assert studio.get(f"/v1/project/items/{path}{part}").status_code == 404


def test_exports(studio: TestClient, item: str) -> None:
    nothing = studio.get("/v1/project/export")
    assert nothing.status_code == 400 and "labelled yet" in nothing.json()["detail"]
    studio.put(f"{item}/labels", content=mask(studio), headers={"If-Match": "0"})
    options = studio.get("/v1/project/options").json()
    assert {"png", "coco", "labelme"} <= {one["name"] for one in options["exports"]}
    assert [one["name"] for one in options["learning"]] == ["scribbles", "finetune", "recipe"]
    for form in options["exports"]:
        found = studio.get("/v1/project/export", params={"format": form["name"]})
        assert found.status_code == 200, found.text
        assert zipfile.ZipFile(io.BytesIO(found.content)).namelist()
    archive = zipfile.ZipFile(io.BytesIO(studio.get("/v1/project/export").content))
    assert archive.namelist() == ["masks/My_photo.png", "classes.json"]
    assert np.array_equal(opened(archive.read("masks/My_photo.png")), np.ones((40, 60), np.uint8))
    assert studio.get("/v1/project/export?format=labelmee").status_code == 422


def test_slices_of_a_scan(studio: TestClient, tmp_path: Path) -> None:
    values, _ = body()
    path = write_nifti(tmp_path / "scan.nii.gz", values)
    (found,) = studio.post("/v1/project/items", files={"file": ("scan.nii.gz", path.read_bytes())}).json()["items"]
    assert (found["medium"], found["frames"], found["labelled"]) == ("volume", 9, [])
    told = studio.get("/v1/project/items/scan").json()
    assert found["model"] is told["model"] is None, "bright is for pictures"
    refused = studio.post("/v1/project/items/scan/predict", params={"frame": 4})
    assert refused.status_code == 422 and "no model here is for volumes" in refused.json()["detail"]
    assert len(told["window"]) == 2 and told["spacing"] == [4.0, 1.25, 1.5]
    narrow = studio.get("/v1/project/items/scan/image", params={"frame": 4, "window": "-1000,0"})
    wide = studio.get("/v1/project/items/scan/image", params={"frame": 4, "window": "-1000,1000"})
    assert opened(narrow.content).mean() > opened(wide.content).mean()
    assert narrow.headers["etag"] != wide.headers["etag"]
    predicted = studio.post("/v1/project/items/scan/predict", params={"frame": 4, "model": "bright"})
    assert opened(predicted.content).shape == (12, 14)
    done = studio.put(
        "/v1/project/items/scan/labels", params={"frame": 4}, content=predicted.content, headers={"If-Match": "0"}
    )
    assert done.status_code == 204
    assert studio.get("/v1/project/items/scan").json()["labelled"] == [4]
    names = zipfile.ZipFile(io.BytesIO(studio.get("/v1/project/export").content)).namelist()
    assert names == ["volumes/masks/scan.nii.gz", "classes.json"]


@pytest.mark.needs_torch
def test_a_trained_model_appears_among_the_models(studio: TestClient, item: str, jpeg: bytes) -> None:
    pytest.importorskip("sklearn")
    assert studio.post("/v1/project/train", json={"how": "scribbles"}).status_code == 400  # nothing is labelled
    strokes = np.full((40, 60), 255, np.uint8)
    strokes[10:14, 2:20], strokes[10:14, 35:55] = 0, 1
    strokes = encode_mask(strokes, studio.app.state.project.get().space)  # type: ignore[attr-defined]
    studio.put(f"{item}/labels", content=strokes, headers={"If-Match": "0"})
    started = studio.post("/v1/project/train", json={"how": "scribbles", "name": "My model"})
    assert started.status_code == 202 and started.json()["kind"] == "train"
    told = studio.get(f"{started.headers['location']}/events").text  # until it is over
    assert "event: curve" in told and '"epoch": 1' in told
    job = studio.get(started.headers["location"]).json()
    assert (job["state"], job["error"]) == ("done", None)
    assert job["notes"] == ["the model is named My_model"]
    assert [one["name"] for one in job["outputs"]] == ["best.safetensors", "report.html"]
    assert "My_model" in {one["name"] for one in studio.get("/v1/models").json()["models"]}
    studio.post("/v1/project/items", files={"file": ("other.jpg", jpeg)})
    assert studio.post("/v1/project/items/other/predict").headers["x-model"] == "My_model"  # the newest
    labels = opened(studio.post(f"{item}/predict", params={"model": "My_model"}).content)
    assert (labels[:, :20] == 0).mean() > 0.95 and (labels[:, 30:] == 1).mean() > 0.95
    for wrong, status in (
        ({"how": "finetune", "base": "/etc/passwd"}, 404), ({"how": "finetune", "base": "bright"}, 422),
        ({"how": "recipe", "recipe": "../x"}, 422), ({"how": "magic"}, 422),
    ):  # fmt: skip
        assert studio.post("/v1/project/train", json=wrong).status_code == status
    with TestClient(create_app(studio.app.state.settings)) as again:  # type: ignore[attr-defined]
        again.get("/v1/project")
        assert "My_model" in {one["name"] for one in again.get("/v1/models").json()["models"]}


def test_data_are_opened_and_their_place_is_told(tmp_path: Path, jpeg: bytes) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a b.jpg").write_bytes(jpeg)
    with TestClient(create_app(Settings(state=tmp_path / "state", data=tmp_path / "data"))) as client:
        found = client.get("/v1/project").json()
        assert [one["id"] for one in found["items"]] == ["a_b"] and found["name"] == "data"
        assert Path(found["folder"]).parent == tmp_path / "state" / "projects"
    with TestClient(create_app(Settings(state=tmp_path / "state", data=tmp_path / "gone"))) as client:
        lost = client.get("/v1/project")
        assert lost.status_code == 400 and "no such file or folder" in lost.json()["detail"]
