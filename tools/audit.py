"""Compare what is installed with the list of known weaknesses, and say so where there was no list to compare with.

    python tools/audit.py build/tools/bin/pip-audit build/installed.txt

Ends with 0 where every package was compared and none has a known weakness, with 1 where one has, and with 2 where the
index gave no answer, of all packages or of some: that is no audit, and not a clean one. (pip-audit itself ends with 0
when it has skipped everything.)
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

CLEAN, WEAK, NO_ANSWER = 0, 1, 2
_SHOWN = 5


def ask(program: str, installed: str) -> tuple[list[dict[str, Any]], str]:
    """Ask the index of every package; returns what it said of each, and why it said nothing."""
    command = [program, "--no-deps", "--disable-pip", "--progress-spinner", "off", "-f", "json", "-r", installed]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        return json.loads(done.stdout)["dependencies"], ""
    except (ValueError, KeyError, TypeError):
        lines = done.stderr.strip().splitlines()
        return [], lines[-1] if lines else f"{program} ended with {done.returncode}"


def judge(packages: Sequence[dict[str, Any]], trouble: str) -> tuple[int, list[str]]:
    """Say in sentences what an audit has found; and the code to end with."""
    skipped = [one["name"] for one in packages if "skip_reason" in one]
    weak = [one for one in packages if one.get("vulns")]
    said = [f"{one['name']} {one['version']}: {', '.join(found['id'] for found in one['vulns'])}" for one in weak]
    if not packages or len(skipped) == len(packages):
        why = trouble or f"it knows no weaknesses of any of {len(packages)} packages"
        said.append(f"No audit: the index gave no answer ({why}). Try again with one that has the list, as PyPI does.")
    elif skipped:
        names = ", ".join(skipped[:_SHOWN]) + (", ..." if len(skipped) > _SHOWN else "")
        said.append(f"No whole audit: of {len(skipped)} of {len(packages)} packages the index says nothing ({names}).")
    elif not weak:
        said.append(f"{len(packages)} packages, and no known weakness.")
    return WEAK if weak else NO_ANSWER if skipped or not packages else CLEAN, said


def main() -> int:
    """Audit, and print what was found."""
    code, said = judge(*ask(*sys.argv[1:3]))
    for line in said:
        print(line, file=sys.stderr if code else sys.stdout)
    return code


if __name__ == "__main__":
    sys.exit(main())
