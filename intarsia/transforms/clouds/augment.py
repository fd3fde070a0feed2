"""Random changes to blocks of points: the same address always gives the same block."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from intarsia.recipe import CloudAugment
from intarsia.transforms.clouds.features import COLORED, columns_of
from intarsia.transforms.clouds.geometry import Floats

_JITTER_CLIP = 4.0  # standard deviations


class CloudTransform:
    """Rotation about the vertical, mirroring, scale, jitter, dropped points and dropped colour.

    Args:
        settings: how strong each is.
        features: names, in the order of the channels.
    """

    def __init__(self, settings: CloudAugment, features: Sequence[str]) -> None:
        self.settings = settings
        self._columns = columns_of(features)

    def __call__(self, block: Floats, random: np.random.Generator) -> tuple[Floats, np.ndarray]:
        """Change one block.

        Args:
            block: (P, 3 + F) coordinates from the block's centre, and features.
            random: the only source of randomness.

        Returns:
            The changed block (P, 3 + F), and the (P,) places in the given block of its points.
        """
        settings = self.settings
        kept = self._drop(len(block), random)
        block = block[kept]
        xyz, features = block[:, :3], block[:, 3:]
        angle = np.deg2rad(random.uniform(-settings.rotate, settings.rotate))
        turn = np.array([[np.cos(angle), np.sin(angle), 0], [-np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
        if random.random() < settings.mirror:
            turn[:, 0] *= -1
        scale = random.uniform(*settings.scale)
        xyz = xyz @ (turn * scale).astype(np.float32)
        if settings.jitter:
            noise = random.normal(0, settings.jitter, xyz.shape)
            xyz = xyz + noise.clip(-_JITTER_CLIP * settings.jitter, _JITTER_CLIP * settings.jitter).astype(np.float32)
        if "normals" in self._columns:
            columns = self._columns["normals"]
            features[:, columns] = features[:, columns] @ turn.astype(np.float32)
        if "height" in self._columns:
            features[:, self._columns["height"]] *= np.float32(scale)
        self._change_color(features, random)
        return np.concatenate([xyz, features], axis=1, dtype=np.float32), kept

    def _drop(self, count: int, random: np.random.Generator) -> np.ndarray:
        """Places of the points that stay; the others are replaced by copies of them, so that the number stays."""
        places = np.arange(count)
        left_out = int(random.uniform(0, self.settings.drop) * count)
        if left_out:
            gone = random.choice(count, left_out, replace=False)
            places[gone] = random.choice(np.delete(np.arange(count), gone), left_out)
        return places

    def _change_color(self, features: Floats, random: np.random.Generator) -> None:
        settings = self.settings
        chance = random.random()
        blank: tuple[str, ...] = ()
        if chance < 2 * settings.color_drop:
            blank = COLORED if chance < settings.color_drop else COLORED[1:]
        for name in COLORED:
            if name not in self._columns:
                continue
            columns = self._columns[name]
            if name in blank:
                features[:, columns] = 0
            elif settings.color_shift and name != "ndvi":
                width = columns.stop - columns.start
                gain = random.uniform(1 - settings.color_shift, 1 + settings.color_shift, width)
                features[:, columns] *= gain.astype(np.float32)
        if "intensity" in self._columns and settings.color_shift:
            features[:, self._columns["intensity"]] += np.float32(random.uniform(-0.2, 0.2) * settings.color_shift)
