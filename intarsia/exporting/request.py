"""What can be asked of an export, and of whom; told before any work."""

from __future__ import annotations

from pathlib import Path

from intarsia.errors import UsageError, require, suggest
from intarsia.files import leftovers, require_place
from intarsia.runtimes.openvino_library import library

PRECISIONS = {".onnx": ("fp32", "fp16"), ".xml": ("fp32", "fp16", "bf16", "int8")}
"""Of each form of file, by its suffix."""


def _written(file: Path) -> list[Path]:
    """The files that an export makes."""
    return [file] if file.suffix.lower() == ".onnx" else [file, file.with_suffix(".bin")]


def _is_half(file: Path) -> bool:
    """Whether an export was killed between its two files: its numbers are there, and its graph has no name yet."""
    return not file.exists() and bool(leftovers(file))


def check_request(file: Path, precision: str, *, calibrated: bool, max_drop: float, overwrite: bool) -> None:
    """Refuse what cannot be done, before anything is read.

    Raises:
        UsageError: another suffix, a precision that such a file cannot have, int8 without data to calibrate on, a file
            that is there already, or an extra that is not installed.
    """
    suffix = file.suffix.lower()
    if suffix not in PRECISIONS:
        raise UsageError(f"{file}: an exported network's name ends in {' or '.join(PRECISIONS)}")
    known = PRECISIONS[".xml"]
    if precision not in known:
        raise UsageError(f"no precision is named {precision!r}.{suggest(precision, known)}")
    if precision not in PRECISIONS[suffix]:
        raise UsageError(
            f"{file}: ONNX files are exported in {' or '.join(PRECISIONS[suffix])}, and {precision} is for OpenVINO: "
            f"-o {file.with_suffix('.xml')}"
        )
    if precision == "int8" and not calibrated:
        raise UsageError(
            "int8 needs --calibrate DATA, labelled data like those that the model is for: their train split sets the "
            "ranges of the integers, their val split (or --verify OTHER-DATA) measures what the integers cost"
        )
    if precision != "int8" and calibrated:
        raise UsageError(f"--calibrate is for int8 and means nothing to {precision}; --verify measures any precision")
    if not max_drop >= 0:
        raise UsageError(f"max_drop is a number of mIoU points from 0 on, not {max_drop}")
    taken = [one for one in _written(file) if one.exists() and not _is_half(file)]
    if taken and not overwrite:
        raise UsageError(f"{taken[0]} exists; give another name (-o), or --overwrite")
    require_place(file.parent)
    require("onnx", "export")
    require("onnxscript", "export")
    if suffix == ".xml":
        library()
