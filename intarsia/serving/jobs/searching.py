"""Jobs of kind `search`: an index of photos, as `intarsia search build` makes it, and what in it looks like one."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from intarsia.apps.search import Embedder, Filter, Report, add, build
from intarsia.apps.search.building import find_photos
from intarsia.apps.search.sheet import write_sheet
from intarsia.errors import UsageError
from intarsia.files import make_folder, write_json
from intarsia.jobs.running import INTERRUPTED, PARTLY
from intarsia.serving.jobs.kinds import Asked, Kind, Outcome, Work
from intarsia.serving.jobs.loaded import Loaded
from intarsia.serving.jobs.running import reasons
from intarsia.serving.jobs.store import Folder

LIKE = "like"
INDEX, MATCHES, SHEET = "photos.index", "matches.json", "matches.html"


class Searching(Asked):
    """Of `search`; the photo that is searched for is the file `like`, without one there is only the index."""

    whole: Annotated[bool, Field(description="Look at whole photos, not only at the thing that each shows.")] = False
    count: Annotated[int, Field(ge=1, le=1000, description="Answers at most.")] = 10
    colour: Annotated[str | None, Field(max_length=40, description="Only things of it: a name, or #rrggbb.")] = None
    tolerance: Annotated[float | None, Field(gt=0, le=2, description="Up to which colours are the same.")] = None
    category: Annotated[str | None, Field(max_length=200, description="Only things of this folder or category.")] = None

    def filter(self) -> Filter | None:
        """The colour that things must have.

        Raises:
            UsageError: it is none, or a tolerance belongs to no colour.
        """
        if self.colour is None:
            if self.tolerance is not None:
                raise UsageError("tolerance is of the colour that colour=... names")
            return None
        return Filter.of(self.colour, *(() if self.tolerance is None else (self.tolerance,)))


def searching(loaded: Loaded) -> Kind:
    """Make the kind of jobs that search."""
    return Kind(
        "search", "Photos that look most like one, and their index", partial(_run, loaded), Searching, _prepare, (LIKE,)
    )


def _prepare(asked: Searching, folder: Folder) -> dict[str, Any]:
    if asked.filter() is not None or asked.category is not None:
        _require_like(folder)
    find_photos(folder.source())
    return asked.model_dump(mode="json")


def _require_like(folder: Folder) -> None:
    if folder.extra_file(LIKE) is None:
        raise UsageError(f"colour and category choose among what looks like a photo; send it as the file {LIKE!r}")


def _run(loaded: Loaded, work: Work) -> Outcome:
    asked, folder = Searching.model_validate(work.spec), work.folder
    embedder = loaded.keep(("search", asked.whole), lambda: Embedder(masked=not asked.whole))
    report = _indexed(work, embedder)
    if report.stopped:
        return Outcome(INTERRUPTED)
    make_folder(folder.out)
    files = [INDEX]
    like = folder.extra_file(LIKE)
    if like is not None:
        photo = like.read_bytes()  # whose path is nobody's business
        matches = report.index.find(
            photo, count=asked.count, colour=asked.filter(), category=asked.category, embedder=embedder
        )
        told = [{key: value for key, value in match.to_json().items() if key != "path"} for match in matches]
        write_json(folder.out / MATCHES, {"query": _name(like), "photos": len(report.index), "matches": told})
        write_sheet(folder.out / SHEET, photo, matches)
        files += [MATCHES, SHEET]
    os.replace(report.index.file, folder.out / INDEX)
    failed = reasons(report.failures, len(report.index) + len(report.failures)) if report.failures else None
    return Outcome(PARTLY if failed else 0, failed, files=tuple(files))


def _indexed(work: Work, embedder: Embedder) -> Report:
    """Make the index beside the photos, so that it is of use beside the client's; or go on with one half made."""
    source = work.folder.source()
    file = (source if source.is_dir() else work.folder.input) / f".{INDEX}"
    if not file.exists() and (work.folder.out / INDEX).exists():
        os.replace(work.folder.out / INDEX, file)

    def told(done: int, total: int) -> None:
        work.tell("progress", {"what": "looking", "done": done, "total": total})

    make = add if file.exists() else build
    return make(source, file, embedder=embedder, progress=told, stop=work.stop)


def _name(like: Path) -> str:
    """The name that the client gave the photo."""
    return like.name.removeprefix(f"{LIKE}.")
