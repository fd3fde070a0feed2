"""The exports of annotation tools that `intarsia segment` writes beside its results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from intarsia.errors import UsageError, counted

if TYPE_CHECKING:
    from intarsia.jobs import JobResult, Plan
    from intarsia.jobs.preannotation import PreAnnotation


@dataclass(frozen=True)
class Exports:
    """The annotation tools to write for, and how outlines are made (None: as `write_preannotations` decides)."""

    tools: tuple[str, ...]
    tolerance: float | None
    least_area: float | None

    def of_maps(self, write: Sequence[str]) -> dict[str, Any]:
        """The job's options of polygons, where they are written."""
        from intarsia.jobs.outputs import OUTLINED

        if not OUTLINED & set(write):
            return {}
        return {"outline_tolerance": self.tolerance or 0.0, "outline_least_area": self.least_area or 0.0}

    def check(self, folder: Path, *, overwrite: bool) -> None:
        """Refuse before the work what could not be written after it."""
        if self.tools:
            from intarsia.jobs.preannotation import preannotation_path

            for tool in self.tools:
                preannotation_path(folder, tool, overwrite=overwrite)

    def write(
        self, plan: Plan, result: JobResult, predictor: Any, *, of: Sequence[str] | None, overwrite: bool
    ) -> dict[str, PreAnnotation]:
        """Write what a job found, by tool; nothing of one that was stopped or found nothing."""
        if not self.tools or result.stopped or not (result.skipped or result.done):
            return {}
        from intarsia.jobs.preannotation import write_preannotations

        return {
            tool: write_preannotations(
                plan, predictor.space, tool,
                tolerance=self.tolerance, min_area=self.least_area, of=of, overwrite=overwrite,
            )
            for tool in self.tools
        }  # fmt: skip


def told_exports(written: Mapping[str, PreAnnotation]) -> dict[str, Any]:
    """Exports that were written, for machines."""
    return {
        tool: {"path": str(one.path), "lost": one.lost.to_json(), "pixels_changed": one.changed}
        for tool, one in written.items()
    }


def show_exports(written: Mapping[str, PreAnnotation]) -> None:
    """Print where the exports lie, and what they cannot hold."""
    for tool, one in written.items():
        exactly = " (--outline-tolerance 0 --outline-least-area 0: none)" if one.changed else ""
        typer.echo(f"{one.path}: shapes of {counted(one.images, 'picture')} for {tool}; {one.form}{exactly}")
        for line in one.lost.lines():
            typer.echo(f"  {line}")


def listed(said: list[str] | None) -> list[str]:
    """Words of a repeatable option, which may stand in one, too, with commas between them."""
    return list(dict.fromkeys(word.strip() for one in said or () for word in one.split(",") if word.strip()))


def read_exports(
    annotations: list[str] | None, tolerance: float | None, least_area: float | None, *, polygons: bool
) -> Exports:
    """Read which exports the user wants.

    Raises:
        UsageError: there is nothing that is told how outlines are made.
    """
    tools = tuple(listed(annotations))
    if not tools and not polygons and (tolerance is not None or least_area is not None):
        raise UsageError(
            "--outline-tolerance and --outline-least-area are for --annotations and --write polygons or geopackage"
        )
    return Exports(tools, tolerance, least_area)
