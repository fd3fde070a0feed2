"""Model files of the form .safetensors: an Intarsia bundle's own form."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import ModelError
from intarsia.files import is_text

_SUFFIXES = ("", ".safetensors", ".tmp")
_MAX_HEADER = 100_000_000


def metadata(file: Path) -> dict[str, str]:
    """Read the texts that a file carries beside its tensors.

    Raises:
        ModelError: it is missing, damaged or no .safetensors file.
    """
    found = _read_header(file).get("__metadata__")
    return found if isinstance(found, dict) else {}


def tensors(file: Path) -> dict[str, NDArray[Any]]:
    """Read all tensors by name.

    Raises:
        ModelError: they cannot be read.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load, load_file

    try:
        return load_file(file) if is_text(file) else load(file.read_bytes())  # it opens names that are text alone
    except (SafetensorError, OSError, KeyError) as error:  # KeyError: a type that NumPy does not have
        raise ModelError(f"{file}: its tensors cannot be read ({error}); fetch or copy the file again") from error


def digest(file: Path, into: hashlib._Hash) -> None:
    """Add what its tensors hold to a checksum; floats count as float32, however they are stored."""
    for name, tensor in sorted(tensors(file).items()):
        add_tensor(into, name, tensor.astype(np.float32) if np.issubdtype(tensor.dtype, np.floating) else tensor)


def add_tensor(into: hashlib._Hash, name: str, tensor: NDArray[Any]) -> None:
    """Add one tensor to a checksum."""
    into.update(f"{name} torch.{tensor.dtype} {tensor.shape}".encode())
    into.update(np.ascontiguousarray(tensor).data)


def _read_header(file: Path) -> dict[str, Any]:
    """The safetensors header (8 bytes of length, then JSON), checked against the file before anything is allocated."""
    try:
        with file.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            start = stream.read(8)
            if size == 0:
                raise ModelError(f"{file}: the file is empty; fetch or copy it again")
            if start.startswith((b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")):
                raise ModelError(
                    f"{file}: a PyTorch pickle or zip archive (.pt, .pth). Such files can run code when they are "
                    "opened, so Intarsia never opens them; it reads .safetensors bundles, such as the "
                    "best.safetensors of a run folder"
                )
            length = int.from_bytes(start, "little")
            if size >= 8 and length > _MAX_HEADER and file.suffix.lower() not in _SUFFIXES:
                raise ModelError(
                    f"{file}: no model; one is a .safetensors, .onnx or .xml file, a run folder or a bundled model"
                )
            if size < 8 or length > _MAX_HEADER or length < 2:
                raise ModelError(f"{file}: not a safetensors file (its header is forged or damaged); fetch it again")
            if length > size - 8:
                raise ModelError(f"{file}: the file is truncated in its header; fetch or copy it again")
            raw = stream.read(length)
    except FileNotFoundError:
        raise ModelError(f"{file}: no such bundle; check the path") from None
    except IsADirectoryError:
        raise ModelError(f"{file}: a folder, not a bundle; name the .safetensors file in it") from None
    except OSError as error:
        raise ModelError(f"{file}: cannot be read: {error.strerror}") from error
    try:
        header = json.loads(raw)
        ends = [int(entry["data_offsets"][1]) for name, entry in header.items() if name != "__metadata__"]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(
            f"{file}: not a safetensors file (its header is forged or damaged: {error!r}); fetch it again"
        ) from error
    missing = max(ends, default=0) - (size - 8 - length)
    if missing > 0:
        raise ModelError(f"{file}: the file is truncated: {missing} bytes of weights are missing; fetch it again")
    if not ends:
        raise ModelError(f"{file}: it holds no weights; fetch it again")
    return dict(header)
