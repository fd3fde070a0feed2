"""Bundle: one file that is enough to predict: a description, and the tensors. Nothing in it is ever unpickled."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from intarsia.errors import DataError, ModelError
from intarsia.files import atomic_path, encoded
from intarsia.labels import LabelSpace
from intarsia.preprocessing import AnyPreprocessing, read_preprocessing

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 1
METADATA_KEY = "intarsia"
_MAX_HEADER = 100_000_000
_Positive = Annotated[float, Field(gt=0)]


def _as_read(value: Any) -> Any:
    return read_preprocessing(value) if isinstance(value, dict) else value


class _Document(BaseModel):
    """The JSON beside the tensors."""

    model_config = ConfigDict(extra="forbid")

    format: int
    architecture: str
    options: dict[str, Any]
    classes: int
    space: dict[str, Any]
    preprocessing: Annotated[AnyPreprocessing, BeforeValidator(_as_read)]
    recipe: dict[str, Any] | None = None
    metrics: dict[str, Any] = {}
    card: dict[str, Any] = {}


@dataclass(kw_only=True)
class Description:
    """All of a bundle but its tensors: files of every runtime carry it.

    Attributes:
        architecture: registered name of the model builder.
        options: the builder's keyword arguments (plain JSON), without ``classes``.
        space: the classes of the head, in order.
        preprocessing: from pixels, or points, to the network's input.
        recipe: the resolved recipe that trained it, if any.
        metrics: what it reached, by split.
        card: what people should know: data, terms, limits.
        source: the file it came from, for messages.
    """

    architecture: str = field(kw_only=False)
    options: dict[str, Any] = field(kw_only=False)
    space: LabelSpace = field(kw_only=False)
    preprocessing: AnyPreprocessing = field(kw_only=False)
    recipe: dict[str, Any] | None = None
    metrics: dict[str, Any] = field(default_factory=dict)
    card: dict[str, Any] = field(default_factory=dict)
    source: str = ""

    @property
    def title(self) -> str:
        """What to call it in messages: its file, or its architecture."""
        return self.source or self.architecture

    @property
    def terms(self) -> str:
        """Under which terms it may be used, as its card says."""
        return str(self.card.get("license") or self.card.get("terms") or "no terms stated")

    def checksum(self) -> str:
        """Compute the SHA-256 of everything that decides predictions."""
        return self._digest().hexdigest()

    def _digest(self) -> hashlib._Hash:
        head = [self.architecture, self.options, self.space.to_json(), self.preprocessing.model_dump()]
        return hashlib.sha256(json.dumps(head, sort_keys=True).encode())

    def to_metadata(self) -> str:
        """Write it as the JSON text that bundle files carry; scores that do not exist become null."""
        document = _Document(
            format=FORMAT,
            architecture=self.architecture,
            options=self.options,
            classes=len(self.space),
            space=self.space.to_json(),
            preprocessing=self.preprocessing,
            recipe=self.recipe,
            metrics=self.metrics,
            card=self.card,
        )
        text = json.dumps(_finite(document.model_dump(mode="json")), ensure_ascii=False, allow_nan=False)
        return encoded(text).decode()

    @classmethod
    def from_metadata(cls, text: str, file: Path) -> Description:
        """Read what `to_metadata` wrote.

        Args:
            text: the JSON.
            file: where it comes from, for messages.

        Raises:
            ModelError: it is no description of a model, or one by a newer version.
        """
        document = _read_document(text, file)
        try:
            space = LabelSpace.from_json(document.space)
        except DataError as error:
            raise ModelError(f"{file}: its label space is not usable: {error}") from error
        if len(space) != document.classes:
            raise ModelError(
                f"{file}: it names {len(space)} classes, but its model was saved with {document.classes}; "
                "the description was changed after training, so fetch the file again"
            )
        return Description(
            document.architecture, document.options, space, document.preprocessing,
            recipe=document.recipe, metrics=document.metrics, card=document.card, source=str(file),
        )  # fmt: skip

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Description:
        """Read a bundle file's description without its tensors.

        Raises:
            ModelError: as `Bundle.load`.
        """
        file = Path(path)
        return cls.from_metadata(_metadata(file), file)


@dataclass
class Bundle(Description):
    """A trained model with all that prediction needs.

    Attributes:
        state: the model's state dict, on the CPU, float32 (integers as they are).
    """

    state: dict[str, Tensor]

    def with_options(self, options: Mapping[str, Any]) -> Bundle:
        """The same weights in an architecture built with other options, such as a smaller ``output_stride``."""
        return replace(self, options={**self.options, **options})

    def checksum(self) -> str:
        """Compute the SHA-256 of all that decides predictions: architecture, classes, preprocessing and weights."""
        digest = self._digest()
        for name, tensor in sorted(self.state.items()):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().contiguous().numpy().data)
        return digest.hexdigest()

    def save(self, path: str | os.PathLike[str], half: bool = False) -> None:
        """Write the bundle whole or not at all.

        Args:
            path: a name that ends in .safetensors.
            half: store weights (two or more dimensions) as float16; norm statistics and biases stay float32.

        Raises:
            ModelError: another suffix, or weights too large for float16.
            DataError: the disk is full, or the folder cannot be written.
        """
        from safetensors.torch import save

        target = Path(path)
        if target.suffix != ".safetensors":
            raise ModelError(f"{target}: a bundle's name ends in .safetensors")
        tensors = {name: _stored(name, tensor, half) for name, tensor in self.state.items()}
        with atomic_path(target) as temporary:
            # Not save_file: it hides a full disk in an error of its own, and its files are for their owner only.
            temporary.write_bytes(save(tensors, metadata={METADATA_KEY: self.to_metadata()}))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Bundle:
        """Read a bundle. Only tensors and JSON are read; no code in the file can run.

        Raises:
            ModelError: the file is missing, damaged, no bundle, or written by a newer version; the message names
                the file, the reason and the fix.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        file = Path(path)
        found = Description.load(file)
        try:
            state = load_file(file)
        except (SafetensorError, OSError) as error:
            raise ModelError(f"{file}: its tensors cannot be read ({error}); fetch or copy the file again") from error
        floats = {name: t.float() if t.is_floating_point() else t for name, t in state.items()}
        return cls(**vars(found), state=floats)


