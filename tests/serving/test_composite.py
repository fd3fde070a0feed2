"""Uses over HTTP: the bytes of the commands, streams that remember, and what is refused."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import cv2
import numpy as np
import pytest
from commands import Cli
from faces_drawn import drawn_face
from numpy.typing import NDArray
from people import Red, red_disc
from PIL import Image
from roads import CAMERA, draw_road
from starlette.testclient import TestClient

from intarsia.apps import search
from intarsia.bundle import Description
from intarsia.inference import Predictor
from intarsia.labels import LabelSpace
from intarsia.preprocessing import Preprocessing
from intarsia.runtimes.timed import Timed
from intarsia.serving.app import create_app
from intarsia.serving.keeping import Kept
from intarsia.serving.routes.composite import USES
from intarsia.serving.settings import Settings

CLOTHES, ROADS = LabelSpace(("background", "upper")), LabelSpace(("Grass", "Road"))
STREAM = "stream-0001"


class Bright(Red):
    """A runtime: the road is where it is bright."""

    def logits(self, x: Any, place: Any = None) -> Any:
        bright = cv2.GaussianBlur(np.ascontiguousarray(x[0].mean(axis=0)), (0, 0), 4)
        road = np.where(np.arange(len(bright))[:, None] > 0.46 * len(bright), 100 * (bright - 0.32), -10)
        return np.stack([np.zeros_like(road), road])[None].astype(np.float32)


def predictor(space: LabelSpace, runtime: Red) -> Predictor:
    preprocessing = Preprocessing(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), long_side=640)
    return Predictor(Description("none", {}, space, preprocessing), runtime=runtime)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    app = create_app(Settings(models=("person",), state=tmp_path_factory.mktemp("state")))
    engine = app.state.engine
    for name, space, runtime in (("red", CLOTHES, Red()), ("bright", ROADS, Bright())):
        engine._files[name], engine._loaded[name] = name, predictor(space, Timed(runtime))
    with TestClient(app) as client:
        yield client


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(capsys)


@pytest.fixture
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def encoded(pixels: NDArray[np.uint8], kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def decoded(content: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(content)))


FACE = encoded(drawn_face())


def post(server: TestClient, address: str, photo: bytes = FACE, **files: Any) -> Any:
    """Send a photo as a form."""
    return server.post(f"/v1/composite/{address}", files={"file": ("her.png", photo, "image/png"), **files})


@pytest.mark.parametrize(
    ("address", "command", "target"),
    [
        ("portrait", "portrait her.png", "her.portrait.png"),
        ("portrait?background=navy&lossless=true", "portrait her.png --background navy --lossless", "her.portrait.png"),
        ("portrait?background=transparent", "portrait her.png --background transparent", "her.portrait.png"),
        ("background?behind=%23b0123b", "background her.png --with #b0123b", "her.background.png"),
        ("makeup?lips=%23b0123b&skin=smooth", "makeup her.png --lips #b0123b --skin smooth", "her.makeup.png"),
    ],
)
def test_answers_have_the_bytes_of_the_commands(
    server: TestClient,
    cli: Cli,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    address: str,
    command: str,
    target: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("her.png").write_bytes(FACE)
    assert cli(*command.split()) == 0, cli.err
    found = post(server, address)
    assert found.status_code == 200, found.text
    assert found.headers["content-disposition"] == f"inline; filename=\"{target}\"; filename*=UTF-8''{target}"
    assert found.content == Path(target).read_bytes()
    assert (decoded(found.content)[..., :3] != drawn_face()).any()


def test_a_picture_may_be_the_background(server: TestClient) -> None:
    sea = encoded(np.full((30, 40, 3), (10, 60, 90), np.uint8))
    found = post(server, "portrait", background=("sea.png", sea, "image/png"))
    assert decoded(found.content)[0, 0].tolist() == [10, 60, 90]
    both = post(server, "portrait?background=navy", background=("sea.png", sea, "image/png"))
    assert both.status_code == 422 and "choose one" in both.json()["detail"]


@pytest.mark.parametrize("address", ["portrait", "makeup?lips=red", "background"])
def test_nobody_there_is_told_as_such(server: TestClient, address: str) -> None:
    found = post(server, address, encoded(np.full((80, 80, 3), 120, np.uint8)))
    assert found.status_code == 422 and found.json()["kind"] == "NothingFound", found.text


@pytest.mark.parametrize(
    ("address", "status", "told"),
    [
        ("portrat", 404, "Did you mean 'portrait'?"),
        ("portrait?backgroud=navy", 422, "backgroud"),
        ("portrait?blur=2", 422, "blur"),
        ("portrait?background=navi", 422, "Did you mean 'navy'?"),
        ("portrait?background=pyproject.toml", 422, "pyproject.toml"),
        ("portrait?blur=0.5&background=navy", 422, "choose one"),
        ("portrait?model=nobody", 404, "nobody"),
        ("portrait?model=street", 422, "person"),
        ("makeup", 422, "nothing to paint"),
        ("makeup?lips=rad", 422, "Did you mean 'red'?"),
        ("makeup?lips=rgb(300,0,0)", 422, "no colour"),
        ("handwriting?model=person", 422, "no class 'text'"),
        ("tryon?colour=red", 422, "garment"),
        ("tryon?garment=upper&model=red", 422, "one of colour, texture and another photo"),
        ("tryon?garment=uper&colour=red&model=red", 422, "Did you mean 'upper'?"),
        ("handwriting?write=pdf", 422, "write"),
        ("background?session=x", 422, "session"),
        ("search", 422, "'photos'"),
        ("search?tolerance=0.1", 422, "tolerance"),
    ],
)
def test_what_means_nothing_is_refused_with_the_fix(server: TestClient, address: str, status: int, told: str) -> None:
    found = post(server, address)
    assert found.status_code == status and told in found.json()["detail"], found.text


def test_files_and_fields_that_mean_nothing_are_refused(server: TestClient) -> None:
    found = post(server, "portrait", backgroud=("sea.png", FACE, "image/png"))
    assert found.status_code == 422 and "Did you mean 'background'?" in found.json()["detail"]
    files = {"file": ("her.png", FACE, "image/png")}
    found = server.post("/v1/composite/portrait", files=files, data={"blur": "0.5"})
    assert found.status_code == 422 and "?blur=" in found.json()["detail"]


def test_without_a_model_of_clothes_trying_on_says_so(tmp_path: Path) -> None:
    app = create_app(Settings(state=tmp_path))
    app.state.engine._files.pop("clothes", None)
    with TestClient(app) as client:
        found = post(client, "tryon?garment=upper&colour=red")
        assert found.status_code == 503 and "--model" in found.json()["detail"]
        assert {use["name"]: use["missing"] for use in client.get("/v1/uses").json()}["tryon"] == "clothes"


def test_a_garment_gets_another_colour_and_nothing_else_changes(server: TestClient) -> None:
    photo, alpha = red_disc()
    found = post(server, "tryon?garment=upper&colour=lime&model=red", encoded(photo))
    pixels = decoded(found.content)
    assert pixels[100, 150, 1] > 150 > pixels[100, 150, 0]
    outside = cv2.dilate((alpha > 0).astype(np.uint8), np.ones((7, 7), np.uint8)) == 0
    np.testing.assert_array_equal(pixels[outside], photo[outside])
    assert json.loads(unquote(found.headers["x-facts"]))["cloth"] == "colour lime"
    wrong = post(server, "tryon?garment=upper&model=red", encoded(photo), texture=("t.png", b"no", "image/png"))
    assert wrong.status_code == 400 and "t.png" in wrong.json()["detail"]


def test_lines_of_a_page_in_every_form(server: TestClient, cli: Cli, empty_folder: None) -> None:
    page = np.full((420, 560, 3), 235, np.uint8)
    for row, text in enumerate(("the quick brown fox", "jumps over a lazy dog")):
        cv2.putText(page, text, (50, 120 + 90 * row), cv2.FONT_HERSHEY_SCRIPT_COMPLEX, 1.1, (60, 40, 30), 2)
    Path("her.png").write_bytes(encoded(page))
    options = ("--write", "json", "--write", "overlay", "--words", "--long-side", "640")
    assert cli("handwriting", "her.png", *options) == 0, cli.err
    address = "handwriting?words=true&long_side=640&write="
    found = {form: post(server, address + form, encoded(page)) for form in ("page", "alto", "json", "overlay")}
    assert found["json"].content == Path("her.lines.json").read_bytes()
    assert found["overlay"].content == Path("her.overlay.jpg").read_bytes()
    assert b"<TextLine" in found["page"].content and b"<TextLine" in found["alto"].content
    assert json.loads(unquote(found["page"].headers["x-facts"]))["lines"] == 2
    assert "her.page.xml" in found["page"].headers["content-disposition"]


def test_a_road_is_seen_with_metres_where_the_camera_is_known(server: TestClient) -> None:
    road = encoded(draw_road().image)
    camera = ("camera.yaml", json.dumps(CAMERA.model_dump(mode="json")).encode(), "application/yaml")
    plain = post(server, "drive?model=bright&write=json", road).json()
    assert plain["status"] == "lane" and plain["position"]["cm"] is None
    known = post(server, "drive?model=bright&write=json", road, camera=camera).json()
    assert abs(known["position"]["cm"]) < 40
    shown = post(server, "drive?model=bright", road, camera=camera)
    assert decoded(shown.content).shape == draw_road().image.shape
    assert json.loads(unquote(shown.headers["x-facts"]))["position"] == known["position"]
    nowhere = post(server, "drive?model=bright", encoded(np.zeros((100, 100, 3), np.uint8)))
    assert nowhere.status_code == 422 and nowhere.json()["kind"] == "NothingFound"
    for text in (b"hight: 2", b"{height: 1, focal: 100, size: [0, 0]}", b"!!python/name:os.system"):
        wrong = post(server, "drive?model=bright", road, camera=("camera.yaml", text, "application/yaml"))
        assert wrong.status_code == 422 and "camera.yaml" in wrong.json()["detail"]
        assert tempfile.gettempdir() not in wrong.json()["detail"]


def things() -> dict[str, bytes]:
    made = {}
    for name, colour in (("red", (200, 20, 30)), ("crimson", (190, 30, 60)), ("green", (20, 160, 40))):
        photo = np.full((96, 96, 3), 230, np.uint8)
        cv2.circle(photo, (48, 48), 30, colour, -1)
        made[f"{name}.png"] = encoded(photo)
    return made


def test_photos_a_zip_and_an_index_give_the_same_ranks(server: TestClient, tmp_path: Path) -> None:
    photos, query = things(), encoded(cv2.circle(np.full((96, 96, 3), 230, np.uint8), (50, 46), 30, (200, 20, 30), -1))
    folder, packed = tmp_path / "photos", io.BytesIO()
    folder.mkdir()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("notes.txt", "nothing to see")
        for name, content in photos.items():
            archive.writestr(f"shop/{name}", content)
            (folder / name).write_bytes(content)
    search.build(folder, folder / "photos.index")
    expected = search.Index.load(folder / "photos.index").find(query)
    several = [("photos", (name, content, "image/png")) for name, content in photos.items()]
    first = server.post("/v1/composite/search", files=[("file", ("q.png", query, "image/png")), *several]).json()
    second = post(server, "search", query, photos=("all.zip", packed.getvalue(), "application/zip")).json()
    index = ("my.index", (folder / "photos.index").read_bytes(), "application/octet-stream")
    third = post(server, "search", query, index=index).json()
    names = [match.item.name for match in expected]
    assert names[0] == "red.png"
    for answer in (first, second, third):
        assert [match["name"].removeprefix("shop/") for match in answer["matches"]] == names
        scores = [match["score"] for match in answer["matches"]]
        np.testing.assert_allclose(scores, [match.score for match in expected], atol=2e-3)
    assert first["matches"][0]["picture"].startswith("data:image/jpeg;base64,")
    assert third["matches"][0]["picture"] is None
    search.Index(tmp_path / "old.index", "another version", True).save()
    old = ("old.index", (tmp_path / "old.index").read_bytes(), "application/octet-stream")
    refused = post(server, "search", query, index=old)
    assert refused.status_code == 422 and refused.json()["detail"].startswith("old.index was made by the network of")
    assert second["matches"][0]["folder"] == "shop" and second["photos"] == 3


def test_colours_filter_and_broken_photos_are_told(server: TestClient) -> None:
    several = [("photos", (name, content, "image/png")) for name, content in things().items()]
    several.append(("photos", ("broken.png", b"nothing", "image/png")))
    query = ("file", ("red.png", things()["red.png"], "image/png"))
    found = server.post("/v1/composite/search?colour=green", files=[query, *several]).json()
    assert [match["name"] for match in found["matches"]] == ["green.png"]
    assert list(found["failures"]) == ["broken.png"]
    found = server.post("/v1/composite/search?count=1", files=[query, *several]).json()
    assert [match["name"] for match in found["matches"]] == ["crimson.png"], "a photo is not its own answer"


def test_a_zip_that_would_unpack_to_too_much_is_refused(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.png", bytes(3_000_000))
    with TestClient(create_app(Settings(state=tmp_path, max_bytes=1_000_000))) as client:
        found = post(client, "search", photos=("all.zip", packed.getvalue(), "application/zip"))
        assert found.status_code == 413 and "3,000,000" in found.json()["detail"]
        damaged = post(client, "search", photos=("all.zip", packed.getvalue()[:50], "application/zip"))
        assert damaged.status_code == 400 and damaged.json()["detail"].startswith("all.zip")


def frame(server: TestClient, address: str, pixels: NDArray[np.uint8]) -> Any:
    """Send a frame as the body."""
    jpeg = encoded(pixels, "JPEG")
    return server.post(f"/v1/composite/{address}", content=jpeg, headers={"Content-Type": "image/jpeg"})


def test_frames_of_a_stream_are_steadied_as_in_a_clip(server: TestClient) -> None:
    from intarsia.apps.background import Filming
    from intarsia.apps.grounds import named_ground

    rng = np.random.default_rng(0)
    frames = [np.clip(drawn_face() + rng.integers(-20, 20, (400, 320, 3)), 0, 255).astype(np.uint8) for _ in range(3)]
    seen = [decoded(encoded(one, "JPEG")) for one in frames]
    model = server.app.state.engine._loaded["person"]  # type: ignore[attr-defined]
    expected = [result.frame.image for result in Filming(model, named_ground("navy")).stream(seen)]
    address = f"background?session={STREAM}&behind=navy&lossless=true"
    found = [decoded(frame(server, address, one).content) for one in frames]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    assert frame(server, f"{address}&model=body", frames[0]).status_code == 200, "another model begins anew"
    alone = decoded(frame(server, address.replace(STREAM, "stream-0002"), frames[2]).content)
    assert (alone != found[2]).any(), "another stream has seen nothing before"


def test_a_stream_remembers_its_picture_and_one_without_asks_for_it(server: TestClient) -> None:
    address = "background?session=stream-0003&lossless=true"
    missing = frame(server, f"{address}&behind=picture", drawn_face())
    assert missing.status_code == 409 and "'behind'" in missing.json()["detail"]
    sea = ("sea.png", encoded(np.full((30, 40, 3), (10, 60, 90), np.uint8)), "image/png")
    first = post(server, f"{address}&behind=picture", behind=sea)
    second = frame(server, f"{address}&behind=picture", drawn_face())
    for found in (first, second):
        assert decoded(found.content)[0, 0].tolist() == [10, 60, 90]
    stages = [part.partition(";")[0] for part in second.headers["server-timing"].split(", ")]
    assert stages == ["read", "load", "decode", "queue", "network", "predict", "draw", "encode"]


def test_faces_of_a_stream_are_followed_and_empty_frames_stay(server: TestClient) -> None:
    address = "makeup?lips=blue&strength=1&session=stream-0004"
    empty = frame(server, address, np.full((400, 320, 3), 120, np.uint8))
    assert empty.status_code == 200 and "no face was found" in unquote(empty.headers["x-note"])
    painted = decoded(frame(server, address, drawn_face()).content).astype(int)
    assert (painted[217:265, 120:200, 2] > painted[217:265, 120:200, 0] + 60).sum() > 800
    assert "x-note" not in frame(server, address, drawn_face()).headers


def test_every_use_tells_what_a_page_needs(server: TestClient) -> None:
    told = server.get("/v1/uses").json()
    assert [use["name"] for use in told] == list(USES)
    for use in told:
        assert use["parameters"]["additionalProperties"] is False
        assert use["title"] and use["about"].endswith(".") and use["command"].startswith("intarsia ")
        for name, about in use["parameters"]["properties"].items():
            assert about["description"] and about["title"], name
        for text in use["python"].values():
            compile(text.format(file="'a.jpg'", arguments="", stem="a"), use["name"], "exec")
    assert {use["name"] for use in told if use["consent"]} == {"portrait", "background", "makeup", "tryon"}


def test_what_nobody_uses_is_forgotten() -> None:
    now = [0.0]
    kept: Kept[int] = Kept(2, 10.0, lambda: now[0])
    kept.put("a", 1)
    kept.put("b", 2)
    assert kept.get("a") == 1
    kept.put("c", 3)
    assert (kept.get("a"), kept.get("b"), kept.get("c")) == (1, None, 3)
    now[0] = 8.0
    assert kept.get("c") == 3
    now[0] = 11.0
    assert (kept.get("a"), kept.get("c"), len(kept)) == (None, 3, 1)
    kept.drop("c")
    assert kept.get("c") is None
