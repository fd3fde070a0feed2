"""Quality and milliseconds of every use, beside its peers, one after the other: all that `uses_NAME.py` measure."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from common import Row, arguments, report

FOLDER = Path(__file__).parent
NAMES = sorted(file.stem.removeprefix("uses_") for file in FOLDER.glob("uses_*.py"))


def measured(name: str, *, quick: bool) -> list[Row]:
    """The rows of one app, from a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.json"
        script = str(FOLDER / f"uses_{name}.py")
        subprocess.run([sys.executable, script, "--json", str(file), *(["--quick"] if quick else [])], check=True)
        return [
            Row(**{**row, "case": f"{name}: {row['case']}"}) for row in json.loads(file.read_text("utf-8"))["results"]
        ]


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"apps; default: all of {', '.join(NAMES)}")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in NAMES]
    if unknown:
        parser.error(f"no app is named {unknown[0]}; there are {', '.join(NAMES)}")
    rows = [row for name in options.names or NAMES for row in measured(name, quick=options.quick)]
    report("The uses", rows, options.json, threads=os.cpu_count() or 1)


if __name__ == "__main__":
    main()
