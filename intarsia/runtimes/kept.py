"""Networks as OpenVINO compiled them, kept on disk: the next process opens one in a fifth of the time."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from intarsia.errors import IntarsiaError
from intarsia.files import atomic_path, checksum
from intarsia.runtimes.choice import cache_folder
from intarsia.runtimes.openvino_library import library
from intarsia.runtimes.processor import feature

_DEVICE = "CPU"
_MOST, _MOST_BYTES = 8, 128 << 20  # of what is kept: networks, and bytes of each
_DIGEST = 32


def compiled(core: Any, files: Sequence[Path], settings: Mapping[str, Any], folder: Path | None = None) -> Any:
    """Compile a network for the processor, or take what an earlier process compiled from the same files.

    What was kept counts for these bytes, settings, version of OpenVINO and processor only. If it is damaged, or
    nothing can be kept, the network is compiled anew.

    Args:
        core: of OpenVINO.
        files: the graph, and its numbers if they lie beside it.
        settings: of the compiled network.
        folder: where networks are kept; None: see `intarsia.runtimes.choice.cache_folder`.

    Raises:
        RuntimeError: OpenVINO cannot open it.
    """
    place = (folder or cache_folder() / "openvino") / f"{_key(files, settings)}.blob"
    found = _recalled(core, place, settings)
    if found is None:
        found = core.compile_model(core.read_model(*map(str, files)), _DEVICE, settings)
        _keep(found, place)
    return found


def _key(files: Sequence[Path], settings: Mapping[str, Any]) -> str:
    parts = [library().get_version(), feature(), settings, *map(checksum, files)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def _recalled(core: Any, place: Path, settings: Mapping[str, Any]) -> Any:
    """What was kept, if it is as it was written; else None."""
    try:
        held = memoryview(place.read_bytes())
        if hashlib.sha256(held[_DIGEST:]).digest() != held[:_DIGEST]:
            return None
        return core.import_model(io.BytesIO(held[_DIGEST:]), _DEVICE, settings)
    except (OSError, RuntimeError):
        return None


def _keep(network: Any, place: Path) -> None:
    """Keep a network, and only the newest ones with it."""
    try:
        data = network.export_model().getvalue()
        if len(data) > _MOST_BYTES:
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(place) as temporary:
            temporary.write_bytes(hashlib.sha256(data).digest() + data)
        for old in sorted(place.parent.glob("*.blob"), key=os.path.getmtime)[:-_MOST]:
            old.unlink(missing_ok=True)
    except (OSError, IntarsiaError, RuntimeError):
        return
