"""Pictures without any labels: k-means finds what belongs together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from intarsia.bundle import Bundle
from intarsia.errors import ModelError, UsageError
from intarsia.labels import LabelSpace
from intarsia.media.images import ImageLike, ImageReader
from intarsia.media.stacks import opened_pages
from intarsia.models import build
from intarsia.models.classical import ClassicalModel, FittingData
from intarsia.models.classical.model import UNLABELLED
from intarsia.preprocessing import Preprocessing
from intarsia.training.fitting.drawing import Window, draw
from intarsia.transforms.preprocess import resize_image, working_size


def cluster(
    sources: Sequence[ImageLike],
    clusters: int,
    *,
    options: Mapping[str, Any] | None = None,
    long_side: int | None = None,
    pixels: int = 50_000,
    seed: int = 0,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Bundle:
    """Fit k-means to some pictures together.

    Args:
        sources: the pictures, and stacks with all their pages; large ones are read a strip at a time.
        clusters: number of segments, 1 to 255.
        options: others of the architecture ``kmeans``.
        long_side: pixels of the longer side at which pictures are clustered; None for their own size.
        pixels: how many are drawn from all pictures together, each with the same chance.
        seed: of the drawing and of k-means.
        progress: told a stage, and how many of its parts are done.

    Returns:
        A model of which each cluster is a class, "segment 1" the largest.

    Raises:
        UsageError: an unknown option, or no picture.
        DataError: a picture cannot be read, or all of them have fewer pixels than there shall be clusters.
        ModelError: an option out of range.
    """
    if not isinstance(clusters, int) or not 1 <= clusters <= 255:
        raise ModelError(f"clusters is a number from 1 to 255, not {clusters!r}")
    if not sources:
        raise UsageError("there is no picture to cluster")
    chosen = {**(options or {}), "clusters": clusters}
    model = build("kmeans", classes=clusters, **chosen)
    assert isinstance(model, ClassicalModel)
    mean, std = model.normalisation
    preprocessing = Preprocessing(mean=mean, std=std, long_side=long_side)

    def windows() -> Iterable[tuple[tuple[int, int], Iterable[Window]]]:
        for index, source in enumerate(sources):
            progress("reading pictures", index, len(sources))
            for reader in opened_pages(source):
                yield _windows(model, reader, preprocessing)

    sample = draw(model, windows(), preprocessing, pixels=pixels, classes=None, seed=seed)
    features, labels = sample.result()
    model.head.fit(FittingData(features, labels, np.ones(len(labels), np.float32)), seed=seed, progress=progress)
    space = LabelSpace(tuple(f"segment {number}" for number in range(1, clusters + 1)))
    card = {"limits": "Clusters of similar colour, texture and place; they have no meaning beyond their pictures."}
    return Bundle("kmeans", chosen, space, preprocessing, model.state_dict(), card=card)


def _windows(
    model: ClassicalModel, reader: ImageReader, preprocessing: Preprocessing
) -> tuple[tuple[int, int], Iterable[Window]]:
    height, width = working_size(reader.height, reader.width, preprocessing)
    strips = list(model.strips(height, width))
    edges = [(strip.seen_top, strip.seen_bottom) for strip in strips]
    if (height, width) == (reader.height, reader.width):
        seen = reader.bands(edges)
    else:
        resized = resize_image(reader.read(), height, width)
        seen = (resized[top:bottom] for top, bottom in edges)
    unknown = (np.full((strip.bottom - strip.top) * width, UNLABELLED, np.int64) for strip in strips)
    return (height, width), zip(strips, seen, unknown, strict=True)
