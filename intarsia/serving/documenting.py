"""What the API's document says of bodies that routes read and write themselves: files, forms, bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

JSON, BYTES = "application/json", "application/octet-stream"
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


def gives(*kinds: str) -> dict[int | str, dict[str, Any]]:
    """Document the answer of a route: JSON, or files of some media types.

    Returns:
        The argument `responses` of a route.
    """
    return {200: {"content": {kind: {"schema": _OBJECT if kind == JSON else FILE} for kind in kinds}}}
