"""What ships with the package, by name: bundled models and bundled recipes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from intarsia.errors import ModelError, UsageError, suggest
from intarsia.files import require_file

_PACKAGE = Path(__file__).parent
_BEST = "best.safetensors"


def bundled_models() -> dict[str, Path]:
    """Name and bundle file of every model that ships with the package; some are an ONNX network alone."""
    folder = _PACKAGE / "zoo"
    found = {path.stem: path for suffix in (".onnx", ".safetensors") for path in folder.glob(f"*{suffix}")}
    return dict(sorted(found.items()))


def is_bundled(file: Path) -> bool:
    """Tell whether a file is a bundled model's, which is as trustworthy as the program itself."""
    return file.parent == _PACKAGE / "zoo"


def bundled_recipes() -> dict[str, Path]:
    """Name and file of every recipe that ships with the package."""
    return {path.stem: path for path in sorted((_PACKAGE / "recipes").glob("*.yaml"))}


def find_bundle(name: str | os.PathLike[str], *, models: Mapping[str, Path] | None = None) -> Path:
    """Find the bundle file that a name stands for: a bundled model, a bundle file, or a run folder (its best weights).

    Args:
        name: of a model, a file or a folder.
        models: the models that are known by name; None: those that ship with the package.

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
        require_file(path, "save it first")
        return path
    known = bundled_models() if models is None else models
    text = os.fspath(name)
    if text in known:
        return known[text]
    if path.suffix or len(path.parts) > 1:
        raise ModelError(f"{path}: no such bundle; check the path")
    raise UsageError(f"no bundled model, bundle file or run folder is named {text!r}.{suggest(text, known)}")


def bundled_recipe(name: str) -> Path:
    """Find the file of one bundled recipe; random-forest is random_forest, and street_camvid is street-camvid.

    Raises:
        UsageError: no such recipe; the message suggests the closest name.
    """
    known = bundled_recipes()
    found = {stem.replace("-", "_"): path for stem, path in known.items()}.get(name.replace("-", "_"))
    if found is None:
        raise UsageError(f"no recipe is named {name!r}.{suggest(name, known)}")
    return found


def find_recipe(name: str | os.PathLike[str]) -> Path:
    """Find a recipe by file name or bundled name.

    Raises:
        UsageError: neither a file nor a bundled recipe; the message suggests the closest name.
    """
    file = Path(name)
    return file if file.suffix in (".yaml", ".yml") or file.is_file() else bundled_recipe(os.fspath(name))
