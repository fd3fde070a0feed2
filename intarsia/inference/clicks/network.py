"""ClickNetwork: the bundled network, on ONNX Runtime."""

from __future__ import annotations

import numpy as np

from intarsia.inference.clicks.region import Likely
from intarsia.inference.clicks.view import View, stacked
from intarsia.runtimes.network import Network
from intarsia.zoo import bundled_models


class ClickNetwork:
    """Knows what borders look like, from clicks that were simulated on real masks; see `tools/make_clicks.py`.

    Args:
        threads: that compute it; None: as many as this process may use.
    """

    whole = False

    def __init__(self, *, threads: int | None = None) -> None:
        self._network = Network(bundled_models()["clicks"], threads=threads)
        self.side = int(str(self._network.shape[2]))

    def probability(self, view: View) -> Likely:
        """Tell how likely each pixel of a view is of the thing that was clicked."""
        found: Likely = self._network.run(stacked(view)[None].astype(np.float32))["probability"][0, 0]
        return found
