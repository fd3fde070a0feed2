"""Search: of some photos, those that look most like one."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from PIL import Image
from pydantic import Field

from intarsia.annotations.archive import is_zip, unpack
from intarsia.apps.search import Embedded, Embedder, Filter, Index, Item, Match
from intarsia.errors import DataError, IntarsiaError, ModelError, UsageError
from intarsia.media.header import IMAGE_SUFFIXES
from intarsia.media.images import open_image
from intarsia.serving.answers import Made
from intarsia.serving.problems import TOO_LARGE, UNPROCESSABLE, Problem
from intarsia.serving.uploads import Upload, saved
from intarsia.serving.uses.contract import Asked, FileField, Outcome, Use, Work, said

MOST = 500
"""Photos that are searched at once; of more, the command makes an index."""
_SIDE, _QUALITY = 160, 80  # of small pictures


class AskedSearch(Asked):
    """What may be asked of a search."""

    count: Annotated[int, Field(ge=1, le=50, title="Answers", description="How many at most.")] = 10
    colour: Annotated[
        str | None,
        Field(
            max_length=40,
            title="Colour",
            description="Only things of this colour: #rrggbb, or a name.",
            json_schema_extra=said(format="color"),
        ),
    ] = None
    tolerance: Annotated[
        float | None,
        Field(
            gt=0,
            le=2,
            title="Tolerance",
            description="In OKLab, up to which colours are the same; default 0.12.",
            json_schema_extra=said(argument="", usual="0.12"),
        ),
    ] = None
    category: Annotated[
        str | None,
        Field(
            max_length=200,
            title="Category",
            description="Only things of this folder, or taken for this category.",
            json_schema_extra=said(option="--class"),
        ),
    ] = None
    whole: Annotated[
        bool,
        Field(
            title="Whole photos",
            description="Look at whole photos, not only at the thing that each shows.",
            json_schema_extra=said(option="", argument=""),
        ),
    ] = False

    def filter(self) -> Filter | None:
        """The colour that things must have.

        Raises:
            UsageError: it is none.
            Problem: a tolerance of no colour.
        """
        if self.colour is None:
            if self.tolerance is not None:
                raise Problem(UNPROCESSABLE, "tolerance is of the colour that colour=... names")
            return None
        return Filter.of(self.colour, *(() if self.tolerance is None else (self.tolerance,)))


async def search(work: Work, asked: AskedSearch) -> Outcome:
    """Find the photos that look most like one, as the command does; JSON with small pictures."""
    wanted, stored = asked.filter(), await _index(work)
    masked = not asked.whole if stored is None else stored.masked
    with work.call.stages("load"):
        embedder = await work.shelf.app(work.engine, ("search", masked), lambda: Embedder(masked=masked))
    photos: Mapping[str, Upload] = {}
    failures: dict[str, str] = {}
    if stored is None:
        photos = await _photos(work)
        stored = await _built(work, embedder, photos, failures)
    else:
        _check(stored, embedder)
    query = await _embedded(work, embedder, work.upload)
    allowed = stored.allowed(wanted, asked.category)
    allowed &= np.array([not _is_same(photos.get(item.name), work.upload) for item in stored.items], bool)
    matches = stored.nearest(query.vector, asked.count, allowed)
    with work.call.stages("encode"):
        told = await work.engine.beside(
            work.call, lambda: [_told(match, photos.get(match.item.name)) for match in matches]
        )
    answer = {
        "query": {"name": work.upload.name, "category": query.category, "mask": query.mask},
        "photos": len(stored), "matches": told, "failures": failures,
    }  # fmt: skip
    return Outcome(Made(json.dumps(answer).encode(), "application/json", ".matches.json"))


async def _index(work: Work) -> Index | None:
    """Read the index that was sent, if one was."""
    upload = work.sent("index")
    if upload is None:
        return None
    if "photos" in work.form.files:
        raise Problem(UNPROCESSABLE, "send photos, or an index of some, but not both")
    async with saved(upload, work.call) as path:
        try:
            found = await work.beside(lambda: Index.load(path))
        except DataError as error:
            raise DataError(str(error).replace(str(path), upload.name)) from error
    found.file = Path(upload.name)  # for messages
    return found


def _check(index: Index, embedder: Embedder) -> None:
    """Refuse an index of another version, which is the client's to make again.

    Raises:
        UsageError: it is one.
    """
    try:
        index.check(embedder)
    except ModelError as error:
        raise UsageError(str(error)) from error


async def _photos(work: Work) -> dict[str, Upload]:
    """Take the photos that were sent, alone or in zip archives, by name.

    Raises:
        Problem: there are none, or too many.
    """
    found: dict[str, Upload] = {}
    for upload in work.form.files.get("photos", ()):
        for one in await _unpacked(work, upload) if upload.content[:2] == b"PK" else [upload]:
            name = one.name if one.name not in found else f"{len(found) + 1} {one.name}"
            found[name] = one
    if not found:
        raise Problem(
            UNPROCESSABLE,
            "send the photos to search among, or a zip of them, as the field 'photos' (curl -F file=@one.jpg -F "
            "photos=@all.zip), or an index that intarsia search build has made as the field 'index'",
        )
    if len(found) > MOST:
        raise Problem(TOO_LARGE, f"{len(found)} photos are more than {MOST}; make an index: intarsia search build")
    return found


async def _unpacked(work: Work, archive: Upload) -> list[Upload]:
    """Take the photos of a zip archive, which may unpack to no more than a request may have.

    Raises:
        Problem: it would.
        DataError: it is damaged, or a bomb.
    """
    most = work.settings.max_bytes

    def take(path: Path) -> list[Upload]:
        if not is_zip(path):
            raise DataError(f"{archive.name}: not a zip archive")
        try:
            with zipfile.ZipFile(path) as opened:
                total = sum(member.file_size for member in opened.infolist())
        except zipfile.BadZipFile as error:
            raise DataError(f"{archive.name}: the archive is damaged ({error})") from error
        if total > most:
            raise Problem(TOO_LARGE, f"{archive.name} unpacks to {total:,} bytes, the limit is {most:,}")
        unpacked = unpack(path)  # the folder goes with this object
        return [
            Upload(file.read_bytes(), file.relative_to(unpacked.folder).as_posix(), file.suffix.lower())
            for file in sorted(unpacked.folder.rglob("*"))
            if file.is_file() and file.suffix.lower() in IMAGE_SUFFIXES
        ]

    async with saved(archive, work.call) as path:
        try:
            return await work.beside(lambda: take(path))
        except DataError as error:
            raise DataError(str(error).replace(str(path), archive.name)) from error


async def _built(work: Work, embedder: Embedder, photos: Mapping[str, Upload], failures: dict[str, str]) -> Index:
    """Make an index of photos; those that cannot be read are told."""
    found: list[tuple[Item, Embedded]] = []
    for name, upload in photos.items():
        try:
            one = await _embedded(work, embedder, upload)
        except (IntarsiaError, Problem) as error:
            failures[name] = str(error)
            continue
        folder = Path(upload.name).parent.name
        found.append((Item(name, len(upload.content), 0, folder, one.category, one.mask), one))
    if not found:
        raise DataError(f"none of the photos can be read; the first: {next(iter(failures.values()))}")
    empty = Index(Path("the photos"), embedder.checksum, embedder.masked)
    return empty.with_photos(
        [item for item, _ in found],
        np.stack([one.vector for _, one in found]),
        np.stack([one.colours for _, one in found]),
        np.stack([one.shares for _, one in found]),
    )


async def _embedded(work: Work, embedder: Embedder, upload: Upload) -> Embedded:
    """Look at a photo, or remember what was seen in the same one; others may compute between two photos."""
    key = (hashlib.sha256(upload.content).digest(), embedder.masked)
    known: Embedded | None = work.shelf.vectors.get(key)
    if known is not None:
        return known
    pixels = await work.pixels(upload)
    seen = await work.engine.compute_on(work.call, "onnx", lambda: embedder.embed(pixels))
    work.shelf.vectors.put(key, seen)
    return seen


def _is_same(photo: Upload | None, query: Upload) -> bool:
    """Whether a photo is the one that is searched for, which is not its own answer."""
    return photo is not None and photo.content == query.content


def _told(match: Match, photo: Upload | None) -> dict[str, Any]:
    told = {name: value for name, value in match.to_json().items() if name != "path"}
    return told | {"picture": None if photo is None else _small(photo)}


def _small(photo: Upload) -> str:
    """A small picture as an address of its own (RFC 2397)."""
    picture = Image.fromarray(open_image(photo.content, name=photo.name).read())
    picture.thumbnail((_SIDE, _SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


_PYTHON = """from intarsia.apps import search

index = search.build("photos/", "photos.index").index
for match in index.find({file}{arguments}):
    print(match.rank, match.score, match.path)"""

SEARCH = Use(
    "search", "Search", "Finds, among some photos, those that look most like this one.",
    AskedSearch, search, "intarsia search build photos/\nintarsia search find", {"": _PYTHON},
    files=(
        FileField("photos", f"Photos to search among, or a zip of them; at most {MOST}.", "", "", many=True),
        FileField("index", "An index that intarsia search build has made.", "--index", "", pictures=False),
    ),
)  # fmt: skip
