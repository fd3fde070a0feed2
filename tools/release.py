"""Build a release from a commit, and check it as its users will get it: the same bytes each time, and it works alone.

    python tools/release.py dist

Builds the sdist and the wheel twice, in different folders, and the wheel once more from the sdist; compares them;
installs the wheel into an empty environment and segments the bundled photo there. What passes all that is put into the
folder, with its bill of materials and SHA-256 sums. Needs hatchling, and the index for the empty environment.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
MOST = 60_000_000
"""Bytes that a wheel may have, of the 100 MB that the index takes."""
_DATED = r"\d{4}-\d\d-\d\d"


class Refused(Exception):
    """A release that is not as it should be; says what to mend."""


def versions(root: Path) -> dict[str, str]:
    """Every place that writes the version down, and what stands there; "" where it cannot be found."""
    places = {
        "intarsia/__init__.py": r'^__version__ = "(.+)"$',
        "CITATION.cff": r"^version: (.+)$",
        "CHANGELOG.md": r"^## \[(.+)\] - ",  # the newest is the first
    }
    found = {}
    for name, pattern in places.items():
        said = re.search(pattern, (root / name).read_text(encoding="utf-8"), re.MULTILINE)
        found[name] = said[1] if said else ""
    return found


def dates(root: Path) -> dict[str, str]:
    """The day of the release, in the two places that name one."""
    heading = re.search(r"^## \[.+\] - (.+)$", (root / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    cited = re.search(r'^date-released: "?([^"\n]+)', (root / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE)
    return {"CHANGELOG.md": heading[1] if heading else "", "CITATION.cff": cited[1] if cited else ""}


def require_one_version(root: Path) -> str:
    """The version, if all places agree and the day is known.

    Raises:
        Refused: they do not.
    """
    for what, found in (("version", versions(root)), ("day of release", dates(root))):
        if len(set(found.values())) != 1 or not all(found.values()):
            raise Refused(f"the {what} differs: " + ", ".join(f"{value!r} in {name}" for name, value in found.items()))
    day = dates(root)["CHANGELOG.md"]
    if not re.fullmatch(_DATED, day):
        raise Refused(f"CHANGELOG.md says {day!r} where the day of the release belongs, as 2026-11-30")
    return versions(root)["intarsia/__init__.py"]


def export(commit: str, folder: Path) -> Path:
    """Unpack a commit into a new folder, without what lies beside it in the working tree."""
    folder.mkdir(parents=True)
    packed = folder.with_suffix(".tar")
    _run(["git", "-C", str(ROOT), "archive", "-o", str(packed), commit])
    with tarfile.open(packed) as archive:
        archive.extractall(folder, filter="data")
    packed.unlink()
    return folder


def build(tree: Path, out: Path, seconds: str, *, targets: Sequence[str] = ("sdist", "wheel")) -> list[Path]:
    """Build from a tree; returns the files, sorted.

    Args:
        tree: the sources.
        out: a folder for the files.
        seconds: since 1970, which become the time of every file inside.
        targets: what to build.
    """
    asked = [part for target in targets for part in ("-t", target)]
    _run([sys.executable, "-m", "hatchling", "build", "-d", str(out), *asked], cwd=tree, SOURCE_DATE_EPOCH=seconds)
    return sorted(out.iterdir())


def require_same(one: Path, other: Path, what: str) -> None:
    """Compare two builds of one file.

    Raises:
        Refused: they differ; names the entries that do.
    """
    if one.name == other.name and one.read_bytes() == other.read_bytes():
        return
    raise Refused(f"{what}: {one.name} and {other.name} differ: {', '.join(_differing(one, other)) or 'in packing'}")


def _differing(one: Path, other: Path) -> list[str]:
    if one.suffix != ".whl" or other.suffix != ".whl":
        return []
    with zipfile.ZipFile(one) as left, zipfile.ZipFile(other) as right:
        entries = [{entry.filename: entry.CRC for entry in archive.infolist()} for archive in (left, right)]
    return sorted({name for name, _ in entries[0].items() ^ entries[1].items()})


def try_alone(wheel: Path, folder: Path, version: str) -> Path:
    """Install a wheel into an empty environment and use it; returns that environment's Python.

    Raises:
        Refused: it says another version, or does not segment.
    """
    venv.create(folder / "env", with_pip=True)
    python = folder / "env" / "bin" / "python"
    _run([str(python), "-m", "pip", "install", "--disable-pip-version-check", "-q", str(wheel)])
    _run([str(python), "-m", "pip", "check"])
    command, place = [str(python), "-P", "-m", "intarsia"], folder / "elsewhere"
    place.mkdir()
    said = _run([*command, "--version"], cwd=place).strip()
    if said != f"intarsia {version}":
        raise Refused(f"the wheel calls itself {said!r}, not 'intarsia {version}'")
    photo = next((folder / "env").glob("lib/python*/site-packages/intarsia/serving/samples/astronaut.jpg"))
    _run([*command, "segment", str(photo), "-o", "labels.png"], cwd=place)
    if not (place / "labels.png").read_bytes().startswith(b"\x89PNG"):
        raise Refused("the wheel, alone, segmented the bundled photo to no mask")
    return python


def _run(command: list[str], cwd: Path | None = None, **more: str) -> str:
    """Run a command without this checkout on Python's path; returns what it prints.

    Raises:
        Refused: it ends with an error.
    """
    told = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | more
    done = subprocess.run(command, cwd=cwd, env=told, capture_output=True, text=True)
    if done.returncode:
        raise Refused(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def release(out: Path, commit: str = "HEAD") -> list[Path]:
    """Build, check and write a release; returns its files.

    Raises:
        Refused: something is not as it should be; nothing is written then.
    """
    seconds = _run(["git", "-C", str(ROOT), "log", "-1", "--format=%ct", commit]).strip()
    with tempfile.TemporaryDirectory(prefix="release-") as name:
        work = Path(name)
        tree = export(commit, work / "one" / "tree")
        version = require_one_version(tree)
        sdist, wheel = _pair(build(tree, work / "built", seconds))
        again = _pair(build(export(commit, work / "another" / "place"), work / "again", seconds))
        for first, second in zip((sdist, wheel), again, strict=True):
            require_same(first, second, "built twice")
        with tarfile.open(sdist) as archive:
            archive.extractall(work / "unpacked", filter="data")
        (inner,) = (work / "unpacked").iterdir()
        require_same(wheel, build(inner, work / "third", seconds, targets=["wheel"])[0], "built from the sdist")
        if wheel.stat().st_size > MOST:
            raise Refused(f"{wheel.name} has {wheel.stat().st_size:,} bytes, more than {MOST:,}")
        python = try_alone(wheel, work / "alone", version)
        bill = _run([str(python), str(ROOT / "tools" / "bill.py"), str(wheel)])
        return _keep(out, [sdist, wheel], bill)


def _pair(files: list[Path]) -> tuple[Path, Path]:
    """The sdist and the wheel."""
    (sdist,), (wheel,) = ([file for file in files if file.suffix == end] for end in (".gz", ".whl"))
    return sdist, wheel


def _keep(out: Path, files: list[Path], bill: str) -> list[Path]:
    out.mkdir(parents=True, exist_ok=True)
    kept = [out / file.name for file in files]
    for file, target in zip(files, kept, strict=True):
        target.write_bytes(file.read_bytes())
    kept.append(kept[-1].with_suffix(".cdx.json"))
    kept[-1].write_text(bill, encoding="utf-8")
    sums = "".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in kept)
    (out / "SHA256SUMS").write_text(sums, encoding="utf-8")
    return [*kept, out / "SHA256SUMS"]


def main() -> int:
    """Write the release, or say why not."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("folder", type=Path, help="what passes is put here")
    parser.add_argument("--commit", default="HEAD", help="what is released; what is not committed never is")
    asked = parser.parse_args()
    try:
        for file in release(asked.folder, asked.commit):
            print(f"{file.stat().st_size:>12,}  {file}")
    except Refused as error:
        print(f"No release: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
