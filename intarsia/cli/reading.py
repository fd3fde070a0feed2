"""The options on how labelled data are read, shared by all commands that read some."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from intarsia.cli.flags import Command, give_flags

if TYPE_CHECKING:
    from intarsia.recipe import ReadOptions

_PANEL = "How the data are read"


def _option(*names: str, help: str, **more: Any) -> Any:
    return typer.Option(*names, help=help, rich_help_panel=_PANEL, **more)


_ASKED: dict[str, tuple[Any, Any]] = {
    "layout": (Annotated[str, _option(help="Folder layout; `intarsia data list` names them.")], "auto"),
    "classes": (
        Annotated[
            str | None,
            _option(help="Class names in the order of the values (road,car), with them (0:road,7:car), or their file."),
        ],
        None,
    ),
    "ignore": (
        Annotated[list[int] | None, _option(metavar="VALUE", help="Stored value that means not labelled; repeatable.")],
        None,
    ),
    "masks": (
        Annotated[
            str, _option(metavar="NAME", help="Pictures: folder of the masks, or what their names end with (GT).")
        ],
        "",
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


def reads_data(command: Command) -> Command:
    """Give a command the options on how data are read; it takes them as one parameter, `options: ReadOptions`."""
    return give_flags(command, "options", _ASKED, _read)


def _read(said: dict[str, Any]) -> ReadOptions:
    from intarsia.recipe import ReadOptions, read_assignments

    return ReadOptions.from_dict(
        {
            **{name: value for name, value in said.items() if name != "classes"},
            **({} if said["classes"] is None else _classes(said["classes"])),
            "ignore": said["ignore"] or [],
            "reader": read_assignments(said["reader"] or ()),
            "remap": None if said["remap"] is None else str(said["remap"]),
        }
    )


def _classes(text: str) -> dict[str, Any]:
    """Classes as the options `classes` and `palette`."""
    from intarsia.classlists import classes_said

    found = classes_said(text)
    names = [f"{value}: {name}" for value, name in zip(found.values, found.names, strict=False)] or list(found.names)
    return {"classes": names, "palette": list(found.palette) or None}
