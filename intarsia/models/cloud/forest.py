"""A random forest on the features of single points: the baseline that networks of points have to beat."""

from __future__ import annotations

from torch import Tensor

from intarsia.errors import ModelError
from intarsia.models.classical.forest import Forest
from intarsia.models.classical.model import FittedModel
from intarsia.models.cloud.layers import CloudModel
from intarsia.models.registry import register


class PointForest(FittedModel, CloudModel):
    """The forest of the classical methods behind the contract of networks of points; it does not see coordinates.

    Args:
        head: what is fitted.
    """

    unexportable = "a forest is no network; it needs no export to be fast"

    def __init__(self, head: Forest) -> None:
        super().__init__()
        self.head = head

    def points(self, rows: Tensor) -> Tensor:
        planes = rows[..., 3:].flatten(0, 1).T.contiguous()
        logits: Tensor = self.head(planes)
        return logits.T.reshape(*rows.shape[:2], -1)


@register(paper="Breiman 2001, Random forests, doi:10.1023/A:1010933404324", medium="cloud", fitted=True)
def point_forest(
    *, classes: int, in_channels: int = 4, trees: int = 60, leaves: int = 4096, least_points: int = 1
) -> PointForest:
    """A random forest on each point's features (not its coordinates): the baseline for networks of points.

    Args:
        classes: number of classes.
        in_channels: x, y, z, which it does not look at, and features.
        trees: of the forest; more are steadier and slower.
        leaves: most leaves of a tree, grown where they help most.
        least_points: fewest fitted points in a leaf.
    """
    if in_channels < 4:
        raise ModelError("point_forest decides by features alone, and needs at least one; set cloud.features")
    return PointForest(Forest(classes, trees=trees, leaves=leaves, least_pixels=least_points))
