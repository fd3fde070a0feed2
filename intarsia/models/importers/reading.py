"""Reading weights that other libraries wrote, without ever running code from the file."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PosixPath
from typing import Any

import numpy as np
import torch
from torch import Tensor

from intarsia.bundle import METADATA_KEY
from intarsia.errors import ModelError
from intarsia.files import require_file

# Plain records that training scripts save besides weights: options (torchvision's too), NumPy's numbers, paths.
_PLAIN: list[Any] = [
    argparse.Namespace, Path, PosixPath, np.dtype, np.ndarray,
    # Files of NumPy below 2 call its room by another name.
    *((np.float64(0).__reduce__()[0], f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
    *((np.empty(0).__reduce__()[0], f"numpy.{core}.multiarray._reconstruct") for core in ("core", "_core")),
    *(type(np.dtype(kind)) for kind in (np.float64, np.float32, np.int64, np.int32, np.bool_)),
]  # fmt: skip
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
        beside: names of the tensors in the file that are not the model's: a loss's weights, mean and deviation, ...
        others: keys of the file under which other weights lie, such as averaged ones.
    """

    file: Path
    sha256: str
    state: dict[str, Tensor]
    config: dict[str, Any]
    beside: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


def read_checkpoint(path: str | os.PathLike[str], prefix: str | None = None) -> Checkpoint:
    """Read a ``.pth``, ``.pt``, ``.bin`` or ``.safetensors`` file, or a folder that ``save_pretrained`` wrote.

    Args:
        path: the file or folder.
        prefix: the key of the weights that are meant, where the file holds several; others are prefixes of names.

    Raises:
        ModelError: the file is missing, empty, damaged, or holds more than weights; the message names the file, the
            reason and the fix.
    """
    file = Path(path)
    if file.is_dir():
        file = _in_folder(file)
    require_file(file, "save it first")
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
    content: Any = _load_torch(file) if is_torch else _load_safetensors(file)
    if prefix is not None and isinstance(content, dict) and _is_weights(prefix, content.get(prefix)):
        content = {prefix: content[prefix]}
    state, others = _unwrapped(file, content)
    _require_numbers(file, state)
    return Checkpoint(file, checksum, _bare_names(state), _read_config(file), others=others)


def _in_folder(folder: Path) -> Path:
    for name in _SAVED_FOLDER:
        if (folder / name).is_file():
            return folder / name
    raise ModelError(f"{folder}: a folder without {' or '.join(_SAVED_FOLDER)}; name the file with the weights")


def _load_torch(file: Path) -> Any:
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(_PLAIN):
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
        if "Unsupported operand" in reason:
            raise ModelError(
                f"{file}: a pickle of a newer protocol, which is not opened without running it. {_SAVE_WEIGHTS}"
            ) from error
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


def _unwrapped(file: Path, content: Any) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The state dict in what a training script saved; of several that are not known by name, all under their names.

    Also the keys beside it under which other weights lie.
    """
    others: list[str] = []
    for _ in range(_DEPTH):
        key = next((key for key in _CONTAINERS if isinstance(content, dict) and isinstance(content.get(key), dict)), "")
        if key:
            others += [name for name, value in content.items() if name != key and _is_weights(name, value)]
            content = content[key]
    if not isinstance(content, dict) or not content:
        raise ModelError(f"{file}: there is no state dict in it, or an empty one. {_SAVE_WEIGHTS}")
    state = _flat(content, _DEPTH)
    if not state:
        entries = ", ".join(map(str, list(content)[:6]))
        raise ModelError(f"{file}: there is no state dict in it, its entries are {entries}. {_SAVE_WEIGHTS}")
    return state, tuple(others)


def _is_weights(name: Any, value: Any) -> bool:
    """Whether an entry of a file holds the weights of a network, and no state of an optimiser."""
    return isinstance(name, str) and "optim" not in name and isinstance(value, dict) and bool(_flat(value, _DEPTH))


def _require_numbers(file: Path, state: dict[str, Tensor]) -> None:
    """Raise a ModelError if tensors are no plain numbers, or the training that wrote them had gone astray."""
    for name, tensor in state.items():
        if tensor.layout is not torch.strided or tensor.is_quantized or tensor.is_meta:
            kind = "quantised" if tensor.is_quantized else "without values" if tensor.is_meta else "sparse"
            raise ModelError(f"{file}: the tensor {name} is {kind}; save the weights as plain numbers")
        if tensor.is_floating_point() and tensor.isnan().any():
            raise ModelError(
                f"{file}: the tensor {name} holds NaN: the training that wrote it had diverged; take an earlier "
                "checkpoint of it"
            )


def _flat(content: dict[Any, Any], depth: int) -> dict[str, Tensor]:
    """The tensors of a dictionary and those in it, by dotted names; optimisers number theirs and are left out."""
    state: dict[str, Tensor] = {}
    for name, value in content.items():
        if isinstance(name, str) and isinstance(value, Tensor):
            state[name] = value
        elif isinstance(name, str) and isinstance(value, dict) and depth:
            state |= {f"{name}.{inner}": tensor for inner, tensor in _flat(value, depth - 1).items()}
    return state


def isolated(checkpoint: Checkpoint, marks: Sequence[str], parts: Sequence[str], prefix: str | None) -> Checkpoint:
    """The one model of a library in a checkpoint, without the prefix of its names and without what stands beside it.

    Args:
        checkpoint: as read.
        marks: names of tensors of which every such model has one.
        parts: how the names of all of its tensors begin.
        prefix: what stands before them; None finds it.

    Raises:
        ModelError: there are several such models, or none behind the prefix that was named.
    """
    state = checkpoint.state
    found = dict.fromkeys(
        name.removesuffix(mark) for name in state for mark in marks if name == mark or name.endswith(f".{mark}")
    )
    if prefix is not None:
        bare = prefix.rstrip(".")
        behind = [one for one in found if one.startswith(f"{bare}.")] if bare else []
        exact = [one for one in found if one.rstrip(".") == bare or (not one and bare in _CONTAINERS)]
        chosen = next(iter(exact or (behind if len(behind) == 1 else [])), None)
        if chosen is None:
            raise ModelError(
                f"{checkpoint.file}: there is no such model behind the prefix {prefix!r}; {_prefixes(found)}"
            )
    elif len(found) > 1:
        raise ModelError(
            f"{checkpoint.file}: it holds {len(found)} models, {_prefixes(found)}; which one is meant? Name its prefix "
            f"(--prefix {next(iter(found)).rstrip('.') or repr('')}; Python: prefix=...)"
        )
    elif not found:
        return checkpoint
    else:
        (chosen,) = found
    own = {name.removeprefix(chosen): tensor for name, tensor in state.items() if name.startswith(chosen)}
    kept = {name: tensor for name, tensor in own.items() if name.startswith(tuple(parts))}
    beside = tuple(name for name in state if not (name.startswith(chosen) and name.removeprefix(chosen) in kept))
    return replace(checkpoint, state=kept, beside=beside)


def _prefixes(found: Iterable[str]) -> str:
    shown = ", ".join(repr(one.rstrip(".")) if one else "one without a prefix" for one in found)
    return f"their names begin with {shown}" if shown else "there is none at all"


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
