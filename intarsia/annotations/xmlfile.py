"""XML files, read with neither entities nor document types and streamed element by element; and their writing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, TypeAlias
from xml.etree.ElementTree import ParseError

from intarsia.annotations.finding import head
from intarsia.errors import DataError

Element: TypeAlias = Any  # xml.etree.ElementTree.Element; defusedxml returns the one of its own copy of that module

_DEEPEST = 64  # nested elements; no annotation format comes near
_FIRST_TAG = re.compile(r"<([A-Za-z_][^\s/>]*)")
_IN_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_IN_ATTRIBUTE = _IN_TEXT | str.maketrans({'"': "&quot;", "\n": "&#10;", "\t": "&#9;"})
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def children(path: Path) -> Iterator[Element]:
    """Stream a file: yield every complete child of the root, and forget it afterwards.

    Memory holds one child at a time, whatever the size of the file.

    Raises:
        DataError: missing file, broken XML, a document type or entity declaration (refused: no annotation tool writes
            any, attacks do), or elements nested deeper than any annotation file has them.
    """
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import iterparse

    root: Element = None
    depth = 0
    try:
        with path.open("rb") as file:
            for event, element in iterparse(_Growing(file), events=("start", "end"), forbid_dtd=True):
                if event == "start":
                    depth += 1
                    root = element if root is None else root
                    if depth > _DEEPEST:
                        raise DataError(f"{path}: its elements are nested more than {_DEEPEST} deep; it is no export")
                    continue
                depth -= 1
                if depth == 1:
                    yield element
                    root.clear()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except DefusedXmlException as error:
        raise DataError(
            f"{path}: refused, it declares a document type or entities, which no annotation tool does; "
            "remove its <!DOCTYPE ...> if you trust the file"
        ) from error
    except (ParseError, LookupError, ValueError) as error:  # the latter two: an encoding that does not exist or fit
        raise DataError(f"{path}: broken XML ({error}); the file is damaged or cut off, export it again") from error


class _Growing:
    """A file in pieces that grow with the tag that they are of.

    The parser begins a tag anew with each piece of it: of equal ones, a long attribute would take quadratic time.

    Args:
        file: opened.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._since = file, 0

    def read(self, size: int) -> bytes:
        """Read the next piece, of at least `size` bytes where there are as many."""
        piece = self._file.read(max(size, self._since))
        end = piece.rfind(b">")
        self._since = self._since + len(piece) if end < 0 else len(piece) - end
        return piece


def root_name(path: Path) -> str:
    """The name of a file's root element without its namespace, by the file's beginning; "" if that is not XML."""
    start = head(path)
    text = start.decode("utf-16" if start[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8", "replace").lstrip(
        "\ufeff \t\r\n"
    )
    if not text.startswith("<"):
        return ""
    found = _FIRST_TAG.search(re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL))
    return local(found[1]) if found else ""


def local(tag: str) -> str:
    """An element's name without its namespace."""
    return tag.rpartition("}")[2].rpartition(":")[2]


class XmlWriter:
    """Writes indented XML as it goes. Characters that XML cannot hold are left out and counted.

    Attributes:
        unfit: how many characters were left out.
    """

    def __init__(self, file: IO[str], depth: int = 0) -> None:
        self.unfit = 0
        self._file = file
        self._open = [""] * depth

    def open(self, tag: str, attributes: Mapping[str, str] | None = None) -> None:
        """Start an element that has children."""
        self._file.write(f"{self._indent()}<{tag}{self._attributes(attributes)}>\n")
        self._open.append(tag)

    def close(self) -> None:
        """End the element that was opened last."""
        tag = self._open.pop()
        self._file.write(f"{self._indent()}</{tag}>\n")

    def leaf(self, tag: str, text: str | None = None, attributes: Mapping[str, str] | None = None) -> None:
        """Write an element without children."""
        head = f"{self._indent()}<{tag}{self._attributes(attributes)}"
        if text is None:
            self._file.write(f"{head}/>\n")
        else:
            self._file.write(f"{head}>{self._fit(text).translate(_IN_TEXT)}</{tag}>\n")

    def _indent(self) -> str:
        return "  " * len(self._open)

    def _attributes(self, attributes: Mapping[str, str] | None) -> str:
        return "".join(
            f' {name}="{self._fit(value).translate(_IN_ATTRIBUTE)}"' for name, value in (attributes or {}).items()
        )

    def _fit(self, text: str) -> str:
        fit, count = _NOT_XML.subn("", text)
        self.unfit += count
        return fit
