"""ONNX Runtime: an exported network on the CPU, without PyTorch."""

from __future__ import annotations

from pathlib import Path

from intarsia.bundle import Description, Exported
from intarsia.errors import ModelError, UsageError
from intarsia.media.source import Place
from intarsia.runtimes.computed import require_logits
from intarsia.runtimes.contract import Floats, Precision
from intarsia.runtimes.network import Network
from intarsia.runtimes.processor import feature


class OnnxRuntime:
    """A network in an ONNX file; see `Runtime`.

    Args:
        file: as `intarsia.export` writes it.
        classes: how many its logits must have.
        threads: that compute it; None: as many as this process may use.

    Raises:
        ModelError: the file is missing, damaged, by somebody else, or not for so many classes.
    """

    name = "onnx"

    def __init__(self, file: Path, classes: int, *, threads: int | None = None) -> None:
        exported = Exported.load(file)
        self.stride, self.align_corners = exported.stride, exported.align_corners
        self.margin, self.precision = exported.margin, exported.precision
        self.processor = f"cpu {feature()}"
        self._exported, self._network = exported, Network(file, threads=threads)
        given, made = self._network.shape, list(self._network.outputs.values())
        self._axes = len(given)
        if self._axes not in (3, 4) or [len(shape) for shape in made] != [self._axes] or not isinstance(given[1], int):
            raise ModelError(
                f"{file}: its network is none of pictures (N, C, H, W) to logits (N, K, h, w), nor of points (N, C, P) "
                "to logits (N, K, P)"
            )
        self.in_channels = given[1]
        if exported.sizes is None and any(isinstance(side, int) for side in given[2:]):
            raise ModelError(
                f"{file}: its network takes {_sides(given)} alone, and its description tells no sizes; export it again"
            )
        if made[0][1] != classes:
            raise ModelError(f"{file}: its network gives {made[0][1]} classes, and its description names {classes}")

    @classmethod
    def of(cls, description: Description, file: Path, precision: Precision) -> OnnxRuntime:
        """Open a described model's exported file.

        Raises:
            UsageError: it was exported in another precision.
            ModelError: as the class.
        """
        found = cls(file, len(description.space))
        if precision not in ("auto", found.precision):
            raise UsageError(
                f"{file} was exported in {found.precision}; use auto, or export it again with --precision {precision}"
            )
        return found

    def logits(self, x: Floats, place: Place | None = None) -> Floats:
        if x.ndim != self._axes:
            raise ModelError(f"{self._network.file}: its network and its description are of two kinds; export it again")
        if x.ndim == 4:
            self._exported.require_size(x.shape[2], x.shape[3], self._network.file)
        (logits,) = self._network.run(x).values()
        require_logits(logits, x.shape[2:], self.stride, self._network.file)
        return logits


def _sides(shape: tuple[int | str | None, ...]) -> str:
    """(N, C, H, W) as people say it; where any length will do, its name."""
    return "x".join(str(side) for side in reversed(shape[2:]))
