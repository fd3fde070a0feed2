"""Every key of a recipe with what it may be, its default and what it says: read from the recipe's own schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from intarsia.recipe import Recipe


@dataclass(frozen=True)
class Key:
    """One key.

    Attributes:
        name: dotted, as ``--set`` takes it; ``[]`` stands for each entry of a list.
        form: what it may be, in words.
        default: as YAML writes it; "" where there is none.
        about: what it says.
    """

    name: str
    form: str
    default: str
    about: str


def recipe_keys() -> list[Key]:
    """All keys in the order of the schema, sections first named and then gone through."""
    schema = Recipe.model_json_schema()
    return list(_keys(schema, schema["$defs"], ""))


def keys_as_markdown() -> str:
    """One table a section, for the documentation."""
    sections: dict[str, list[Key]] = {}
    for key in recipe_keys():
        sections.setdefault(key.name.partition(".")[0] if "." in key.name else "", []).append(key)
    return "\n".join(_table(section, keys) for section, keys in sections.items())


def _table(section: str, keys: list[Key]) -> str:
    rows = [
        f"| `{key.name}` | {key.form} | {f'`{key.default}`' if key.default else ''} | {key.about} |" for key in keys
    ]
    title = f"### {section}" if section else "### The recipe itself"
    return "\n".join([title, "", "| key | value | default | |", "|---|---|---|---|", *rows, ""])


def _keys(schema: Mapping[str, Any], definitions: Mapping[str, Any], prefix: str) -> Iterator[Key]:
    for name, field in schema["properties"].items():
        key, section = f"{prefix}{name}", _section(field, definitions)
        if section is None:
            yield Key(key, _form(field), _default(field), field.get("description", ""))
            continue
        inner, of_each = section
        about = field.get("description") or inner.get("description", "").partition("\n")[0]
        yield Key(key, "list of sections" if of_each else _form(field), "", about)
        yield from _keys(inner, definitions, f"{key}[]." if of_each else f"{key}.")


def _section(field: Mapping[str, Any], definitions: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool] | None:
    """The schema of the section that a field is or may be, and whether it is a list of such; None for a value."""
    if "$ref" in field:
        return definitions[field["$ref"].rpartition("/")[2]], False
    if "$ref" in field.get("items", {}):
        return definitions[field["items"]["$ref"].rpartition("/")[2]], True
    unions = (*field.get("anyOf", ()), *field.get("oneOf", ()), *field.get("allOf", ()))
    return next((found for one in unions if (found := _section(one, definitions)) is not None), None)


_NAMES = {"integer": "whole number", "number": "number", "string": "text", "boolean": "true or false", "null": "null"}
_BOUNDS = {
    "minimum": "from {}",
    "exclusiveMinimum": "above {}",
    "maximum": "to {}",
    "exclusiveMaximum": "below {}",
}


def _form(field: Mapping[str, Any]) -> str:
    choices = field.get("anyOf") or field.get("oneOf")
    if choices:
        return " or ".join(map(_form, choices))
    if "$ref" in field:
        return "section"
    if "enum" in field:
        return " or ".join(f"`{value}`" for value in field["enum"])
    if "prefixItems" in field:
        return f"[{', '.join(_form(one) for one in field['prefixItems'])}]"
    kind = field.get("type")
    if kind == "array":
        return f"list of: {_form(field.get('items', {}))}"
    if kind == "object":
        return "mapping"
    bounds = [text.format(f"{field[name]:g}") for name, text in _BOUNDS.items() if name in field]
    return " ".join([_NAMES.get(str(kind), "any value"), *bounds])


def _default(field: Mapping[str, Any]) -> str:
    from intarsia.yamltext import write_yaml

    if "default" not in field:
        return ""
    text = write_yaml(field["default"], flow=True, width=1000)
    return text.removesuffix("\n").removesuffix("\n...")
