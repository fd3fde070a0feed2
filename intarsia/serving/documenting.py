"""What the API's document says of bodies that routes read and write themselves: files, forms, bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

JSON, BYTES, ZIP = "application/json", "application/octet-stream", "application/zip"
FORM, PNG = "multipart/form-data", "image/png"
FILE: dict[str, Any] = {"type": "string", "format": "binary"}
FILES: dict[str, Any] = {"type": "array", "items": FILE}
_OBJECT: dict[str, Any] = {"type": "object"}


def takes(body: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Document the body of a request.

    Args:
        body: its schema by media type; one of them is sent.

    Returns:
        The argument `openapi_extra` of a route.
    """
    return {"requestBody": {"required": True, "content": {kind: {"schema": dict(one)} for kind, one in body.items()}}}


def form(properties: Mapping[str, Mapping[str, Any]], required: Sequence[str] = ("file",)) -> dict[str, Any]:
    """Document a form, or an object of JSON, by its fields."""
    return _OBJECT | {"required": list(required), "properties": dict(properties)}


def takes_photo(*more: str) -> dict[str, Any]:
    """Document the body of a request about a photo: a form with it and perhaps with further files, or the photo."""
    return takes(
        {FORM: form({"file": FILE} | {name: FILE for name in more}), "image/jpeg": FILE, PNG: FILE, BYTES: FILE}
    )


def gives(*kinds: str, status: int = 200) -> dict[int | str, dict[str, Any]]:
    """Document the answer of a route: an object of JSON, or files of some media types.

    Returns:
        The argument `responses` of a route.
    """
    return {status: {"content": {kind: {"schema": _OBJECT if kind == JSON else FILE} for kind in kinds}}}


def gives_files(kinds: Iterable[str]) -> dict[int | str, dict[str, Any]]:
    """Document the answer of a route that makes files of many kinds, of JSON among them."""
    known = sorted({kind.partition(";")[0] for kind in kinds} | {BYTES})
    return {200: {"content": {kind: {"schema": {} if kind == JSON else FILE} for kind in known}}}
