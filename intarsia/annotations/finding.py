"""Finding the image that an annotation file names, without ever leaving the data set's folder."""

from __future__ import annotations

import codecs
import filecmp
import mmap
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from intarsia.annotations.lost import Lost
from intarsia.errors import DataError, UsageError
from intarsia.files import below
from intarsia.media.header import IMAGE_SUFFIXES


def clean_name(name: str) -> str:
    """A name as files give it (Windows separators, drive, leading slash, "./") as a relative POSIX name, NFC.

    Steps upwards ("..") stay, so that a writer gives back what was read; `ImageFinder` never follows them outside.
    """
    text = unicodedata.normalize("NFC", name.replace("\\", "/")).encode("utf-8", "replace").decode()
    if len(text) > 1 and text[1] == ":":
        text = text[2:]
    text = text.lstrip("/")
    while text.startswith("./"):
        text = text[2:].lstrip("/")
    return text


def file_name(name: str) -> str:
    """The file that a name means: of a web address its path without the query, of anything else the name itself."""
    if "://" not in name:
        return name
    try:
        return unquote(urlsplit(name).path) or name
    except ValueError:
        return name


_BESIDE_PHOTOS = ("annotation", "annotations", "label", "labels", "json", "xml", "page", "alto")


def photo_folder(path: Path) -> Path:
    """Name the folder where the photos of an export are looked for: its own.

    The folders that hold annotations alone beside the photos' (COCO's and Pascal VOC's "annotations", PAGE's "page")
    count as the folder around them.
    """
    folder = path if path.is_dir() else path.parent
    return folder.parent if folder.name.lower() in _BESIDE_PHOTOS else folder


def safe_parts(name: str) -> tuple[str, ...]:
    """The folders and file of a name for writing below a folder: steps upwards and other roots are left out.

    A name without any part becomes "image".
    """
    parts = [part for part in PurePosixPath(clean_name(name).replace("\0", "")).parts if part not in ("..", ".", "/")]
    return tuple(parts) or ("image",)


_SUBSETS = {"train": ("train", "training"), "val": ("val", "valid", "validation"), "test": ("test",)}


def subset_of(*names: str) -> str:
    """The subset that the first of some names says (instances_val2017, train, ...): train, val, test or ""."""
    for name in names:
        for word in re.split(r"[-_. ]", name.lower()):
            for subset, words in _SUBSETS.items():
                if word.rstrip("0123456789") in words:
                    return subset
    return ""


UNCERTAIN = "several images have this name, the first of them is taken"
"""What `Lost` is told of a name that fits several files."""


class ImageFinder:
    """The image files below a folder, by the names that annotation files use.

    A name is looked up as a relative path (from `beside`, then from the folder), then by its longest matching end
    ("images/a.jpg", "a.jpg"), then by its stem ("a"); web addresses by their path, and where nothing else fits,
    names as addresses spell them ("a%20b.jpg?v=1"). The folder is listed once, when it is first needed.

    Args:
        root: the folder; nothing outside it is ever returned.
        without: folders inside that hold no photos (masks).
    """

    def __init__(self, root: Path, *, without: Iterable[Path] = ()) -> None:
        self.root = Path(os.path.abspath(root))
        self._without = tuple(Path(os.path.abspath(folder)) for folder in without)

    def find(self, name: str, *, beside: Path | None = None, subset: str = "", lost: Lost | None = None) -> Path | None:
        """The file of an image, None when there is none (or no valid name).

        Args:
            name: as the annotation file gives it; absolute and Windows paths count by their end only.
            beside: folder of the annotation file, from which relative names start.
            subset: that the image belongs to; of several files, one in a folder that says so is taken.
            lost: told when several files that differ fit equally well (the first in order is taken).
        """
        found = self.fitting(name, beside=beside, subset=subset)
        if len(found) > 1 and lost is not None and not are_copies(found):
            lost.changed(UNCERTAIN, clean_name(file_name(name)))
        return found[0] if found else None

    def fitting(self, name: str, *, beside: Path | None = None, subset: str = "") -> list[Path]:
        """All files that fit a name equally well; see `find`."""
        cleaned = clean_name(file_name(name))
        spelt = unquote(cleaned.partition("?")[0])
        found = self._fitting(cleaned, beside, subset)
        return self._fitting(spelt, beside, subset) if not found and spelt != cleaned else found

    def _fitting(self, cleaned: str, beside: Path | None, subset: str) -> list[Path]:
        if not cleaned or "\0" in cleaned:
            return []
        for start in (beside, self.root):
            direct = start and Path(os.path.normpath(start / cleaned))
            if direct and direct.is_relative_to(self.root) and _is_image(direct):
                return [direct]
        parts = tuple(part for part in PurePosixPath(cleaned).parts if part not in ("..", "."))
        if not parts:
            return []
        found = self._by_name.get(parts[-1].lower(), [])
        if not found:
            found = self._by_stem.get(PurePosixPath(parts[-1]).stem.lower(), [])
        if len(found) > 1:
            shared = [_shared_end(path, parts) for path in found]
            found = [path for path, count in zip(found, shared, strict=True) if count == max(shared)]
        if len(found) > 1 and subset:
            found = [path for path in found if subset_of(*reversed(path.parent.parts)) == subset] or found
        if len(found) > 1 and beside is not None:
            found = [path for path in found if path.is_relative_to(beside)] or found
        return found

    @cached_property
    def _files(self) -> list[Path]:
        found = walk(self.root, IMAGE_SUFFIXES)
        return [path for path in found if not any(path.is_relative_to(folder) for folder in self._without)]

    @cached_property
    def _by_name(self) -> dict[str, list[Path]]:
        table: dict[str, list[Path]] = {}
        for path in self._files:
            table.setdefault(unicodedata.normalize("NFC", path.name).lower(), []).append(path)
        return table

    @cached_property
    def _by_stem(self) -> dict[str, list[Path]]:
        table: dict[str, list[Path]] = {}
        for path in self._files:
            table.setdefault(unicodedata.normalize("NFC", path.stem).lower(), []).append(path)
        return table


