"""E57 (ASTM E2807), scans of terrestrial instruments, through pye57."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from intarsia.errors import DataError, require
from intarsia.media.clouds.cloud import PointCloud, from_columns, join

_NAMES = {
    "cartesianX": "x", "cartesianY": "y", "cartesianZ": "z", "colorRed": "red", "colorGreen": "green",
    "colorBlue": "blue", "intensity": "intensity",
}  # fmt: skip


def read_e57(path: Path) -> PointCloud:
    """Read all scans of a file, moved into the file's common frame.

    Raises:
        DataError: not an E57 file, or damaged.
        UsageError: pye57 is missing.
    """
    pye57 = require("pye57", "e57")
    if not path.is_file():
        raise DataError(f"{path}: no such file; check the path")
    try:
        file = pye57.E57(str(path))
        scans = []
        for index in range(file.scan_count):
            raw = file.read_scan(index, ignore_missing_fields=True, intensity=True, colors=True)
            columns = {_NAMES[name]: np.asarray(values) for name, values in raw.items() if name in _NAMES}
            scans.append(from_columns(columns, str(path)))
        file.close()
    except DataError:
        raise
    except Exception as error:  # the library raises errors of its own C++ types
        raise DataError(f"{path}: not a readable E57 file ({error})") from error
    shared = set.intersection(*(set(scan.fields) for scan in scans)) if scans else set()
    for scan in scans:
        scan.fields = {name: values for name, values in scan.fields.items() if name in shared}
    return join(scans, str(path))
