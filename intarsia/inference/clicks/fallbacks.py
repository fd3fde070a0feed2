"""What needs no weights: GrabCut, and the random walker."""

from __future__ import annotations

import cv2
import numpy as np

from intarsia.errors import require
from intarsia.inference.clicks.region import Likely
from intarsia.inference.clicks.view import View, drawn

_ROUNDS = 3  # of fitting colours and cutting
_REACH = 0.12  # of the view's side: so far a click's colours are taken for the thing's


class GrabCut:
    """Cuts where colours change: Rother, Kolmogorov and Blake 2004, "GrabCut"."""

    side = 160
    whole = False

    def probability(self, view: View) -> Likely:
        """Tell 1 for pixels of the thing that was clicked, 0 for all others."""
        side = view.pixels.shape[0]
        seeds = np.where(view.source, cv2.GC_PR_BGD, cv2.GC_BGD).astype(np.uint8)
        seeds[view.same] = cv2.GC_PR_FGD
        rows, columns = np.ogrid[:side, :side]
        x, y = view.yes[-1]
        seeds[view.source & (np.hypot(columns - x, rows - y) <= _REACH * side)] = cv2.GC_PR_FGD
        seeds[~view.inside] = cv2.GC_BGD
        seeds[drawn(view.no, side) > 0] = cv2.GC_BGD
        seeds[drawn(view.yes, side) > 0] = cv2.GC_FGD
        is_thing = (seeds == cv2.GC_FGD) | (seeds == cv2.GC_PR_FGD)
        if not is_thing.all():  # else there is nothing that its colours could be told from
            colors = np.zeros((1, 65)), np.zeros((1, 65))
            cv2.setRNGSeed(0)  # its first colours are drawn
            cv2.grabCut(view.pixels, seeds, (0, 0, 1, 1), *colors, _ROUNDS, cv2.GC_INIT_WITH_MASK)
            is_thing = (seeds == cv2.GC_FGD) | (seeds == cv2.GC_PR_FGD)
        return np.asarray(is_thing, np.float32)


class Walker:
    """Walks at random from each pixel to the clicks: Grady 2006, "Random walks for image segmentation".

    Raises:
        UsageError: scikit-image is not installed.
    """

    side = 128
    whole = False

    def __init__(self) -> None:
        self._segmentation = require("skimage.segmentation", "classical")

    def probability(self, view: View) -> Likely:
        """Tell how likely a walk ends at a click for the class before it ends at one against, or at the border."""
        side = view.pixels.shape[0]
        seeds = np.zeros((side, side), np.int32)
        seeds[:1], seeds[-1:], seeds[:, :1], seeds[:, -1:] = 2, 2, 2, 2
        seeds[(~view.source & ~view.same) | ~view.inside] = 2
        seeds[cv2.erode(view.same.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0] = 1
        seeds[drawn(view.no, side) > 0] = 2
        seeds[drawn(view.yes, side) > 0] = 1
        if not (seeds == 2).any() or not (seeds == 0).any():
            return np.asarray(seeds != 2, np.float32)
        walks = self._segmentation.random_walker(
            view.pixels.astype(np.float64) / 255, seeds, beta=300, mode="bf", return_full_prob=True, channel_axis=-1
        )
        return np.asarray(walks[0], np.float32)
