"""Flags that several commands share, and that a command takes as one value."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from types import SimpleNamespace
from typing import Any, get_type_hints

Command = Callable[..., None]


def give_flags(
    command: Command, parameter: str, flags: Mapping[str, tuple[Any, Any]], make: Callable[[dict[str, Any]], Any]
) -> Command:
    """Put flags in the place of one parameter of a command.

    Typer learns flags from a function's signature and annotations, so that both are written anew.

    Args:
        command: takes the value as `parameter`.
        parameter: its name.
        flags: type (with typer's option) and default of each, by name.
        make: from the flags' values to the parameter's.
    """

    @wraps(command)
    def run(**given: Any) -> None:
        values = {name: given.pop(name) for name in flags}
        command(**given, **{parameter: make(values)})

    hints = {name: _resolved(hint, command) for name, hint in command.__annotations__.items() if name != parameter}
    parameters: list[inspect.Parameter] = []
    for one in inspect.signature(command).parameters.values():
        if one.name == parameter:
            parameters += [
                inspect.Parameter(name, one.KEYWORD_ONLY, default=default, annotation=hint)
                for name, (hint, default) in flags.items()
            ]
        else:
            parameters.append(one.replace(kind=one.KEYWORD_ONLY, annotation=hints[one.name]))
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = hints | {name: hint for name, (hint, _) in flags.items()}
    return run


def _resolved(hint: Any, command: Command) -> Any:
    """An annotation's meaning; its text where that is not loaded, because another decorator replaces it."""
    try:
        own = SimpleNamespace(__annotations__={"it": hint})
        return get_type_hints(own, command.__globals__, include_extras=True)["it"]
    except NameError:
        return hint
