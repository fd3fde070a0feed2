"""What every benchmark shares: arguments, paired rounds in processes of their own, a table, and a JSON file."""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

DATA = Path(os.environ.get("INTARSIA_DATA", "../shared/data"))
"""Folder of the real data sets."""

# Options of deeplabv3plus: the decoder of the bundled street model, and those that make it smp's DeepLabV3Plus.
STREET: dict[str, Any] = {"channels": 128, "low_channels": 32, "depthwise_norm": False}
AS_SMP: dict[str, Any] = {
    "rates": (12, 24, 36),
    "depthwise_norm": False,
    "decoder_convs": 1,
    "post_conv": True,
    "dropout": 0.5,
    "align_corners": True,
}


@dataclass(frozen=True)
class Row:
    """One comparison; `ratio` is how many times better ours is."""

    case: str
    metric: str
    unit: str
    ours: float
    peer: float | None
    peer_name: str
    ratio: float | None


def compare(
    case: str,
    metric: str,
    unit: str,
    ours: Sequence[float],
    peer: Sequence[float],
    peer_name: str,
    *,
    higher_is_better: bool = False,
) -> Row:
    """Medians of paired rounds; the ratio is the median of the rounds' own ratios."""
    ratios = [a / b if higher_is_better else b / a for a, b in zip(ours, peer, strict=True)]
    return Row(
        case, metric, unit, statistics.median(ours), statistics.median(peer), peer_name, statistics.median(ratios)
    )


def alternate(rounds: int, ours: Callable[[], float], peer: Callable[[], float]) -> tuple[list[float], list[float]]:
    """Run both sides in turn, so that what else the machine does hits both; the first round only warms up."""
    measured = [(ours(), peer()) for _ in range(rounds + 1)][1:]
    return [a for a, _ in measured], [b for _, b in measured]


def least(work: Callable[[], Any], rounds: int = 10) -> float:
    """Milliseconds of the fastest of some rounds: other programs only ever slow one down."""
    took = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        took.append(time.perf_counter() - start)
    return 1000 * min(took)


def in_own_process(script: str, *arguments: str) -> dict[str, float]:
    """Run `script ARGUMENTS` in a fresh process, which prints one JSON object as its last line.

    Allocator settings, thread pools and peak memory belong to a process, so each side gets its own.
    """
    done = subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{script} {' '.join(arguments)} failed:\n{done.stderr}")
    result: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def arguments(description: str) -> argparse.ArgumentParser:
    """The options of every benchmark."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="fewer and smaller rounds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows here")
    return parser


def report(title: str, rows: Sequence[Row], file: Path | None, *, threads: int) -> None:
    """Print a table, and write the rows if asked to."""
    table = Table(title=f"{title} ({threads} threads, medians of paired rounds)")
    for column in ("case", "metric", "ours", "peer", "peer is", "ratio"):
        table.add_column(column, overflow="fold")
    for row in rows:
        peer = "" if row.peer is None else f"{row.peer:.4g} {row.unit}"
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}x"
        table.add_row(row.case, row.metric, f"{row.ours:.4g} {row.unit}", peer, row.peer_name, ratio)
    Console(width=140).print(table)
    if file is not None:
        write_results(file, [asdict(row) for row in rows])


def write_results(file: Path, results: Any) -> None:
    """Write what was measured with the day, the machine and the command, so that a page may quote it."""
    script, typed = Path(sys.argv[0]), sys.argv[1:]
    if "--json" in typed:
        at = typed.index("--json")
        typed = [*typed[:at], *typed[at + 2 :]]
    typed = [
        Path(word).name if Path(word).is_absolute() else word for word in typed
    ]  # folders of this machine say nothing
    document = {
        "benchmark": script.stem,
        "command": " ".join(["python", f"benchmarks/{script.name}", *typed]),
        "date": date.today().isoformat(),
        "machine": _machine(),
        "results": results,
    }
    file.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _machine() -> dict[str, Any]:
    """Processor, cores of this process, how busy they were in the last minute, and what computed."""
    said = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    found = dict(re.findall(r"^(model name|flags)\s*: (.*)$", said, re.MULTILINE))
    return {
        "processor": found.get("model name", platform.processor()),
        "instructions": [
            one for one in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if one in found.get("flags", "")
        ],
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        **{name: _version(name) for name in ("torch", "numpy", "onnxruntime")},
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
