"""Visual search: masks, colours, the index and its file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from intarsia.apps import search
from intarsia.apps.search.colours import dominant
from intarsia.apps.search.embedding import SIDE, framed
from intarsia.apps.search.foreground import cut_out, find_thing
from intarsia.apps.search.sheet import MOST, write_sheet
from intarsia.errors import DataError, ModelError, UsageError


class MeanColour:
    """Stands for an embedder: photos are alike whose mean colours are."""

    checksum, masked = "mean", True

    def __init__(self) -> None:
        self.seen = 0

    def check(self, index: search.Index) -> None:
        if index.model != self.checksum:
            raise ModelError(f"{index.file} was made by another")

    def embed(self, photo: NDArray[np.uint8]) -> search.Embedded:
        self.seen += 1
        vector = photo.reshape(-1, 3).mean(axis=0).astype(np.float32) + 1
        whole = np.ones(photo.shape[:2], bool)
        return search.Embedded(vector / np.linalg.norm(vector), "thing", "whole", *dominant(photo, whole))


def photos(folder: Path, **colours: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, colour in colours.items():
        Image.new("RGB", (16, 12), colour).save(folder / f"{name}.png")
    return folder


def disc(side: int = 120, ground: int = 200) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    y, x = np.mgrid[:side, :side]
    inside = np.hypot(y - side / 2, x - side / 2) < side / 3.5
    photo = np.full((side, side, 3), ground, np.uint8)
    photo[inside] = (180, 20, 40)
    noise = np.random.default_rng(0).integers(-6, 7, photo.shape)
    return np.clip(photo + noise, 0, 255).astype(np.uint8), inside


def test_a_thing_is_cut_out_of_its_ground_and_equally_each_time() -> None:
    photo, inside = disc(96)
    found, kind = find_thing(photo)
    assert kind == "foreground"
    assert (found & inside).sum() / (found | inside).sum() > 0.9
    assert np.array_equal(found, cut_out(photo))


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (40, 40)])
def test_where_nothing_differs_the_whole_photo_counts(size: tuple[int, int]) -> None:
    found, kind = find_thing(np.full((*size, 3), 90, np.uint8))
    assert kind == "whole"
    assert found.all()


def test_clothes_count_where_no_ground_differs() -> None:
    class Clothes:
        def segment(self, source: Any) -> Any:
            from intarsia.labels import LabelSpace
            from intarsia.result import Segmentation

            labels = np.zeros(source.shape[:2], np.uint8)
            labels[:30] = 1
            return Segmentation(labels, LabelSpace(("background", "dress", "skin")))

    assert find_thing(disc()[0], Clothes())[1] == "foreground"
    found, kind = find_thing(np.full((96, 96, 3), 90, np.uint8), Clothes())
    assert kind == "clothes"
    assert found[:30].all()
    assert not found[30:].any()


@pytest.mark.parametrize(("height", "width"), [(300, 200), (60, 90), (1000, 64)])
def test_a_framed_thing_fills_the_frame_and_keeps_its_proportions(height: int, width: int) -> None:
    mask = np.zeros((height, width), bool)
    mask[height // 4 : height // 2, width // 4 : 3 * width // 4] = True
    seen = framed(np.zeros((height, width, 3), np.uint8), mask)
    assert seen.shape == (4, SIDE, SIDE)
    rows, columns = (np.flatnonzero((seen[3] > 0.5).any(axis=axis)) for axis in (1, 0))
    tall, wide = len(rows), len(columns)
    assert max(tall, wide) == pytest.approx(SIDE / 1.12, abs=2)
    assert tall / wide == pytest.approx((height // 2 - height // 4) / (3 * width // 4 - width // 4), rel=0.06)
    assert rows.mean() == pytest.approx(SIDE / 2 - 0.5, abs=1)


def test_colours_of_a_thing_are_found_with_their_shares() -> None:
    photo = np.full((40, 40, 3), 255, np.uint8)
    photo[:30] = (170, 0, 0)
    colours, shares = dominant(photo, np.ones((40, 40), bool))
    assert np.abs(colours[0].astype(int) - (170, 0, 0)).max() <= 1
    assert shares[0] == pytest.approx(0.75, abs=0.02)
    red = search.Filter.of("#aa0000")
    assert red.passes(colours[None], shares[None]).tolist() == [True]
    assert search.Filter.of("navy").passes(colours[None], shares[None]).tolist() == [False]


def test_no_colour_is_said() -> None:
    with pytest.raises(UsageError, match="'rad' is no colour"):
        search.Filter.of("rad")
    with pytest.raises(UsageError, match="above 0"):
        search.Filter.of("red", 0)


def test_the_nearest_come_first_and_equals_by_name(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    vectors = random.normal(size=(50, 8)).astype(np.float32)
    vectors[10:30] = vectors[10]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    order = random.permutation(50)
    items = [search.Item(f"{number:02}", 0, 0, "", "", "whole") for number in range(50)]
    empty = search.Index(tmp_path / "it", "m")
    colours, shares = np.zeros((50, 3, 3), np.uint8), np.zeros((50, 3), np.float32)
    index = empty.with_photos([items[place] for place in order], vectors[order], colours, shares)
    assert index.nearest(vectors[10], 1)[0].item.name == "10"
    assert [match.item.name for match in index.nearest(vectors[10], 20)] == [f"{number}" for number in range(10, 30)]
    wanted = np.argsort(-(vectors @ vectors[3]))[:10]
    assert {match.item.name for match in index.nearest(vectors[3], 10)} >= {f"{n:02}" for n in wanted[:5]}
    assert [match.rank for match in index.nearest(vectors[3], 99)] == list(range(1, 51))
    with pytest.raises(UsageError, match="1 or more"):
        index.nearest(vectors[3], 0)


def test_an_index_is_built_saved_grown_and_thinned(tmp_path: Path) -> None:
    folder, file = photos(tmp_path / "p", a="red", b="blue", c="#ee0000"), tmp_path / "it.index"
    ready = MeanColour()
    report = search.build(folder, file, embedder=ready)
    assert (report.added, len(report.index)) == (["p/a.png", "p/b.png", "p/c.png"], 3)
    found = search.Index.load(file).find(folder / "a.png", embedder=ready)
    assert [match.path for match in found] == [folder / "c.png", folder / "b.png"]  # not itself
    assert found[0].score == pytest.approx(1, abs=1e-3)
    assert [match.path.name for match in report.index.find(folder / "a.png", colour="blue", embedder=ready)] == [
        "b.png"
    ]

    photos(folder, b="green", d="black")
    os.utime(folder / "b.png", ns=(1, 1))
    before = ready.seen
    report = search.add([folder], file, embedder=ready)
    assert (report.added, report.unchanged, ready.seen - before) == (["p/b.png", "p/d.png"], 2, 2)
    (folder / "d.png").unlink()
    assert search.remove([], file, gone=True).removed == ["p/d.png"]
    assert search.remove([folder / "a*"], file).removed == ["p/a.png"]
    assert [item.name for item in search.Index.load(file).items] == ["p/b.png", "p/c.png"]
    with pytest.raises(DataError, match="holds no photo"):
        search.remove([folder / "zzz.png"], file)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["it.index", "p"]


def test_bad_photos_are_told_and_the_others_go_in(tmp_path: Path) -> None:
    folder = photos(tmp_path / "p", a="red")
    (folder / "bad.jpg").write_bytes(b"no picture")
    report = search.build(folder, tmp_path / "it", embedder=MeanColour())
    assert report.added == ["p/a.png"]
    assert list(report.failures) == [str(folder / "bad.jpg")]
    (folder / "a.png").unlink()
    with pytest.raises(DataError, match="none of the photos"):
        search.build(folder, tmp_path / "other", embedder=MeanColour())


def test_what_cannot_be_is_said(tmp_path: Path) -> None:
    folder = photos(tmp_path / "p", a="red")
    search.build(folder, tmp_path / "it", embedder=MeanColour())
    with pytest.raises(UsageError, match=r"exists; add photos to it"):
        search.build(folder, tmp_path / "it", embedder=MeanColour())
    with pytest.raises(UsageError, match="is a folder"):
        search.build(folder, folder, embedder=MeanColour())
    with pytest.raises(DataError, match="no such index"):
        search.add(folder, tmp_path / "none", embedder=MeanColour())
    index = search.Index.load(tmp_path / "it")
    with pytest.raises(UsageError, match=r"of the class 'thin'\. Did you mean 'thing'"):
        index.allowed(category="thin")
    with pytest.raises(ModelError, match="network of another version"):
        index.find(folder / "a.png", embedder=None)
    for damage in (b"", b"x" * 40, (tmp_path / "it").read_bytes()[:-9]):
        (tmp_path / "cut").write_bytes(damage)
        with pytest.raises(DataError, match="no index of photos, or a damaged one"):
            search.Index.load(tmp_path / "cut")


def test_an_index_moves_with_its_photos(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    photos(tmp_path / "one" / "p", a="red", b="blue")
    search.build(tmp_path / "one" / "p", tmp_path / "one" / "it", embedder=MeanColour())
    (tmp_path / "one").rename(tmp_path / "two")
    index = search.Index.load(tmp_path / "two" / "it")
    assert all(index.path(item).is_file() for item in index.items)


def test_whoever_is_killed_while_adding_leaves_the_old_index(tmp_path: Path) -> None:
    folder, file = photos(tmp_path / "p", a="red"), tmp_path / "it"
    search.build(folder, file, embedder=MeanColour())
    before = file.read_bytes()
    photos(folder, b="blue", c="green")
    code = (
        "import os, signal, sys\n"
        f"sys.path[:0] = {sys.path!r}\n"
        "from apps.test_search import MeanColour, search\n"
        "class Killed(MeanColour):\n"
        "    def embed(self, photo):\n"
        "        if self.seen == 1: os.kill(os.getpid(), signal.SIGKILL)\n"
        "        return super().embed(photo)\n"
        f"search.add({str(folder)!r}, {str(file)!r}, embedder=Killed())\n"
    )
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])}
    assert subprocess.run([sys.executable, "-c", code], check=False, env=env).returncode == -signal.SIGKILL
    assert file.read_bytes() == before
    assert search.add(folder, file, embedder=MeanColour()).added == ["p/b.png", "p/c.png"]


def test_a_stopped_build_keeps_what_is_done(tmp_path: Path) -> None:
    folder, file = photos(tmp_path / "p", a="red", b="blue", c="green"), tmp_path / "it"
    asked = iter([False, True])
    report = search.build(folder, file, embedder=MeanColour(), stop=lambda: next(asked))
    assert (report.stopped, report.added) == (True, ["p/a.png"])
    assert search.add(folder, file, embedder=MeanColour()).added == ["p/b.png", "p/c.png"]


def test_a_contact_sheet_stands_alone_and_escapes_names(tmp_path: Path) -> None:
    folder = photos(tmp_path / "p", **{"a": "red", "<b>&": "blue"})
    index = search.build(folder, tmp_path / "it", embedder=MeanColour()).index
    matches = index.find(folder / "a.png", embedder=MeanColour())
    write_sheet(tmp_path / "sheet.html", folder / "a.png", matches * (MOST + 1))
    text = (tmp_path / "sheet.html").read_text()
    assert "<b>&.png" not in text
    assert "&lt;b&gt;&amp;.png" in text
    assert f"The first {MOST} of {MOST + 1}" in text
    assert "http" not in text.replace("http://www.w3.org", "")
    assert text.count("data:image/jpeg") == MOST + 1
