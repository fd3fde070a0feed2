"""The public words that learn, measure and export; `intarsia` hands them out when they are asked for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import intarsia

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from intarsia.datasets.public.protocol import EvaluationProtocol
    from intarsia.evaluation import Evaluation
    from intarsia.evaluation.measures import Measure
    from intarsia.exporting import Export
    from intarsia.inference import Predictor
    from intarsia.inference.clouds import CloudPredictor
    from intarsia.recipe import ReadOptions, Recipe
    from intarsia.training import Run


def train(
    source: str | os.PathLike[str],
    folder: str | os.PathLike[str] | None = None,
    *,
    recipe: str | os.PathLike[str] | Recipe | None = None,
    changes: Sequence[str] = (),
    resume: bool = False,
    progress: bool = True,
    stop: Callable[[], bool] | None = None,
) -> Run:
    """Train a model and write its report.

    Args:
        source: a recipe file, or simply a folder of labelled pictures.
        folder: run folder; None takes ``runs/NAME``.
        recipe: the recipe for a folder: a bundled name (`intarsia recipes list`), a file, or the recipe itself; None
            chooses one that suits the data.
        changes: recipe keys to change, each as ``key=value`` (``"training.epochs=5"``).
        resume: continue an interrupted run exactly.
        progress: show it on standard error.
        stop: asked after each step; true ends the training there as Ctrl-C does, with a checkpoint to resume from.

    Returns:
        The run: its folder (with ``report.html``), the best bundle and its scores.

    Raises:
        UsageError: the recipe is wrong, or the folder already holds a run.
        DataError: the data cannot be used, or the disk is full.
        ModelError: the model cannot be built or trained.
        KeyboardInterrupt: stopped by the user or by `stop`.
    """
    import time

    from rich.console import Console

    from intarsia.recipe import Recipe
    from intarsia.reports import write_report
    from intarsia.stopping import never
    from intarsia.training import is_main_process
    from intarsia.training import train as fit
    from intarsia.training.plan.planning import plan
    from intarsia.zoo import find_recipe

    started = time.monotonic()
    given = recipe if recipe is None or isinstance(recipe, Recipe) else Recipe.load(find_recipe(recipe))
    place = None if folder is None else Path(folder)
    planned = plan(Path(source), place, recipe=given, changes=changes, resume=resume)
    console = Console(stderr=True) if progress and is_main_process() else None
    if console is not None:
        for line in planned.summary():
            console.print(line, highlight=False, markup=False, soft_wrap=True)
    run = fit(
        planned.recipe, planned.dataset, planned.folder,
        resume=resume, console=console, stop=stop or never, started=started,
    )  # fmt: skip
    if is_main_process():
        write_report(run.folder, planned.recipe, planned.dataset, intarsia.load(run.best))
    return run


def evaluate(
    model: str | os.PathLike[str] | Predictor | CloudPredictor,
    data: str | os.PathLike[str],
    *,
    options: ReadOptions | None = None,
    split: str | None = None,
    protocol: str | EvaluationProtocol | None = None,
    measures: Iterable[Measure] = (),
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Measure a model on labelled pictures or point clouds.

    Args:
        model: a loaded model, or what `load` takes.
        data: labelled pictures: a folder, a manifest, a table, or an annotation tool's file; of point clouds a folder.
        options: how the data are read, see `intarsia.recipe.ReadOptions`; its `remap` gives the data's classes the
            model's names.
        split: the split to measure on; None takes the folder's own "val", else its "test", else all of an undivided
            folder. "val" of an undivided folder is the part that a training on it holds out.
        protocol: the official evaluation of a public data set (`intarsia data info NAME` names it): its scores are
            told besides, and the data's classes count instead of the model's.
        measures: what else to measure, for instance ``intarsia.evaluation.Measures(boundary=True, curves=True)``.
        out: folder for the report: ``evaluation.html``, ``scores.json``, tables as CSV, the confusion matrix as a
            picture.
        overwrite: replace an earlier report.
        progress: called after each picture with the number done and the number of all.

    Raises:
        UsageError: no such model, split, layout or protocol; `options.remap` does not fit the classes; the data cannot
            be measured so; or `out` holds a report already.
        DataError: the data cannot be used, or share no class name with the model.
        ModelError: the model is damaged.
    """
    from intarsia.evaluation.measuring import measure
    from intarsia.recipe import ReadOptions
    from intarsia.reports import require_free, worst_samples, write_evaluation

    folder = None if out is None else Path(out)
    if folder is not None:
        require_free(folder, overwrite=overwrite)
    predictor = intarsia.load(model) if isinstance(model, str | os.PathLike) else model
    found, measured = measure(
        predictor,
        data,
        options=options or ReadOptions(),
        split=split,
        protocol=protocol,
        measures=measures,
        progress=progress,
    )
    if folder is not None:
        write_evaluation(folder, found, worst_samples(predictor, measured, found, report=folder))
    return found


def export(
    model: str | os.PathLike[str],
    file: str | os.PathLike[str],
    *,
    precision: str = "fp32",
    calibrate: str | os.PathLike[str] | None = None,
    verify: str | os.PathLike[str] | None = None,
    options: ReadOptions | None = None,
    max_drop: float = 0.3,
    overwrite: bool = False,
    stage: Callable[[str], None] | None = None,
) -> Export:
    """Write a model's network for another runtime, once it has been compared with the original.

    Args:
        model: a bundled name, a bundle file, or a run folder.
        file: a name that ends in .onnx (for ONNX Runtime and OpenVINO) or .xml (for OpenVINO; its numbers go beside it
            in a file that ends in .bin).
        precision: "fp32"; "fp16" to store weights in half the bytes; of .xml "bf16" to compute in bfloat16 where the
            processor does; or "int8" to compute in integers all layers that bear it.
        calibrate: labelled data for int8: their train split sets the integers' ranges, their val split measures what
            they cost.
        verify: other labelled data to measure on. Without them, and without `calibrate`, only random inputs are
            compared.
        options: how the data are read, see `intarsia.recipe.ReadOptions`.
        max_drop: mIoU in points that the file may lose on the labelled data. int8 gives layers back to floats until it
            loses no more, or writes another precision; anything else is refused.
        overwrite: replace earlier files.
        stage: told what is done now.

    Raises:
        UsageError: there is no such model, what is asked for cannot be combined, or the file is there already.
        ModelError: the network cannot be exported, or the exported one is not the same or not right enough; nothing is
            written then.
        DataError: the data cannot be used, or the file cannot be written.
    """
    from intarsia.exporting import export as write
    from intarsia.recipe import ReadOptions

    return write(
        model, file, precision=precision, calibrate=calibrate, verify=verify, options=options or ReadOptions(),
        max_drop=max_drop, overwrite=overwrite, stage=stage or (lambda what: None),
    )  # fmt: skip
