"""Write a wheel's bill of materials as CycloneDX JSON: itself, and what its dependencies are in this environment.

    python tools/bill.py dist/intarsia-0.2.0-py3-none-any.whl > dist/intarsia-0.2.0-py3-none-any.cdx.json

Offline, from the metadata of what is installed; the same wheel and environment give the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import zipfile
from collections.abc import Iterable
from email.parser import HeaderParser
from importlib import metadata
from pathlib import Path
from typing import Any

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_EXTRA = re.compile(r"extra\s*==\s*['\"]([^'\"]+)['\"]")


def plain(name: str) -> str:
    """A package's name as the index writes it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def needed(root: str, extras: Iterable[str] = ()) -> list[str]:
    """Names of all installed packages that one needs, directly or not, sorted; without itself.

    Args:
        root: the package.
        extras: its extras that count.
    """
    seen: set[tuple[str, str]] = set()
    waiting = [(plain(root), extra) for extra in ("", *extras)]
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen:
            continue
        try:
            required = metadata.requires(name) or []
        except metadata.PackageNotFoundError:  # of another system, or an extra that is not installed
            continue
        seen.add((name, extra))
        for line in required:
            said = _EXTRA.search(line)
            if (said[1] if said else "") != extra:
                continue
            asked = _NAME.match(line)
            options = re.match(r"[^;\[]*\[([^\]]*)\]", line)
            if asked is not None:
                parts = ["", *(options[1].split(",") if options else ())]
                waiting += [(plain(asked[0]), part.strip()) for part in parts]
    return sorted({name for name, _ in seen} - {plain(root)})


def licence_of(name: str) -> str:
    """What a package says of its licence: the expression, else the classifiers, else the first line of the field."""
    found = metadata.metadata(name)
    classifiers = [
        line.rpartition(" :: ")[2] for line in found.get_all("Classifier", []) if line.startswith("License ::")
    ]
    field = (found.get("License") or "").strip().splitlines()
    return found.get("License-Expression") or "; ".join(classifiers) or (field[0] if field else "not said")


def bill_of(wheel: Path) -> dict[str, Any]:
    """The bill of a wheel, with everything that its core needs here."""
    with zipfile.ZipFile(wheel) as archive:
        place = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        said = HeaderParser().parsestr(archive.read(place).decode("utf-8"))
    whole = hashlib.sha256(wheel.read_bytes()).hexdigest()
    itself = {
        "type": "library", "bom-ref": "wheel", "name": said["Name"], "version": said["Version"],
        "purl": f"pkg:pypi/{plain(said['Name'])}@{said['Version']}", "hashes": [{"alg": "SHA-256", "content": whole}],
        "licenses": [{"license": {"name": said["License-Expression"] or "Apache-2.0"}}],
    }  # fmt: skip
    components = [
        {
            "type": "library", "name": name, "version": metadata.version(name),
            "purl": f"pkg:pypi/{name}@{metadata.version(name)}", "licenses": [{"license": {"name": licence_of(name)}}],
        }
        for name in needed(said["Name"])
    ]  # fmt: skip
    return {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "metadata": {"component": itself},
            "components": components}  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write a wheel's bill of materials as CycloneDX JSON.")
    parser.add_argument("wheel", type=Path)
    print(json.dumps(bill_of(parser.parse_args().wheel), indent=2))
