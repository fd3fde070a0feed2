"""What was measured on this machine, so that `auto` need not measure again."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from intarsia.bundle import Description
from intarsia.errors import IntarsiaError
from intarsia.files import write_json
from intarsia.runtimes.processor import feature
from intarsia.threads import cores


@dataclass(frozen=True)
class Measured:
    """What one runtime took for a model here.

    Attributes:
        runtime: its name.
        precision: its arithmetic.
        milliseconds: of the network, for one picture.
        agreement: share of labels that are those of the first runtime that was measured.
    """

    runtime: str
    precision: str
    milliseconds: float
    agreement: float


def cache_folder(environment: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """Find where the system keeps what programs can measure or make again."""
    if platform == "win32":
        return Path(environment.get("LOCALAPPDATA", Path.home() / "AppData/Local")) / "intarsia" / "cache"
    if platform == "darwin":
        return Path.home() / "Library" / "Caches" / "intarsia"
    return Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "intarsia"


def recall(description: Description, folder: Path | None = None) -> list[Measured]:
    """Read what was measured of a model on this processor with as many threads, the fastest first; [] if nothing."""
    try:
        text = _file(description, folder).read_text(encoding="utf-8")
        found = [Measured(**one) for one in json.loads(text)]
    except (OSError, ValueError, TypeError):
        return []
    return sorted(found, key=lambda one: one.milliseconds)


def remember(description: Description, measured: Sequence[Measured], folder: Path | None = None) -> None:
    """Keep what was measured; where nothing can be written, it is measured again another time."""
    file = _file(description, folder)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, [asdict(one) for one in measured])
    except (OSError, IntarsiaError):
        return


def _file(description: Description, folder: Path | None) -> Path:
    key = f"{description.checksum()[:32]}-{feature()}-{cores()}"
    return (folder or cache_folder()) / "runtimes" / f"{key}.json"
