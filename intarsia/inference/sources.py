"""Which models a name stands for."""

from __future__ import annotations

import os
from pathlib import Path

from intarsia.errors import ModelError, UsageError, suggest

ZOO = Path(__file__).parents[1] / "zoo"
_BEST = "best.safetensors"


def find_bundle(name: str | os.PathLike[str]) -> Path:
    """The bundle file that a name stands for: a bundled model, a bundle file, or a run folder (its best weights).

    Raises:
        UsageError: no bundled model has this name; the message suggests the closest.
        ModelError: there is no such file, or the folder holds no bundle.
    """
    path = Path(name)
    if path.is_dir():
        if (path / _BEST).is_file():
            return path / _BEST
        raise ModelError(f"{path} is no run folder: it holds no {_BEST}; train first, or name a bundle file")
    if path.exists():
        return path
    bundled = {file.stem: file for file in sorted(ZOO.glob("*.safetensors"))}
    text = os.fspath(name)
    if text in bundled:
        return bundled[text]
    if path.suffix or len(path.parts) > 1:
        raise ModelError(f"{path}: no such bundle; check the path")
    raise UsageError(f"no bundled model, bundle file or run folder is named {text!r}.{suggest(text, bundled)}")
