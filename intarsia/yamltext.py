"""YAML as people mean it: version 1.2's plain values, every key once, and nothing endless.

PyYAML reads version 1.1, in which ``no`` is false, ``1e-3`` a text, ``0512`` the number 330, ``1:30`` is 90 and
``2024-01-01`` a date. Of a class list or a recipe all of these are surprises; version 1.2 has none of them.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

_TAG = "tag:yaml.org,2002:"
_INT = re.compile(r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$")
_FLOAT = re.compile(
    r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
)
_PLAIN = {
    "null": (re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]),
    "bool": (re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")),
    "int": (_INT, list("-+0123456789")),
    "float": (_FLOAT, list("-+.0123456789")),
    "merge": (re.compile(r"^<<$"), ["<"]),
}
_MOST_VALUES = 1_000_000


class _Loader(yaml.SafeLoader):
    """Reads version 1.2's plain values, and refuses keys that are said twice."""

    yaml_implicit_resolvers: dict[Any, Any] = {}  # noqa: RUF012  # as PyYAML declares it

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Compose a mapping, of which PyYAML itself would keep the last of equal keys."""
        node = super().compose_mapping_node(anchor)
        first: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == f"{_TAG}merge":
                continue
            line = key.start_mark.line + 1
            if (key.tag, key.value) in first:
                raise ValueError(
                    f"line {line}: {key.value!r} is there already in line {first[key.tag, key.value]}; keep one"
                )
            first[key.tag, key.value] = line
        return node


def _whole(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    text = str(loader.construct_scalar(node))
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    return int(text[2:] if base != 10 else text, base)


for _name, (_pattern, _first) in _PLAIN.items():
    _Loader.add_implicit_resolver(f"{_TAG}{_name}", _pattern, _first)
_Loader.add_constructor(f"{_TAG}int", _whole)


class _Dumper(yaml.SafeDumper):
    """Quotes what either version would take for something else than text."""


for _name in ("int", "float"):
    _Dumper.add_implicit_resolver(f"{_TAG}{_name}", *_PLAIN[_name])


def read_yaml(text: str) -> Any:
    """The value of a YAML document.

    Raises:
        ValueError: it is broken, says a key twice, or stands for more than a million values; says where and why.
    """
    try:
        value = yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        raise ValueError(_sentence(error)) from error
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    _require_bounded(value)
    return value


def write_yaml(value: Any, *, flow: bool | None = False, width: int = 120) -> str:
    """Plain data as YAML that versions 1.1 and 1.2 read alike.

    Args:
        value: dictionaries, lists, texts and numbers.
        flow: on one line, as ``{a: 1}``.
        width: characters of a line.
    """
    text: str = yaml.dump(
        value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=flow, width=width
    )
    return text


def _sentence(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    said = " ".join(part for part in (error.context, error.problem) if part)
    hint = "; YAML is indented by spaces" if "'\\t'" in said else ""
    return f"{where}{said}{hint}"


def _require_bounded(value: Any) -> None:
    """Refuse references (&, *) by which a short text stands for a huge or an endless value."""
    waiting, count = [value], 0
    while waiting:
        one = waiting.pop()
        count += 1
        if count > _MOST_VALUES:
            raise ValueError(f"it stands for more than {_MOST_VALUES:,} values, by references (&, *); write them out")
        if isinstance(one, dict):
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
