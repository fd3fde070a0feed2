"""`intarsia models`: bundled models and architectures."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from intarsia.cli.output import Json, emit, table
from intarsia.errors import counted
from intarsia.zoo import bundled_models, find_bundle

if TYPE_CHECKING:
    from intarsia.models.registry import Architecture, Medium

app = typer.Typer(help="Bundled models and the architectures that recipes can name.", no_args_is_help=True)
_MEDIA: dict[Medium, str] = {"image": "Architecture", "video": "For video", "cloud": "For point clouds"}


@app.command("list")
def list_models(json: Json = False) -> None:
    """List bundled models (for `segment -m`) and architectures (for recipes), medium by medium."""
    models = [_bundled(path) for path in bundled_models().values()]
    known = _architectures_by_medium()
    if json:
        emit({"models": models, "architectures": [_architecture(name) for every in known.values() for name in every]})
        return
    table(
        ("Bundled model", "Classes", "Size", "Values", "GFLOP/MP", "Here"),
        [
            (
                m["name"], ", ".join(m["classes"]), f"{m['megabytes']} MB",
                f"{m['parameters'] / 1e6:.2g} M", _or_dash(m["gflop_per_megapixel"], "{:.1f}"), _here(m["measured"]),
            )
            for m in models
        ],
    )  # fmt: skip
    for medium, every in known.items():
        table((_MEDIA[medium], "What it is"), [(name, found.summary) for name, found in every.items()])
    if not known:
        typer.echo("Architectures to train come with: pip install 'intarsia[train]'")
    typer.echo("Next:  intarsia models info NAME")


@app.command()
def info(
    name: Annotated[str, typer.Argument(help="Bundled model, bundle file, run folder or architecture.")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change one option; repeatable.")
    ] = None,
    classes: Annotated[int, typer.Option(min=1, help="Classes of the counted network.")] = 21,
    size: Annotated[int, typer.Option(min=1, help="Side in pixels of the counted image.")] = 512,
    json: Json = False,
) -> None:
    """Show a model's card; or an architecture's options, and what it costs with them."""
    from intarsia.errors import UsageError, require, suggest

    architectures = [one for every in _architectures_by_medium().values() for one in every]
    if name in architectures:
        found = _architecture(name) | _cost(name, set_ or (), classes, size)
        if json:
            emit(found)
            return
        typer.echo(f"{name}: {found['summary']}\n{found['paper']}")
        table(("Option", "Value"), [(option, str(value)) for option, value in found["options"].items()])
        work = "" if found["gmacs"] is None else f", {found['gmacs']:.2f} GMAC for an image of {size}x{size} pixels"
        typer.echo(f"{found['parameters']:,} parameters with {counted(classes, 'class', 'classes')}{work}")
        return
    if set_ and not architectures:
        require("torch", "train")
    if set_:
        raise UsageError(f"--set changes the options of an architecture, and {name!r} is not one")
    from intarsia.bundle import Description
    from intarsia.reports.card import model_card

    try:
        path = find_bundle(name)
    except UsageError as error:
        raise UsageError(f"{error} Of the architectures:{suggest(name, architectures)}") from None
    bundle = Description.load(path)
    if json:
        emit(
            {
                "architecture": bundle.architecture,
                "options": bundle.options,
                "label_space": bundle.space.to_json(),
                "preprocessing": bundle.preprocessing.model_dump(mode="json"),
                "parameters": bundle.parameters(),
                "recipe": bundle.recipe,
                "metrics": bundle.metrics,
                "card": bundle.card,
            }
        )
    else:
        typer.echo(model_card(bundle))


def _bundled(path: Path) -> dict[str, Any]:
    """What is listed of a bundled model; what was measured of it on this machine, the fastest first."""
    from intarsia.bundle import Description
    from intarsia.runtimes.choice import recall
    from intarsia.runtimes.exported import gflop_per_megapixel

    model = Description.load(path)
    work = gflop_per_megapixel(model)
    return {
        "name": path.stem,
        "classes": list(model.space.names),
        "architecture": model.architecture,
        "megabytes": round(path.stat().st_size / 1e6, 1),
        "parameters": model.parameters(),
        "gflop_per_megapixel": None if work is None else round(work, 1),
        "measured": [asdict(one) for one in recall(model)],
        "license": model.card.get("license"),
    }


def _or_dash(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)


def _here(measured: Sequence[Mapping[str, Any]]) -> str:
    """The fastest of what `intarsia benchmark` measured."""
    if not measured:
        return "not measured"
    return "{milliseconds:.0f} ms, {runtime} {precision}".format(**measured[0])


def _architectures_by_medium() -> Mapping[Medium, Mapping[str, Architecture]]:
    """Every architecture by its medium; none without PyTorch, in which they are written."""
    if importlib.util.find_spec("torch") is None:
        return {}
    from intarsia.models import architectures_by_medium

    return architectures_by_medium()


def _architecture(name: str) -> dict[str, Any]:
    from intarsia.models import architecture

    found = architecture(name)
    return {
        "name": name, "medium": found.medium, "summary": found.summary, "paper": found.paper, "options": found.options,
    }  # fmt: skip


def _cost(name: str, assignments: Sequence[str], classes: int, size: int) -> dict[str, Any]:
    """Count what an architecture costs with changed options, and all of its options then."""
    from intarsia.models import architecture, build
    from intarsia.models.cost import gmacs, is_counted, parameters
    from intarsia.models.shapes import shapes_only
    from intarsia.recipe import read_assignments

    changes, known = read_assignments(assignments), architecture(name)
    with shapes_only():
        model = build(name, classes=classes, **changes)
    return {
        "options": known.options | changes,
        "classes": classes,
        "size": size,
        "parameters": parameters(model),
        "gmacs": gmacs(model, (size, size)) if is_counted(known) else None,
    }
