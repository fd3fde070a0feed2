"""Jobs of every kind of source, and of every use: they end well, with what the commands write."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from commands import Cli
from faces_drawn import drawn_face
from filmed import moving_squares, write_clip
from onnx_made import write_onnx
from PIL import Image
from roads import CAMERA, draw_road
from starlette.testclient import TestClient

from intarsia.bundle import Description
from intarsia.labels import LabelSpace
from intarsia.media.video import open_video
from intarsia.preprocessing import Preprocessing
from intarsia.serving.app import create_app
from intarsia.serving.settings import Settings

SCAN = Description(
    "threshold", {}, LabelSpace(("dark", "bright")),
    Preprocessing(mean=(0.0,) * 3, std=(1.0,) * 3, slices=3, window=(-100.0, 300.0)),
)  # fmt: skip


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Models that call what is bright their second class."""
    place = tmp_path_factory.mktemp("models")
    return {
        "bright": write_onnx(place / "bright.onnx", stride=1),
        "scan": write_onnx(place / "scan.onnx", stride=1, description=SCAN),
        "road": write_onnx(place / "road.onnx", space=LabelSpace(("Grass", "Road"))),
        "wear": write_onnx(place / "wear.onnx", space=LabelSpace(("background", "upper"))),
    }


@pytest.fixture(scope="module")
def server(models: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    state = tmp_path_factory.mktemp("state")
    with TestClient(create_app(Settings(models=tuple(map(str, models.values())), state=state))) as client:
        yield client


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(capsys)


def run(server: TestClient, query: str, *files: tuple[str, Path]) -> dict[str, Any]:
    """Post a job with files by field, and follow it to its end."""
    sent = [(field, (path.name, path.read_bytes())) for field, path in files]
    begun = server.post(f"/v1/jobs?{query}", files=sent)
    assert begun.status_code == 202, begun.text
    server.get(f"/v1/jobs/{begun.json()['id']}/events")
    over: dict[str, Any] = server.get(f"/v1/jobs/{begun.json()['id']}").json()
    return over


def results(server: TestClient, over: dict[str, Any]) -> dict[str, bytes]:
    """What a job made, by name; all of it went well."""
    assert (over["state"], over["exit_code"], over["error"]) == ("done", 0, None), over
    assert over["done"] == over["total"] > 0
    address = f"/v1/jobs/{over['id']}/results"
    return {one["name"]: server.get(f"{address}/{one['name']}").content for one in over["outputs"]}


def packed(path: Path, *members: tuple[str, Path]) -> Path:
    """A zip archive of files, by their names in it."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, file in members:
            archive.write(file, name)
    return path


def same(found: dict[str, bytes], folder: Path) -> None:
    """Compare what a job made with what a command wrote."""
    written = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "manifest.jsonl" and not path.name.startswith(".")
    }
    assert found.keys() == written.keys()
    assert {name: found[name] == content for name, content in written.items()} == dict.fromkeys(written, True)


@pytest.fixture
def map_(tmp_path: Path) -> Path:
    """A GeoTIFF, dark and bright."""
    rasterio = pytest.importorskip("rasterio")
    from rasterio.transform import from_origin

    pixels = np.zeros((3, 40, 60), np.uint8)
    pixels[:, :, 25:] = 255
    path = tmp_path / "map.tif"
    place = {"crs": "EPSG:32633", "transform": from_origin(500_000, 4_600_000, 1, 1)}
    with rasterio.open(path, "w", driver="GTiff", width=60, height=40, count=3, dtype="uint8", **place) as file:
        file.write(pixels)
    return path


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:, 25:] = 255
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def test_a_video(server: TestClient, models: dict[str, Path], cli: Cli, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", moving_squares(5))
    found = results(server, run(server, "model=bright&write=labels&write=records", ("files", clip)))
    out = tmp_path / "out"
    code = cli("segment", clip, "-m", models["bright"], "-o", out, "--write", "labels", "--write", "records")
    assert code == 0, cli.err
    assert found.keys() == {"clip.mask.mkv", "clip.jsonl"}
    (tmp_path / "job.mkv").write_bytes(found["clip.mask.mkv"])  # whose container has a random number
    ours, theirs = (
        [frame.image for frame in open_video(path)] for path in (tmp_path / "job.mkv", out / "clip.mask.mkv")
    )
    assert len(ours) == 5 and all(np.array_equal(one, other) for one, other in zip(ours, theirs, strict=True))


def test_a_raster_keeps_its_place(
    server: TestClient, models: dict[str, Path], cli: Cli, map_: Path, tmp_path: Path
) -> None:
    found = results(server, run(server, "model=bright", ("files", map_)))
    assert cli("segment", map_, "-m", models["bright"], "-o", tmp_path / "out") == 0, cli.err
    same(found, tmp_path / "out")
    import rasterio

    with rasterio.MemoryFile(found["map.mask.tif"]) as memory, memory.open() as labels:
        assert labels.crs.to_epsg() == 32633 and labels.transform.c == 500_000
        assert (labels.read(1)[:, 30:] == 1).all()


def test_scans_of_both_kinds_in_one_archive(
    server: TestClient, models: dict[str, Path], cli: Cli, tmp_path: Path
) -> None:
    pytest.importorskip("nibabel")
    pytest.importorskip("pydicom")
    from volumes_made import body, write_nifti, write_series

    scan = write_nifti(tmp_path / "east" / "ct.nii.gz", body()[0])
    series = write_series(tmp_path / "west" / "ct", np.moveaxis(body(seed=1)[0], -1, 0))
    members = [("east/ct.nii.gz", scan), *((f"west/ct/{file.name}", file) for file in series.iterdir())]
    sent = packed(tmp_path / "scans.zip", *members)
    found = results(server, run(server, "model=scan&write=labels", ("files", sent)))
    assert found.keys() == {"east/ct.mask.nii.gz", "west/ct.mask.nii.gz"}
    with zipfile.ZipFile(sent) as archive:
        archive.extractall(tmp_path / "scans")
    out = tmp_path / "out"
    assert cli("segment", tmp_path / "scans", "-m", models["scan"], "-o", out, "--write", "labels") == 0, cli.err
    same(found, out)


def test_a_folder_of_several_media(
    server: TestClient, models: dict[str, Path], cli: Cli, map_: Path, photo: Path, tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / "clip.mp4", moving_squares(2))
    sent = packed(tmp_path / "trip.zip", ("a/photo.png", photo), ("b/map.tif", map_), ("clip.mp4", clip))
    over = run(server, "model=bright&write=labels", ("files", sent))
    assert over["notes"] == ["trip.zip also holds 1 video, for instance clip.mp4: segment videos by themselves"]
    with zipfile.ZipFile(sent) as archive:
        archive.extractall(tmp_path / "trip")
    out = tmp_path / "out"
    assert cli("segment", tmp_path / "trip", "-m", models["bright"], "-o", out, "--write", "labels") == 0, cli.err
    same(results(server, over), out)


def test_numbered_things_and_a_tools_file(server: TestClient, photo: Path) -> None:
    found = results(server, run(server, "model=bright&instances=true&annotations=coco&write=labels", ("files", photo)))
    assert found.keys() == {"photo.mask.png", "photo.instances.png", "coco.json"}
    assert [one["file_name"] for one in json.loads(found["coco.json"])["images"]] == ["photo.png"]


@pytest.fixture
def drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """What the uses are for: a face, a road with its camera, a page, a clip, and a cloth."""
    monkeypatch.chdir(tmp_path)
    files = {"face": drawn_face(), "road": draw_road().image, "cloth": np.full((9, 9, 3), (0, 90, 0), np.uint8)}
    files["cloth"][::2] += 60  # a weave: photos of one colour are none to search for
    page = np.full((300, 600, 3), 240, np.uint8)
    for row in (80, 160, 240):
        cv2.putText(page, "in the year of our lord", (40, row), cv2.FONT_HERSHEY_SCRIPT_SIMPLEX, 1.2, (20, 20, 60), 2)
    found = {name: Path(f"{name}.png") for name in (*files, "page")}
    for name, pixels in (files | {"page": page}).items():
        Image.fromarray(pixels).save(found[name])
    Path("camera.json").write_text(CAMERA.model_dump_json())
    frames = [np.roll(drawn_face(), 2 * number, axis=1) for number in range(3)]
    return found | {"camera": Path("camera.json"), "clip": write_clip(Path("clip.mp4"), frames)}


@pytest.mark.parametrize(
    ("query", "fields", "command"),
    [
        ("kind=portrait", ("files=face",), "portrait face.png"),
        ("kind=portrait", ("files=face", "background=cloth"), "portrait face.png --background cloth.png"),
        ("kind=portrait&background=navy&lossless=true", ("files=face",),
         "portrait face.png --background navy --lossless"),
        ("kind=makeup&lips=%23b0123b&skin=smooth", ("files=face",), "makeup face.png --lips #b0123b --skin smooth"),
        ("kind=handwriting&write=crops&words=true", ("files=page",),
         "handwriting page.png --write crops --words"),
        ("kind=tryon&model=wear&garment=upper&colour=red", ("files=face",),
         "tryon face.png -m {wear} --garment upper --colour red"),
        ("kind=tryon&model=wear&garment=upper&scale=1", ("files=face", "texture=cloth"),
         "tryon face.png -m {wear} --garment upper --texture cloth.png --scale 1"),
        ("kind=drive&model=road", ("files=road",), "drive road.png -m {road}"),
        ("kind=drive&model=road", ("files=road", "camera=camera"), "drive road.png -m {road} --camera camera.json"),
    ],
)  # fmt: skip
def test_a_use(
    server: TestClient, models: dict[str, Path], cli: Cli, drawn: dict[str, Path], query: str, fields: tuple[str, ...],
    command: str,
) -> None:  # fmt: skip
    sent = [(field, drawn[name]) for field, _, name in (one.partition("=") for one in fields)]
    found = results(server, run(server, query, *sent))
    assert cli(*command.format(**models).split(), "-o", "out") == 0, cli.err
    same(found, Path("out"))


def test_another_background_of_a_clip(server: TestClient, drawn: dict[str, Path], cli: Cli) -> None:
    found = results(server, run(server, "kind=background", ("files", drawn["clip"]), ("behind", drawn["cloth"])))
    assert cli("background", "clip.mp4", "--with", "cloth.png", "-o", "out") == 0, cli.err
    Path("job.mp4").write_bytes(found["clip.background.mp4"])
    ours, theirs = (
        np.stack([frame.image for frame in open_video(path)]) for path in ("job.mp4", "out/clip.background.mp4")
    )
    assert ours.shape == theirs.shape
    assert np.abs(ours.astype(int) - theirs).mean() < 2  # the encoder of videos does not make the same bytes twice


def test_what_looks_alike(server: TestClient, drawn: dict[str, Path], cli: Cli) -> None:
    from intarsia.apps.search import Index

    sent = packed(Path("shop.zip"), ("red/face.png", drawn["face"]), ("green/cloth.png", drawn["cloth"]))
    found = results(server, run(server, "kind=search&count=1", ("files", sent), ("like", drawn["cloth"])))
    told = json.loads(found["matches.json"])
    assert (told["query"], told["photos"]) == ("cloth.png", 2)
    assert [(one["name"], one["folder"]) for one in told["matches"]] == [("green/cloth.png", "green")]
    assert b"data:image/jpeg" in found["matches.html"] and b"/jobs/" not in found["matches.html"]
    Path("shop").mkdir()
    Path("shop/photos.index").write_bytes(found["photos.index"])
    with zipfile.ZipFile(sent) as archive:
        archive.extractall("shop")
    index = Index.load("shop/photos.index")  # which is of use beside the client's own photos
    assert sorted(index.path(item).as_posix() for item in index.items) == ["shop/green/cloth.png", "shop/red/face.png"]
    only = results(server, run(server, "kind=search", ("files", drawn["face"])))
    assert only.keys() == {"photos.index"}


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("kind=search&colour=red", "'like'"),
        ("kind=search&tolerance=0.1", "colour"),
        ("kind=drive&fps=10", "a video has its own"),
        ("kind=segment&fps=10", "a video has its own"),
    ],
)
def test_what_means_nothing_is_refused_at_once(
    server: TestClient, drawn: dict[str, Path], query: str, said: str
) -> None:
    field = "face" if "search" in query else "clip"
    found = server.post(f"/v1/jobs?{query}", files=[("files", (drawn[field].name, drawn[field].read_bytes()))])
    assert found.status_code == 422 and said in found.json()["detail"], found.text


def test_a_png_of_a_job_is_the_answers(server: TestClient, photo: Path) -> None:
    found = results(server, run(server, "model=bright&write=labels", ("files", photo)))
    labels = np.asarray(Image.open(io.BytesIO(found["photo.mask.png"])))
    assert (labels[:, :25] == 0).all() and (labels[:, 25:] == 1).all()
    assert found["photo.mask.png"] == server.post("/v1/segment?model=bright", content=photo.read_bytes()).content
