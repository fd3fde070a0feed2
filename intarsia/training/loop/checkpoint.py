"""Checkpoints that are written whole or not at all, verified when read, and never unpickled.

A checkpoint is a folder ``step-00001234`` with safetensors files, ``state.json`` and ``manifest.json`` (size and
SHA-256 of each). It is written under a temporary name, flushed, and renamed; the two newest are kept. A damaged newest
one is skipped in favour of the one before.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, load_file, save
from torch import Tensor

from intarsia.errors import DataError, ModelError
from intarsia.files import is_text, reason, sync

_KEEP = 2
_MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Checkpoint:
    """State of a training between two steps: named groups of tensors, and plain JSON."""

    tensors: Mapping[str, Mapping[str, Tensor]]
    state: dict[str, Any]


def save_checkpoint(folder: Path, step: int, checkpoint: Checkpoint) -> Path:
    """Write ``folder/step-XXXXXXXX`` whole or not at all, then remove all but the newest ones.

    Raises:
        DataError: the disk is full or the folder cannot be written; earlier checkpoints are untouched.
    """
    final = folder / f"step-{step:08d}"
    temporary = folder / f".{final.name}.{os.getpid()}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary.mkdir()
        for name, tensors in checkpoint.tensors.items():
            content = {key: value.detach().contiguous().cpu() for key, value in tensors.items()}
            (temporary / f"{name}.safetensors").write_bytes(save(content))
        (temporary / "state.json").write_text(json.dumps(checkpoint.state), encoding="utf-8")
        manifest = {
            file.name: {"bytes": file.stat().st_size, "sha256": _digest(file)} for file in sorted(temporary.iterdir())
        }
        (temporary / _MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        for file in temporary.iterdir():
            sync(file)
        sync(temporary)
        if final.exists():
            shutil.rmtree(final)
        temporary.rename(final)
        sync(folder)
    except OSError as error:
        raise DataError(f"cannot write checkpoint {final}: {reason(error)}; then go on with --resume") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    for old in _stored(folder)[_KEEP:]:
        shutil.rmtree(old, ignore_errors=True)
    return final


def load_checkpoint(folder: Path) -> tuple[Checkpoint, Path, list[str]] | None:
    """The newest intact checkpoint, its folder, and a sentence on each damaged one that was passed over.

    Returns:
        None when the folder holds no checkpoint.

    Raises:
        ModelError: there are checkpoints, and all of them are damaged.
    """
    damaged: list[str] = []
    for candidate in _stored(folder):
        problem = _problem(candidate)
        if problem is None:
            tensors = {file.stem: _tensors(file) for file in sorted(candidate.glob("*.safetensors"))}
            state = json.loads((candidate / "state.json").read_text(encoding="utf-8"))
            return Checkpoint(tensors, state), candidate, damaged
        damaged.append(f"checkpoint {candidate} is damaged: {problem}")
    if damaged:
        raise ModelError("no checkpoint can be used; start again without --resume:\n" + "\n".join(damaged))
    return None


def _stored(folder: Path) -> list[Path]:
    """Checkpoint folders, newest first."""
    return sorted((path for path in folder.glob("step-*") if path.is_dir()), reverse=True)


def _problem(checkpoint: Path) -> str | None:
    """What is wrong with a stored checkpoint, or None."""
    try:
        manifest = json.loads((checkpoint / _MANIFEST).read_text(encoding="utf-8"))
        for name, expected in manifest.items():
            file = checkpoint / name
            if file.stat().st_size != expected["bytes"]:
                return f"{name} has {file.stat().st_size} bytes, not {expected['bytes']}"
            if _digest(file) != expected["sha256"]:
                return f"the checksum of {name} does not match"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"its manifest or a file cannot be read ({error})"
    return None


def _tensors(file: Path) -> Mapping[str, torch.Tensor]:
    """Read a file of tensors; its library opens names that are text, and nothing else."""
    found: Mapping[str, torch.Tensor] = load_file(file) if is_text(file) else load(file.read_bytes())
    return found


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """An optimiser's state as flat named tensors."""
    state = optimizer.state_dict()["state"]
    return {
        f"{index}.{key}": torch.as_tensor(value)
        for index, entry in state.items()
        for key, value in entry.items()
        if value is not None
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put `optimizer_tensors` back."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        index, key = name.split(".", 1)
        state.setdefault(int(index), {})[key] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
