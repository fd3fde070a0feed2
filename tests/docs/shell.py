"""Lines of the shell, as pages show them: split into commands, and parsed against the program without running it."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer import TyperException

from intarsia.cli.main import _group

ROOT = Path(__file__).parents[2]
_BREAKS = {"", "|", "&&", ";", "||"}


@dataclass(frozen=True)
class Command:
    """One command of a line: its words, and the file that its output goes to."""

    words: tuple[str, ...]
    into: str = ""


def commands_of(text: str) -> Iterator[Command]:
    """Every command of a block, comments and line continuations taken away."""
    plain = re.sub(r"(?:^|(?<=\s))#.*", "", text.replace("\\\n", " "), flags=re.MULTILINE)
    lexer = shlex.shlex(plain, posix=True, punctuation_chars="|&;>\n")
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t", True, ""
    words: list[str] = []
    for token in [*lexer, "\n"]:
        if token.strip("\n") in _BREAKS:
            if words:
                yield _redirected(words)
            words = []
        else:
            words.append(token)


def _redirected(words: list[str]) -> Command:
    if ">" not in words:
        return Command(tuple(words))
    at = words.index(">")
    return Command(tuple(words[:at]), words[at + 1])


def parse(arguments: list[str]) -> dict[str, Any]:
    """Parse the words behind `intarsia`; errors are typer's own, as the shell shows them."""
    command: Any = _group
    context = command.make_context("intarsia", [one for one in arguments if one != "--debug"])
    while hasattr(command, "commands"):
        name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        context = command.make_context(name, rest, parent=context)
    found: dict[str, Any] = context.params
    return found


def no_commands(text: str) -> list[str]:
    """Of the commands that a text names in passing (`intarsia data check`), those that the program does not have."""
    named = set(re.findall(r"`intarsia ([a-z]+)(?: ([a-z]+))?(?=[ `])", text))
    return sorted(f"intarsia {one} {two}".strip() for one, two in named if not _is_command(one, two))


def _is_command(name: str, below: str) -> bool:
    if name not in _group.commands:
        return False
    commands = getattr(_group.commands[name], "commands", None)
    return commands is None or not below or below in commands


def extras() -> set[str]:
    """The extras that can be installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return set(project["optional-dependencies"])


def wrong_with(command: Command) -> str:
    """Say what a reader who types this command would be told, or "" if it is right."""
    program, *arguments = command.words
    if program == "intarsia" and not {"--help", "-h", "--version"} & set(arguments):
        try:
            parse(arguments)
        except TyperException as error:
            return f"{shlex.join(command.words)}: {error.format_message()}"
    if program == "pip":
        asked = set(re.findall(r"[\w-]+", " ".join(re.findall(r"intarsia\[(.*?)\]", " ".join(arguments)))))
        return f"{shlex.join(command.words)}: no extra {sorted(asked - extras())}" if asked - extras() else ""
    return ""
