"""CloudSegmentation: the class of every point, and what can be made of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from intarsia.labels import LabelArray, LabelSpace
from intarsia.media.clouds import CloudReader, PointCloud, write_labels
from intarsia.media.clouds.cloud import COLORS
from intarsia.media.clouds.render import side_view, top_view
from intarsia.media.clouds.viewer import MOST_POINTS, write_viewer

if TYPE_CHECKING:
    from PIL import Image


@dataclass(eq=False)
class CloudSegmentation:
    """One cloud's labels, in the order of its points.

    Args:
        labels: (N,) class indices of `space.dtype`; `space.ignore_index` for points without coordinates.
        space: the classes.
        confidence: (N,) float16, the winning class's probability (0..1).
        source: the opened cloud.
        without: features that the cloud lacks and the model did without.
    """

    labels: LabelArray
    space: LabelSpace
    confidence: NDArray[np.float16]
    source: CloudReader
    without: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> NDArray[np.bool_]:
        """Which points (N,) are of a class; `UsageError` with a suggestion when there is no such class."""
        return np.equal(self.labels, self.space.index(name))

    def areas(self) -> dict[str, float]:
        """Share of all points (0..1) of each class that occurs, largest first."""
        counts = np.bincount(self.labels, minlength=len(self.space))
        shares = {name: int(counts[i]) / len(self.labels) for i, name in enumerate(self.space.names) if counts[i]}
        return dict(sorted(shares.items(), key=lambda item: -item[1]))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the cloud with its classes; the suffix says the format. See `media.clouds.write_labels`."""
        write_labels(self.source, Path(path), self.labels, self.space, self.confidence)

    def top(self, size: int = 1200) -> Image.Image:
        """The classes seen from above, `size` pixels on the longer side."""
        from PIL import Image

        cloud, places = self._shown
        return Image.fromarray(top_view(cloud.xyz, self.labels[places], self.space, size))

    def side(self, size: int = 1200) -> Image.Image:
        """The classes seen from the south."""
        from PIL import Image

        cloud, places = self._shown
        return Image.fromarray(side_view(cloud.xyz, self.labels[places], self.space, size))

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
        return self.source.some(MOST_POINTS, COLORS)
