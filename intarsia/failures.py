"""How a command ends that something stopped which is no defect: the system, a signal, memory, a reader that left."""

from __future__ import annotations

from intarsia.errors import DataError, IntarsiaError, ModelError, UsageError
from intarsia.files import place_error


def explained(error: Exception) -> IntarsiaError | None:
    """An error of the system, a library or torch as one that people can act on; None for what only a defect explains.

    Rooms explain the errors that they expect where they know most of them. What comes through to here was caused by a
    file, a place, a name or the machine all the same, and never is a defect.
    """
    if isinstance(error, OSError):
        return place_error(error)
    if isinstance(error, UnicodeError) or "is not valid UTF-8" in str(error):  # safetensors says it of names
        return DataError(
            f"a name or a file is not the text that it should be ({error}); rename it, or save it as UTF-8"
        )
    if isinstance(error, ModuleNotFoundError) and error.name in _OF_TRAINING:
        return UsageError(f"{error.name} is not installed; it comes with: pip install 'intarsia[train]'")
    text = str(error)
    if isinstance(error, RecursionError) and "JSON" in text:
        return DataError("the JSON has lists or objects nested more deeply than anything read here; make it flat")
    if isinstance(error, MemoryError) or any(sign in text for sign in _NO_MEMORY):
        return ModelError(
            f"there is not enough memory ({text.splitlines()[0] if text else 'of this computer'}); close other "
            "programs, or work in smaller parts: --tile or --long-side of segment; training.batch_size, input.crop or "
            "training.cache=false of train"
        )
    if "DataLoader worker" in text:
        return DataError(
            f"a process that loads pictures ended ({text.splitlines()[0]}), often for lack of memory; load with fewer: "
            "--set training.workers=0, and go on with --resume"
        )
    return None


_OF_TRAINING = ("timm", "torch", "torchvision")
_NO_MEMORY = ("can't allocate memory", "out of memory", "Unable to allocate", "Failed to allocate memory")
