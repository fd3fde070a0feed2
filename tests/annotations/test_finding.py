"""Finding images by the names that annotation files use."""

from __future__ import annotations

from pathlib import Path

import pytest

from intarsia.annotations import Lost
from intarsia.annotations.finding import ImageFinder, clean_name, safe_parts, walk


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.jpg", "x/b.PNG", "x/deep/c.jpg", "y/c.jpg", "y/ü.png", "notes.txt", ".hidden/d.png"):
        path = tmp_path / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "outside.jpg").touch()
    return tmp_path / "set"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("a.jpg", "a.jpg"),
        ("./a.jpg", "a.jpg"),
        ("images/a.jpg", "a.jpg"),
        ("C:\\data\\x\\b.png", "x/b.PNG"),
        ("/somewhere/else/b.png", "x/b.PNG"),
        ("b.jpg", "x/b.PNG"),
        ("b", "x/b.PNG"),
        ("y/c.jpg", "y/c.jpg"),
        ("other/y/c.png", "y/c.jpg"),
        ("u\u0308.png", "y/ü.png"),
        ("https://example.org/set/b.png?signature=/c.jpg", "x/b.PNG"),
        ("x/deep/c%2Ejpg", "x/deep/c.jpg"),
        ("a.jpg?v=2", "a.jpg"),
        ("https://[broken/a.jpg", "a.jpg"),
        ("%2e%2e/outside.jpg", None),
        ("file:///outside.jpg", None),
        ("../outside.jpg", None),
        ("x/../../outside.jpg", None),
        ("notes.txt", None),
        ("d.png", None),
        ("", None),
        ("..", None),
        ("a\0.jpg", None),
        ("a" * 5000 + ".jpg", None),
        ("\ud800.jpg", None),
    ],
)
def test_names(folder: Path, name: str, found: str | None) -> None:
    expected = None if found is None else folder / found
    assert ImageFinder(folder).find(name) == expected


def test_names_start_beside_the_annotation_file(folder: Path) -> None:
    finder = ImageFinder(folder)
    assert finder.find("c.jpg", beside=folder / "y") == folder / "y/c.jpg"
    assert finder.find("../y/c.jpg", beside=folder / "x") == folder / "y/c.jpg"
    assert finder.find("../outside.jpg", beside=folder) is None


def test_names_that_fit_twice_are_told(folder: Path) -> None:
    lost = Lost()
    assert ImageFinder(folder).find("c.jpg", lost=lost) == folder / "x/deep/c.jpg"
    assert not lost  # two copies of one file
    (folder / "y/c.jpg").write_bytes(b"another")
    assert ImageFinder(folder).find("c.jpg", lost=lost) == folder / "x/deep/c.jpg"
    assert lost.count("changed", "several images have this name") == 1
    assert ImageFinder(folder, without=[folder / "x"]).find("c.jpg") == folder / "y/c.jpg"


def test_clean_and_safe_names() -> None:
    assert clean_name("C:\\a\\..\\b.jpg") == "a/../b.jpg"
    assert clean_name("//host/share/b.jpg") == "host/share/b.jpg"
    assert safe_parts("../../a/./b\0.jpg") == ("a", "b.jpg")
    assert safe_parts("/") == ("image",)


def test_walk(folder: Path) -> None:
    assert [path.name for path in walk(folder, (".jpg",))] == ["a.jpg", "c.jpg", "c.jpg"]
    assert list(walk(folder / "notes.txt", (".txt",))) == [folder / "notes.txt"]
    assert not list(walk(folder / "notes.txt", (".jpg",)))
