"""`intarsia annotations`: look at, check, convert and draw the files of annotation tools."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from intarsia.cli.output import Json, emit, table
from intarsia.cli.target import Overwrite, require_new
from intarsia.errors import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from intarsia.annotations import AnnotationSet, Lost

app = typer.Typer(help="Look at, check, convert and draw the files of annotation tools.", no_args_is_help=True)
PARTLY = 1

Export = Annotated[Path, typer.Argument(metavar="EXPORT", help="What a tool exported: a file, a folder or a zip.")]
From = Annotated[str, typer.Option("--from", metavar="TOOL", help="The tool; default: found by the content.")]
Images = Annotated[Path | None, typer.Option(help="Folder with the images; default: where the export lies.")]
Reading = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="An option of the tool's reader; repeatable."),
]
Classes = Annotated[
    str | None, typer.Option(help="Class names in order, with commas between, or a file with one name a line.")
]


@app.command("tools")
def list_tools(json: Json = False) -> None:
    """List the tools whose files are read and written."""
    from intarsia.annotations.tools import tools

    known = tools().values()
    if json:
        emit([{"name": t.name, "about": t.about, "read": bool(t.read), "written": bool(t.write)} for t in known])
        return
    rows = [(t.name, t.about, "yes" if t.read else "-", "yes" if t.write else "-", t.drawing.rule) for t in known]
    table(("Tool", "Files", "Read", "Written", "Drawn"), rows)
    typer.echo("Next:  intarsia annotations show EXPORT")


@app.command()
def show(
    path: Export,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Folder for pictures with the shapes drawn.")] = None,
    count: Annotated[int, typer.Option(min=1, help="How many pictures, the first ones.")] = 6,
    tool: From = "auto",
    images: Images = None,
    set_: Reading = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Count what an export holds, and draw its shapes over the photos."""
    from intarsia.annotations.summary import summarise

    export = _open(path, tool, images, set_)
    found = summarise(export)
    lost = export.lost
    pictures = _pictures(export, found.labels, out, count, overwrite) if out is not None else []
    if json:
        emit(found.to_json() | {"tool": export.tool, "lost": lost.to_json(), "pictures": pictures})
        return
    parts = [counted(found.images, "image")] + ([counted(found.videos, "video")] if found.videos else [])
    parts += [f"{found.missing} of them missing"] if found.missing else []
    parts += [f"{found.empty} without a shape"] if found.empty else []
    parts += [f"{count} {subset}" for subset, count in found.subsets.items()]
    typer.echo(f"{path}: {export.tool}, {', '.join(parts)}")
    table(
        ("Label", "Shapes", "In images", "Kinds"),
        [
            (label, str(shapes), str(held), ", ".join(f"{n} {kind}" for kind, n in found.geometries[label].items()))
            for label, (shapes, held) in sorted(found.labels.items())
        ],
    )
    _tell(lost)
    for picture in pictures:
        typer.echo(picture)
    typer.echo(f"Next:  intarsia annotations check {path}")


@app.command()
def check(
    path: Export,
    classes: Classes = None,
    tool: From = "auto",
    images: Images = None,
    set_: Reading = None,
    json: Json = False,
) -> None:
    """List what would spoil a training: missing images, wrong sizes, shapes outside or crossing themselves, names."""
    from intarsia.annotations.checking import MISSING
    from intarsia.annotations.checking import check as examine
    from intarsia.annotations.finding import UNCERTAIN

    export = _open(path, tool, images, set_, where_known={"missing_masks": "skip"})  # all of them, not the first
    problems = list(examine(export, _names(classes) or ()))
    unread, uncertain = export.lost.count("dropped"), export.lost.count("changed", UNCERTAIN)
    if json:
        found = [{"image": name, "problem": problem} for name, problem in problems]
        emit({"tool": export.tool, "problems": found, "lost": export.lost.to_json()})
    else:
        for name, problem in problems:
            typer.echo(f"{name}: {problem}")
        _tell(export.lost)
        parts = [f"Problems found: {len(problems)}."] if problems else []
        parts += (
            [f"Left out, as it cannot be read: {counted(unread, 'entry', 'entries')} (see above)."] if unread else []
        )
        if uncertain:
            parts.append(
                f"Uncertain: {counted(uncertain, 'name')} of several photos (--images FOLDER: those that are meant)."
            )
        typer.echo(" ".join(parts) or "No problems found.")
        if any(problem == MISSING for _, problem in problems) and images is None:
            typer.echo("Images that lie elsewhere are found with --images FOLDER.")
        if not parts:
            typer.echo(f"Next:  intarsia train {path}")
    if problems or unread or uncertain:
        raise typer.Exit(3)


