"""The page of all commands: read from the program itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from intarsia.cli.main import _group

_NAMES = {"str": "text", "Path": "path", "int": "whole number", "float": "number"}


def commands() -> Iterator[tuple[str, Any]]:
    """Every command with its full name (``annotations convert``), in the order of the help."""
    yield from _below(_group, "")


def _below(group: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for name in group.commands:
        command = group.commands[name]
        if hasattr(command, "commands"):
            yield from _below(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


def commands_page() -> str:
    """Write the page: each command with its arguments and options."""
    parts = [
        "# Commands",
        "",
        "Every command, argument and option, read from the program. `intarsia COMMAND --help` prints the same. "
        "`--debug` shows tracebacks and is allowed anywhere; [exit codes](exit-codes.md) say how a command ended.",
        "",
    ]
    for name, command in commands():
        parts += [f"## intarsia {name}", "", _sentence(command.help), "", *_usage(name, command), *_tables(command)]
    return "\n".join(parts) + "\n"


def _usage(name: str, command: Any) -> list[str]:
    arguments = [_argument(one) for one in command.params if _is_argument(one)]
    return ["```text", " ".join(["intarsia", name, "[OPTIONS]", *arguments]), "```", ""]


def _argument(one: Any) -> str:
    shown = (one.metavar or one.name.upper()) + ("..." if one.nargs == -1 else "")
    return shown if one.required else f"[{shown}]"


def _is_argument(one: Any) -> bool:
    return type(one).__name__.endswith("Argument")


def _tables(command: Any) -> list[str]:
    arguments = [one for one in command.params if _is_argument(one)]
    panels: dict[str, list[Any]] = {}
    for one in command.params:
        if not _is_argument(one) and not one.hidden:
            panels.setdefault(one.rich_help_panel or "", []).append(one)
    lines: list[str] = []
    if arguments:
        rows = [f"| `{one.metavar or one.name.upper()}` | {_cell(one.help)} |" for one in arguments]
        lines += ["| argument | |", "|---|---|", *rows, ""]
    for panel, options in panels.items():
        title = f"option ({panel.lower()})" if panel else "option"
        lines += [f"| {title} | value | default | |", "|---|---|---|---|", *map(_row, options), ""]
    return lines


def _row(option: Any) -> str:
    names = ", ".join(f"`{name}`" for name in [*option.opts, *option.secondary_opts])
    return f"| {names} | {_cell(_form(option))} | {_default(option)} | {_cell(option.help)} |"


def _form(option: Any) -> str:
    if option.is_flag:
        return ""
    form = option.metavar or _named(option.type_descriptor.annotation)
    bounds = [f"from {option.min:g}"] if option.min is not None else []
    bounds += [f"to {option.max:g}"] if option.max is not None else []
    return " ".join([form, *bounds, *(["(repeatable)"] if option.multiple else [])])


def _named(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return ", ".join(map(str, get_args(annotation)))
    inner = get_args(annotation)
    return _named(inner[0]) if inner else _NAMES.get(annotation.__name__, annotation.__name__)


def _default(option: Any) -> str:
    value = option.default
    if option.is_flag or value is None or callable(value) or value in ("", (), []):
        return ""
    return f"`{value}`"


def _sentence(text: str | None) -> str:
    return re.sub(r"\s+", " ", (text or "").partition("\n\n")[0]).strip()


def _cell(text: str | None) -> str:
    return _sentence(text).replace("|", "\\|").replace("<", "&lt;")
