"""The page of the HTTP routes: read from the application's OpenAPI document."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from intarsia.serving.app import create_app
from intarsia.serving.settings import Settings

_METHODS = ("get", "post", "put", "patch", "delete")


def routes_page() -> str:
    """Write the page: each route with its parameters, what it takes and what it answers."""
    with tempfile.TemporaryDirectory() as folder:
        document = create_app(Settings(state=Path(folder))).openapi()
    parts = [
        "# HTTP routes",
        "",
        "Read from the OpenAPI document, which a server gives at `/openapi.json` and shows at `/docs`. Errors are "
        "`application/problem+json`; [the page on serving](../serving.md) says which status means what.",
        "",
    ]
    schemas = document.get("components", {}).get("schemas", {})
    for path, methods in document["paths"].items():
        for method in (one for one in _METHODS if one in methods):
            parts += _route(method.upper(), path, methods[method], schemas)
    return "\n".join(parts) + "\n"


def _route(method: str, path: str, route: Mapping[str, Any], schemas: Mapping[str, Any]) -> list[str]:
    about = (route.get("description") or route.get("summary") or "").strip()
    lines = [f"## {method} {path}", "", about, ""]
    parameters = [
        (f"`{one['name']}`", one["in"], _form(one.get("schema", {})), one.get("description") or "")
        for one in route.get("parameters", ())
        if one["in"] != "header"
    ]
    fields = list(_fields(route.get("requestBody", {}), schemas))
    rows = [f"| {name} | {place} | {form} | {_cell(text)} |" for name, place, form, text in [*parameters, *fields]]
    if rows:
        lines += ["| parameter | in | value | |", "|---|---|---|---|", *rows, ""]
    answers = route["responses"].get("200", route["responses"].get("202", {})).get("content", {})
    kinds = ", ".join(f"`{kind}`" for kind in answers)
    return [*lines, f"Answers {kinds}.", ""] if kinds else lines


def _fields(body: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    for kind, content in body.get("content", {}).items():
        schema = content.get("schema", {})
        schema = schemas.get(schema["$ref"].rpartition("/")[2], {}) if "$ref" in schema else schema
        if not schema.get("properties"):
            yield "the body", f"`{kind}`", "", ""
        for name, field in schema.get("properties", {}).items():
            yield f"`{name}`", f"`{kind}`", _form(field), field.get("description") or ""


def _form(schema: Mapping[str, Any]) -> str:
    choices = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    if choices:
        return " or ".join(dict.fromkeys(map(_form, choices)))
    form = ", ".join(f"`{value}`" for value in schema.get("enum", ())) or str(schema.get("type", "object"))
    form = "file" if schema.get("format") == "binary" else form
    default = schema.get("default")
    return form if default in (None, "", []) else f"{form}; default `{default}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
