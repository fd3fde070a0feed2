"""The options on how labelled data are read, shared by all commands that read some."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, get_type_hints

import typer

_PANEL = "How the data are read"


def _option(*names: str, help: str, **more: Any) -> Any:
    return typer.Option(*names, help=help, rich_help_panel=_PANEL, **more)


_ASKED: dict[str, tuple[Any, Any]] = {
    "layout": (Annotated[str, _option(help="Folder layout; `intarsia data list` names them.")], "auto"),
    "classes": (
        Annotated[str | None, _option(help="Class names in order, separated by commas, if the data do not tell them.")],
        None,
    ),
    "ignore": (
        Annotated[list[int] | None, _option(metavar="VALUE", help="Stored value that means not labelled; repeatable.")],
        None,
    ),
    "resize_masks": (
        Annotated[bool, _option("--resize-masks", help="Pictures: stretch masks of another size to their picture.")],
        False,
    ),
    "tolerant": (
        Annotated[
            bool,
            _option("--tolerant", help="Pictures: take colour-coded JPEG masks by the nearest colour of the classes."),
        ],
        False,
    ),
    "reader": (
        Annotated[
            list[str] | None,
            _option(metavar="KEY=VALUE", help="An option of an annotation tool's reader; repeatable."),
        ],
        None,
    ),
    "columns": (
        Annotated[
            str | None, _option(help="Clouds: names of the columns of arrays and tables, such as 'x y z _ label'.")
        ],
        None,
    ),
    "label": (
        Annotated[str | None, _option(help="Clouds: field of the class codes, if its name is not a usual one.")],
        None,
    ),
    "remap": (
        Annotated[
            Path | None, _option(help="YAML or JSON file that renames the data's classes (keys map, classes, rest).")
        ],
        None,
    ),
}


def reads_data(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options on how data are read; it takes them as one parameter, `options: ReadOptions`.

    Typer learns the options from the signature and the annotations, in which they take that parameter's place.
    """

    @functools.wraps(command)
    def run(**given: Any) -> None:
        from intarsia.recipe import ReadOptions, read_assignments

        said = {name: given.pop(name) for name in _ASKED}
        said |= {
            "classes": None if said["classes"] is None else [name.strip() for name in said["classes"].split(",")],
            "ignore": said["ignore"] or [],
            "reader": read_assignments(said["reader"] or ()),
            "remap": None if said["remap"] is None else str(said["remap"]),
        }
        command(**given, options=ReadOptions.from_dict(said))

    own = SimpleNamespace(__annotations__={k: v for k, v in command.__annotations__.items() if k != "options"})
    # As texts they would mean nothing here; that of `options` is left out, because its type is not loaded yet.
    hints = get_type_hints(own, command.__globals__, include_extras=True)
    parameters: list[inspect.Parameter] = []
    for one in inspect.signature(command).parameters.values():
        if one.name == "options":
            parameters += [
                inspect.Parameter(name, one.KEYWORD_ONLY, default=default, annotation=annotation)
                for name, (annotation, default) in _ASKED.items()
            ]
        else:
            parameters.append(one.replace(kind=one.KEYWORD_ONLY, annotation=hints[one.name]))
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = hints | {name: annotation for name, (annotation, _) in _ASKED.items()}
    return run
