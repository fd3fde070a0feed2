"""Make a forecast: open the headers, let the network compute one input, and add up."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from intarsia.errors import IntarsiaError, counted
from intarsia.inference import GridPredictor
from intarsia.jobs.cutting.contract import Undivided
from intarsia.jobs.forecast.contract import Expected, Forecast
from intarsia.jobs.forecast.need import Need, Settings
from intarsia.jobs.forecast.pictures import pages_need, photo_need, rows_need
from intarsia.jobs.forecast.trial import Trial, tried
from intarsia.jobs.forecast.videos import frames_need
from intarsia.jobs.forecast.volumes import volume_need
from intarsia.jobs.manifest import fingerprint
from intarsia.jobs.outputs import EVERY
from intarsia.jobs.parts import cutting_of
from intarsia.jobs.plan import Plan
from intarsia.jobs.resuming import prepared
from intarsia.jobs.stores.address import is_address
from intarsia.jobs.task import JobOptions, Task
from intarsia.media.medium import Form
from intarsia.memory import resident, room, said_bytes

_Way = tuple[type, Callable[[Any, Any, Settings], Need]]


def _points() -> _Way:
    from intarsia.inference.clouds import CloudPredictor
    from intarsia.jobs.forecast.clouds import points_need

    return CloudPredictor, points_need


_NEEDS: dict[Form, Callable[[], _Way]] = {
    "rows": lambda: (GridPredictor, rows_need),
    "pages": lambda: (GridPredictor, pages_need),
    "volume": lambda: (GridPredictor, volume_need),
    "frames": lambda: (object, frames_need),
    "photo": lambda: (object, photo_need),
    "points": _points,
}
"""Loads what adds up the memory of a form of medium, and the kind of predictor that it is for."""

_LARGEST, _SAMPLE = 4, 60
"""Sources of a medium whose headers are read: the largest files, and for the time others, evenly drawn."""
_THREADS = 24 << 20
"""Bytes of the heaps and stacks of a job's threads, and of modules that are loaded with the first outputs."""
_SURELY = 0.5
"""A share of the room: what needs less without the network's own memory is let through without a trial of it."""


def forecast(predictor: Any, plan: Plan, options: JobOptions | None = None, *, workers: int = 1) -> Forecast:
    """Tell what a job takes, from the headers of its sources and one trial of the network on zeros.

    Args:
        predictor: the model, made ready.
        plan: of the job.
        options: of the job.
        workers: processes that do it at the same time, each with a predictor of its own.
    """
    return _forecast(predictor, plan, options or JobOptions(), workers, try_network=True)


def check_memory(predictor: Any, plan: Plan, options: JobOptions | None = None, *, workers: int = 1) -> None:
    """Refuse a job that cannot fit into the memory there is; what is not known is let through.

    The network is tried only where the rest comes near to what there is, so that small jobs begin at once.

    Args:
        predictor: the model, made ready.
        plan: of the job.
        options: of the job.
        workers: processes of this machine that do it at the same time, each with a predictor of its own.

    Raises:
        TooLarge: it cannot fit; the message names what would.
    """
    least = _forecast(predictor, plan, options or JobOptions(), workers, try_network=False)
    least.check()
    if least.memory is not None and least.room is not None and least.memory > _SURELY * least.room:
        _forecast(predictor, plan, options or JobOptions(), workers, try_network=True).check()


def _unknown() -> _Way:
    return type(None), photo_need


@dataclass(frozen=True)
class _Opened:
    """A source by its header."""

    task: Task
    reader: Any


class _Medium:
    """The sources of one medium."""

    def __init__(self, predictor: Any, tasks: Sequence[Task], options: JobOptions, *, sample: int) -> None:
        self.tasks, self.form, self.takes = tasks, tasks[0].medium.form, tasks[0].medium.takes
        kind, self._add_up = _NEEDS.get(self.form, _unknown)()
        self._options = options
        self._predictor = predictor if isinstance(predictor, kind) else None
        chosen = _some(tasks, sample) if self._predictor is not None else []
        opened = [_Opened(task, reader) for task in chosen for reader in _readers(task, predictor, options)]
        drawn = {kind: render.whole for task in chosen for kind, render in task.renders.items()}
        outputs = frozenset(kind for task in chosen for kind in task.outputs)
        self.settings = Settings(outputs, drawn, tasks=len(tasks))
        needs = [(one, self.need(one, self.settings)) for one in opened]
        self.largest = max(needs, key=lambda one: one[1].bytes, default=None)
        self.trial: Trial | None = None
        self._seen = [need.seen for _, need in needs]

    def try_network(self) -> None:
        """Let the network compute the largest input that it will see."""
        runtime = getattr(self._predictor, "runtime", None)
        if self.largest is not None and self.largest[1].input and runtime is not None:
            self.trial = tried(runtime, self.largest[1].input)

    def need(self, source: _Opened, settings: Settings) -> Need:
        return self._add_up(self._predictor, source.reader, settings)

    def parts(self, workers: int) -> int:
        """Into how many parts the largest source is cut for so many workers; 1 where it is done as a whole."""
        cutting = cutting_of(self.tasks[0])
        if cutting is None or self.largest is None or len(self.tasks) >= workers:
            return 1
        ready = prepared(self._predictor, self.tasks[0].medium, self._options)
        try:
            return len(cutting.stretches(ready, self.largest[0].reader, self._options, workers))
        except Undivided:
            return 1

    def network(self, need: Need) -> int:
        """Bytes of the network itself, by its trial."""
        if self.trial is None or self.trial.memory is None or not need.input:
            return 0
        return int(self.trial.memory * math.prod(need.input[1:]) / self.trial.elements)

    @property
    def tile(self) -> int:
        """Side of the predictor's tiles; 0 where it has none."""
        return int(getattr(self._predictor, "settings", {}).get("tile", 0))

    @property
    def seconds(self) -> float | None:
        """Seconds that the network computes for all sources: those that were opened stand for the others."""
        if self.trial is None or not all(self._seen):
            return None
        return float(np.mean(self._seen)) * len(self.tasks) / self.trial.elements * self.trial.seconds


