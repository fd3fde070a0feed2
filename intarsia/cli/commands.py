"""The sub-commands, each loaded when it is asked for: starting one does not wait for the others."""

from __future__ import annotations

from collections import UserDict
from functools import cache
from importlib import import_module
from typing import Any

import typer
from typer.main import get_command

_PLACES = {
    "segment": "segment:segment",
    "portrait": "portrait:portrait",
    "background": "background:background",
    "drive": "drive:drive",
    "train": "train:train",
    "evaluate": "evaluate:evaluate",
    "benchmark": "benchmark:benchmark",
    "metrics": "metrics:metrics",
    "export": "export:export",
    "serve": "serve:serve",
    "count": "count:count",
    "makeup": "makeup:makeup",
    "tryon": "tryon:tryon",
    "search": "search:app",
    "handwriting": "handwriting:handwriting",
    "import": "import_:import_",
    "data": "data:app",
    "annotations": "annotations:app",
    "models": "models:app",
    "recipes": "recipes:app",
    "demo": "demo:demo",
    "doctor": "doctor:doctor",
}
"""Module of this room, and in it the command's function or the app of its own sub-commands; in the help's order."""

PIPED = ("segment", "portrait", "background", "drive", "makeup", "tryon", "handwriting")
"""Those that read standard input and write standard output; see `pipes`."""


class Commands(UserDict[str, Any]):
    """Sub-commands by name."""

    def __init__(self) -> None:
        super().__init__(_PLACES)

    def __getitem__(self, name: str) -> Any:
        return _load(name, super().__getitem__(name))


@cache
def _load(name: str, place: str) -> Any:
    module, _, attribute = place.partition(":")
    found = getattr(import_module(f"intarsia.cli.{module}"), attribute)
    if isinstance(found, typer.Typer):
        command = get_command(found)
    else:
        app = typer.Typer(add_completion=False)
        app.command(name)(found)
        command = get_command(app)
    command.name = name
    return command
