"""benchmark: decode, prepare, network, decide and encode, per runtime and precision, in interleaved rounds."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from intarsia.benchmarking.machine import peak_gflops
from intarsia.bundle import Description
from intarsia.errors import IntarsiaError, ModelError, UsageError
from intarsia.inference import Predictor
from intarsia.labels import LabelArray
from intarsia.media.images import ImageLike
from intarsia.media.medium import STILLS, medium_of
from intarsia.runtimes import RUNTIMES, find_runtime, open_runtime
from intarsia.runtimes.choice import Measured, remember
from intarsia.runtimes.contract import Precision
from intarsia.runtimes.exported import gflop_per_megapixel
from intarsia.runtimes.processor import feature
from intarsia.runtimes.timed import Timed
from intarsia.threads import cores

STAGES = ("decode", "prepare", "network", "decide", "encode")
_PRECISIONS: tuple[Precision, ...] = ("auto", "fp32", "bf16")


@dataclass(frozen=True)
class Timing:
    """What one runtime takes for a picture; medians over all rounds and pictures, in milliseconds.

    Attributes:
        runtime: its name.
        precision: its arithmetic.
        stages: by name; "decide", from logits to labels at the picture's own size, is what the others leave of the
            whole.
        whole: from the file to the mask's file.
        agreement: share of pixels whose label is that of the first runtime.
    """

    runtime: str
    precision: str
    stages: dict[str, float]
    whole: float
    agreement: float


@dataclass(frozen=True)
class Benchmark:
    """What was measured.

    Attributes:
        model: what it was measured with.
        processor: its widest instructions.
        threads: that computed.
        peak_gflops: the most float32 arithmetic that was measured here, in thousand millions of operations a second.
        gflop: that the network takes for one of the pictures, two operations a multiply-accumulate; None if unknown.
        timings: by runtime and precision.
        refused: why a runtime is not among them, by name.
    """

    model: str
    processor: str
    threads: int
    peak_gflops: float
    gflop: float | None
    timings: tuple[Timing, ...]
    refused: dict[str, str] = field(default_factory=dict)

    @property
    def floor(self) -> float | None:
        """Milliseconds that the network would take if all of it ran at the measured peak."""
        return None if self.gflop is None else self.gflop / self.peak_gflops * 1e3

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {**asdict(self), "floor": self.floor}


def benchmark(
    description: Description,
    sources: Sequence[ImageLike],
    *,
    runtimes: Sequence[str] | None = None,
    rounds: int = 10,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Benchmark:
    """Measure a model of pictures on the runtimes of this machine, in interleaved rounds after one that warms up.

    What is measured is kept for this model and processor, and `auto` goes by it.

    Args:
        description: of the model, as `Description.load` reads it.
        sources: pictures: paths, encoded bytes, or what else `Predictor.segment` takes.
        runtimes: by name; None: all that can compute this model here.
        rounds: that count.
        progress: told how many rounds are done, and of how many.

    Raises:
        UsageError: no picture, no such runtime, or one that was named cannot compute this model here.
        ModelError: none can.
        DataError: a picture cannot be read.
    """
    if not sources:
        raise UsageError("there is no picture to measure with")
    refused: dict[str, str] = {}
    timed = list(_opened(description, runtimes, refused))
    if not timed:
        raise ModelError(f"{description.title}: no runtime can compute it here: {'; '.join(refused.values())}")
    predictors = [Predictor(description, runtime=one) for one in timed]
    labels = [[predictor.segment(source).labels for source in sources] for predictor in predictors]  # warms up
    taken: list[list[dict[str, float]]] = [[] for _ in predictors]
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            for predictor, runtime, mine in zip(predictors, timed, taken, strict=True):
                mine += [_measured(predictor, runtime, source, Path(folder)) for source in sources]
            progress(number + 1, rounds)
    timings = tuple(
        _timing(runtime, mine, _agreement(found, labels[0]))
        for runtime, mine, found in zip(timed, taken, labels, strict=True)
    )
    remember(
        description, [Measured(one.runtime, one.precision, one.stages["network"], one.agreement) for one in timings]
    )
    per_megapixel = gflop_per_megapixel(description)
    pixels = timed[0].pixels / ((rounds + 1) * len(sources))
    return Benchmark(
        description.title, feature(), cores(), peak_gflops(),
        None if per_megapixel is None else per_megapixel * pixels / 1e6, timings, refused,
    )  # fmt: skip


def _opened(description: Description, names: Sequence[str] | None, refused: dict[str, str]) -> Iterator[Timed]:
    """Every runtime in each of its precisions; why one is not, into `refused`, or raised if it was asked for."""
    for name in names or RUNTIMES:
        find_runtime(name)
        seen: set[str] = set()
        for precision in _PRECISIONS:
            try:
                runtime = open_runtime(name, description, precision, "cpu")
            except IntarsiaError as error:
                if precision == "auto":
                    if names:
                        raise
                    refused[name] = str(error)
                    break
                continue  # a precision that it does not have
            if runtime.precision not in seen:
                seen.add(runtime.precision)
                yield Timed(runtime)


def _measured(predictor: Predictor, runtime: Timed, source: ImageLike, folder: Path) -> dict[str, float]:
    """Seconds of one picture, by stage; the whole is measured by itself."""
    before = runtime.seconds
    start = time.perf_counter()
    result = predictor.segment(source)
    segmented = time.perf_counter()
    result.save(folder / "mask.png")
    end = time.perf_counter()
    network = runtime.seconds - before
    reader = medium_of(source, predictor.given, media=STILLS).open(source, predictor.preprocessing, {})
    reading = time.perf_counter()
    pixels = reader.read()
    read = time.perf_counter()
    predictor.working(pixels)
    prepared = time.perf_counter()
    found = {"decode": read - reading, "prepare": prepared - read, "network": network, "encode": end - segmented}
    return {**found, "decide": max(0.0, end - start - sum(found.values())), "whole": end - start}


def _timing(runtime: Timed, taken: Sequence[dict[str, float]], agreement: float) -> Timing:
    medians = {name: statistics.median(one[name] for one in taken) * 1e3 for name in (*STAGES, "whole")}
    whole = medians.pop("whole")
    return Timing(runtime.name, runtime.precision, medians, whole, agreement)


def _agreement(found: Sequence[LabelArray], reference: Sequence[LabelArray]) -> float:
    same = sum(int(np.count_nonzero(a == b)) for a, b in zip(found, reference, strict=True))
    return same / sum(one.size for one in reference)