@app.command()
def convert(
    path: Export,
    out: Annotated[Path, typer.Option("-o", "--out", help="File to write, or folder for tools with a file an image.")],
    to: Annotated[str, typer.Option("--to", metavar="TOOL", help="Tool to write for: `intarsia annotations tools`.")],
    tool: From = "auto",
    images: Images = None,
    copy_images: Annotated[bool, typer.Option("--copy-images", help="Copy the images beside the result.")] = False,
    set_: Reading = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Write an export for another tool, and tell what that tool cannot express."""
    from intarsia.annotations import write_annotations
    from intarsia.annotations.photos import with_photos
    from intarsia.annotations.tools import tool_named

    require_new(out, overwrite=overwrite)
    export = _open(path, tool, images, set_)
    folder = (out if out.suffix == "" else out.parent) / tool_named(to).photos
    photos = with_photos(export, folder) if copy_images else export
    lost = write_annotations(photos, out, tool=to)
    _finish(lost, out, f"{export.tool} to {to}", f"intarsia annotations show {out}", json)


@app.command()
def rasterize(
    path: Export,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for masks/, images/ and classes.json.")],
    rule: Annotated[
        str | None, typer.Option(help="Edge rule: inclusive, coco or center; default: the tool's own.")
    ] = None,
    order: Annotated[
        str | None, typer.Option(help="What lies on top: list, z or area; default: the tool's own.")
    ] = None,
    line_width: Annotated[int | None, typer.Option(min=0, help="Pixels, of lines; 0 leaves them out.")] = None,
    point_radius: Annotated[int | None, typer.Option(min=0, help="Pixels, of points; 0 leaves them out.")] = None,
    classes: Classes = None,
    unlabelled: Annotated[str, typer.Option(help="Pixels without a shape: auto, background or ignore.")] = "auto",
    others: Annotated[
        str, typer.Option(help="Shapes of classes that --classes leaves out: error, background or ignore.")
    ] = "error",
    instances: Annotated[bool, typer.Option("--instances", help="Also number the things (16-bit PNG).")] = False,
    no_images: Annotated[bool, typer.Option("--no-images", help="Do not copy the images.")] = False,
    tool: From = "auto",
    images: Images = None,
    set_: Reading = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Draw an export as palette masks, in a folder that `intarsia train` reads."""
    from dataclasses import replace

    from intarsia.annotations.formats.masks import drawing_of, space_of, write
    from intarsia.annotations.photos import with_photos
    from intarsia.errors import UsageError, suggest
    from intarsia.labels import LabelSpace

    for option, value, first in (("unlabelled", unlabelled, "auto"), ("others", others, "error")):
        if value not in (known := (first, "background", "ignore")):
            raise UsageError(f"--{option} {value}:{suggest(value, known)}")
    require_new(out, overwrite=overwrite)
    export = _open(path, tool, images, set_)
    asked = {"rule": rule, "order": order, "line_width": line_width, "point_radius": point_radius}
    drawing = replace(drawing_of(export), **{key: value for key, value in asked.items() if value is not None})  # type: ignore[arg-type]
    names = _names(classes)
    space = LabelSpace(names) if names else space_of(export, export.categories)
    photos = export if no_images else with_photos(export, out / "images")
    lost = write(
        photos,
        out,
        drawing=drawing,
        space=space,
        unlabelled=unlabelled,  # type: ignore[arg-type]
        others=others,  # type: ignore[arg-type]
        instances=instances,
    )
    lost.merge(photos.lost)
    how = f"{export.tool} drawn by rule {drawing.rule}, order {drawing.order}"
    _finish(lost, out, how, f"intarsia train {out}", json)


def _open(
    path: Path,
    tool: str,
    images: Path | None,
    assignments: list[str] | None,
    where_known: Mapping[str, Any] | None = None,
) -> AnnotationSet:
    from intarsia.annotations import open_annotations
    from intarsia.recipe import read_assignments

    options = read_assignments(assignments or ()) | ({"images": images} if images else {})
    return open_annotations(path, tool=tool, where_known=where_known, **options)


def _names(classes: str | None) -> tuple[str, ...] | None:
    from intarsia.classlists import classes_said

    return None if classes is None else classes_said(classes).names


def _tell(lost: Lost) -> None:
    for line in lost.lines():
        typer.echo(f"  {line}")


def _finish(lost: Lost, target: Path, how: str, following: str, json: bool) -> None:
    """Print what was lost; files and images that could not be used make the job partial."""
    if json:
        emit({"out": str(target), "lost": lost.to_json()})
    else:
        typer.echo(f"{target}: {how}" + ("; lost on the way:" if lost else "; nothing was lost."))
        _tell(lost)
        typer.echo(f"Next:  {following}")
    if unusable := lost.count("dropped", "cannot be used"):
        typer.echo(f"Partly done: {unusable} could not be used (see above).", err=True)
        raise typer.Exit(PARTLY)


def _pictures(export: AnnotationSet, labels: Iterable[str], out: Path, count: int, overwrite: bool) -> list[str]:
    from intarsia.annotations import Category
    from intarsia.annotations.finding import safe_parts
    from intarsia.annotations.formats.masks import drawing_of, space_of
    from intarsia.annotations.picture import overlay
    from intarsia.media.images import read_image, write_image

    require_new(out, overwrite=overwrite)
    declared = {category.name: category for category in export.categories}
    space = space_of((), [*declared.values(), *(Category(name) for name in sorted(labels) if name not in declared)])
    written: list[str] = []
    for document in export.images():
        source = document.image or document.embedded
        if source is None:
            continue
        photo = out.joinpath(*safe_parts(document.name))
        target = photo.with_suffix(".jpg")
        if str(target) in written:  # a.png beside a.jpg, or an image that is annotated twice
            target = photo.with_name(f"{photo.name}-{len(written) + 1}.jpg")
        write_image(target, overlay(document, read_image(source), space, drawing_of(export)))
        written.append(str(target))
        if len(written) == count:
            break
    return written
