"""A million files in one folder: what it takes until `segment` knows what to do, and what `data check` takes.

No peer: processor time and the largest memory of each command, in a process of its own. The files are links to one
small picture; `data check` reads every one, so it gets fewer.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from common import arguments
from PIL import Image

_MANY, _CHECKED = 1_000_000, 50_000
_A_FILE = 30_000  # links; file systems bound them


def fill(folder: Path, pixels: np.ndarray, count: int) -> None:
    """Write so many pictures with consecutive names."""
    folder.mkdir(parents=True)
    for number in range(count):
        path = folder / f"{number:07d}.png"
        if number % _A_FILE == 0:
            first = path
            Image.fromarray(pixels).save(path)
        else:
            os.link(first, path)


def taken(*command: str) -> tuple[float, float, str]:
    """Run a command of ours; its seconds of processor time, MB of memory, and the end of what it said."""
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen([sys.executable, "-m", "intarsia", *command], stdout=said, stderr=said)
        _, _, used = os.wait4(process.pid, 0)
        said.seek(0)
        told = said.read()[-300:]
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1e3, told


def main() -> None:
    """Print and write what each command takes."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--folder", type=Path, help="where the files are made; a file system in memory is quick")
    asked = parser.parse_args()
    many, checked = (2000, 500) if asked.quick else (_MANY, _CHECKED)
    rows = []
    with tempfile.TemporaryDirectory(dir=asked.folder) as name:
        root = Path(name)
        fill(root / "photos", np.zeros((16, 16, 3), np.uint8), many)
        fill(root / "set" / "images", np.zeros((16, 16, 3), np.uint8), checked)
        fill(root / "set" / "masks", np.eye(16, dtype=np.uint8), checked)
        for what, count, command in (
            ("segment --dry-run", many, ("segment", str(root / "photos"), "-o", str(root / "out"), "--dry-run")),
            ("data check", checked, ("data", "check", str(root / "set"))),
        ):
            seconds, memory, said = taken(*command)
            rows.append({"what": what, "files": count, "seconds": seconds, "mb": memory, "said": said})
            print(f"{what}, {count:,} files: {seconds:.1f} s of processor time, {memory:.0f} MB\n{said}", flush=True)
    if asked.json:
        asked.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
