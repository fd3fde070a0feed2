"""Description: all of a model but its tensors."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from intarsia.bundle.forms import form_of
from intarsia.errors import DataError, ModelError, UsageError
from intarsia.files import encoded
from intarsia.labels import LabelSpace
from intarsia.preprocessing import AnyPreprocessing, read_preprocessing

FORMAT = 1
CONVERTED = "converted"
"""The architecture of other people's networks, bundled as ONNX files: they predict, and cannot be built anew."""
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
        source: the file it came from; "" if it is in memory only.
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
    def is_converted(self) -> bool:
        """Whether its network is all there is: it can be computed as it stands, but neither trained nor changed."""
        return self.architecture == CONVERTED

    @property
    def edges(self) -> str:
        """The bundled network that makes the edges of its masks fine and was trained on them; "" if it names none."""
        return str(self.options.get("edges", "")) if self.is_converted else ""

    @property
    def terms(self) -> str:
        """Under which terms it may be used, as its card says."""
        return str(self.card.get("license") or self.card.get("terms") or "no terms stated")

    def with_options(self, options: Mapping[str, Any]) -> Self:
        """The same weights in an architecture built with other options, such as a smaller ``output_stride``.

        Raises:
            UsageError: a converted network has none to change.
        """
        if options and self.is_converted:
            raise UsageError(f"{self.title}: a converted network has no options to change: {', '.join(options)}")
        return replace(self, options={**self.options, **options})

    def parameters(self) -> int:
        """Count the numbers that its file holds: weights, and statistics of norms.

        Raises:
            ModelError: they cannot be read.
        """
        file = Path(self.source)
        return sum(tensor.size for tensor in form_of(file).tensors(file).values())

    def checksum(self) -> str:
        """Compute the SHA-256 of all that decides predictions: architecture, classes, preprocessing and weights.

        Raises:
            ModelError: its file cannot be read.
        """
        return _checksum(self._head(), self.source, _stamp(self.source)) if self.source else self._digest().hexdigest()

    def _digest(self) -> hashlib._Hash:
        return hashlib.sha256(self._head())

    def _head(self) -> bytes:
        head = [self.architecture, self.options, self.space.to_json(), self.preprocessing.model_dump()]
        return json.dumps(head, sort_keys=True).encode()

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
        """Read the description in a model's file, of any form (see `intarsia.bundle.forms`), without its tensors.

        Raises:
            ModelError: the file is missing, damaged, no model of Intarsia, or written by a newer version; the message
                names the file, the reason and the fix.
        """
        file = Path(path)
        return cls.from_metadata(form_of(file).text(file), file)


@lru_cache(maxsize=8)
def _checksum(head: bytes, source: str, stamp: tuple[tuple[int, int], ...]) -> str:
    """The checksum of what a file holds under a head; asked for several times while a model is opened."""
    digest, file = hashlib.sha256(head), Path(source)
    form_of(file).digest(file, digest)
    return digest.hexdigest()


def _stamp(source: str) -> tuple[tuple[int, int], ...]:
    """When its files were written and how long they are; of what cannot be read, its form tells why."""
    file = Path(source)
    beside = form_of(file).beside
    try:
        found = [os.stat(one) for one in (file, *((file.with_suffix(beside),) if beside else ()))]
    except OSError:
        return ()
    return tuple((one.st_mtime_ns, one.st_size) for one in found)


def _finite(value: Any) -> Any:
    """JSON has no NaN: an IoU that does not exist becomes null."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


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
