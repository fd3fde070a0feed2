"""Clouds of a project: what the page gets, the lasso against a plain one, undo, revisions, and the file afterwards."""

from __future__ import annotations

import io
import resource
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from intarsia.labels import LabelSpace
from intarsia.media.clouds import PointCloud, open_cloud, write_labels
from intarsia.result import CloudSegmentation
from intarsia.serving.app import create_app
from intarsia.serving.project import Project
from intarsia.serving.project.cloudlabels import CloudLabels
from intarsia.serving.project.cloudpoints import read_points
from intarsia.serving.project.cloudpredicting import taken
from intarsia.serving.project.clouds import Clouds, Rules
from intarsia.serving.project.lasso import View, inside
from intarsia.serving.project.revisions import Conflict
from intarsia.serving.settings import Settings

laspy = pytest.importorskip("laspy")

COUNT = 3000
AT = np.array([500_000.0, 5_400_000.0, 120.0])
SPACE = LabelSpace(("ground", "building", "lava"))


def scene(count: int = COUNT, seed: int = 0) -> PointCloud:
    """A floor with a block on it, far from the origin of the coordinates."""
    random = np.random.default_rng(seed)
    xyz = random.uniform(0, [100, 60, 0.3], (count, 3))
    xyz[: count // 3] = random.uniform([30, 20, 0], [60, 40, 25], (count // 3, 3))
    colors = {name: random.integers(0, 256, count).astype(np.uint8) for name in ("red", "green", "blue")}
    return PointCloud(xyz + AT, {"intensity": random.integers(0, 4000, count).astype(np.uint16), **colors})


def camera(turn: float, tilt: float, distance: float, size: tuple[float, float]) -> np.ndarray:
    """A perspective view of the scene's middle, from coordinates from its lowest corner."""
    toward = np.array([np.cos(turn) * np.cos(tilt), np.sin(turn) * np.cos(tilt), np.sin(tilt)])
    right = np.array([-np.sin(turn), np.cos(turn), 0.0])
    rows = np.array([right, np.cross(toward, right), toward])
    eye = np.array([50, 30, 5]) + distance * toward
    move = np.eye(4)
    move[:3, :3], move[:3, 3] = rows, -rows @ eye
    near, far = distance / 100, distance * 4
    lens = np.zeros((4, 4))
    lens[0, 0], lens[1, 1] = 1.8 * size[1] / size[0], 1.8
    lens[2, 2:], lens[3, 2] = ((far + near) / (near - far), 2 * far * near / (near - far)), -1
    return lens @ move


def plain(
    xyz: np.ndarray, matrix: np.ndarray, size: tuple[float, float], polygon: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Which points (N, 3) a polygon holds, by one edge after the other; and which are too near to an edge to tell."""
    x, y, z, w = matrix @ np.c_[xyz, np.ones(len(xyz))].T
    seen = (w > 0) & (abs(z) <= w)
    w = np.where(seen, w, 1.0)
    x, y = (x / w + 1) / 2 * size[0], (1 - y / w) / 2 * size[1]
    held, off = np.zeros(len(xyz), bool), np.full(len(xyz), np.inf)
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        dx, dy = x1 - x0, y1 - y0
        if dy:
            held ^= ((y0 > y) != (y1 > y)) & (x < dx * (y - y0) / dy + x0)
        share = (((x - x0) * dx + (y - y0) * dy) / max(dx**2 + dy**2, 1e-300)).clip(0, 1)
        off = np.minimum(off, np.hypot(x0 + share * dx - x, y0 + share * dy - y))
    return held & seen, seen & (off < 1e-6)


def corners(count: int) -> st.SearchStrategy[list[tuple[float, float]]]:
    pixel = st.floats(-200, 1000, allow_nan=False, width=32)
    return st.lists(st.tuples(pixel, pixel), min_size=3, max_size=count)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 5), turn=st.floats(-3, 3), tilt=st.floats(-1.5, 1.5), distance=st.floats(5, 400),
    polygon=corners(12), height=st.sampled_from([None, (1.0, 20.0)]),
)  # fmt: skip
def test_the_lasso_is_the_plain_one(
    seed: int, turn: float, tilt: float, distance: float, polygon: Any, height: Any
) -> None:
    cloud, size = scene(1500, seed), (800.0, 600.0)
    cloud.xyz[7] = np.nan
    points, _ = read_points(open_cloud(cloud))
    relative = cloud.xyz - points.origin
    matrix, drawn = camera(turn, tilt, distance, size), np.array(polygon)
    view = View(matrix, size, height or (-np.inf, np.inf))
    found = np.zeros(len(cloud), bool)
    found[points.order[inside(points, view, drawn)]] = True
    known = np.isfinite(relative).all(axis=1)
    held, unsure = plain(relative[known], matrix, size, drawn)
    if height:
        held &= (relative[known, 2] >= height[0]) & (relative[known, 2] <= height[1])
    assert not found[~known].any()
    assert (found[known] == held)[~unsure].all()


def test_the_nearest_surface_alone() -> None:
    far = np.random.default_rng(1).uniform(0, [10, 10, 0.01], (40_000, 3))
    cloud = PointCloud(np.concatenate([far + np.array([0, 0, 5]), far]))
    points, _ = read_points(open_cloud(cloud))
    from_above = np.diag([0.2, 0.2, 0.01, 1.0])
    from_above[:2, 3] = -1
    from_above[3] = (0, 0, -0.1, 2)  # farther below
    drawn = np.array([[0, 0], [400, 0], [400, 400], [0, 400]], float)
    view, shown = View(from_above, (400, 400)), np.ones(len(cloud), bool)
    found = points.order[inside(points, view, drawn, shown=shown)]
    everything = points.order[inside(points, view, drawn)]
    assert (everything >= 40_000).sum() > 30_000
    assert (found < 40_000).mean() > 0.95


@pytest.mark.parametrize("far", [False, True])
def test_positions_are_right_to_half_a_step_and_few_far_points_do_no_harm(far: bool) -> None:
    cloud = scene()
    if far:
        cloud.xyz[5] += 1e5
    cloud.xyz[3] = np.nan
    points, _ = read_points(open_cloud(cloud))
    assert points.wide == (4 if far else 2)
    places = points.places(0, COUNT)
    steps = points.quantised(places)
    index = points.order[places]
    gone = (steps == np.iinfo(steps.dtype).max).all(axis=1)
    assert index[gone].tolist() == [3]
    back = points.origin + points.scale * steps[~gone]
    assert (np.abs(back - cloud.xyz[index[~gone]]) <= 0.5001 * points.scale).all()
    assert sorted(index.tolist()) == list(range(COUNT))
    assert (points.ranks[index] == np.arange(COUNT)).all()


@pytest.mark.parametrize("share", [0.01, 0.1, 0.37])
def test_the_first_points_are_an_even_sample(share: float) -> None:
    cloud = scene(40_000)
    points, _ = read_points(open_cloud(cloud))
    octant = (cloud.xyz > cloud.xyz.min(0) + np.ptp(cloud.xyz, axis=0) / 2) @ [1, 2, 4]
    first = points.order[points.places(0, round(share * len(cloud)))]
    every, some = (np.bincount(which, minlength=8) for which in (octant, octant[first]))
    assert (np.abs(some - share * every) <= 3 + np.sqrt(share * every)).all()  # as by chance or better


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_tiny_clouds(count: int) -> None:
    points, _ = read_points(open_cloud(PointCloud(np.zeros((count, 3)))))
    view = View(np.eye(4), (10, 10))
    drawn = np.array([[0, 0], [9, 0], [9, 9], [0, 9]], float)
    assert sorted(points.order[points.places(0, 9)].tolist()) == list(range(count))
    assert len(inside(points, view, drawn)) == count


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["paint", "undo", "redo"]), st.integers(0, 2), st.integers(0, 99)), max_size=15)
)
def test_undo_and_redo_are_exact(tmp_path_factory: pytest.TempPathFactory, moves: list[tuple[str, int, int]]) -> None:
    folder = tmp_path_factory.mktemp("labels")
    past, future, now = [], [], np.full(50, 255, np.uint8)
    labels = CloudLabels(folder, "scan", now)
    for kind, value, seed in moves:
        revision, before = labels.read().revision, now.copy()
        if kind == "paint":
            which = np.flatnonzero(np.random.default_rng(seed).random(50) < 0.2)
            past, future = [*past, now], []
            now = now.copy()
            now[which] = value
            changed = labels.change(which, now[which], revision)
            if not len(which):
                past.pop()
        else:
            source, target = (past, future) if kind == "undo" else (future, past)
            if source:
                target.append(now)
                now = source.pop()
            changed = labels.undo(revision) if kind == "undo" else labels.redo(revision)
        before[changed.which] = changed.values
        assert (before == now).all()
        again = CloudLabels(folder, "scan", np.full(50, 255, np.uint8)).read()
        assert (again.labels == now).all() and (again.past, again.future) == (len(past), len(future))
    with pytest.raises(Conflict):
        labels.undo(labels.read().revision + 1)
    assert len(list(folder.glob("labels.*.npy"))) <= 1


# Over HTTP


class Chunk(NamedTuple):
    """What the page gets of points."""

    revision: int
    total: int
    xyz: np.ndarray
    labels: np.ndarray
    intensity: np.ndarray
    colors: np.ndarray


def chunk(data: bytes) -> Chunk:
    """Read points as the page does."""
    magic, version, flags, revision, total, _, sent, _, _, *box = struct.unpack_from("<4sHHIIIIII3d3d", data)
    assert (magic, version) == (b"INTP", 1)
    place = 80
    parts = []
    for there, kind, width in (
        (True, "<u4" if flags & 1 else "<u2", 3), (True, "<u2" if flags & 2 else "u1", 1),
        (flags & 4, "u1", 1), (flags & 8, "u1", 3),
    ):  # fmt: skip
        values = np.frombuffer(data, kind, sent * width if there else 0, place)
        parts.append(values.reshape(-1, width).squeeze(1) if width == 1 else values.reshape(-1, width))
        place += -(-values.nbytes // 4) * 4
    assert place == len(data)
    return Chunk(revision, total, np.array(box[:3]) + np.array(box[3:]) * parts[0], *parts[1:])


class Told(NamedTuple):
    """What the page gets of a change."""

    revision: int
    ranks: np.ndarray
    labels: np.ndarray
    past: int
    future: int


def told(data: bytes) -> Told:
    """Read a change as the page does."""
    magic, version, flags, revision, total, changed, past, future, label = struct.unpack_from("<4sHHIIIIII", data)
    assert (magic, version) == (b"INTL", 1)
    if flags & 1:
        bits = np.frombuffer(data, np.uint8, -(-total // 8), 32)
        ranks = np.flatnonzero(np.unpackbits(bits, count=total, bitorder="little"))
        place = 32 + -(-len(bits) // 4) * 4
    else:
        ranks = np.frombuffer(data, "<u4", changed, 32)
        place = 32 + 4 * changed
    kind = "<u2" if flags & 2 else "u1"
    labels = np.full(changed, label) if flags & 4 else np.frombuffer(data, kind, changed, place)
    assert len(ranks) == changed
    return Told(revision, ranks, labels, past, future)


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[TestClient]:
    with TestClient(create_app(Settings(state=tmp_path / "state", max_points=COUNT))) as client:
        yield client


@pytest.fixture
def las(tmp_path: Path) -> Path:
    """A LAS file whose block is classified already."""
    labels = np.zeros(COUNT, np.uint8)
    labels[: COUNT // 3] = 1
    labels[-50:], labels[-20:] = 2, SPACE.ignore_index
    path = tmp_path / "scan.las"
    write_labels(open_cloud(scene()), path, labels, SPACE)
    return path


def added(studio: TestClient, path: Path) -> str:
    (found,) = studio.post("/v1/project/items", files={"file": (path.name, path.read_bytes())}).json()["items"]
    return f"/v1/project/items/{found['id']}/cloud"


def asked(revision: int, label: int, **more: Any) -> dict[str, Any]:
    """A lasso around the left half of a view from above."""
    matrix = camera(0.3, 1.2, 150, (800, 600)).tolist()
    drawn = [[-50, -50], [400, -50], [400, 650], [-50, 650]]
    return {"revision": revision, "view": matrix, "size": [800, 600], "polygon": drawn, "class": label, **more}


def test_a_file_s_classes_are_shown_and_a_lasso_changes_them(studio: TestClient, las: Path) -> None:
    place = added(studio, las)
    whole = chunk(studio.get(place).content)
    project = studio.get("/v1/project").json()
    names = {one["index"]: one["name"] for one in project["classes"]}
    assert {"ground", "building", "code_64"} <= set(names.values())
    numbers = {name: index for index, name in names.items()} | {"": project["ignore_index"]}
    counts = {name: int((whole.labels == index).sum()) for name, index in numbers.items()}
    assert (counts["building"], counts["code_64"], counts[""]) == (1000, 30, 20)
    assert whole.intensity.max() == 255 and whole.colors.shape == (COUNT, 3)
    parts = [chunk(studio.get(place, params={"first": first, "count": 1100}).content) for first in (0, 1100, 2200)]
    assert (np.concatenate([one.xyz for one in parts]) == whole.xyz).all() and parts[2].total == COUNT
    change = told(studio.post(f"{place}/lasso", json=asked(0, numbers["ground"])).content)
    after = chunk(studio.get(place).content)
    assert change.revision == after.revision == 1 and 0 < len(change.ranks) < COUNT
    expected = whole.labels.copy()
    expected[change.ranks] = change.labels
    assert (expected == after.labels).all() and (whole.labels[change.ranks] != numbers["ground"]).all()
    back = told(studio.post(f"{place}/undo", json={"revision": 1}).content)
    assert (back.revision, back.past, back.future) == (2, 0, 1)
    assert (chunk(studio.get(place).content).labels == whole.labels).all()
    studio.post(f"{place}/redo", json={"revision": 2})
    assert (chunk(studio.get(place).content).labels == after.labels).all()


def test_locks_and_what_is_shown_hold(studio: TestClient, las: Path) -> None:
    place = added(studio, las)
    before = chunk(studio.get(place).content).labels
    building = next(one["index"] for one in studio.get("/v1/project").json()["classes"] if one["name"] == "building")
    cases: list[tuple[dict[str, Any], Any]] = [
        ({"locked": [building]}, before != building), ({"only": building}, before == building),
        ({"visible": [building]}, before == building), ({"visible": []}, before < 0),
        ({"only": building, "locked": [building]}, before < 0), ({"heights": [-1, -0.5]}, before < 0),
    ]  # fmt: skip
    revision = 0
    for rule, may in cases:
        change = told(studio.post(f"{place}/lasso", json=asked(revision, 2, **rule)).content)
        assert may[change.ranks].all() and bool(len(change.ranks)) == bool(may.any()), rule
        if change.revision != revision:
            revision = told(studio.post(f"{place}/undo", json={"revision": change.revision}).content).revision
    assert (chunk(studio.get(place).content).labels == before).all()


def test_what_is_refused(studio: TestClient, las: Path, tmp_path: Path, jpeg: bytes) -> None:
    place = added(studio, las)
    assert studio.post(f"{place}/lasso", json=asked(0, 1)).status_code == 200
    for path, body in (("lasso", asked(0, 1)), ("undo", {"revision": 0}), ("redo", {"revision": 7})):
        stale = studio.post(f"{place}/{path}", json=body)
        assert stale.status_code == 409 and stale.json()["revision"] == 1, stale.text
    wrong: list[dict[str, Any]] = [
        {"class": 99}, {"polygon": [[0, 0], [1, 1]]}, {"polygon": [[0, 0], [1, 1], [2, 1e9]]},
        {"view": [[1.0]]}, {"x": 1},
    ]  # fmt: skip
    for change in wrong:
        assert studio.post(f"{place}/lasso", json=asked(1, 1) | change).status_code == 422
    large = tmp_path / "large.las"
    write_labels(open_cloud(scene(COUNT + 1)), large, np.zeros(COUNT + 1, np.uint8), SPACE)
    found = studio.get(added(studio, large))
    assert found.status_code == 413 and "3,001 points" in found.json()["detail"]
    (photo,) = studio.post("/v1/project/items", files={"file": ("a.jpg", jpeg)}).json()["items"]
    assert studio.get(f"/v1/project/items/{photo['id']}/cloud").status_code == 422
    assert studio.get("/v1/project/items/none/cloud").status_code == 404
    assert studio.post(f"{place}/predict", params={"model": "street"}, json={"revision": 1}).status_code in (
        415,
        422,
        503,
    )


@pytest.mark.parametrize("suffix", [".las", ".laz"])
def test_the_file_comes_back_with_nothing_but_its_labels_changed(studio: TestClient, las: Path, suffix: str) -> None:
    path = las.with_suffix(suffix)
    if path != las:
        pytest.importorskip("lazrs")
        write_labels(open_cloud(las), path, np.zeros(COUNT, np.uint8), SPACE)
    place = added(studio, path)
    original = laspy.read(path)
    untouched = laspy.read(io.BytesIO(studio.get(f"{place}/export").content))
    assert (untouched.points.array == original.points.array).all()
    before = chunk(studio.get(place).content)
    numbers = {one["name"]: one["index"] for one in studio.get("/v1/project").json()["classes"]}
    change = told(studio.post(f"{place}/lasso", json=asked(0, numbers["building"])).content)
    found = studio.get(f"{place}/export")
    assert found.headers["content-disposition"].endswith(f"scan{suffix}")
    again = laspy.read(io.BytesIO(found.content))
    assert (again.header.scales == original.header.scales).all()
    assert [one.user_id for one in again.header.vlrs] == [one.user_id for one in original.header.vlrs]
    for name in original.point_format.dimension_names:
        if name != "classification":
            assert (np.asarray(again[name]) == np.asarray(original[name])).all(), name
    changed = np.flatnonzero(np.asarray(again.classification) != np.asarray(original.classification))
    assert len(changed) == len(change.ranks) > 0
    assert set(np.asarray(again.classification)[changed].tolist()) == {6}
    shown = before.xyz[np.sort(change.ranks)]
    assert np.allclose(np.sort(original.xyz[changed], axis=0), np.sort(shown, axis=0), atol=0.002)


def test_labels_of_other_formats_are_numbers_of_classes(studio: TestClient, tmp_path: Path) -> None:
    path, labels = tmp_path / "scan.ply", np.arange(COUNT, dtype=np.uint8) % 3
    write_labels(open_cloud(scene()), path, labels, SPACE)
    place = added(studio, path)
    assert set(chunk(studio.get(place).content).labels.tolist()) == {0, 1, 2}
    names = [one["name"] for one in studio.get("/v1/project").json()["classes"]]
    assert names == ["class_0", "class_1", "class_2"]
    target = tmp_path / "back.ply"
    target.write_bytes(studio.get(f"{place}/export").content)
    back = open_cloud(target).read()
    assert back.label is not None and (back.label == labels).all() and (back.xyz == scene().xyz).all()


@pytest.mark.parametrize(("codes", "state"), [((2, 6), "labelled"), ((0, 1), "new")])
def test_a_cloud_with_labels_of_its_own_is_labelled_once_it_was_opened(
    studio: TestClient, tmp_path: Path, codes: tuple[int, int], state: str
) -> None:
    """Codes 0 and 1 of LAS say that nobody knows."""
    path, labels = tmp_path / "scan.las", np.arange(COUNT, dtype=np.uint8) % 2
    said = dict(zip(("one", "other"), codes, strict=True))
    write_labels(open_cloud(scene()), path, labels, LabelSpace(("one", "other")), None, said)
    place = added(studio, path)
    item = place.removesuffix("/cloud")
    assert studio.get(item).json()["state"] == "new"
    studio.get(place)
    assert studio.get(item).json()["state"] == state
    exported = studio.get("/v1/project/export", params={"format": "png"})
    assert exported.status_code == (200 if state == "labelled" else 400), exported.text


@pytest.mark.needs_torch
def test_a_model_predicts_in_the_project_s_classes(studio: TestClient, las: Path) -> None:
    pytest.importorskip("torch")
    place = added(studio, las)
    before = chunk(studio.get(place).content).labels
    numbers = {one["name"]: one["index"] for one in studio.get("/v1/project").json()["classes"]}
    found = studio.post(f"{place}/predict", json={"revision": 0, "locked": [numbers["building"]]})
    assert found.status_code == 200, found.text
    change = told(found.content)
    assert (before[change.ranks] != numbers["building"]).all() and change.revision == 1
    assert found.headers["x-model"] == "airborne-lidar"
    studio.post(f"{place}/undo", json={"revision": 1})
    assert (chunk(studio.get(place).content).labels == before).all()


@pytest.mark.needs_torch
def test_a_job_predicts_the_same(studio: TestClient, las: Path) -> None:
    pytest.importorskip("torch")
    place = added(studio, las)
    asked = {"revision": 0, "locked": [1]}
    assert studio.post(f"{place}/predict", json=asked).status_code == 200
    expected = chunk(studio.get(place).content).labels
    studio.post(f"{place}/undo", json={"revision": 1})
    begun = studio.post(f"{place}/predict", params={"later": True}, json=asked)
    assert begun.status_code == 202 and begun.json()["kind"] == "predict-cloud", begun.text
    studio.get(f"/v1/jobs/{begun.json()['id']}/events")  # to its end
    over = studio.get(f"/v1/jobs/{begun.json()['id']}").json()
    assert (over["state"], over["done"], over["total"]) == ("done", COUNT, COUNT), over
    part = chunk(studio.get(place).content)
    assert (part.labels == expected).all() and part.revision == 3
    assert over["notes"][0].endswith(" points changed")
    refused = studio.post(f"{place}/predict", params={"later": True, "model": "street"}, json=asked)
    assert refused.status_code == 400 and "name a model of clouds" in refused.json()["detail"]


def test_what_is_corrected_during_a_prediction_stays(tmp_path: Path, las: Path) -> None:
    project = Project(tmp_path / "work", default=lambda: SPACE)
    cloud = Clouds(project, lambda: None).open(project.add("scan.las", las))
    before = cloud.labels.read().labels.copy()
    space = project.space
    first, second = (np.array([label], before.dtype) for label in (0, 1))
    cloud.labels.change(np.array([5]), np.where(before[5] == 0, second, first), 0)
    corrected = cloud.labels.read().labels[5]
    labels = np.full(COUNT, space.index("building"), space.dtype)
    result = CloudSegmentation(labels, space, np.ones(COUNT, np.float16), open_cloud(las))
    changed = taken(project, cloud, result, Rules(locked=[space.index("ground")]), before)
    after = cloud.labels.read().labels
    assert after[5] == corrected and changed == np.count_nonzero(after != before) - 1 > 0
    assert (after[before == space.index("ground")][6:] == space.index("ground")).all()
    assert taken(project, cloud, result, Rules(locked=[space.index("ground")]), before) == 0  # a job that is done anew


def test_two_million_points(capsys: pytest.CaptureFixture[str]) -> None:
    count = 2_000_000
    random = np.random.default_rng(0)
    xyz = random.uniform(0, [100, 60, 10], (count, 3))
    start = time.process_time()
    points, _ = read_points(open_cloud(PointCloud(xyz + AT)))
    assert len(points.boxes[0][0]) and len(points.ranks) == count
    opened = time.process_time() - start
    angles = np.linspace(0, 2 * np.pi, 300, endpoint=False)
    drawn = np.column_stack([400 + 200 * np.cos(angles), 300 + (150 + 30 * np.sin(9 * angles)) * np.sin(angles)])
    view = View(camera(0.4, 0.8, 150, (800, 600)), (800, 600))
    start = time.process_time()
    found = inside(points, view, drawn)
    took = time.process_time() - start
    clip = view.matrix[:, :3] @ points.xyz + view.matrix[:, 3:]
    x, y = (clip[0] / clip[3] + 1) * 400, (1 - clip[1] / clip[3]) * 300
    within = ((x - 400) / 200) ** 2 + ((y - 300) / 120) ** 2 < 1  # surely inside
    assert within.sum() <= len(found) and np.isin(np.flatnonzero(within), found, assume_unique=True).mean() > 0.9
    with capsys.disabled():
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(
            f"\n2 M points: opened in {opened:.2f} s, lasso of {len(found):,} in {1000 * took:.0f} ms CPU, {memory} MB"
        )
