"""Write down which files an installation takes, each with its SHA-256: `make lock` calls this, and CI installs from it.

pip install --dry-run --ignore-installed --report report.json -e '.[dev]'
python tools/lock.py report.json > tools/locked/NAME.txt
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import sysconfig
from pathlib import Path
from typing import Any

from bill import plain

_SHA256 = re.compile(r"[0-9a-f]{64}")


def locked(report: dict[str, Any]) -> list[str]:
    """One line a package, sorted, as pip's hash-checking mode reads them; the project itself is left out.

    Args:
        report: of pip's resolver (`--report`).

    Raises:
        ValueError: a package comes without a checksum.
    """
    lines = []
    for found in report["install"]:
        if "dir_info" in found["download_info"]:
            continue
        name, version = plain(found["metadata"]["name"]), found["metadata"]["version"]
        checksum = found["download_info"].get("archive_info", {}).get("hashes", {}).get("sha256", "")
        if not _SHA256.fullmatch(checksum):
            raise ValueError(f"{name} {version} comes without a SHA-256; install it from an index")
        lines.append(f"{name}=={version} --hash=sha256:{checksum}")
    return sorted(lines)


def place() -> str:
    """The name of this kind of Python and machine, for which the files of a lock are."""
    return f"{sys.implementation.cache_tag}-{sysconfig.get_platform()}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write which files an installation takes, each with its SHA-256.")
    parser.add_argument(
        "report", nargs="?", type=Path, help="of pip; without it, the name of this kind of machine is told"
    )
    asked = parser.parse_args()
    if asked.report is None:
        print(place())
    else:
        print("# Written by `make lock`; what continuous integration installs, and nothing else.")
        print(*locked(json.loads(asked.report.read_text(encoding="utf-8"))), sep="\n")
