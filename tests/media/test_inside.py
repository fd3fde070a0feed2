"""What lies below a folder, held as names."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from intarsia.files import below, walk
from intarsia.media.inside import Inside, Items, Texts
from intarsia.media.medium import PICTURE, VIDEO


def test_texts_are_what_was_added() -> None:
    texts = Texts(["", "äö", "a/b.png", "\udcff.png", "🙂"])
    assert list(texts) == ["", "äö", "a/b.png", "\udcff.png", "🙂"] and len(texts) == 5
    assert (texts[-1], texts[1:3]) == ("🙂", ["äö", "a/b.png"])
    with pytest.raises(IndexError):
        texts[5]
    texts.append("last")
    assert texts[5] == "last"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files and folders whose names sort otherwise as texts than as paths."""
    for name in ("a/1.png", "a-b/2.png", "a.png", "b/deep/3.png", ".hidden/4.png", "__MACOSX/5.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere")
    return tmp_path


def test_all_is_found_in_the_order_of_paths(folder: Path) -> None:
    inside = Inside(folder)
    assert [folder / name for name in inside.names] == sorted(below(folder))
    assert list(inside.names) == [
        "a", "a/1.png", "a-b", "a-b/2.png", "a.png", "b", "b/deep", "b/deep/3.png", "gone.png",
    ]  # fmt: skip
    files = list(inside.files())
    assert [inside.names[file] for file in files] == ["a/1.png", "a-b/2.png", "a.png", "b/deep/3.png"]
    assert [inside.names[place] for place in inside.folders()] == ["a", "a-b", "b", "b/deep"]
    assert [inside.names[place] for place in inside.others(files[1:])] == ["a/1.png", "gone.png"]
    assert inside.path(files[0]) == os.path.join(folder, "a/1.png")


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_walk_goes_in_no_circle(folder: Path) -> None:
    (folder / "b" / "again").symlink_to(folder)
    assert [name for name, is_folder in walk(folder) if is_folder] == ["a", "a-b", "b", "b/again", "b/deep"]


def test_items_are_made_when_they_are_asked_for() -> None:
    items = Items(Path("in"), ["a.png", "b/c.mp4"], lambda path: VIDEO if path.endswith(".mp4") else PICTURE)
    assert [(str(item.source), str(item.name), item.medium.name) for item in items] == [
        (os.path.join("in", "a.png"), "a.png", "picture"),
        (os.path.join("in", "b", "c.mp4"), "b/c.mp4", "video"),
    ]
    assert items[-1].medium is VIDEO and [item.medium for item in items[:1]] == [PICTURE]
