"""Reading weights that other libraries wrote, without ever running code from the file."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from intarsia.bundle import METADATA_KEY
from intarsia.errors import ModelError

_ZIP, _PICKLE = b"PK\x03\x04", b"\x80"
_CONTAINERS = ("state_dict", "model_state_dict", "model")
_DEPTH = 3  # containers in containers
_WRAPPERS = ("module.", "_orig_mod.", "model.")  # DataParallel; torch.compile; a LightningModule's attribute
_SAVED_FOLDER = ("model.safetensors", "pytorch_model.bin")  # save_pretrained's names
_AGAIN = "fetch or copy it again"
_SAVE_WEIGHTS = "Where it was made, save the weights alone: torch.save(model.state_dict(), 'weights.pth')"


@dataclass(frozen=True)
class Checkpoint:
    """A foreign model's weights.

    Attributes:
        file: where they lie.
        sha256: the file's checksum.
        state: tensors by the names that the other library gives them, without wrappers' prefixes.
        config: smp's ``config.json`` beside it; {} if there is none.
    """

    file: Path
    sha256: str
    state: dict[str, Tensor]
    config: dict[str, Any]


def read_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a ``.pth``, ``.pt``, ``.bin`` or ``.safetensors`` file, or a folder that ``save_pretrained`` wrote.

    Raises:
        ModelError: the file is missing, empty, damaged, or holds more than weights; the message names the file, the
            reason and the fix.
    """
    file = Path(path)
    if file.is_dir():
        file = _in_folder(file)
    try:
        with file.open("rb") as stream:
            start = stream.read(4)
            stream.seek(0)
            checksum = hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        raise ModelError(f"{file}: no such file; check the path") from None
    except OSError as error:
        raise ModelError(f"{file}: cannot be read: {error.strerror}") from error
    if not start:
        raise ModelError(f"{file}: the file is empty; {_AGAIN}")
    is_torch = start == _ZIP or start.startswith(_PICKLE)
    state = _unwrapped(file, _load_torch(file) if is_torch else _load_safetensors(file))
    return Checkpoint(file, checksum, _bare_names(state), _read_config(file))


def _in_folder(folder: Path) -> Path:
    for name in _SAVED_FOLDER:
        if (folder / name).is_file():
            return folder / name
    raise ModelError(f"{folder}: a folder without {' or '.join(_SAVED_FOLDER)}; name the file with the weights")


def _load_torch(file: Path) -> Any:
    try:
        # Namespace is a plain record, which training scripts (torchvision's among them) save with their options
        with warnings.catch_warnings(), torch.serialization.safe_globals([argparse.Namespace]):
            warnings.simplefilter("ignore")  # about unusual pickles, of which the error says all
            return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # what a damaged pickle raises can be of any kind
        reason = str(error)
        if "TorchScript" in reason:
            raise ModelError(
                f"{file}: a TorchScript program, which is code and was not opened. {_SAVE_WEIGHTS}"
            ) from None
        forbidden = re.search(r"GLOBAL ([\w.]+)", reason)
        if forbidden:
            raise ModelError(
                f"{file}: besides weights it holds Python objects ({forbidden[1]}), and opening those can run code, so "
                f"it was not opened. {_SAVE_WEIGHTS}"
            ) from None
        raise ModelError(f"{file}: truncated, damaged, or not written by torch.save; {_AGAIN}") from error


def _load_safetensors(file: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="pt") as stream:
            if METADATA_KEY in (stream.metadata() or {}):
                raise ModelError(f"{file}: an Intarsia bundle already; use it: intarsia segment PHOTO -m {file}")
            return {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118  (it is no dictionary)
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"{file}: neither a PyTorch checkpoint nor a whole safetensors file ({error}); {_AGAIN}"
        ) from error


def _unwrapped(file: Path, content: Any) -> dict[str, Tensor]:
    """The state dict in what a training script saved."""
    for _ in range(_DEPTH):
        if isinstance(content, dict):
            content = next((content[key] for key in _CONTAINERS if isinstance(content.get(key), dict)), content)
    if not isinstance(content, dict) or not content:
        raise ModelError(f"{file}: there is no state dict in it, or an empty one. {_SAVE_WEIGHTS}")
    if not all(isinstance(name, str) and isinstance(value, Tensor) for name, value in content.items()):
        entries = ", ".join(map(str, list(content)[:6]))
        raise ModelError(f"{file}: there is no state dict in it, its entries are {entries}. {_SAVE_WEIGHTS}")
    return content


def _bare_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    while wrapper := next((w for w in _WRAPPERS if all(name.startswith(w) for name in state)), ""):
        state = {name.removeprefix(wrapper): tensor for name, tensor in state.items()}
    return state


def _read_config(file: Path) -> dict[str, Any]:
    config = file.parent / "config.json"
    if file.name not in _SAVED_FOLDER or not config.is_file():
        return {}
    try:
        value = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{config}: cannot be read ({error}); {_AGAIN}, or move it away") from error
    return value if isinstance(value, dict) and "_model_class" in value else {}  # other libraries use the same names
