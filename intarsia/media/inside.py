"""What lies below a folder, and the sources among it, in little memory: a folder may hold millions of files."""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import overload

from intarsia.files import walk
from intarsia.media.contract import Item, Medium


class Texts(Sequence[str]):
    """Texts in one stretch of memory: a name of a file takes its bytes and eight more, and not a hundred.

    Args:
        texts: the first of them.
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._bytes, self._ends = bytearray(), array("Q", [0])
        for text in texts:
            self.append(text)

    def append(self, text: str) -> None:
        """Add one at the end."""
        self._bytes += text.encode("utf-8", "surrogatepass")
        self._ends.append(len(self._bytes))

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[place] for place in range(len(self))[index]]
        place = index if index >= 0 else index + len(self)
        return self._bytes[self._ends[place] : self._ends[place + 1]].decode("utf-8", "surrogatepass")


class Inside:
    """All that is below a folder, sorted, hidden files and pipes left out; links to folders are followed.

    Args:
        base: the folder.

    Attributes:
        names: posix paths below it.

    Raises:
        DataError: a folder cannot be read.
    """

    def __init__(self, base: Path) -> None:
        self._base = str(base)
        self.names = Texts()
        self._kinds = bytearray()
        for name, is_folder in walk(base):
            self.names.append(name)
            self._kinds.append(is_folder)

    def path(self, place: int) -> str:
        """Where something lies."""
        return os.path.join(self._base, self.names[place])

    def files(self) -> Iterator[int]:
        """Go through the places of files; links to nothing are none."""
        return (place for place in self._places(folders=False) if os.path.isfile(self.path(place)))

    def others(self, taken: Iterable[int]) -> Iterator[int]:
        """Go through the places of what is no folder and was not taken."""
        left = bytearray(self._kinds)
        for place in taken:
            left[place] = True
        return (place for place, gone in enumerate(left) if not gone)

    def folders(self) -> Iterator[int]:
        """Go through the places of folders."""
        return self._places(folders=True)

    def _places(self, *, folders: bool) -> Iterator[int]:
        return (place for place, is_folder in enumerate(self._kinds) if is_folder == folders)


class Items(Sequence[Item]):
    """Sources below one folder; an `Item` is made when it is asked for.

    Args:
        base: the folder.
        names: their posix paths below it.
        tell: from the path of one to its medium.
    """

    def __init__(self, base: Path, names: Iterable[str], tell: Callable[[str], Medium]) -> None:
        self._base, self._names = base, Texts(names)
        self._media: list[Medium] = []
        self._kinds = bytearray(self._kind(tell(os.path.join(base, name))) for name in self._names)

    def medium(self, index: int) -> Medium:
        """What one is, without making it."""
        return self._media[self._kinds[index]]

    def _kind(self, medium: Medium) -> int:
        if medium not in self._media:
            self._media.append(medium)
        return self._media.index(medium)

    def __len__(self) -> int:
        return len(self._names)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        if isinstance(index, slice):
            return [self[place] for place in range(len(self))[index]]
        name = self._names[index]
        return Item(self._base / name, PurePosixPath(name), self.medium(index))