def are_copies(files: Sequence[Path]) -> bool:
    """Tell whether files hold the same bytes."""
    try:
        return all(filecmp.cmp(files[0], other, shallow=False) for other in files[1:])
    except OSError:
        return False


def _is_image(path: Path) -> bool:
    try:
        return path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()
    except (OSError, ValueError):  # a name too long for the file system, or with a zero byte
        return False


def _shared_end(path: Path, parts: tuple[str, ...]) -> int:
    """Count the last folders of a name that a path shares."""
    count = 0
    for ours, theirs in zip(reversed(path.parent.parts), reversed(parts[:-1]), strict=False):
        if ours.lower() != theirs.lower():
            break
        count += 1
    return count


def walk(root: Path, suffixes: Iterable[str]) -> Iterator[Path]:
    """The files below a folder (or the file itself) with one of the suffixes (lower case), in a fixed order.

    Hidden files and folders are passed over; links to folders are followed, never in a circle.
    """
    wanted = tuple(suffixes)
    if root.is_file():
        if root.suffix.lower() in wanted:
            yield root
        return
    if root.is_dir():
        for path in below(root):
            if path.name.lower().endswith(wanted) and not path.is_dir():
                yield path


_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def head(path: Path, size: int = 1 << 16) -> bytes:
    """The first bytes of a file, UTF-16 as UTF-8; nothing where it cannot be read."""
    try:
        with path.open("rb") as file:
            start = file.read(size)
    except OSError:
        return b""
    return start.decode("utf-16", "ignore").encode() if start.startswith(_UTF16) else start


def holds(path: Path, *texts: bytes) -> bool:
    """Tell whether a file holds every one of some texts (ASCII) anywhere; found without reading it into memory."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            code = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}.get(content[:2], "ascii")
            return all(content.find(text.decode().encode(code)) >= 0 for text in texts)
    except (OSError, ValueError):  # missing or empty
        return False


def read_bytes(path: Path, most: int = 1 << 30) -> bytes:
    """A whole file, its size checked first.

    Raises:
        DataError: missing, unreadable, or larger than `most` bytes.
    """
    try:
        size = path.stat().st_size
        if size > most:
            raise DataError(f"{path}: refused: {size:,} bytes are more than the limit of {most:,}")
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


_ENCODING: ContextVar[str] = ContextVar("encoding of text that is not UTF-8", default="")


@contextmanager
def encoded(encoding: str) -> Iterator[None]:
    """Read text that is not UTF-8 in an encoding ("" leaves it to `read_text`) as long as this lasts.

    Raises:
        UsageError: no encoding has this name.
    """
    try:
        known = codecs.lookup(encoding).name if encoding else ""
    except LookupError:
        raise UsageError(f"no encoding is named {encoding!r}; for instance gb18030, shift_jis, cp1251") from None
    token = _ENCODING.set(known)
    try:
        yield
    finally:
        _ENCODING.reset(token)


def read_text(path: Path, lost: Lost | None = None) -> str:
    """A whole text file: UTF-8, with or without a byte order mark, or UTF-16 with one.

    Args:
        path: the file.
        lost: given, other text is read as Windows-1252 (as old programs on Windows wrote it), and counted.

    Raises:
        DataError: missing, unreadable or too large; or another encoding than `encoded` says, without `lost`.
    """
    data, said = read_bytes(path), _ENCODING.get()
    try:
        return data.decode("utf-16" if data.startswith(_UTF16) else "utf-8-sig")
    except UnicodeDecodeError as error:
        if said:
            try:
                return data.decode(said)
            except UnicodeDecodeError as other:
                raise DataError(f"{path}: neither UTF-8 nor {said} text ({other}); name another encoding") from other
        if lost is None:
            raise DataError(f"{path}: it is not UTF-8 text; save it as UTF-8") from error
        lost.changed("text that is not UTF-8 was read as Windows-1252 (encoding=NAME reads another)", path.name)
        return data.decode("cp1252", "replace")
