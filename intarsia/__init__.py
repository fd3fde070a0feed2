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

    from intarsia.datasets.public.protocol import EvaluationProtocol
    from intarsia.evaluation import Evaluation
    from intarsia.evaluation.measures import Measure
    from intarsia.exporting import Export
    from intarsia.inference import Predictor
    from intarsia.inference.clouds import CloudPredictor
    from intarsia.inference.pictures.ranking import Decision
    from intarsia.labels import LabelSpace
    from intarsia.media.images import ImageLike
    from intarsia.recipe import ReadOptions, Recipe
    from intarsia.result import CloudSegmentation, Segmentation
    from intarsia.runtimes.contract import Precision
    from intarsia.training import Run

__version__ = "0.2.0"
__all__ = ["LabelSpace", "Segmentation", "__version__", "cluster", "evaluate", "export", "load", "segment", "train"]

DEFAULT_MODEL = "street"
"""The bundled model that is used where none is named."""
DEFAULT_MODELS = {"cloud": "airborne-lidar"}
"""The bundled models that are used for other media where none is named."""

CLUSTERING = "kmeans"
"""The model of `segment` that needs no training: it is fitted to the pictures themselves."""


def load(
    model: str | os.PathLike[str] = DEFAULT_MODEL,
    *,
    options: Mapping[str, Any] | None = None,
    long_side: int | None = None,
    bands: Sequence[int] | None = None,
    window: tuple[float, float] | None = None,
    tile: int | None = None,
    tta: bool = False,
    confidence: bool = False,
    refine: str | Mapping[str, Any] | None = None,
    decide: Decision = "argmax",
    runtime: str = "auto",
    precision: Precision = "auto",
    device: str = "auto",
) -> Predictor | CloudPredictor:
    """Load a model for prediction: of pictures, or of point clouds, as the bundle says.

    Args:
        model: a bundled name (`intarsia models list`), a bundle file, an exported network, or a run folder.
        options: architecture options to change without another training, for instance ``{"output_stride": 8}`` of a
            DeepLab that was trained at 16.
        long_side: working size in pixels of the longer side instead of the model's own; 0 keeps each picture's size.
        bands: of rasters, the bands (from 1) that the network sees instead of the model's, as many.
        window: (low, high) stored values of rasters and volumes that become black and white, instead of the model's.
        tile: side in pixels of the tiles that large pictures are cut into; None: 512.
        tta: average over the mirrored picture, or the turned cloud: slower, often better.
        confidence: also return the winning class's probability per pixel; of a point it is always returned.
        refine: what is done to the probabilities before the labels are decided: "crf", "guided", "bilateral" or
            "regions", or a mapping with "method" and "options" (see `intarsia.refine.Refinement`); "none" for nothing,
            None for what the model's own recipe says.
        decide: how labels come from probabilities: "argmax", each pixel's likeliest class; or "rankseg", what maximises
            the expected Dice of every class of a picture or volume, which helps small ones.
        runtime: what computes the network: "torch"; "onnx" or "openvino" for a network exported to a file of its own or
            beside the bundle; or "auto", an exported network with the same labels if there is one, else torch.
        precision: arithmetic of the network: "fp32", "bf16", or "auto" for bfloat16 where the processor has it and it
            is faster.
        device: where the network computes: "cpu", "cuda", ...; "auto" takes a GPU if there is one.

    Raises:
        UsageError: there is no such model (the message suggests the closest name), an option is out of range, or it is
            about pictures and the model is not.
        ModelError: the file is missing, damaged or no bundle, or its weights do not fit the changed options.
    """
    from intarsia.bundle import Description
    from intarsia.errors import UsageError
    from intarsia.preprocessing import CloudPreprocessing
    from intarsia.zoo import find_bundle

    if is_clustering(model):
        raise UsageError(
            "kmeans has no weights: it is fitted to the pictures themselves. Segment pictures with it (segment -m "
            "kmeans; Python: intarsia.cluster), or name a run folder in which it was trained"
        )
    found = Description.load(find_bundle(model)).with_options(options or {})
    settings: dict[str, Any] = {
        "long_side": long_side, "bands": bands, "window": window, "tile": tile, "tta": tta, "confidence": confidence,
        "refine": refine, "decide": decide, "runtime": runtime, "precision": precision, "device": device,
    }  # fmt: skip
    if isinstance(found.preprocessing, CloudPreprocessing):
        from intarsia.inference.clouds import CloudPredictor

        return CloudPredictor.with_options(found, settings)
    from intarsia.inference import Predictor

    return Predictor.with_options(found, settings)


