"""A document that is neither an image nor a video goes through all that reads documents: none asks what it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from intarsia.annotations import AnnotatedImage, AnnotationSet, Lost, Shape
from intarsia.annotations.checking import MISSING, check
from intarsia.annotations.document import DocumentWriter, images
from intarsia.annotations.formats.cvat.writing import write
from intarsia.annotations.geometry import Rectangle
from intarsia.annotations.naming import with_own_names
from intarsia.annotations.photos import with_photos
from intarsia.annotations.summary import summarise
from intarsia.annotations.writing import still_images
from intarsia.media.images import write_image


@dataclass(frozen=True)
class Pair:
    """Two pictures of one place, labelled together: a kind of document that the package does not know."""

    name: str
    both: tuple[AnnotatedImage, AnnotatedImage]
    image: Path | None = None
    subset: str = ""

    kind: ClassVar[str] = "pairs"
    frames: ClassVar[int] = 2
    tracks: ClassVar[tuple[Any, ...]] = ()

    def labels(self) -> set[str]:
        return set.union(*(one.labels() for one in self.both))

    def things(self) -> list[Any]:
        return [thing for one in self.both for thing in one.things()]

    def images(self) -> Iterator[AnnotatedImage]:
        yield from self.both

    def stills(self) -> tuple[AnnotatedImage, ...]:
        return self.both

    def map_stills(self, change: Callable[[AnnotatedImage], AnnotatedImage]) -> Pair:
        return replace(self, both=(change(self.both[0]), change(self.both[1])))

    def faults(self) -> Iterator[str]:
        if self.both[0].name == self.both[1].name:
            yield "both are one picture"

    def picture_names(self, root: Path) -> Iterator[str]:
        yield self.name
        yield f"pair of {self.name}"

    def with_picture_name(self, name: str) -> Pair:
        return replace(self, name=name)

    def write_to(self, writer: DocumentWriter) -> None:
        for one in self.both:
            writer.image(one)


def _pair(folder: Path, name: str = "a") -> Pair:
    for side in ("left", "right"):
        write_image(folder / f"{side}.png", np.zeros((20, 30, 3), np.uint8))
    car = Shape("car", Rectangle(2, 2, 10, 8))
    left = AnnotatedImage("left.png", image=folder / "left.png", shapes=(car,))
    return Pair(name, (left, AnnotatedImage("right.png", image=folder / "right.png", shapes=(car, car))))


def _export(folder: Path, *documents: Any) -> AnnotationSet:
    return AnnotationSet("fake", folder, folder, (), lambda lost: iter(documents))


def test_it_is_counted_by_its_own_kind(tmp_path: Path) -> None:
    found = summarise([_pair(tmp_path), AnnotatedImage("alone.png")])  # type: ignore[list-item]
    assert found.documents == {"pairs": 1, "images": 1}
    assert (found.images, found.videos, found.missing, found.empty) == (1, 0, 1, 1)
    assert found.labels == {"car": (3, 1)}


def test_its_pictures_are_checked(tmp_path: Path) -> None:
    pair = _pair(tmp_path)
    problems = list(check([pair, replace(pair, name="b", both=(pair.both[0], replace(pair.both[0], image=None)))]))  # type: ignore[list-item]
    assert problems == [
        ("a", "shape 1 (car, rectangle) is there more than once"),
        ("b", "both are one picture"),
        ("b", MISSING),
    ]


def test_it_gets_a_name_of_its_own(tmp_path: Path) -> None:
    first, second = _pair(tmp_path), replace(_pair(tmp_path), subset="val")
    assert [one.name for one in with_own_names(_export(tmp_path, first, second))] == ["a", "pair of a"]


def test_its_photos_are_taken_along(tmp_path: Path) -> None:
    (moved,) = with_photos(_export(tmp_path, _pair(tmp_path)), tmp_path / "photos")
    assert [one.image for one in moved.stills()] == [tmp_path / "photos" / f"{side}.png" for side in ("left", "right")]
    assert all(one.image is not None and one.image.is_file() for one in moved.stills())


def test_it_is_written_as_images(tmp_path: Path) -> None:
    pair, lost = _pair(tmp_path), Lost()
    assert [one.name for one in still_images([pair], lost)] == ["left.png", "right.png"]  # type: ignore[list-item]
    assert [one.name for one in images([pair])] == ["left.png", "right.png"]  # type: ignore[list-item]
    assert not lost.entries
    write([pair], tmp_path / "out.xml")  # type: ignore[list-item]
    assert (tmp_path / "out.xml").read_text().count("<image ") == 2
