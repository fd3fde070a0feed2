"""Pictures and labels as tensors of the Open Inference Protocol (version 2), as JSON or as bytes behind it.

Protocol: https://github.com/kserve/open-inference-protocol; bytes behind the JSON are Triton's extension
`binary_tensor_data`: little-endian, row by row, and of BYTES the length in 4 bytes before each element.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, ValidationError

from intarsia.errors import suggest
from intarsia.labels import LabelSpace
from intarsia.result import Segmentation
from intarsia.serving.problems import BAD_REQUEST, TOO_LARGE, Problem, reasons
from intarsia.serving.uploads import Upload

MOST_JSON, MOST_HEAD = 32 << 20, 1 << 20
"""Bytes of JSON that is parsed, alone or before bytes: a number of it takes far more room than a byte of a picture."""
IMAGE, LABELS, CONFIDENCE = "image", "labels", "confidence"

_CODES = {"uint8": "UINT8", "uint16": "UINT16", "float32": "FP32", "int64": "INT64"}
_MOST = 8  # tensors, and their dimensions
_LENGTH = 4  # bytes before an element of BYTES


class Input(BaseModel):
    """A tensor that is sent."""

    name: str
    shape: Annotated[list[Annotated[int, Field(ge=0)]], Field(max_length=_MOST)]
    datatype: str
    parameters: dict[str, Any] = {}
    data: Any = None


class Output(BaseModel):
    """A tensor that is wanted."""

    name: str
    parameters: dict[str, Any] = {}


class Inference(BaseModel):
    """A request for inference."""

    id: str | None = None
    parameters: dict[str, Any] = {}
    inputs: Annotated[list[Input], Field(max_length=_MOST)]
    outputs: Annotated[list[Output], Field(max_length=_MOST)] = []


def read_inference(body: bytes, head: str | None) -> tuple[Inference, Upload]:
    """Read a request for inference.

    Args:
        body: of the request.
        head: what its header says how many bytes of it are JSON; None: all.

    Returns:
        The request, and its picture as a file.

    Raises:
        Problem: it is not what the protocol says (400), or too much JSON (413).
    """
    if head is not None and not (re.fullmatch("[0-9]{1,15}", head) and int(head) <= len(body)):
        raise _wrong(f"Inference-Header-Content-Length is {head[:20]!r}, and the body has {len(body)} bytes")
    end = len(body) if head is None else int(head)
    most = MOST_JSON if head is None else MOST_HEAD
    if end > most:
        raise Problem(
            TOO_LARGE,
            f"{end:,} bytes of JSON are more than {most:,}; send the tensor as bytes behind the JSON "
            "(binary_data_size), or an encoded picture as BYTES",
        )
    try:
        asked = Inference.model_validate_json(body[:end])
    except ValidationError as error:
        raise _wrong(f"no request for inference: {reasons(error)}") from None
    if [one.name for one in asked.inputs] != [IMAGE]:
        raise _wrong(f"send one input named {IMAGE!r}; there are {[one.name for one in asked.inputs]}")
    (sent,) = asked.inputs
    size = sent.parameters.get("binary_data_size")
    if (size or 0) != len(body) - end:
        raise _wrong(f"{len(body) - end} bytes follow the JSON, and binary_data_size is {size}")
    return asked, _picture(sent, None if size is None else body[end:])


def _picture(sent: Input, blob: bytes | None) -> Upload:
    """The picture that a tensor is, or holds."""
    if sent.datatype == "BYTES":
        if math.prod(sent.shape) != 1:
            raise _wrong(f"BYTES of the shape {sent.shape}: one encoded picture has the shape [1]")
        return Upload(_element(blob) if blob is not None else _decoded(sent), IMAGE, ".png")
    if sent.datatype != "UINT8":
        raise _wrong(f"a picture is UINT8, or one encoded picture as BYTES, and not {sent.datatype}")
    if len(sent.shape) < 3 or sent.shape[:-3] not in ([], [1]) or sent.shape[-1] != 3 or not math.prod(sent.shape):
        raise _wrong(f"a picture has the shape [height, width, 3] or [1, height, width, 3], not {sent.shape}")
    height, width = sent.shape[-3:-1]
    pixels = blob if blob is not None else _values(sent)
    if len(pixels) != 3 * height * width:
        raise _wrong(f"{len(pixels)} values are not of the shape {sent.shape}")
    return Upload(b"P6 %d %d 255\n" % (width, height) + pixels, IMAGE, ".ppm")


def _element(blob: bytes) -> bytes:
    """The one element of BYTES."""
    if len(blob) < _LENGTH or int.from_bytes(blob[:_LENGTH], "little") != len(blob) - _LENGTH:
        raise _wrong("BYTES begin with the length of their one element, in 4 bytes, little-endian; this is another one")
    return blob[_LENGTH:]


def _decoded(sent: Input) -> bytes:
    """An encoded picture in JSON."""
    data = sent.data[0] if isinstance(sent.data, list) and len(sent.data) == 1 else sent.data
    if sent.parameters.get("content_type") != "base64" or not isinstance(data, str):
        raise _wrong('BYTES in JSON are base64: "parameters": {"content_type": "base64"}, "data": ["..."]')
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _wrong(f"its data are no base64: {error}") from None


def _values(sent: Input) -> bytes:
    """The values of a tensor in JSON, nested or flat."""
    try:
        values = np.asarray(sent.data)
    except ValueError:
        values = np.zeros(0, object)
    if values.dtype.kind not in "iu" or (values.size and not 0 <= values.min() <= values.max() <= 255):
        raise _wrong("its data are not whole numbers from 0 to 255, in lists of equal lengths")
    return values.astype(np.uint8).tobytes()


@dataclass(frozen=True)
class Wanted:
    """A tensor that is answered.

    Attributes:
        name: of the tensor.
        binary: it follows the JSON as bytes.
        wide: labels are INT64.
    """

    name: str
    binary: bool
    wide: bool = False


def wanted_outputs(asked: Inference, space: LabelSpace) -> list[Wanted]:
    """Understand which tensors a request wants; without a word the labels.

    Raises:
        Problem: there is no such tensor, or not in this datatype.
    """
    usual = _flag(asked.parameters, "binary_data_output", False)
    found = []
    for one in asked.outputs or [Output(name=LABELS)]:
        if one.name not in (LABELS, CONFIDENCE):
            raise _wrong(f"there is no output {one.name!r}.{suggest(one.name, (LABELS, CONFIDENCE))}")
        own = datatype(space) if one.name == LABELS else "FP32"
        kind = one.parameters.get("datatype", own)
        if kind != own and (one.name, kind) != (LABELS, "INT64"):
            raise _wrong(f"{one.name} is {own}{' or INT64' if one.name == LABELS else ''}, not {kind}")
        found.append(Wanted(one.name, _flag(one.parameters, "binary_data", usual), kind != own))
    if len({one.name for one in found}) < len(found):
        raise _wrong("an output is asked for twice")
    return found


def datatype(space: LabelSpace) -> str:
    """The datatype of labels."""
    return _CODES[str(space.dtype)]


def _flag(parameters: dict[str, Any], name: str, usual: bool) -> bool:
    value = parameters.get(name, usual)
    if not isinstance(value, bool):
        raise _wrong(f"{name} is true or false, not {value!r}")
    return value


def write_answer(asked: Inference, wanted: list[Wanted], result: Segmentation, model: str) -> tuple[bytes, int | None]:
    """Write what is answered.

    Returns:
        The body, and how many bytes of it are JSON; None: all.
    """
    outputs: list[dict[str, Any]] = []
    blobs: list[bytes] = []
    batch = [1] if len(asked.inputs[0].shape) == 4 else []
    for one in wanted:
        values = _array(one, result)
        told = {"name": one.name, "datatype": _CODES[str(values.dtype)], "shape": [*batch, *values.shape]}
        if one.binary:
            blobs.append(values.astype(values.dtype.newbyteorder("<")).tobytes())
            outputs.append(told | {"parameters": {"binary_data_size": len(blobs[-1])}})
        else:
            outputs.append(told | {"data": values.ravel().tolist()})
    document = {"model_name": model} | ({} if asked.id is None else {"id": asked.id}) | {"outputs": outputs}
    head = json.dumps(document, separators=(",", ":")).encode()
    return head + b"".join(blobs), len(head) if blobs else None


def _array(one: Wanted, result: Segmentation) -> NDArray[Any]:
    if one.name == LABELS:
        return result.labels.astype(np.int64) if one.wide else result.labels
    assert result.confidence is not None
    return result.confidence.astype(np.float32)


def _wrong(detail: str) -> Problem:
    return Problem(BAD_REQUEST, detail)
