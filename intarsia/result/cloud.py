"""CloudSegmentation: the class of every point, and what can be made of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from intarsia.errors import UsageError, suggest
from intarsia.labels import LabelArray, LabelSpace
from intarsia.media.clouds import CloudReader, PointCloud, write_labels
from intarsia.media.clouds.names import COLORS
from intarsia.media.clouds.render import side_view, top_view
from intarsia.media.clouds.viewer import MOST_POINTS, write_viewer
from intarsia.result.contract import Result
from intarsia.result.legend import with_legend

VIEWS = {"top": top_view, "side": side_view}
"""From where a cloud is drawn: from above, and from the south."""


@dataclass(eq=False)
class CloudSegmentation(Result):
    """One cloud's labels, in the order of its points.

    Args:
        labels: (N,) class indices of `space.dtype`; `space.ignore_index` for points without coordinates.
        space: the classes.
        confidence: (N,) float16, the winning class's probability (0..1).
        cloud: the opened cloud.
        without: features that the cloud lacks and the model did without.
        notes: what was decided when it was read, and what makes the labels less sure, in sentences.
    """

    labels: LabelArray
    space: LabelSpace
    confidence: NDArray[np.float16]
    cloud: CloudReader
    without: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    medium: ClassVar[str] = "cloud"

    @property
    def source(self) -> str:
        """Path or display name of the cloud."""
        return self.cloud.name

    @property
    def size(self) -> tuple[int, ...]:
        """The number of points."""
        return (len(self.labels),)

    def save(self, path: str | os.PathLike[str], *, codes: Mapping[str, int] | None = None) -> None:
        """Write the cloud with its classes; the suffix says the format. See `media.clouds.write_labels`.

        Args:
            path: target.
            codes: of LAS and LAZ, the class code of some classes by name, in place of the usual one.
        """
        write_labels(self.cloud, Path(path), self.labels, self.space, self.confidence, codes)

    def render(self, kind: str = "top", *, size: int = 1200) -> Image.Image:
        """Draw the classes from above ("top") or from the south ("side"), and below what their colours mean.

        Args:
            kind: from where.
            size: pixels on the longer side of the view.

        Raises:
            UsageError: no such view.
        """
        if kind not in VIEWS:
            raise UsageError(f"no view of clouds is named {kind!r}.{suggest(kind, VIEWS)}")
        cloud, places = self._shown
        drawn = VIEWS[kind](cloud.xyz, self.labels[places], self.space, size)
        return with_legend(Image.fromarray(drawn), self.space, self.areas())

    def viewer(self, path: str | os.PathLike[str], truth: LabelArray | None = None) -> None:
        """Write a page that shows the cloud in 3D and needs nothing else, not even a network.

        Args:
            path: target ending in .html.
            truth: (N,) labels to compare with, if known.
        """
        cloud, places = self._shown
        known = None if truth is None else truth[places]
        write_viewer(Path(path), cloud, self.labels[places], self.space, known, total=len(self.labels))

    @cached_property
    def _shown(self) -> tuple[PointCloud, NDArray[np.int64]]:
        """What pictures and page show of the cloud: all of it, or a sample, and its places."""
        return self.cloud.some(MOST_POINTS, COLORS)
