"""A driver that a worker kills in the middle of a part: python driven.py MEDIUM PLACE ENGINE."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))  # its workers begin with this path, too

from parted import large, mortal

from intarsia.jobs import plan
from intarsia.jobs.cutting import CUTTINGS
from intarsia.scaling import read_engine, run_on


def main(medium: str, place: Path, engine: str) -> int:
    """Run the job of a large source, to be killed; the notes tell who is the driver."""
    CUTTINGS["points"] = replace(CUTTINGS["points"], least=1_000)  # type: ignore[type-var]
    make, source, calls = large(medium, place)
    (notes := place / "notes").mkdir()
    (notes / "driver").write_text(str(os.getpid()))
    return run_on(
        read_engine(engine), make(), partial(mortal, medium, notes, calls), plan(source, place / "out")
    ).exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))
