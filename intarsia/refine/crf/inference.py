"""Refine probabilities with a fully connected CRF."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError, UsageError
from intarsia.refine.checks import check_image, check_probabilities
from intarsia.refine.crf.backends import Backend, BackendName, find_backend
from intarsia.refine.crf.kernels import Features, Grid, Kernel, positions
from intarsia.refine.crf.presets import DEFAULT, Preset, find

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.float32]
Array = TypeVar("Array", NDArray[Any], "Tensor")
Affinity = float | Floats
Progress = Callable[[int, int], None]

# The energy of a probability below this is that of this, as is usual for this model.
_SMALLEST = 1e-5


def dense_crf(
    probs: Array,
    image: NDArray[np.uint8] | Tensor,
    *,
    preset: str | Preset = DEFAULT,
    iterations: int | None = None,
    prune: float = 0.01,
    backend: BackendName = "auto",
    threads: int = 1,
    progress: Progress | None = None,
) -> Array:
    """Sharpen class probabilities along the edges of their picture.

    The fully connected CRF of Krähenbühl and Koltun (NIPS 2011): every pixel is drawn to the classes of all other
    pixels, the more the closer they lie and the more alike their colours are. Inference is by mean field with the
    permutohedral lattice of Adams et al. (Eurographics 2010), as in pydensecrf.

    Args:
        probs: softmax probabilities (C, H, W), or (N, C, H, W) for a batch.
        image: the picture (H, W, 3), or (N, H, W, 3): uint8 RGB at the size of the probabilities.
        preset: a name from `PRESETS`, or settings of one's own; `tune` finds them.
        iterations: mean field updates instead of the preset's.
        prune: classes that are nowhere this likely are left out and get 0, which saves their share of the time; 0
            keeps all.
        backend: "numba" (fastest on a CPU; the extra "crf"), "torch" (any device), "exact" (all pairs of a small
            picture), or "auto": torch for tensors on a GPU, else Numba if it is installed.
        threads: pictures of a batch that are refined at the same time.
        progress: called after each update with the number done and the number of all.

    Returns:
        Probabilities, float32, in the form and on the device of `probs`.

    Raises:
        DataError: the probabilities do not sum to 1 or hold NaN, the picture is not uint8 RGB, or of another size.
        UsageError: an unknown preset or backend, or an argument out of range.
    """
    settings = find(preset) if iterations is None else find(preset, iterations=iterations)
    maps, pictures = to_numpy(probs), to_numpy(image)
    if maps.ndim == 3:
        maps, pictures = maps[None], pictures[None]
    if maps.ndim != 4 or len(maps) != len(pictures):
        raise DataError(
            "probabilities are (C, H, W) with a picture (H, W, 3), or both in batches of the same length; here they "
            f"are {tuple(probs.shape)} and {tuple(image.shape)}"
        )
    if threads < 1:
        raise UsageError(f"threads is at least 1, not {threads}")
    for index, picture in enumerate(pictures):
        check_probabilities(maps[index])
        check_image(picture, maps[index].shape[1:])
    machine = find_backend(backend, _device(probs))
    out = np.empty(maps.shape, np.float32)
    tick = _ticker(progress, len(maps) * settings.iterations)

    def refine_one(index: int) -> None:
        terms = [(machine.build(kernel), weight) for kernel, weight in picture_terms(pictures[index], settings)]
        flat = maps[index].reshape(maps.shape[1], -1)
        marginals(flat, terms, machine, settings.iterations, prune, tick, out[index].reshape(flat.shape))

    if threads == 1:
        for index in range(len(maps)):
            refine_one(index)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(refine_one, range(len(maps))))
    return like(probs, out.reshape(probs.shape))


def dense_crf_nd(
    probs: Array,
    terms: Sequence[tuple[Any, Any]],
    *,
    iterations: int = 10,
    prune: float = 0.01,
    backend: BackendName = "auto",
    progress: Progress | None = None,
) -> Array:
    """The dense CRF over any elements and features: clips, point clouds, volumes.

    Args:
        probs: softmax probabilities (C, *S), such as (C, T, H, W) of a clip or (C, P) of a cloud.
        terms: pairs of features and affinity. Features are (d, *S) or (d, N), in units of the kernel's standard
            deviation; see `stack` and `positions`. The affinity is a number, what a class gains from itself nearby, or
            a (C, C) matrix, what class i gains from class j nearby (minus the label compatibility of the paper).
        iterations: mean field updates.
        prune: as for `dense_crf`.
        backend: as for `dense_crf`.
        progress: as for `dense_crf`.

    Returns:
        Probabilities, float32, in the form and on the device of `probs`.

    Raises:
        DataError: probabilities that do not sum to 1 or hold NaN; features or an affinity of the wrong shape.
        UsageError: an unknown backend, or an argument out of range.
    """
    whole = to_numpy(probs)
    check_probabilities(whole)
    if iterations < 0:
        raise UsageError(f"iterations is at least 0, not {iterations}")
    flat = whole.reshape(len(whole), -1)
    kernels = [(Features(_flat_features(features, flat.shape[1])), _affinity(a, len(flat))) for features, a in terms]
    machine = find_backend(backend, _device(probs))
    out = np.empty(flat.shape, np.float32)
    filters = [(machine.build(kernel), affinity) for kernel, affinity in kernels]
    marginals(flat, filters, machine, iterations, prune, _ticker(progress, iterations), out)
    return like(probs, out.reshape(whole.shape))


def picture_terms(image: NDArray[np.uint8], preset: Preset) -> list[tuple[Kernel, float]]:
    """The kernels of a picture and their weights (equation 3 of Krähenbühl and Koltun)."""
    size = (image.shape[0], image.shape[1])
    terms: list[tuple[Kernel, float]] = []
    if preset.spatial_weight:
        terms.append((Grid(size, (preset.spatial_xy, preset.spatial_xy)), float(preset.spatial_weight)))
    if preset.bilateral_weight:
        terms.append((bilateral(image, preset.bilateral_xy, preset.bilateral_rgb), float(preset.bilateral_weight)))
    return terms


def bilateral(image: NDArray[np.uint8], xy: float, rgb: float) -> Features:
    """Pixels are similar that lie close and have similar colours; x comes before y, as in the authors' code."""
    values = np.empty((5, image.shape[0] * image.shape[1]), np.float32)
    values[:2] = positions(image.shape[0], image.shape[1])[::-1].reshape(2, -1)
    values[2:] = image.reshape(-1, 3).T
    values /= np.array([[xy], [xy], [rgb], [rgb], [rgb]], np.float32)
    return Features(values)


