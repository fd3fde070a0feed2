"""`intarsia benchmark`: how long a model takes here, stage by stage, on every runtime."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from intarsia import DEFAULT_MODEL
from intarsia.cli.output import Json, emit, progress_bar, table

if TYPE_CHECKING:
    from intarsia.benchmarking import Benchmark
    from intarsia.media.images import ImageLike

_SIZE = (480, 640)


def benchmark(
    source: Annotated[
        str | None, typer.Argument(metavar="[SOURCE]", help="Picture, folder or pattern; default: one of 640x480.")
    ] = None,
    model: Annotated[
        str, typer.Option("-m", "--model", help="Bundled model, model file or run folder.")
    ] = DEFAULT_MODEL,
    runtime: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Runtime to measure, repeatable; all: every one here.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds that count; the runtimes take turns.")] = 10,
    json: Json = False,
) -> None:
    """Measure decode, prepare, network, decide and encode on every runtime, beside the floor of this machine.

    The fastest runtime with the same labels is what `--runtime auto` takes from then on, on this machine.
    """
    from intarsia.benchmarking import benchmark as measure
    from intarsia.bundle import Description
    from intarsia.zoo import find_bundle

    description = Description.load(find_bundle(model))
    pictures = _pictures(source)
    with progress_bar("measuring") as progress:
        found = measure(
            description, pictures, runtimes=None if not runtime or "all" in runtime else runtime, rounds=rounds,
            progress=progress,
        )  # fmt: skip
    if json:
        emit(found.to_json())
    else:
        _show(found)


def _pictures(source: str | None) -> list[ImageLike]:
    from intarsia.media.medium import STILLS, expand

    return [_drawn()] if source is None else [item.source for item in expand(source, media=STILLS).items]


def _drawn() -> bytes:
    """A photograph's likeness as a JPEG: soft shapes and some noise, so that decoding is like that of a photo."""
    import cv2
    import numpy as np

    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (12, 16, 3), dtype=np.uint8)
    picture = cv2.resize(coarse, _SIZE[::-1], interpolation=cv2.INTER_CUBIC)
    noisy = np.clip(picture + random.normal(0, 6, picture.shape), 0, 255).astype(np.uint8)
    return bytes(cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, 92])[1])


def _show(found: Benchmark) -> None:
    from intarsia.benchmarking.stages import STAGES

    floor = found.floor
    typer.echo(
        f"{Path(found.model).stem} on {found.processor}, {found.threads} threads; milliseconds, medians. "
        f"Peak {found.peak_gflops:.0f} GFLOP/s (float32)"
        + ("" if floor is None else f"; {found.gflop:.1f} GFLOP a picture: floor {floor:.1f} ms")
    )
    table(
        ("Runtime", "Precision", *(stage.capitalize() for stage in STAGES), "Whole", "Floors", "Same labels %"),
        [
            (
                one.runtime, one.precision, *(f"{one.stages[stage]:.1f}" for stage in STAGES), f"{one.whole:.1f}",
                "" if floor is None else f"{one.stages['network'] / floor:.1f}", f"{100 * one.agreement:.2f}",
            )
            for one in found.timings
        ],
    )  # fmt: skip
    for name, why in found.refused.items():
        typer.echo(f"{name}: {why}")
