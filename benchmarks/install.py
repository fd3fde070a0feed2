"""What `pip install intarsia` takes on disk, by package: files, and the bytecode that pip makes of all modules."""

from __future__ import annotations

import importlib.util
from importlib import metadata
from pathlib import Path

from common import Row, arguments, report
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

NAMED = 5  # the largest ones


def closure(name: str, found: dict[str, metadata.Distribution]) -> dict[str, metadata.Distribution]:
    """A package and all that it requires without extras, by name."""
    name = canonicalize_name(name)
    if name not in found:
        found[name] = metadata.distribution(name)
        for line in found[name].requires or []:
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                closure(needed.name, found)
    return found


def megabytes(files: list[Path]) -> tuple[float, float]:
    """Of the files themselves, and of the bytecode of their modules."""
    plain = code = 0
    for file in files:
        if file.suffix != ".pyc" and file.is_file():
            plain += file.stat().st_size
            if file.suffix == ".py":
                made = Path(importlib.util.cache_from_source(str(file)))
                code += made.stat().st_size if made.is_file() else 0
    return plain / 1e6, code / 1e6


def main() -> None:
    given = arguments(__doc__ or "").parse_args()
    found = closure("intarsia", {})
    sizes = {name: megabytes([Path(one.locate_file(file)) for file in one.files or []]) for name, one in found.items()}
    if (ours := importlib.util.find_spec("intarsia")) is not None:  # of an editable one, RECORD names no file
        sizes["intarsia"] = megabytes(list(Path(ours.origin or "").parent.rglob("*")))
    rows = [Row("all", "files", "MB", sum(plain for plain, _ in sizes.values()), None, "", None)]
    rows.append(Row("all", "bytecode", "MB", sum(code for _, code in sizes.values()), None, "", None))
    for name, (plain, code) in sorted(sizes.items(), key=lambda one: -one[1][0])[:NAMED]:
        rows += [Row(name, "files", "MB", plain, None, "", None), Row(name, "bytecode", "MB", code, None, "", None)]
    report(f"{len(sizes)} packages", rows, given.json, threads=1)


if __name__ == "__main__":
    main()
