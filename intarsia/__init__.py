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

    from intarsia.api import evaluate, export, train
    from intarsia.inference import Predictor
    from intarsia.inference.clouds import CloudPredictor
    from intarsia.inference.pictures.ranking import Decision
    from intarsia.labels import LabelSpace
    from intarsia.media.images import ImageLike
    from intarsia.result import CloudSegmentation, Segmentation
    from intarsia.runtimes.contract import Precision

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
    from intarsia.inference.kinds import predictor_for
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
    return predictor_for(found).with_options(found, settings)


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

        model = choose_for([source], look).model
    found: Any = load(model or DEFAULT_MODELS.get(medium.name, DEFAULT_MODEL))
    result: Segmentation | Iterator[Segmentation] | CloudSegmentation = found.segment(source)
    return result


def is_clustering(model: str | os.PathLike[str] | None) -> bool:
    """Whether `model` is "kmeans", fitted to the pictures themselves, and no file or folder has that name."""
    import os

    return model == CLUSTERING and not os.path.exists(model)


_ROOMS = {
    "LabelSpace": "intarsia.labels",
    "Segmentation": "intarsia.result",
    "evaluate": "intarsia.api",
    "export": "intarsia.api",
    "train": "intarsia.api",
}


def __getattr__(name: str) -> object:
    if name in _ROOMS:
        from importlib import import_module

        return getattr(import_module(_ROOMS[name]), name)
    from intarsia.errors import suggest

    raise AttributeError(f"module 'intarsia' has no attribute {name!r}.{suggest(name, __all__)}")
