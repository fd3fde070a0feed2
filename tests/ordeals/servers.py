"""Fork servers: what may hang, crash or eat the memory runs in children of a warm process, under limits."""

from __future__ import annotations

import faulthandler
import gc
import importlib
import json
import os
import resource
import select
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from intarsia.errors import IntarsiaError
from intarsia.failures import explained

GREED = 1 << 30
"""Bytes that reading a damaged file may take beyond what the process had."""
HANG = 5.0
"""Seconds of processor time after which a reader counts as hanging."""
_PATIENCE = 40.0  # seconds on the clock, of a busy machine, until a child that says nothing is killed


_LIBRARIES = (
    "av", "cv2", "defusedxml.ElementTree", "h5py", "laspy", "lazrs", "nibabel", "onnxruntime",
    "pyarrow.parquet", "pydicom.pixels", "rasterio.crs", "scipy.io", "yaml", "intarsia.annotations.tools",
    "intarsia.apps.search.index", "intarsia.cli.annotations", "intarsia.cli.segment", "intarsia.datasets",
    "intarsia.inference", "intarsia.jobs", "intarsia.recipe", "intarsia.reports.curves", "intarsia.runtimes.onnx",
)  # fmt: skip
_HEAVY = (
    "openvino", "torch", "starlette.testclient", "intarsia.cli.export", "intarsia.cli.train", "intarsia.exporting",
    "intarsia.inference.clouds", "intarsia.serving.app", "intarsia.training.fitting", "intarsia.training.loop",
)  # fmt: skip


def warm(*, light: bool = False) -> None:
    """Import what is else imported when it is needed, so that children need not; `light`: but for what is large."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in _LIBRARIES if light else (*_LIBRARIES, *_HEAVY):
            with suppress(ImportError, IntarsiaError):
                importlib.import_module(module)


@dataclass(frozen=True)
class Outcome:
    """How one call in a child ended.

    Attributes:
        case: its number.
        end: "read", "refused" (by an `IntarsiaError`), "defect" (by another error), "crash" or "hang".
        said: what it returned; or the error's message, for a defect with where it was raised; or the signal.
        seconds: processor time.
        memory: bytes by which the resident memory's peak grew.
        greedy: whether memory was asked for that the limit refused.
    """

    case: int
    end: str
    said: str
    seconds: float = 0.0
    memory: int = 0
    greedy: bool = False

    @property
    def fault(self) -> str:
        """What is wrong with it, whatever it read; "" for nothing."""
        if self.end not in ("read", "refused"):
            return self.end
        if self.seconds > HANG:
            return "hang"
        return "greed" if self.greedy or self.memory > GREED else ""


def serve(work: Callable[[int], str], cases: Sequence[int], *, greed: int = GREED) -> Iterator[Outcome]:
    """Do `work(case)` for every case in forked children; one that dies or hangs costs its own case only.

    Args:
        work: returns what it found, or raises.
        cases: numbers of cases.
        greed: bytes of address space that a child may take beyond what this process has.
    """
    left = list(cases)
    while left:
        done = 0
        for outcome in _one_child(work, left, greed):
            done += 1
            yield outcome
        left = left[done:]


def _one_child(work: Callable[[int], str], cases: list[int], greed: int) -> Iterator[Outcome]:
    reading, writing = os.pipe()
    gc.freeze()  # so that children share what they never touch
    child = os.fork()
    if child == 0:
        os.close(reading)
        _be_child(work, cases, writing, greed)
    os.close(writing)
    begun: int | None = None
    with os.fdopen(reading, "rb") as lines:
        buffer = b""
        while True:
            ready, _, _ = select.select([lines], [], [], _PATIENCE)
            more = os.read(lines.fileno(), 1 << 16) if ready else b""
            if not more:
                break
            *whole, buffer = (buffer + more).split(b"\n")
            for line in whole:
                told = json.loads(line)
                if isinstance(told, int):
                    begun = told
                else:
                    begun = None
                    yield Outcome(**told)
        if not ready:
            os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if begun is not None:
        how = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"exit code {os.WEXITSTATUS(status)}"
        yield Outcome(begun, "crash" if ready else "hang", how if ready else f"silent for {_PATIENCE:.0f} s")


def _be_child(work: Callable[[int], str], cases: list[int], out: int, greed: int) -> None:
    """Do the cases and tell of each; never returns."""
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):  # codecs write what they think of a file to stderr
        os.dup2(null, stream)
    faulthandler.disable()  # a crash is told by its signal
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    limit = _memory("VmSize") + greed + (1 << 28)  # and what threads take for their stacks
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for case in cases:
        os.write(out, b"%d\n" % case)
        _forget_peak()
        before, start = _memory("VmRSS"), time.process_time()
        end, said, greedy = _called(work, case)
        told = Outcome(case, end, said, time.process_time() - start, max(0, _memory("VmHWM") - before), greedy)
        os.write(out, json.dumps(vars(told)).encode() + b"\n")
    os._exit(0)


def _called(work: Callable[[int], str], case: int) -> tuple[str, str, bool]:
    """How a call ended, what it said, and whether it asked for too much memory."""
    try:
        return "read", work(case), False
    except IntarsiaError as error:
        return "refused", f"{type(error).__name__}: {error}", _wants_memory(error)
    except (Exception, RecursionError) as error:
        known = explained(error)
        if known is not None:
            return "refused", f"{type(known).__name__}: {known}", _wants_memory(error)
        where = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in where if "/intarsia/" in frame.filename] or where
        return "defect", f"{type(error).__name__}: {error} ({ours[-1].filename}:{ours[-1].lineno})", False


def _wants_memory(error: BaseException | None) -> bool:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        text = f"{type(error).__name__} {error}".lower()
        if isinstance(error, MemoryError) or "bad_alloc" in text or "unable to allocate" in text:
            return True
        error = error.__cause__ or error.__context__
    return False


def _forget_peak() -> None:
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def _memory(key: str) -> int:
    """Bytes of this process's memory, by a key of /proc/self/status."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    return 0


def in_child(work: Callable[[], int | None]) -> int:
    """Fork a child that does this; return its process id. Its exit code is what `work` returns, 1 for an error."""
    gc.freeze()
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        code = work() or 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def quietly(work: Callable[[], int | None], said: int | None = None) -> Callable[[], int | None]:
    """The work, whose output goes nowhere, or to an open file."""

    def run() -> int | None:
        target = os.open(os.devnull, os.O_RDWR) if said is None else said
        for stream in (1, 2):
            os.dup2(target, stream)
        # What Python holds of the old ones knows where they stood; a pipe stands nowhere.
        sys.stdout, sys.stderr = (open(stream, "w", closefd=False) for stream in (1, 2))  # noqa: SIM115
        return work()

    return run
