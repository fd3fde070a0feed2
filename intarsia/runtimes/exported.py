"""Which file holds a model's exported network."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from intarsia.bundle import Description, Exported
from intarsia.errors import IntarsiaError, ModelError, UsageError


def find_exported(description: Description, suffix: str) -> tuple[Path, Exported] | None:
    """Find a model's exported network: its own file, or the one beside its bundle that was made from it.

    A file beside the bundle counts only if it was made from these very weights, classes and options.

    Args:
        description: of the model, with the file it came from.
        suffix: of the exported form, such as ".onnx".

    Raises:
        ModelError: the model's own file is damaged, or tells nothing of its use.
    """
    if not description.source:
        return None
    source = Path(description.source)
    if source.suffix == suffix:
        return source, Exported.load(source)
    file = source.with_suffix(suffix)
    if not file.is_file():
        return None
    try:
        exported = Exported.load(file)
    except ModelError:
        return None  # the bundle itself is there
    return (file, exported) if exported.origin == description.checksum() else None


def exported_file(description: Description, suffix: str) -> Path:
    """Find a model's exported network, or say how to make it.

    Raises:
        UsageError: there is none.
        ModelError: as `find_exported`.
    """
    found = find_exported(description, suffix)
    if found is None:
        source = Path(description.source or "MODEL")
        raise UsageError(
            f"{description.title} has no exported network beside it that was made from it; make one: "
            f"intarsia export {source} -o {source.with_suffix(suffix)}"
        )
    return found[0]


def gflop_per_megapixel(description: Description) -> float | None:
    """Find what a million pixels of input cost, in thousand millions of operations; None where it is not known.

    An exported file tells it; without one, it is counted on the network itself, which needs PyTorch.
    """
    try:
        found = find_exported(description, ".onnx")
    except ModelError:
        return None  # a network that is one step of several
    if found is not None and found[1].gflop_per_megapixel is not None:
        return found[1].gflop_per_megapixel
    if importlib.util.find_spec("torch") is None:
        return None
    from intarsia.models.cost import gflop_per_megapixel as counted

    try:
        return counted(description.architecture, len(description.space), description.options)
    except IntarsiaError:
        return None  # exported by a version that knows more architectures