def cluster(
    sources: ImageLike | Iterable[ImageLike],
    clusters: int = 5,
    *,
    options: Mapping[str, Any] | None = None,
    long_side: int | None = None,
    tile: int | None = None,
    tta: bool = False,
    confidence: bool = False,
    refine: str | Mapping[str, Any] | None = None,
    decide: Decision = "argmax",
    seed: int = 0,
    progress: Callable[[str, int, int], None] | None = None,
) -> Predictor:
    """Make a model of the segments that pictures have by themselves, without any labels: k-means.

    Pixels of similar colour, texture and place get the same class, "segment 1" the largest. The pictures are clustered
    together, so that a segment means the same in all of them; then ``segment`` them, or others, with what is returned.

    Args:
        sources: a path, encoded bytes, a PIL image or an array for one picture; a folder, a glob pattern or an iterable
            of sources for many.
        clusters: number of segments, up to 255.
        options: others of the architecture ``kmeans``, for instance ``{"position": 0, "superpixels": 200}``.
        long_side: working size in pixels of the longer side; None or 0 for each picture's own size.
        tile: as for `load`.
        tta: as for `load`.
        confidence: as for `load`.
        refine: as for `load`.
        decide: as for `load`.
        seed: another seed can find other clusters.
        progress: told a stage, and how many of its parts are done.

    Raises:
        DataError: a picture cannot be read, a file is none, or all of them have fewer pixels than there shall be
            clusters.
        UsageError: an unknown option, or no picture.
        ModelError: an option out of range.
    """
    import os

    import numpy as np
    from PIL import Image

    from intarsia.inference import Predictor
    from intarsia.media.medium import STILLS, expand, medium_of
    from intarsia.preprocessing import Preprocessing
    from intarsia.training.fitting.clustering import cluster

    named = [sources] if isinstance(sources, str | os.PathLike | bytes | Image.Image | np.ndarray) else sources
    pictures: list[ImageLike] = []
    for source in named:
        if isinstance(source, str | os.PathLike):
            if os.path.isfile(source):
                Preprocessing().check_medium(medium_of(source).name, os.fspath(source))
            pictures += [item.source for item in expand(source, media=STILLS).items]
        else:
            pictures.append(source)
    silent = progress or (lambda what, done, total: None)
    bundle = cluster(pictures, clusters, options=options, long_side=long_side or None, seed=seed, progress=silent)
    return Predictor(bundle, tile=tile, tta=tta, confidence=confidence, refine=refine, decide=decide)


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
        model: as for `load`; None for what a look at one picture says (people, a page, else street), for many pictures
            "street", and for point clouds "airborne-lidar"; or "kmeans", which is fitted to
            these pictures and needs no labels (see `cluster`).

    Raises:
        DataError: the picture cannot be read, or the folder or pattern holds no picture.
        UsageError: there is no such model.
        ModelError: the model is damaged.
    """
    import os
    from collections.abc import Iterator

    import numpy as np
    from PIL import Image

    from intarsia.media.medium import medium_of

    if is_clustering(model):
        given = list(source) if isinstance(source, Iterator) else source  # read twice
        return cluster(given).segment(given)
    medium = medium_of(source)
    if (
        model is None
        and medium.photographic
        and (
            isinstance(source, bytes | Image.Image | np.ndarray)
            or (isinstance(source, str | os.PathLike) and os.path.isfile(source))
        )
    ):
        from intarsia.inference.choosing import choose_for, look

        model = choose_for([lambda: look(source)]).model
    found: Any = load(model or DEFAULT_MODELS.get(medium.name, DEFAULT_MODEL))
    result: Segmentation | Iterator[Segmentation] | CloudSegmentation = found.segment(source)
    return result


def is_clustering(model: str | os.PathLike[str] | None) -> bool:
    """Whether `model` is "kmeans", fitted to the pictures themselves, and no file or folder has that name."""
    import os

    return model == CLUSTERING and not os.path.exists(model)


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
    from pathlib import Path

    from rich.console import Console

    from intarsia.recipe import Recipe
    from intarsia.reports import write_report
    from intarsia.stopping import never
    from intarsia.training import is_main_process, train
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
    run = train(
        planned.recipe, planned.dataset, planned.folder,
        resume=resume, console=console, stop=stop or never, started=started,
    )  # fmt: skip
    if is_main_process():
        write_report(run.folder, planned.recipe, planned.dataset, load(run.best))
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
    import os
    from pathlib import Path

    from intarsia.evaluation.measuring import measure
    from intarsia.recipe import ReadOptions
    from intarsia.reports import require_free, worst_samples, write_evaluation

    folder = None if out is None else Path(out)
    if folder is not None:
        require_free(folder, overwrite=overwrite)
    predictor = load(model) if isinstance(model, str | os.PathLike) else model
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
    from intarsia.exporting import export
    from intarsia.recipe import ReadOptions

    return export(
        model, file, precision=precision, calibrate=calibrate, verify=verify, options=options or ReadOptions(),
        max_drop=max_drop, overwrite=overwrite, stage=stage or (lambda what: None),
    )  # fmt: skip


def __getattr__(name: str) -> object:
    if name == "LabelSpace":
        from intarsia.labels import LabelSpace

        return LabelSpace
    if name == "Segmentation":
        from intarsia.result import Segmentation

        return Segmentation
    from intarsia.errors import suggest

    raise AttributeError(f"module 'intarsia' has no attribute {name!r}.{suggest(name, __all__)}")
