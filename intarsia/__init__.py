"""Intarsia: every pixel of a picture gets its class.

The public face. Importing it costs little: torch, numpy and the rooms themselves are loaded by the first call.

    import intarsia

    model = intarsia.load("street")
    seg = model.segment("photo.jpg")
    seg.save("mask.png")
    run = intarsia.train("my-data/")
    intarsia.evaluate(run.best, "my-data/")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    from intarsia.inference import Evaluation, Predictor
    from intarsia.inference.clouds import CloudPredictor, CloudSegmentation
    from intarsia.labels import LabelSpace
    from intarsia.media.images import ImageLike
    from intarsia.recipe import Recipe
    from intarsia.result import Segmentation
    from intarsia.training import Run

__version__ = "0.1.0"
__all__ = ["LabelSpace", "Segmentation", "__version__", "evaluate", "load", "segment", "train"]

DEFAULT_MODEL = "street"
"""The bundled model that is used where none is named."""
DEFAULT_CLOUD_MODEL = "airborne-lidar"
"""The bundled model that is used for point clouds where none is named."""


def load(
    model: str | os.PathLike[str] = DEFAULT_MODEL,
    *,
    options: Mapping[str, Any] | None = None,
    long_side: int | None = None,
    tile: int = 512,
    tta: bool = False,
    scores: bool = False,
    refine: str | Mapping[str, Any] | None = None,
    device: str = "auto",
) -> Predictor | CloudPredictor:
    """Load a model for prediction: of pictures, or of point clouds, as the bundle says.

    Args:
        model: a bundled name (`intarsia models list`), a bundle file, or a run folder.
        options: architecture options to change without another training, for instance ``{"output_stride": 8}`` of a
            DeepLab that was trained at 16.
        long_side: working size in pixels of the longer side instead of the model's own; 0 keeps each picture's size.
        tile: side in pixels of the tiles that large pictures are cut into.
        tta: average over the mirrored picture, or the turned cloud: slower, often better.
        scores: also return the winning class's probability per pixel; of a point it is always returned.
        refine: what is done to the probabilities before the labels are decided: "crf", "guided", "bilateral" or
            "regions", or a mapping with "method" and "options" (see `intarsia.refine.Refinement`); "none" for nothing,
            None for what the model's own recipe says.
        device: where the network computes: "cpu", "cuda", ...; "auto" takes a GPU if there is one.

    Raises:
        UsageError: there is no such model (the message suggests the closest name), an option is out of range, or it is
            about pictures and the model is not.
        ModelError: the file is missing, damaged or no bundle, or its weights do not fit the changed options.
    """
    from intarsia.bundle import Bundle, CloudPreprocessing
    from intarsia.errors import UsageError
    from intarsia.inference import Predictor, find_bundle

    bundle = Bundle.load(find_bundle(model)).with_options(options or {})
    if isinstance(bundle.preprocessing, CloudPreprocessing):
        from intarsia.inference.clouds import CloudPredictor

        if long_side is not None or (refine is not None and refine != "none"):
            raise UsageError(f"long_side and refine are about pictures, and {model} labels point clouds")
        return CloudPredictor(bundle, tta=tta, device=device)
    return Predictor(bundle, long_side=long_side, tile=tile, tta=tta, scores=scores, refine=refine, device=device)


@overload
def segment(source: bytes | Image | NDArray[np.uint8], model: str | os.PathLike[str] | None = ...) -> Segmentation: ...
@overload
def segment(
    source: str | os.PathLike[str] | Iterable[ImageLike], model: str | os.PathLike[str] | None = ...
) -> Segmentation | Iterator[Segmentation] | CloudSegmentation: ...
def segment(
    source: ImageLike | Iterable[ImageLike], model: str | os.PathLike[str] | None = None
) -> Segmentation | Iterator[Segmentation] | CloudSegmentation:
    """Segment one picture or cloud, or many pictures lazily. To do it again and again, `load` a model once.

    Args:
        source: a path, encoded bytes, a PIL image or an array for one picture; a folder, a glob pattern or an iterable
            of sources for many; the path of a point cloud.
        model: as for `load`; None takes the bundled one for pictures or for point clouds.

    Raises:
        DataError: the picture cannot be read, or the folder or pattern holds no picture.
        UsageError: there is no such model.
        ModelError: the model is damaged.
    """
    import os

    from intarsia.media.clouds import is_cloud

    points = isinstance(source, str | os.PathLike) and is_cloud(source)
    found: Any = load(model or (DEFAULT_CLOUD_MODEL if points else DEFAULT_MODEL))
    result: Segmentation | Iterator[Segmentation] | CloudSegmentation = found.segment(source)
    return result


def train(
    source: str | os.PathLike[str],
    folder: str | os.PathLike[str] | None = None,
    *,
    recipe: str | os.PathLike[str] | Recipe | None = None,
    changes: Sequence[str] = (),
    resume: bool = False,
    progress: bool = True,
) -> Run:
    """Train a model and write its report.

    Args:
        source: a recipe file, or simply a folder of labelled pictures.
        folder: run folder; None takes ``runs/NAME``.
        recipe: the recipe (file) for a folder; None chooses one that suits the data.
        changes: recipe keys to change, each as ``key=value`` (``"training.epochs=5"``).
        resume: continue an interrupted run exactly.
        progress: show it on standard error.

    Returns:
        The run: its folder (with ``report.html``), the best bundle and its scores.

    Raises:
        UsageError: the recipe is wrong, or the folder already holds a run.
        DataError: the data cannot be used, or the disk is full.
        ModelError: the model cannot be built or trained.
    """
    from pathlib import Path

    from rich.console import Console

    from intarsia.recipe import Recipe
    from intarsia.reports import write_report
    from intarsia.training import is_main_process, train
    from intarsia.training.plan import plan

    given = recipe if recipe is None or isinstance(recipe, Recipe) else Path(recipe)
    place = None if folder is None else Path(folder)
    planned = plan(Path(source), place, recipe=given, changes=changes, resume=resume)
    console = Console(stderr=True) if progress and is_main_process() else None
    if console is not None:
        for line in planned.summary():
            console.print(line, highlight=False, markup=False, soft_wrap=True)
    run = train(planned.recipe, planned.dataset, planned.folder, resume=resume, console=console)
    if is_main_process():
        write_report(run.folder, planned.recipe, planned.dataset)
    return run


def evaluate(
    model: str | os.PathLike[str] | Predictor | CloudPredictor,
    data: str | os.PathLike[str],
    *,
    split: str | None = None,
    layout: str = "auto",
    classes: Sequence[str] | None = None,
    resize_masks: bool = False,
    boundary: bool = False,
    spacing: Sequence[float] | None = None,
    curves: bool = False,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Measure a model on labelled pictures or point clouds.

    Args:
        model: a loaded model, or what `load` takes.
        data: folder of labelled pictures, or point clouds.
        split: the split to measure on; None takes the folder's own "val", else its "test", else all of an undivided
            folder. "val" of an undivided folder is the part that a training on it holds out.
        layout: the folder's layout; `intarsia data list` names them.
        classes: class names in the order of the mask values, if the folder does not tell them.
        resize_masks: stretch masks of another size, but the same shape, to their picture.
        boundary: also measure boundary IoU, boundary F1 and the scores near boundaries.
        spacing: distance between neighbouring rows and columns (mm per pixel, say): also measure surface distances.
        curves: also measure average precision, the best thresholds and calibration.
        out: folder for the report: ``evaluation.html``, ``scores.json``, tables as CSV, the confusion matrix as a
            picture.
        overwrite: replace an earlier report.
        progress: called after each picture with the number done and the number of all.

    Raises:
        UsageError: no such model, split or layout; `spacing` is not positive; or `out` holds a report already.
        DataError: the data cannot be used, or share no class name with the model.
        ModelError: the model is damaged.
    """
    from pathlib import Path

    from intarsia import inference
    from intarsia.datasets import open_dataset
    from intarsia.inference.clouds import CloudPredictor, evaluate_clouds
    from intarsia.reports import require_free, worst_pictures, write_evaluation

    if out is not None:
        require_free(Path(out), overwrite=overwrite)
    predictor = model if isinstance(model, inference.Predictor | CloudPredictor) else load(model)
    measures = inference.Measures(boundary=boundary, spacing=spacing, curves=curves)
    if isinstance(predictor, CloudPredictor):
        from intarsia.datasets.clouds import open_clouds
        from intarsia.reports.clouds import worst_clouds

        recipe = predictor.bundle.recipe or {}
        fields = recipe.get("cloud", {})
        clouds = open_clouds(
            data, layout=layout, classes=classes or recipe.get("data", {}).get("classes"),
            val_fraction=0.0 if split is None else 0.2, columns=fields.get("columns"), label=fields.get("label"),
        )  # fmt: skip
        name = split or next((name for name in ("val", "test", "all") if name in clouds.splits), "val")
        measured = evaluate_clouds(predictor, clouds.split(name), measures=measures, progress=progress)
        if out is not None:
            write_evaluation(Path(out), measured, worst_clouds(predictor, clouds.split(name), measured))
        return measured
    if split is None:
        dataset = open_dataset(data, layout=layout, classes=classes, resize_masks=resize_masks, val_fraction=0)
        split = next((name for name in ("val", "test", "all") if name in dataset.splits), "val")
    else:
        dataset = open_dataset(data, layout=layout, classes=classes, resize_masks=resize_masks)
    chosen = dataset.split(split)
    found = inference.evaluate(predictor, chosen, measures=measures, progress=progress)
    if out is not None:
        write_evaluation(Path(out), found, worst_pictures(predictor, chosen, found))
    return found


def __getattr__(name: str) -> object:
    if name == "LabelSpace":
        from intarsia.labels import LabelSpace

        return LabelSpace
    if name == "Segmentation":
        from intarsia.result import Segmentation

        return Segmentation
    from intarsia.errors import suggest

    raise AttributeError(f"module 'intarsia' has no attribute {name!r}.{suggest(name, __all__)}")