def _forecast(predictor: Any, plan: Plan, options: JobOptions, workers: int, *, try_network: bool) -> Forecast:
    sample = _SAMPLE if try_network else 0
    media = [_Medium(predictor, tasks, options, sample=sample) for tasks in plan.by_medium.values()]
    held, left = resident(), room()  # with the model and what reads, and before the network computes
    base = None if held is None else held + _THREADS
    for one in media if try_network else ():
        one.try_network()
    told = [_expected(one, base, workers) for one in media if one.largest is not None]
    peaks = [one.memory for one in told if one.memory is not None]
    seconds = [one.seconds for one in told]
    whole = None if not told or None in seconds or len(told) < len(media) else sum(one or 0.0 for one in seconds)
    found = Forecast(
        tuple(told), max(peaks) if peaks and len(peaks) == len(told) else None, whole,
        None if left is None else left + (held or 0), workers,
    )  # fmt: skip
    if found.fits is not False or found.room is None or base is None:
        return found
    worst = max((one for one in media if one.largest is not None), key=lambda one: _memory(one, one.settings, base))
    return replace(found, advice=_advice(worst, base, found.room, workers))


def _expected(medium: _Medium, base: int | None, workers: int) -> Expected:
    assert medium.largest is not None
    source, need = medium.largest
    network = medium.network(need)
    held = {**need.held, **({"network": network} if network else {}), **({} if base is None else {"process": base})}
    memory = None if base is None else workers * sum(held.values())
    parts = medium.parts(workers)
    seconds = None if medium.seconds is None else medium.seconds / min(workers, max(len(medium.tasks), parts))
    return Expected(
        source.task.medium.name, len(medium.tasks), str(source.task.source), need.size, memory, held, seconds, parts
    )


def _memory(medium: _Medium, settings: Settings, base: int) -> int:
    assert medium.largest is not None
    need = medium.need(medium.largest[0], settings)
    return base + need.bytes + medium.network(need)


def _advice(medium: _Medium, base: int, room_: int, workers: int) -> str:
    """What would fit, in words."""
    fewer = room_ // _memory(medium, medium.settings, base)
    if fewer:
        return f"{counted(fewer, 'worker')} would fit (--on local:{fewer})"
    room_ //= workers
    for said, settings in _otherwise(medium):
        if _memory(medium, settings, base) <= room_:
            return f"{said} would fit"
    least = min((_memory(medium, settings, base) for _, settings in _otherwise(medium)), default=0)
    needed = least or _memory(medium, medium.settings, base)
    return f"no setting would fit; cut the source into parts, or take a machine with {said_bytes(needed)} to spare"


def _otherwise(medium: _Medium) -> Iterable[tuple[str, Settings]]:
    """Other settings, the ones that cost least first."""
    plain = medium.settings
    for kind in ("instances", "polygons", "geopackage", "page", EVERY, "confidence", "overlay"):
        if kind in plain.outputs and len(plain.outputs) > 1:
            yield f"leaving {kind} out (--write)", replace(plain, outputs=plain.outputs - {kind})
    if "tile" in medium.takes:
        for tile in (384, 256):
            if tile < medium.tile:
                yield f"--tile {tile} (Python: tile={tile})", replace(plain, tile=tile)
    if "long_side" in medium.takes:
        longest = max(medium.largest[1].size[:2]) if medium.largest else 0
        for side in (8192, 4096, 2048, 1024, 512):
            if side < longest:
                yield f"--long-side {side} (Python: long_side={side})", replace(plain, long_side=side)


def _some(tasks: Sequence[Task], sample: int) -> list[Task]:
    """The largest files, and others evenly drawn."""
    sizes = np.fromiter(map(_bytes, tasks), np.int64, len(tasks))
    by_size = np.argsort(-sizes, kind="stable")
    rest = by_size[_LARGEST:]
    step = max(1, -(-len(rest) // sample)) if sample else 0
    chosen = [*by_size[:_LARGEST], *(rest[::step] if step else [])]
    return [tasks[int(place)] for place in chosen]


def _bytes(task: Task) -> int:
    found = fingerprint(task.source)
    return 0 if found is None else found[0]


def _readers(task: Task, predictor: Any, options: JobOptions) -> Iterable[Any]:
    """A source by its header; none where it cannot be opened, which is told at its turn, or lies in a store."""
    if str(task.source).startswith("camera:") or is_address(task.source):
        return
    try:
        yield task.medium.open(task.source, predictor.preprocessing, options.given())
    except (OSError, MemoryError, IntarsiaError):
        return
