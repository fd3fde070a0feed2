"""What is known about a public data set, and the small helpers that its reader is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from intarsia.classlists import read_class_file
from intarsia.datasets.layouts.contract import Content, Layout, Reading
from intarsia.datasets.layouts.filenames import natural, walk
from intarsia.datasets.layouts.pairing import Pairs, relative
from intarsia.datasets.parts import File
from intarsia.datasets.pictures import PictureSplit
from intarsia.datasets.public.protocol import EvaluationProtocol
from intarsia.datasets.splits import Split
from intarsia.errors import DataError, UsageError
from intarsia.labels import LabelSpace
from intarsia.media.images import IMAGE_SUFFIXES

Matched = tuple[str | None, str, File, File]
_LONGEST_NAME = 250  # bytes, without suffix: file systems allow 255
_LABELS = Path(__file__).parent / "labels"


@dataclass(frozen=True)
class Download:
    """A file that anybody may fetch without registration.

    Attributes:
        url: where it lies.
        name: what it is called on disk.
        size: bytes, as far as known; 0 when not.
        md5: checksum that the publisher's own or a widely used loader states.
    """

    url: str
    name: str
    size: int
    md5: str


@dataclass(frozen=True)
class Entry:
    """One public data set.

    Attributes:
        name: on the command line.
        title: as its authors call it.
        about: what it shows, in a line.
        space: its classes.
        splits: how it is divided, officially.
        ignored: what counts neither in training nor in evaluation.
        size: of the download.
        license: its terms.
        citation: the paper to cite.
        homepage: where it comes from.
        steps: how to get it.
        tree: the files that it must have, below the folder that is opened.
        protocol: the official evaluation, for `intarsia evaluate --protocol`.
        downloads: what `intarsia data get` fetches; empty where registration or consent is needed.
    """

    name: str
    title: str
    about: str
    space: Callable[[], LabelSpace]
    splits: str
    ignored: str
    size: str
    license: str
    citation: str
    homepage: str
    steps: tuple[str, ...]
    tree: str
    protocol: EvaluationProtocol
    downloads: tuple[Download, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain JSON form."""
        plain = {name: value for name, value in vars(self).items() if name not in ("space", "protocol", "downloads")}
        files = [{"url": one.url, "name": one.name, "size": one.size, "md5": one.md5} for one in self.downloads]
        return plain | {
            "steps": list(self.steps),
            "classes": self.space().to_json(),
            "protocol": self.protocol.name,
            "downloads": files,
        }

    def how_to_get(self) -> str:
        """The steps and the tree, for errors and for `intarsia data info`."""
        steps = "\n".join(f"  {number}. {step}" for number, step in enumerate(self.steps, start=1))
        tree = "\n".join(f"  {line}" for line in self.tree.splitlines())
        return f"How to get it:\n{steps}\nFiles that it must have:\n{tree}"

    def missing(self, content: Content, what: str) -> DataError:
        """The error for a tree that lacks a part."""
        return DataError(f"{content.root}: this is {self.title}, but {what}.\n{self.how_to_get()}")


def space_of(name: str) -> LabelSpace:
    """The label space of one of the lists in labels/."""
    return _label_list(name)


@cache
def _label_list(name: str) -> LabelSpace:
    classes = read_class_file(_LABELS / f"{name}.txt")
    return LabelSpace(classes.names, classes.palette)


def official(content: Content, entry: Entry) -> None:
    """Refuse other class names for a data set that has its own.

    Raises:
        UsageError: the user named other classes.
    """
    names = entry.space().names
    if content.asked and tuple(content.options.classes or ()) != names:
        raise UsageError(
            f"the classes of {entry.title} are its own ({', '.join(names[:3])}, ...): leave classes out, "
            f"or rename and join them (recipe: data.remap; intarsia evaluate --remap)"
        )


def find(content: Content, *places: str, holding: Sequence[str]) -> Path | None:
    """The first of some places below the root ("" for itself) that holds all of these files or folders."""
    for place in places:
        folder = content.root / place
        if all((folder / name).exists() for name in holding):
            return folder
    return None


