"""Search above a million photos: the graph beside an index, here above thirty."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from apps.test_search import MeanColour
from commands import Cli
from numpy.typing import NDArray
from PIL import Image

from intarsia.apps import search
from intarsia.apps.search import building, graph
from intarsia.errors import UsageError

pytest.importorskip("usearch")


@pytest.fixture
def low(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "ABOVE", 30)


def vectors(count: int, side: int = 16, seed: int = 0) -> NDArray[np.float32]:
    made = np.random.default_rng(seed).normal(size=(count, side)).astype(np.float32)
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), np.float32)


def grown(index: search.Index, names: list[str], rows: NDArray[np.float32]) -> search.Index:
    items = [search.Item(name, 0, 0, "", "", "whole") for name in names]
    return index.with_photos(items, rows, np.zeros((len(rows), 3, 3), np.uint8), np.ones((len(rows), 3), np.float32))


def linked(index: search.Index, earlier: graph.Graph | None = None) -> search.Index:
    index.save()
    building._link(index, earlier)
    return search.Index.load(index.file)


def shades(folder: Path, count: int, first: int = 0) -> Path:
    folder.mkdir(exist_ok=True)
    for number in range(first, first + count):
        picture = Image.new("RGB", (16, 12), (number * 37 % 256, number * 91 % 256, number * 53 % 256))
        picture.paste((90, 90, 90), (4, 4, 12, 8))
        picture.save(folder / f"{number:03}.png")
    return folder


def test_the_graph_finds_what_going_through_all_finds(low: None, tmp_path: Path) -> None:
    rows = vectors(400)
    index = linked(grown(search.Index(tmp_path / "it", "m"), [f"{n:03}" for n in range(400)], rows))
    assert index.graph is not None
    assert index.graph.recall >= 0.99
    for asked in vectors(20, seed=1):
        near, all_ = index.nearest(asked, 5), index.nearest(asked, 5, exact=True)
        assert near[0] == all_[0]  # name and score
        assert len({match.path for match in near} & {match.path for match in all_}) >= 4
    allowed = np.ones(400, bool)
    allowed[[3, 7]] = False
    assert index.nearest(rows[3], 1)[0].item.name == "003"
    assert index.nearest(rows[3], 1, allowed)[0] == index.nearest(rows[3], 1, allowed, exact=True)[0]
    allowed[:300] = False  # so much is asked of all that are left
    assert [match.item.name >= "300" for match in index.nearest(rows[3], 9, allowed)] == [True] * 9
    assert len(index.nearest(rows[3], 500)) == 400


def test_what_came_and_went_is_found_and_not_found(low: None, tmp_path: Path) -> None:
    rows = vectors(100)
    first = linked(grown(search.Index(tmp_path / "it", "m"), [f"{n:03}" for n in range(100)], rows))
    more = vectors(3, seed=5)
    # One comes first by its name, one replaces another, one goes.
    second = grown(first, ["000a", "050", "zzz"], more)
    assert second.graph is None
    second = second.keep(np.array([item.name != "060" for item in second.items]))
    second = linked(second, first.graph)
    assert second.graph is not None
    assert len(second.graph.links) == 101
    found = {name: second.nearest(row, 1)[0] for name, row in zip(["000a", "050", "zzz"], more, strict=True)}
    assert {name: match.item.name for name, match in found.items()} == {"000a": "000a", "050": "050", "zzz": "zzz"}
    assert min(match.score for match in found.values()) > 0.999
    assert max(second.nearest(rows[50], 1)[0].score, second.nearest(rows[60], 1)[0].score) < 0.99
    assert second.nearest(rows[99], 1)[0].item.name == "099"


def test_a_graph_that_lost_much_is_made_anew(low: None, tmp_path: Path) -> None:
    first = linked(grown(search.Index(tmp_path / "it", "m"), [f"{n:03}" for n in range(100)], vectors(100)))
    before = first.graph
    fewer = linked(first.keep(np.arange(100) >= 20), before)
    assert before is not None
    assert fewer.graph is not None
    assert (len(before.links), len(fewer.graph.links)) == (100, 80)  # taken from the first, 20 would be gone there, too


def test_the_same_photos_give_the_same_graph(low: None, tmp_path: Path) -> None:
    for name in "ab":
        linked(grown(search.Index(tmp_path / name, "m"), [f"{n:03}" for n in range(100)], vectors(100)))
    assert graph.beside(tmp_path / "a").read_bytes() == graph.beside(tmp_path / "b").read_bytes()


@pytest.mark.parametrize("damage", ["cut", "changed", "of another", "empty"])
def test_a_graph_that_does_not_fit_is_left_alone(low: None, tmp_path: Path, damage: str) -> None:
    index = linked(grown(search.Index(tmp_path / "it", "m"), [f"{n:03}" for n in range(100)], vectors(100)))
    file = graph.beside(index.file)
    data = file.read_bytes()
    if damage == "of another":
        grown(search.Index(tmp_path / "it", "m"), [f"{n:03}" for n in range(100)], vectors(100, seed=9)).save()
    else:
        file.write_bytes({"cut": data[:-20], "changed": data[:-20] + b"x" * 20, "empty": b""}[damage])
    again = search.Index.load(index.file)
    assert again.graph is None
    assert again.nearest(again.vectors[7], 1)[0].item.name == "007"


def test_building_links_and_becoming_small_unlinks(low: None, tmp_path: Path) -> None:
    folder, file = shades(tmp_path / "p", 36), tmp_path / "it"
    report = search.build(folder, file, embedder=MeanColour())
    assert report.to_json()["recall"] == pytest.approx(1, abs=0.05)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["it", "it.graph", "p"]
    shades(folder, 2, first=36)
    assert search.add(folder, file, embedder=MeanColour()).added == ["p/036.png", "p/037.png"]
    index = search.Index.load(file)
    assert index.graph is not None
    assert index.find(folder / "037.png", embedder=MeanColour(), count=3) == index.find(
        folder / "037.png", embedder=MeanColour(), count=3, exact=True
    )
    search.remove([folder / "00*"], file)
    assert not graph.beside(file).exists()


def test_a_stopped_build_makes_no_graph_and_the_next_one_does(low: None, tmp_path: Path) -> None:
    folder, file = shades(tmp_path / "p", 36), tmp_path / "it"
    answers = iter([*[False] * 36, True])
    assert search.build(folder, file, embedder=MeanColour(), stop=lambda: next(answers)).index.graph is None
    assert search.add(folder, file, embedder=MeanColour()).index.graph is not None


def test_without_usearch_all_are_gone_through_and_the_extra_is_named(
    low: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    folder, file = shades(tmp_path / "p", 36), tmp_path / "it"
    with monkeypatch.context() as patched:
        patched.setitem(__import__("sys").modules, "usearch.index", None)
        assert cli("search", "build", folder, "-o", file, "--whole") == 0
        assert "pip install 'intarsia[search-large]', then intarsia search add PHOTOS -i" in cli.err
        assert cli.json("search", "find", folder / "000.png", "-i", file)["exact"] is True
        with pytest.raises(UsageError, match=r"intarsia\[search-large\]"):
            graph.link(np.arange(2, dtype=np.uint64), vectors(2))
    assert cli("search", "find", folder / "000.png", "-i", file) == 0
    assert "all 36 photos are gone through one by one; a graph is faster, and made by: intarsia search add" in cli.err
    assert cli("search", "add", folder, "-i", file) == 0
    assert "its graph, which holds" in cli.err
    assert cli("search", "find", folder / "000.png", "-i", file) == 0
    assert "--exact finds all" in cli.err
    assert cli.json("search", "find", folder / "000.png", "-i", file)["exact"] is False
    assert cli.json("search", "find", folder / "000.png", "-i", file, "--exact")["exact"] is True
    assert cli("search", "find", folder / "000.png", "-i", file, "--colour", "black") in (0, 1)
    assert "graph" not in cli.err


def test_an_index_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    from safetensors.numpy import load, save

    index = grown(search.Index(tmp_path / "it", "m"), ["a", "b"], vectors(2))
    index.save()
    tensors = {name: value for name, value in load(index.file.read_bytes()).items() if name != "numbers"}
    index.file.write_bytes(save(tensors, {"intarsia.search": '{"format": 1, "model": "m", "masked": true}'}))
    again = search.Index.load(index.file)
    assert (again.numbers.tolist(), again.stamp) == ([0, 1], "")
    assert grown(again, ["0"], vectors(1)).numbers.tolist() == [2, 0, 1]
