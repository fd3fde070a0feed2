"""Video whose colours go beyond ordinary ones (HDR, wide gamut), as ordinary ones (BT.709)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from intarsia.media.pixels import RGB

Floats: TypeAlias = NDArray[np.float32]
_Chromaticities: TypeAlias = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]

# Numbers of ITU-T H.273, as FFmpeg uses them.
_PQ, _HLG = 16, 18
_CURVES = {_PQ: "PQ", _HLG: "HLG"}
_GAMUTS: Mapping[int, tuple[str, _Chromaticities]] = {
    9: ("BT.2020", ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046))),
    12: ("Display P3", ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))),
}
_ORDINARY: _Chromaticities = ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060))
_WHITE = (0.3127, 0.3290)  # D65, of all of them
_REFERENCE, _PEAK = 203.0, 1000.0  # cd/m2: white of graphics in HDR (ITU-R BT.2408), and the brightest that is kept
_STEPS = 4096


def beyond(frame: Any) -> str:
    """Say in words what a decoded frame (PyAV's) has that ordinary video has not; "" if nothing."""
    curve = _CURVES.get(int(frame.color_trc or 0))
    gamut = _GAMUTS.get(int(frame.color_primaries or 0), ("", _ORDINARY))[0]
    if curve:
        return f"HDR ({', '.join(part for part in (curve, gamut) if part)})"
    return f"wide gamut ({gamut})" if gamut else ""


def ordinary(frame: Any) -> RGB:
    """A frame that is beyond ordinary video as (H, W, 3) RGB of ordinary one.

    Its light is made linear (ITU-R BT.2100; of SDR by the display's power of 2.4), its primaries become those of
    BT.709, and what is brighter than white is rolled off (Reinhard et al. 2002, with a white point of 1000 cd/m2).
    """
    curve = int(frame.color_trc or 0)
    gamut = _GAMUTS.get(int(frame.color_primaries or 0), ("", _ORDINARY))[1]
    signal = frame.to_ndarray(format="rgb48le")
    light = _linear(curve)[signal] @ _matrix(gamut).T
    if curve in _CURVES:
        peak = np.maximum(light.max(axis=2, keepdims=True), 1e-6)
        white = (_PEAK / _REFERENCE) ** 2
        light *= (1 + peak / white) / (1 + peak)
    shown: RGB = _encoded()[np.clip(light * (_STEPS - 1), 0, _STEPS - 1).astype(np.uint16)]
    return shown


@cache
def _linear(curve: int) -> Floats:
    """From 16-bit signals to light, white at 1."""
    signal = np.arange(65536) / 65535
    if curve == _PQ:
        m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
        root = signal ** (1 / m2)
        light = 10_000 * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1) / _REFERENCE
    elif curve == _HLG:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
        light = _PEAK * scene**1.2 / _REFERENCE  # a display of 1000 cd/m2, each channel by itself
    else:
        light = signal**2.4
    return light.astype(np.float32)


@cache
def _encoded() -> NDArray[np.uint8]:
    """From steps of light to 8-bit signals."""
    return np.rint(255 * (np.arange(_STEPS) / (_STEPS - 1)) ** (1 / 2.4)).astype(np.uint8)


@cache
def _matrix(primaries: _Chromaticities) -> Floats:
    """From linear RGB of these primaries to that of BT.709."""
    return (np.linalg.inv(_to_xyz(_ORDINARY)) @ _to_xyz(primaries)).astype(np.float32)


def _to_xyz(primaries: _Chromaticities) -> NDArray[np.float64]:
    def xyz(x: float, y: float) -> list[float]:
        return [x / y, 1.0, (1 - x - y) / y]

    columns = np.array([xyz(*one) for one in primaries]).T
    scale: NDArray[np.float64] = np.linalg.solve(columns, np.array(xyz(*_WHITE)))
    return columns * scale
