"""The forms of files that hold a model: each carries the same description beside its tensors or its graph."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from intarsia.bundle import irfile, onnxfile, safetensorsfile
from intarsia.errors import ModelError

METADATA_KEY = "intarsia"
"""Under which a file's metadata hold the description."""


@dataclass(frozen=True)
class Form:
    """One form of file.

    Attributes:
        suffix: of the files' names.
        metadata: reads the texts that a file carries, by key.
        check: refuses a file that is damaged, or not whole by itself.
        tensors: reads the weights by name, in the types in which they are stored.
        digest: adds what decides a file's predictions to a checksum, its metadata apart.
        beside: suffix of the file that belongs to it; "" if it is whole by itself.
        lacks: what a file of this form without a description is, and what to do instead.
    """

    suffix: str
    metadata: Callable[[Path], dict[str, str]]
    check: Callable[[Path], object]
    tensors: Callable[[Path], dict[str, NDArray[Any]]]
    digest: Callable[[Path, hashlib._Hash], None]
    lacks: str
    beside: str = ""

    def text(self, file: Path) -> str:
        """Read the description's JSON.

        Raises:
            ModelError: the file is missing, damaged or holds none.
        """
        found = self.metadata(file).get(METADATA_KEY)
        if not isinstance(found, str):
            raise ModelError(f"{file}: {self.lacks}")
        return found


SAFETENSORS = Form(
    ".safetensors", safetensorsfile.metadata, safetensorsfile.metadata, safetensorsfile.tensors,
    safetensorsfile.digest,
    "a safetensors file, but not an Intarsia bundle: it holds weights and no description of the model; use the "
    "best.safetensors of a run folder, or save the weights through intarsia.bundle.Bundle",
)  # fmt: skip
ONNX = Form(
    ".onnx", onnxfile.metadata, onnxfile.check, onnxfile.tensors, onnxfile.digest,
    "an ONNX file, but not an Intarsia model: it holds a network and no description of its classes and preprocessing; "
    "export one with: intarsia export MODEL -o FILE.onnx",
)  # fmt: skip
OPENVINO = Form(
    ".xml", irfile.metadata, irfile.check, irfile.tensors, irfile.digest,
    "a network for OpenVINO, but not an Intarsia model: it holds no description of its classes and preprocessing; "
    "export one with: intarsia export MODEL -o FILE.xml",
    beside=".bin",
)  # fmt: skip
FORMS = (SAFETENSORS, ONNX, OPENVINO)
"""Every form of file, the bundle's own first."""


def form_of(file: Path) -> Form:
    """Find the form of a file by its suffix; the bundle's own form judges all others."""
    return next((form for form in FORMS if form.suffix == file.suffix.lower()), SAFETENSORS)
