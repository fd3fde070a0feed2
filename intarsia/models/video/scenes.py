"""Where one shot of a video ends and the next begins."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

_CELLS = (12, 16)


@dataclass(frozen=True)
class SceneCut:
    """Compares thumbnails of successive frames: within a shot, they differ by much less than each of them varies.

    Attributes:
        threshold: of the mean difference in units of the thumbnails' own spread. In DAVIS's and CamVid's sequences,
            neighbours stay below 0.1 (below 0.2 at one frame a second), and other streets are above 0.33.
    """

    threshold: float = 0.3

    def thumbnail(self, frame: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, 12, 16)."""
        return F.adaptive_avg_pool2d(frame.float(), _CELLS)

    def is_cut(self, now: Tensor, before: Tensor) -> bool:
        """Whether two thumbnails belong to different shots."""
        return self.difference(now, before) >= self.threshold

    @staticmethod
    def difference(now: Tensor, before: Tensor) -> float:
        """Mean absolute difference over the mean absolute deviation of both; 0 for equal thumbnails."""
        apart = float((now - before).abs().mean())
        spread = sum(float((x - x.mean((2, 3), keepdim=True)).abs().mean()) for x in (now, before))
        return apart / max(spread, 1e-6) if apart else 0.0
