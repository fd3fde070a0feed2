"""The flags of `segment` that tell things apart: --instances and what belongs to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer

from intarsia.errors import UsageError

_PANEL = "Instances"
_USUAL = ("labels", "overlay")


@dataclass(frozen=True)
class Things:
    """Whether things are told apart, and the options of `Result.instances`."""

    asked: bool = False
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def of(self) -> Sequence[str] | None:
        """The classes that have things, () for the usual ones; None where no things are told apart."""
        return self.options.get("of", ()) if self.asked else None

    def outputs(self, write: Sequence[str]) -> list[str]:
        """What is written, the numbers of the things among it."""
        return [*(write or _USUAL), "instances"] if self.asked else list(write)

    def check(self, tools: Sequence[str]) -> None:
        """Refuse annotation tools whose files hold no things.

        Raises:
            UsageError: says which do.
        """
        if not self.asked or not tools:
            return
        from intarsia.jobs.preannotation import INSTANCES

        wrong = [tool for tool in tools if tool not in INSTANCES]
        if wrong:
            raise UsageError(
                f"--instances are written for {' and '.join(INSTANCES)}, not for {wrong[0]}; leave one of them out"
            )


FLAGS: dict[str, tuple[Any, Any]] = {
    "instances": (
        Annotated[
            bool,
            typer.Option(
                "--instances",
                rich_help_panel=_PANEL,
                help="Pictures, GeoTIFFs, volumes: also number the things (cars, people, cells) one by one, in "
                "NAME.instances.png, .tif or .nii.gz; --annotations coco,coco-panoptic then hold them, too.",
            ),
        ],
        False,
    ),
    "things": (
        Annotated[
            list[str] | None,
            typer.Option(
                metavar="CLASS",
                rich_help_panel=_PANEL,
                help="A class that has things; repeatable. Default: all but the background, sky, road, ...",
            ),
        ],
        None,
    ),
    "neck": (
        Annotated[
            float | None,
            typer.Option(
                min=0,
                max=0.99,
                metavar="SHARE",
                rich_help_panel=_PANEL,
                help="Things that touch are cut where the way between them is narrower than this share of the lesser "
                "one's width; 0 cuts nothing. Default: 0.2.",
            ),
        ],
        None,
    ),
    "least": (
        Annotated[
            int | None,
            typer.Option(min=1, metavar="PIXELS", rich_help_panel=_PANEL, help="Smaller things are left out."),
        ],
        None,
    ),
}


def read_things(values: dict[str, Any]) -> Things:
    """Read the flags.

    Raises:
        UsageError: one without --instances.
    """
    given = [name for name in ("things", "neck", "least") if values[name] is not None]
    if given and not values["instances"]:
        raise UsageError(f"--{given[0]} belongs to --instances")
    options: dict[str, Any] = {}
    if values["things"]:
        options["of"] = list(values["things"])
    if values["neck"] is not None:
        options["neck"] = values["neck"] or None
    if values["least"] is not None:
        options["least"] = values["least"]
    return Things(values["instances"], options)
