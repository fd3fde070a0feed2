"""Photos into an index, and out of it."""

from __future__ import annotations

import fnmatch
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from intarsia.apps.search import graph as graphs
from intarsia.apps.search.embedding import Embedded, Embedder
from intarsia.apps.search.index import Index
from intarsia.apps.search.items import Item
from intarsia.errors import DataError, IntarsiaError, UsageError
from intarsia.files import lock
from intarsia.media.images import read_image
from intarsia.media.medium import PICTURE, expand
from intarsia.stopping import Stop, never

_AT_ONCE = 1000  # photos after which the index is written


@dataclass
class Report:
    """What became of photos.

    Attributes:
        index: as it is now.
        added: names of photos that came in, or were replaced because they changed.
        unchanged: how many were in it already.
        removed: names of photos that were taken out.
        failures: path -> reason, of photos that cannot be read.
        stopped: whether it was stopped before its end.
    """

    index: Index
    added: list[str] = field(default_factory=list)
    unchanged: int = 0
    removed: list[str] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    stopped: bool = False

    def masks(self) -> dict[str, int]:
        """Count the photos that were added, by how the thing was found in them."""
        names = set(self.added)
        return dict(Counter(item.mask for item in self.index.items if item.name in names))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON form."""
        graph = self.index.graph
        return {
            "index": str(self.index.file), "photos": len(self.index), "added": self.added, "unchanged": self.unchanged,
            "removed": self.removed, "masks": self.masks(), "failures": self.failures, "stopped": self.stopped,
            "recall": None if graph is None else graph.recall,
        }  # fmt: skip


def build(
    sources: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    file: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    embedder: Embedder | None = None,
    progress: Callable[[int, int], None] | None = None,
    stop: Stop = never,
) -> Report:
    """Make an index of photos.

    Args:
        sources: photos, folders (with their sub-folders) and glob patterns.
        file: the index.
        overwrite: replace an earlier one.
        embedder: what makes vectors of photos; None takes the bundled one.
        progress: called after each photo with the number done and the number of all.
        stop: asked after each photo; what is done until then is kept, and `add` goes on.

    Raises:
        UsageError: there is an index already.
        DataError: there is no photo, none of them can be read, or the file cannot be written.
    """
    path, ready = Path(file), embedder or Embedder()
    if path.is_dir():
        raise UsageError(f"{path}: is a folder; name the file of the index, for instance {path / 'photos.index'}")
    if path.exists() and not overwrite:
        raise UsageError(f"{path} exists; add photos to it (search add), or replace it (--overwrite)")
    photos = find_photos(sources)
    return _grown(Report(Index(path, ready.checksum, ready.masked)), photos, ready, progress, stop)


def add(
    sources: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    file: str | os.PathLike[str],
    *,
    embedder: Embedder | None = None,
    progress: Callable[[int, int], None] | None = None,
    stop: Stop = never,
) -> Report:
    """Add photos to an index; those that it holds are skipped unless they changed. For the arguments, see `build`.

    Raises:
        DataError: there is no index or no photo, all new photos cannot be read, or the file cannot be written.
        ModelError: the index was made by another version's network.
    """
    photos = find_photos(sources)
    with _held(Path(file)) as index:
        ready = embedder or Embedder(masked=index.masked)
        index.check(ready)
        return _grown(Report(index), photos, ready, progress, stop)


def remove(patterns: Sequence[str | os.PathLike[str]], file: str | os.PathLike[str], *, gone: bool = False) -> Report:
    """Take photos out of an index; the photos themselves stay.

    Args:
        patterns: paths of photos or folders, and glob patterns of paths.
        file: the index.
        gone: also take out photos whose files no longer exist.

    Raises:
        DataError: there is no index, or it holds none of these photos.
    """
    with _held(Path(file)) as index:
        wanted = [index.name(Path(pattern)) for pattern in patterns]
        missing = [item.name for item in index.items if gone and not index.path(item).exists()]
        out = {item.name for item in index.items if any(_is_meant(item.name, name) for name in wanted)} | {*missing}
        if not out and not gone:
            raise DataError(f"{file} holds no photo of {', '.join(map(str, patterns))}")
        kept = index.keep(np.array([item.name not in out for item in index.items], bool))
        kept.save()
        _link(kept, index.graph)
        return Report(kept, removed=sorted(out))


def _is_meant(name: str, wanted: str) -> bool:
    return name == wanted or name.startswith(f"{wanted}/") or fnmatch.fnmatchcase(name, wanted)


def find_photos(sources: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> list[Path]:
    """List the photos that names stand for; see `build`."""
    named = [sources] if isinstance(sources, str | os.PathLike) else list(sources)
    found = [Path(item.source) for source in named for item in expand(source, media=(PICTURE,)).items]
    return list(dict.fromkeys(found))


@contextmanager
def _held(file: Path) -> Iterator[Index]:
    """An index that nobody else changes meanwhile."""
    Index.load(file)  # says what is wrong before anything is made beside it
    beside = file.with_name(f".{file.name}.lock")
    with beside.open("w") as stream:
        if not lock(stream):
            raise UsageError(f"{file} is being changed by another process; wait until it ends")
        try:
            yield Index.load(file)
        finally:
            beside.unlink(missing_ok=True)


def _grown(
    report: Report, photos: Sequence[Path], embedder: Embedder, progress: Callable[[int, int], None] | None, stop: Stop
) -> Report:
    known = {item.name: (item.size, item.time) for item in report.index.items}
    earlier = report.index.graph
    waiting: list[tuple[Item, Embedded]] = []
    for done, photo in enumerate(photos, 1):
        report.stopped = stop()
        if report.stopped:
            break
        try:
            status = photo.stat() if photo.exists() else None
            name = report.index.name(photo)
            if status is not None and known.get(name) == (status.st_size, status.st_mtime_ns):
                report.unchanged += 1
            else:
                found = embedder.embed(read_image(photo))
                assert status is not None  # read_image has said so otherwise
                folder = photo.absolute().parent.name
                item = Item(name, status.st_size, status.st_mtime_ns, folder, found.category, found.mask)
                waiting.append((item, found))
        except IntarsiaError as error:
            report.failures[str(photo)] = str(error)
        if len(waiting) == _AT_ONCE:
            _take(report, waiting)
        if progress is not None:
            progress(done, len(photos))
    if not waiting and not report.added and not report.unchanged and report.failures:
        raise DataError(f"none of the photos can be read; the first: {next(iter(report.failures.values()))}")
    if waiting or not report.index.file.exists():
        _take(report, waiting)
    if not report.stopped:
        _link(report.index, earlier, stop)
    return report


def _link(index: Index, earlier: graphs.Graph | None, stop: Stop = never) -> None:
    """Give an index that was saved its graph: above a million photos, if usearch is there."""
    file = graphs.beside(index.file)
    if len(index) <= graphs.ABOVE:
        file.unlink(missing_ok=True)
    elif index.graph is None and graphs.is_there():
        index.graph = graphs.link(index.numbers, index.vectors, earlier, stop=stop)
        if index.graph is not None:
            index.graph.save(file, index.stamp)


def _take(report: Report, waiting: list[tuple[Item, Embedded]]) -> None:
    """Put what waits into the index, and write it."""
    if waiting:
        report.index = report.index.with_photos(
            [item for item, _ in waiting],
            np.stack([found.vector for _, found in waiting]),
            np.stack([found.colours for _, found in waiting]),
            np.stack([found.shares for _, found in waiting]),
        )
    report.added += [item.name for item, _ in waiting]
    report.index.save()
    waiting.clear()
