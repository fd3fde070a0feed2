"""What was measured on this machine, so that `auto` need not measure again, and never does for each job."""

from __future__ import annotations

import json
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

import numpy as np

from intarsia.bundle import Description
from intarsia.errors import IntarsiaError
from intarsia.files import write_json
from intarsia.runtimes.contract import Precision, Runtime
from intarsia.runtimes.processor import feature
from intarsia.threads import cores

_EXPORTED = ("onnx", "openvino")
_PRECISIONS: tuple[Precision, ...] = ("auto", "bf16")
SIZE = (240, 320)
_SAME, _NEARLY = 0.9999, 0.99
# What rounds has to be clearly faster, not just on this throw of the dice. OpenVINO takes most of a second longer to
# start, which has to be made up for within a few dozen pictures.
_CLEARLY, _LATER = 0.85, 1.5

# Threads that ask at the same time get the same answer, and do not slow each other down while they measure.
_MEASURING = threading.Lock()


@dataclass(frozen=True)
class Measured:
    """What one runtime took for a model here.

    Attributes:
        runtime: its name.
        precision: its arithmetic.
        milliseconds: of the network, for one picture.
        agreement: share of labels that are those of the first runtime that was measured.
    """

    runtime: str
    precision: str
    milliseconds: float
    agreement: float


def cache_folder(environment: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """Find where the system keeps what programs can measure or make again."""
    if platform == "win32":
        return Path(environment.get("LOCALAPPDATA", Path.home() / "AppData/Local")) / "intarsia" / "cache"
    if platform == "darwin":
        return Path.home() / "Library" / "Caches" / "intarsia"
    return Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "intarsia"


def recall(description: Description, folder: Path | None = None) -> list[Measured]:
    """Read what was measured of a model on this processor with as many threads, the fastest first; [] if nothing."""
    try:
        text = _file(description, folder).read_text(encoding="utf-8")
        found = [Measured(**one) for one in json.loads(text)]
    except (OSError, ValueError, TypeError):
        return []
    return sorted(found, key=lambda one: one.milliseconds)


def remember(description: Description, measured: Sequence[Measured], folder: Path | None = None) -> None:
    """Keep what was measured; where nothing can be written, it is measured again another time."""
    file = _file(description, folder)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, [asdict(one) for one in measured])
    except (OSError, IntarsiaError):
        return


def fastest(
    description: Description, wanted: Precision, measured: Callable[[], list[Measured]], folder: Path | None = None
) -> tuple[str, Precision] | None:
    """Find the fastest runtime of an exported network; measured if OpenVINO was not yet, which takes about a second.

    Args:
        description: of the model.
        wanted: the precision asked for; "auto" for any. A rounded one counts only where it is clearly faster.
        measured: measures them, see `measure`.
        folder: where measurements are kept; None: see `cache_folder`.

    Returns:
        Name and precision; None if none computes in the precision asked for.
    """
    with _MEASURING:
        known = recall(description, folder)
        if not any(one.runtime == "openvino" for one in known):
            known = measured()
            remember(description, known, folder)
    able = [one for one in known if one.runtime in _EXPORTED and wanted in ("auto", one.precision) and _is_alike(one)]
    best = min(able, key=_cost, default=None)
    return None if best is None else (best.runtime, cast(Precision, best.precision))


def _cost(measured: Measured) -> float:
    """Milliseconds a picture, and more for what speaks against a runtime."""
    rounds = 1 if measured.agreement >= _SAME else 1 / _CLEARLY
    return measured.milliseconds * rounds * (_LATER if measured.runtime == "openvino" else 1)


def _is_alike(measured: Measured) -> bool:
    """Whether the labels are the same, or, of what rounds, nearly so."""
    return measured.agreement >= (_NEARLY if measured.precision == "bf16" else _SAME)


def measure(
    opened: Callable[[str, Precision], Runtime], rounds: int = 5, *, size: tuple[int, int] = SIZE
) -> list[Measured]:
    """Measure the runtimes of an exported network in turns, the fastest first: the best of a few rounds of each.

    Args:
        opened: makes a runtime ready, by name and precision; one that cannot be had is left out.
        rounds: that count.
        size: (height, width) of the picture that they compute.
    """
    runtimes: dict[tuple[str, str], Runtime] = {}
    for name in _EXPORTED:
        for precision in _PRECISIONS:
            try:
                one = opened(name, precision)
            except IntarsiaError:
                continue
            runtimes.setdefault((name, one.precision), one)
    channels = next(iter(runtimes.values())).in_channels if runtimes else 0
    picture = np.sin(np.linspace(0, 400, channels * math.prod(size), dtype=np.float32)).reshape(1, channels, *size)
    labels = {key: one.logits(picture).argmax(axis=1) for key, one in runtimes.items()}  # warms up
    best = dict.fromkeys(runtimes, math.inf)
    for _ in range(rounds):
        for key, one in runtimes.items():
            start = time.perf_counter()
            one.logits(picture)
            best[key] = min(best[key], time.perf_counter() - start)
    reference = next(iter(labels.values()), None)
    found = [Measured(*key, 1e3 * taken, float(np.mean(labels[key] == reference))) for key, taken in best.items()]
    return sorted(found, key=lambda one: one.milliseconds)


def _file(description: Description, folder: Path | None) -> Path:
    key = f"{description.checksum()[:32]}-{feature()}-{cores()}"
    return (folder or cache_folder()) / "runtimes" / f"{key}.json"
