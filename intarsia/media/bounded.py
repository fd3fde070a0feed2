"""Files for libraries that believe every length in them."""

from __future__ import annotations

import io
import os
from pathlib import Path


class BoundedFile(io.BufferedReader):
    """A file of which no more is asked for than there is.

    Python takes memory for as many bytes as `read` is asked for, before it finds that the file has fewer; a damaged
    length would so ask for all of it.

    Args:
        path: the file.
        buffer: bytes that are read at once.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path, buffer: int = io.DEFAULT_BUFFER_SIZE) -> None:
        super().__init__(io.FileIO(path), buffer)
        self._size = os.fstat(self.fileno()).st_size

    def read(self, size: int | None = -1, /) -> bytes:
        """Read so many bytes, or all that are left."""
        left = max(0, self._size - self.tell())
        return super().read(left if size is None or size < 0 else min(size, left))