def pictures(folder: Path) -> list[Path]:
    """The pictures below a folder in name order; nothing where there is no such folder."""
    return [path for path in walk(folder) if path.suffix.lower() in IMAGE_SUFFIXES] if folder.is_dir() else []


def listed(path: Path, *, spaces: bool = False) -> list[str]:
    """The names in a split list: the first word of every line, without suffix.

    Args:
        path: the list.
        spaces: names may hold spaces (and then stand in quotes), so that the whole line counts.

    Raises:
        DataError: the list cannot be read, or a name leads out of its folder.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as a list of names ({error}); download it again") from error
    names = [line.strip().strip('"') if spaces else line.split()[0] for line in lines if line.strip()]
    for name in names:
        if any(len(part.encode()) > _LONGEST_NAME for part in Path(name).parts):
            raise DataError(f"{path}: {name[:20]!r}... is no file name, it is too long; correct the list")
        if name.startswith("/") or ".." in Path(name).parts or any(mark in name for mark in "\\:\0"):
            raise DataError(f"{path}: the name {name!r} leads out of the data set's folder; correct the list")
    return [name.rsplit(".", 1)[0] if name.lower().endswith(IMAGE_SUFFIXES) else name for name in names]


def under(folder: Path, suffix: str) -> Callable[[str], Path]:
    """From a name to the file of that name in a folder."""
    return lambda name: folder / f"{name}{suffix}"


def by_list(
    split: str | None, names: Iterable[str], image: Callable[[str], Path], mask: Callable[[str], Path]
) -> tuple[list[Matched], list[Path]]:
    """Items of a split list, and those of its images that have no mask. Missing images are left to be found by a check.

    An id is the split and the name.
    """
    matched: list[Matched] = []
    without = []
    for name in names:
        target = mask(name)
        if target.exists():
            matched.append((split, f"{split}/{name}" if split else name, image(name), target))
        else:
            without.append(image(name))
    return matched, without


def by_name(
    split: str | None, images: Path, masks: Path, mask: Callable[[Path], Path]
) -> tuple[list[Matched], list[Path]]:
    """Items for the pictures below a folder, and those of them that have no mask.

    Args:
        split: their split.
        images: folder of the pictures.
        masks: folder of the masks, with the same sub-folders.
        mask: from a picture's path below `images` to its mask's path below `masks`.
    """
    matched: list[Matched] = []
    without = []
    for picture in pictures(images):
        inside = relative(picture, images)
        target = masks / mask(inside)
        name = inside.with_suffix("").as_posix()
        if target.exists():
            matched.append((split, f"{split}/{name}" if split else name, picture, target))
        else:
            without.append(picture)
    return matched, without


def pairs_of(*parts: tuple[list[Matched], list[Path]]) -> Pairs:
    """All parts together, in name order."""
    matched = sorted((entry for part, _ in parts for entry in part), key=lambda entry: natural(entry[1]))
    return Pairs(tuple(matched), tuple(path for _, left in parts for path in left), (), ())


def layout(
    entry: Entry,
    about: str,
    matches: Callable[[Content], bool] | None,
    read: Callable[[Content], Reading],
    *,
    kind: type[Split] = PictureSplit,
    sole: bool = False,
    recipe: str = "",
) -> Layout:
    """An official layout; where the user named classes, a generic one reads the tree.

    Args:
        entry: the data set.
        about: a line on the layout.
        matches: whether a folder looks like it; None for a variant that is only read when it is named.
        read: its reader.
        kind: what its splits are.
        sole: no generic layout can read the tree, so the data set's own classes are the only ones.
        recipe: the bundled recipe that suits it.
    """

    def checked(content: Content) -> Reading:
        official(content, entry)
        return read(content)

    def looks(content: Content) -> bool:
        return (sole or not content.asked) and content.table is None and matches is not None and matches(content)

    return Layout(about, None if matches is None else looks, checked, entry.name, kind=kind, recipe=recipe)
