"""The server's core: what it answers, in which forms, and what it refuses."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import threading
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from bombs import bomb
from PIL import Image
from pydantic import SecretStr
from starlette.testclient import TestClient

import intarsia
from intarsia.bundle import Description
from intarsia.errors import UsageError
from intarsia.media.png import encode_mask
from intarsia.serving.answers import answers
from intarsia.serving.app import create_app
from intarsia.serving.settings import Settings
from intarsia.serving.uploads import safe_name


def index_mask(content: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(content))
    assert image.mode == "P"
    return np.asarray(image)


def test_a_form_and_a_raw_body_get_the_mask_that_python_gets(
    client: TestClient, settings: Settings, jpeg: bytes
) -> None:
    expected = intarsia.load(settings.models[0]).segment(jpeg)
    mask = encode_mask(expected.labels, expected.space)
    form = client.post("/v1/segment", params={"model": "bright"}, files={"file": ("a.jpg", jpeg, "image/jpeg")})
    raw = client.post("/v1/segment?model=bright", content=jpeg, headers={"Content-Type": "image/jpeg"})
    untold = client.post("/v1/segment?model=bright", content=jpeg)
    assert form.status_code == raw.status_code == untold.status_code == 200
    assert form.content == raw.content == untold.content == mask
    assert form.headers["x-model"] == "bright"
    assert set(index_mask(mask)[:, :20].ravel()) == {0} and set(index_mask(mask)[:, 30:].ravel()) == {1}


def test_a_server_that_nobody_named_a_model_for_awaits_the_first_sample(tmp_path: Path) -> None:
    app = create_app(Settings(state=tmp_path))
    with TestClient(app):
        end = time.monotonic() + 120
        while not app.state.engine.is_loaded("person"):
            assert time.monotonic() < end, "the sample shows a person"
            time.sleep(0.05)


def test_every_stage_is_told(client: TestClient, jpeg: bytes) -> None:
    timing = client.post("/v1/segment?model=bright", content=jpeg).headers["server-timing"]
    assert [part.split(";")[0] for part in timing.split(", ")] == [
        "read",
        "load",
        "decode",
        "queue",
        "network",
        "predict",
        "encode",
    ]


@pytest.mark.parametrize("form", sorted(answers()))
def test_corrected_labels_get_the_very_bytes_that_a_prediction_gets(client: TestClient, jpeg: bytes, form: str) -> None:
    asked = {"model": "bright", "format": form} | ({"keep": "bright"} if form == "alpha" else {})
    predicted = client.post("/v1/segment", params=asked, files={"file": ("a.jpg", jpeg, "image/jpeg")})
    assert predicted.status_code == 200, predicted.text
    assert predicted.content
    mask = client.post("/v1/segment?model=bright", content=jpeg).content
    files = {"file": ("a.jpg", jpeg, "image/jpeg"), "labels": ("a.png", mask, "image/png")}
    rendered = client.post("/v1/render", params=asked, files=files)
    if form in ("confidence", "npz"):
        assert rendered.status_code == 422
        return
    assert rendered.status_code == 200, rendered.text
    assert "encode;dur=" in rendered.headers["server-timing"]
    if predicted.headers["content-type"] == "application/zip":
        first, second = (zipfile.ZipFile(io.BytesIO(one.content)) for one in (predicted, rendered))
        assert {name: first.read(name) for name in first.namelist()} == {
            name: second.read(name) for name in second.namelist()
        }
    elif form not in ("labelstudio", "labelbox"):  # which give every shape a name of its own
        assert rendered.content == predicted.content


def test_classes_of_ones_own_are_rendered(client: TestClient) -> None:
    space = intarsia.LabelSpace(("sky", "sea"), ((1, 2, 3), (250, 251, 252)))
    labels = np.array([[0, 1], [1, 255]], np.uint8)
    classes = json.dumps([{"name": "sky", "color": "#010203"}, {"name": "sea", "color": "#fafbfc"}])
    files = {"labels": ("l.png", encode_mask(labels, space), "image/png")}
    found = client.post("/v1/render?format=colors", data={"classes": classes}, files=files)
    pixels = np.asarray(Image.open(io.BytesIO(found.content)))
    assert pixels.tolist() == [[[1, 2, 3], [250, 251, 252]], [[250, 251, 252], [0, 0, 0]]]


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("image/png", "image/png"),
        ("image/jpeg", "image/jpeg"),
        ("application/json", "application/json"),
        ("text/html, image/jpeg;q=0.5, image/png;q=0.9", "image/png"),
        ("*/*", "image/png"),
    ],
)
def test_what_the_client_accepts_decides_the_form(client: TestClient, jpeg: bytes, accept: str, kind: str) -> None:
    found = client.post("/v1/segment?model=bright", content=jpeg, headers={"Accept": accept})
    assert found.headers["content-type"] == kind


def test_errors_are_problems_with_reason_and_fix(client: TestClient, jpeg: bytes) -> None:
    cases = [
        (client.post("/v1/segment?model=brigt", content=jpeg), 404, "Did you mean 'bright'?"),
        (client.post("/v1/segment?model=bright&format=cocoo", content=jpeg), 422, "Did you mean 'coco'?"),
        (client.post("/v1/segment?model=bright&tile_size=3", content=jpeg), 422, "tile_size"),
        (client.post("/v1/segment?model=bright", content=b"just text"), 400, "not an image"),
        (client.post("/v1/segment?model=bright", content=jpeg[:200]), 400, "corrupt"),
        (client.post("/v1/segment?model=bright"), 422, "send one file"),
        (client.post("/v1/segment?model=bright", content=jpeg, headers={"Content-Type": "text/css"}), 415, "text/css"),
        (client.post("/v1/segment?model=bright", content=jpeg, headers={"Accept": "text/html"}), 406, "text/html"),
        (client.post("/v1/segment?model=bright", content=jpeg, headers={"Accept": "*/*;q=0"}), 406, "nothing of"),
        (client.get("/v1/nowhere"), 404, "/docs"),
        (client.get("/v1/segment"), 405, "/v1/segment does not answer GET; send POST"),
        (client.post("/v1/segment?model=airborne-lidar", content=jpeg), 415, "/v1/pointclouds/segment"),
    ]
    for found, status, said in cases:
        problem = found.json()
        assert (found.status_code, problem["status"]) == (status, status), problem
        assert said in problem["detail"]
        assert found.headers["content-type"] == "application/problem+json"
        assert problem["request_id"] == found.headers["x-request-id"]


def test_what_is_too_large_is_told_from_the_header(tmp_path: Path, settings: Settings) -> None:
    tight = settings.model_copy(update={"max_pixels": 10_000, "max_bytes": 100_000, "max_scores": 4 * 2 * 5_000})
    with TestClient(create_app(tight)) as client:
        for side, said in ((9000, "81.0 megapixels"), (101, "megapixels"), (80, "scores")):
            found = client.post("/v1/segment?model=bright", content=bomb(side))
            assert found.status_code == 413 and said in found.json()["detail"], found.text
        assert client.post("/v1/segment?model=bright", content=bytes(100_001)).status_code == 413
        chunks = (bytes(30_000) for _ in range(5))
        assert client.post("/v1/segment?model=bright", content=chunks).status_code == 413
        files = {"file": ("a.png", bytes(100_001), "image/png")}
        found = client.post("/v1/segment?model=bright", files=files)
        assert found.status_code == 413 and found.json()["status"] == 413


def test_the_server_says_the_packages_version(client: TestClient) -> None:
    assert client.get("/version").json()["intarsia"] == intarsia.__version__
    assert client.get("/openapi.json").json()["info"]["version"] == intarsia.__version__


def test_a_key_is_asked_for_where_it_counts(settings: Settings, jpeg: bytes) -> None:
    locked = settings.model_copy(update={"api_key": SecretStr("sesame")})
    with TestClient(create_app(locked)) as client:
        assert client.get("/healthz").status_code == client.get("/").status_code == 200
        assert client.get("/v1/models").status_code == client.get("/metrics").status_code == 401
        assert client.get("/v1/models", headers={"Authorization": "Bearer sesam"}).status_code == 401
        assert client.get("/v1/models", headers={"Authorization": "Bearer sesame"}).status_code == 200
        assert client.get("/v1/models", headers={"X-API-Key": "sesame"}).status_code == 200
        assert client.get("/v1/models", auth=("anybody", "sesame")).status_code == 200
        assert client.get("/v1/models", headers={"Authorization": "Basic ?"}).status_code == 401


@pytest.mark.parametrize("given", ["Basic schlüssel".encode(), b"Basic \xff\xfe", b"Bearer \xff"])
def test_a_key_that_is_no_ascii_is_refused_not_a_defect(settings: Settings, given: bytes) -> None:
    locked = settings.model_copy(update={"api_key": SecretStr("sesame")})
    with TestClient(create_app(locked)) as client:
        found = client.get("/v1/models", headers={"Authorization": given})
        assert found.status_code == 401 and "wants a key" in found.json()["detail"]


def test_a_key_of_other_letters_comes_by_every_way(settings: Settings) -> None:
    locked = settings.model_copy(update={"api_key": SecretStr("schlüssel")})
    with TestClient(create_app(locked)) as client:
        assert client.get("/v1/models", auth=("anybody", "schlüssel")).status_code == 200
        for name, start in ((b"authorization", "Bearer "), (b"x-api-key", "")):
            for key, status in (("schlüssel", 200), ("schlussel", 401)):
                assert client.get("/v1/models", headers={name: (start + key).encode()}).status_code == status
        assert client.get("/v1/models", auth=("anybody", "schlussel")).status_code == 401


def test_pages_from_elsewhere_and_foreign_names_are_refused(client: TestClient, jpeg: bytes) -> None:
    crossed = client.post("/v1/segment?model=bright", content=jpeg, headers={"Origin": "http://evil.example"})
    assert crossed.status_code == 403
    assert client.get("/healthz", headers={"Host": "evil.example"}).status_code == 400
    assert "access-control-allow-origin" not in client.get("/v1/models").headers
    assert "script-src 'self'" in client.get("/").headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/studio/../app.py", "/studio/%2e%2e/app.py", "/studio//etc/passwd", "/studio/no.js"])
def test_only_files_of_the_studio_are_sent(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_other_machines_need_a_key_or_a_word(settings: Settings) -> None:
    with pytest.raises(UsageError, match="--api-key"):
        create_app(settings.model_copy(update={"host": "0.0.0.0"}))
    create_app(settings.model_copy(update={"host": "0.0.0.0", "insecure": True}))


def wait_until_ready(client: TestClient) -> None:
    end = time.monotonic() + 120
    while client.get("/readyz").status_code == 503 and time.monotonic() < end:
        time.sleep(0.01)


def test_a_full_queue_sends_away_and_recovers(settings: Settings, jpeg: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    app = create_app(settings.model_copy(update={"queue": 0}))
    started, go = threading.Event(), threading.Event()
    with TestClient(app) as client:
        wait_until_ready(client)  # what warms up computes, too, and would be taken for the first request
        assert client.post("/v1/segment?model=bright", content=jpeg).status_code == 200
        predictor = app.state.engine._loaded["bright"]
        logits = predictor.runtime.logits

        def slow(*args: object) -> object:
            started.set()
            assert go.wait(30)
            return logits(*args)

        monkeypatch.setattr(predictor.runtime, "logits", slow)
        codes: list[int] = []
        first = threading.Thread(
            target=lambda: codes.append(client.post("/v1/segment?model=bright", content=jpeg).status_code)
        )
        first.start()
        assert started.wait(30)
        second = client.post("/v1/segment?model=bright", content=jpeg)
        assert second.status_code == 429 and int(second.headers["retry-after"]) >= 1
        assert client.get("/healthz").status_code == 200
        go.set()
        first.join()
        assert codes == [200]
        assert client.post("/v1/segment?model=bright", content=jpeg).status_code == 200


def test_a_deadline_ends_the_wait(settings: Settings, jpeg: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    app = create_app(settings)
    go = threading.Event()
    with TestClient(app) as client:
        client.post("/v1/segment?model=bright", content=jpeg)
        engine = app.state.engine
        engine.settings = settings.model_copy(update={"deadline": 0.2})
        monkeypatch.setattr(engine._loaded["bright"].runtime, "logits", lambda *args: go.wait(30))
        found = client.post("/v1/segment?model=bright", content=jpeg)
        assert found.status_code == 504 and "--deadline" in found.json()["detail"]
        go.set()


@pytest.mark.parametrize("failure", [None, RuntimeError("no sample")])
def test_it_is_ready_when_the_studio_is(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, failure: Exception | None
) -> None:
    go = threading.Event()

    async def prepare(*_: object) -> None:
        await asyncio.to_thread(go.wait, 30)
        if failure is not None:
            raise failure

    monkeypatch.setattr("intarsia.serving.app.warm_studio", prepare)
    app = create_app(settings.model_copy(update={"log_json": True}))
    with caplog.at_level(logging.INFO, "intarsia.serving"), TestClient(app) as client:
        while not app.state.engine.is_loaded("bright"):
            time.sleep(0.01)
        assert client.get("/readyz").status_code == 503
        assert client.get("/healthz").status_code == 200
        go.set()
        wait_until_ready(client)
    told = [json.loads(line) for line in caplog.messages if '"event"' in line]
    assert [(one["event"], one["models"]) for one in told] == [("ready", ["bright"])]
    assert ("the studio could not be prepared" in caplog.text) == (failure is not None)


@pytest.mark.parametrize("path", ["/healthz", "/", "/v1/models", "/studio/js/main.js", "/v1/samples/coins", "/nothing"])
def test_head_answers_as_get_without_the_body(client: TestClient, path: str) -> None:
    asked, head = client.get(path), client.head(path)
    assert head.status_code == asked.status_code and head.content == b"" and asked.content
    varying = {"x-request-id", "content-length"} if path == "/nothing" else {"x-request-id"}
    kept = [{name: value for name, value in one.headers.items() if name not in varying} for one in (asked, head)]
    assert kept[0] == kept[1]
    assert client.head("/v1/segment").status_code == 405


def test_the_page_names_what_it_asks_for_first(settings: Settings) -> None:
    links = TestClient(create_app(settings)).get("/").headers["link"]
    named = [part[1 : part.index(">")] for part in links.split(", ")]
    assert "/studio/js/main.js" in named and "/studio/js/docs.js" not in named
    assert [one for one in named if one.startswith("/v1")] == ["/v1/models", "/v1/project", "/v1/project/options"]
    keyed = create_app(settings.model_copy(update={"api_key": SecretStr("secret")}))
    assert "/v1" not in TestClient(keyed).get("/").headers["link"], "a browser would ask without the key"


def test_it_is_ready_when_its_models_are(client: TestClient) -> None:
    wait_until_ready(client)
    assert client.get("/readyz").json() == {"status": "ready"}
    told = {one["name"]: one for one in client.get("/v1/models").json()["models"]}
    assert told["bright"]["loaded"] and [one["name"] for one in told["bright"]["classes"]] == ["dark", "bright"]
    assert not {"clicks", "search", "face-detector"} & told.keys()
    assert told["person"]["medium"] == "picture" and told["airborne-lidar"]["medium"] == "cloud"
    assert 'intarsia_requests_total{route="/readyz",status="200"}' in client.get("/metrics").text


@pytest.mark.parametrize(
    ("said", "made"),
    [
        ("photo.jpg", "photo.jpg"), ("../../etc/passwd", "passwd"), ("C:\\x\\y.png", "y.png"), ("", "upload"),
        ("..", "upload"), (".hidden", "hidden"), ("a\0b\n.png", "ab.png"), ("x" * 300 + ".png", "x" * 96 + ".png"),
    ],
)  # fmt: skip
def test_names_of_uploads_lead_nowhere(said: str, made: str) -> None:
    assert safe_name(said) == made


def test_samples_are_pictures_with_a_credit(client: TestClient) -> None:
    for one in client.get("/v1/samples").json():
        assert one["credit"]
        picture = Image.open(io.BytesIO(client.get(f"/v1/samples/{one['name']}").content))
        assert min(picture.size) > 200
    assert client.get("/v1/samples/coffe").json()["detail"].endswith("Did you mean 'coffee'?")


def test_labelme_looks_for_the_photo_beside_its_file(client: TestClient, jpeg: bytes) -> None:
    files = {"file": ("a.jpg", jpeg, "image/jpeg")}
    found = client.post("/v1/segment?model=bright&format=labelme", files=files)
    with zipfile.ZipFile(io.BytesIO(found.content)) as archive:
        assert sorted(archive.namelist()) == ["a.json", "labels.txt"]
        assert json.loads(archive.read("a.json"))["imagePath"] == "a.jpg"


def test_a_volume_is_answered_on_its_own_grid(tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    from onnx_made import PLAIN, SPACE, write_onnx
    from volumes_made import AFFINE, body, write_nifti

    seen = PLAIN.model_copy(update={"slices": 3, "window": (-900.0, 200.0)})
    model = write_onnx(tmp_path / "bright.onnx", stride=1, description=Description("threshold", {}, SPACE, seen))
    scan = write_nifti(tmp_path / "ct.nii.gz", body()[0])
    with TestClient(create_app(Settings(models=(str(model),), state=tmp_path / "state"))) as client:
        found = client.post("/v1/segment", files={"file": (scan.name, scan.read_bytes())})
        refused = client.post("/v1/segment?long_side=16384", files={"file": (scan.name, scan.read_bytes())})
        bare = client.post("/v1/segment?name=ct.nii.gz", content=scan.read_bytes())
    assert found.status_code == 200, found.text
    assert bare.content == found.content  # a body's name says what it is, as a file's in a form
    (tmp_path / "labels.nii.gz").write_bytes(found.content)
    labels = nibabel.load(tmp_path / "labels.nii.gz")
    assert labels.shape == (14, 12, 9) and np.allclose(labels.affine, AFFINE)
    assert refused.status_code == 413 and "long_side=16384" in refused.json()["detail"]