def marginals(
    probs: Floats,
    terms: Sequence[tuple[Any, Affinity]],
    backend: Backend,
    iterations: int,
    prune: float,
    tick: Callable[[], None],
    out: Floats,
) -> None:
    """Mean field from probabilities (C, N) into `out` (C, N).

    Args:
        probs: distributions over C classes.
        terms: filters that `backend` built, with their affinities.
        backend: what computes.
        iterations: updates.
        prune: see `dense_crf`.
        tick: called after each update.
        out: what is filled.
    """
    kept = likely(probs, prune)
    square = np.ix_(kept, kept)
    pairs = [(kernel, a if isinstance(a, float) else np.ascontiguousarray(a[square])) for kernel, a in terms]
    # The energies are needed only until the mean field has stored them in its own way, so they may lie in `out`.
    energies = out[: len(kept)]
    for energy, label in zip(energies, kept, strict=True):
        unary(probs[label], energy)
    field = backend.mean_field(energies, pairs)
    field.start()
    for _ in range(iterations):
        field.step()
        tick()
    field.read(out, kept)
    out[np.setdiff1d(np.arange(len(out)), kept)] = 0


def unary(probs: Floats, out: Floats) -> None:
    """Unary energies: minus the logarithm of probabilities."""
    np.maximum(probs, _SMALLEST, out=out)
    np.log(out, out=out)
    np.negative(out, out=out)


def likely(probs: Floats, threshold: float) -> list[int]:
    """Classes of (C, N) that reach a probability somewhere; and those that win somewhere, so that one is always left.

    Raises:
        UsageError: the threshold is no probability.
    """
    if not 0 <= threshold <= 1:
        raise UsageError(f"prune is a probability from 0 to 1, not {threshold}")
    kept = probs.max(1) >= threshold
    # The most likely of C classes has at least the probability 1 / C.
    if threshold > 1 / len(probs):
        kept[np.unique(probs.argmax(0))] = True
    return [int(index) for index in np.flatnonzero(kept)]


def warm_up() -> None:
    """Compile or load everything that `dense_crf` needs on Numba, so that the first picture is not slower."""
    for classes in (4, 8, 16):
        probs = np.full((classes, 2, 2), 1 / classes, np.float32)
        dense_crf(probs, np.zeros((2, 2, 3), np.uint8), backend="numba", iterations=1)


def to_numpy(values: Any) -> NDArray[Any]:
    """An array on the CPU, of a tensor without its gradient; NumPy has no bfloat16."""
    if not is_tensor(values):
        return np.asarray(values)
    plain = values.detach().cpu()
    return np.asarray(plain.float() if str(plain.dtype) == "torch.bfloat16" else plain)


def is_tensor(values: object) -> bool:
    """Tell tensors from arrays; where PyTorch is not loaded there are none."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(values, torch.Tensor)


def _device(values: Any) -> str:
    return str(values.device) if is_tensor(values) else "cpu"


def like(given: Array, result: Floats) -> Array:
    """The result as a tensor on the device of what was given, if that was a tensor."""
    if not is_tensor(given):
        return cast(Array, result)
    import torch

    tensor: Any = torch.from_numpy(result)
    return cast(Array, tensor.to(_device(given)))


def _ticker(progress: Progress | None, total: int) -> Callable[[], None]:
    """A function that counts its calls and tells `progress`, from one thread at a time."""
    done, lock = 0, Lock()

    def tick() -> None:
        nonlocal done
        if progress is not None:
            with lock:
                done += 1
                progress(done, total)

    return tick


def _flat_features(features: Any, count: int) -> Floats:
    array = to_numpy(features).astype(np.float32, copy=False)
    flat = array.reshape(len(array), -1) if array.ndim > 1 else array
    if flat.ndim != 2 or flat.shape[1] != count:
        raise DataError(f"features are (d, *S) for probabilities (C, *S) of {count} elements, not {array.shape}")
    return flat


def _affinity(affinity: Any, classes: int) -> Affinity:
    array = np.asarray(to_numpy(affinity), np.float32)
    if array.ndim == 0:
        return float(array)
    if array.shape != (classes, classes):
        raise DataError(f"an affinity is one number or a matrix ({classes}, {classes}), not {array.shape}")
    return array