def _stored(name: str, tensor: Tensor, half: bool) -> Tensor:
    import torch

    # safetensors wants dense tensors of their own memory, in plain order
    tensor = tensor.detach().cpu().contiguous(memory_format=torch.contiguous_format).clone()
    if half and tensor.is_floating_point() and tensor.ndim >= 2:
        tensor = tensor.half()
        if not tensor.isfinite().all():
            raise ModelError(f"{name} has values that float16 cannot hold; save this bundle with half=False")
    return tensor


def _finite(value: Any) -> Any:
    """JSON has no NaN: an IoU that does not exist becomes null."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _metadata(file: Path) -> str:
    """The description that a bundle file carries."""
    metadata = _read_header(file).get("__metadata__")
    text = metadata.get(METADATA_KEY) if isinstance(metadata, dict) else None
    if not isinstance(text, str):
        raise ModelError(
            f"{file}: a safetensors file, but not an Intarsia bundle: it holds weights and no description of the "
            "model; use the best.safetensors of a run folder, or save the weights through intarsia.bundle.Bundle"
        )
    return text


def _read_document(text: str, file: Path) -> _Document:
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{file}: its description is not valid JSON ({error}); fetch the file again") from error
    version = raw.get("format") if isinstance(raw, dict) else None
    if isinstance(version, int) and version > FORMAT:
        raise ModelError(
            f"{file}: written by a newer Intarsia (format {version}; this one reads up to {FORMAT}); "
            "upgrade: pip install -U intarsia"
        )
    try:
        return _Document.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if "[" not in str(part)) or "the whole"
        raise ModelError(f"{file}: its description is not valid at {where}: {first['msg']}; fetch it again") from error


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
