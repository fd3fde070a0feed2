"""One interface to all refinements: by name, with plain options, for probabilities and for labels."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError, UsageError, suggest
from intarsia.refine.checks import check_image, check_probabilities
from intarsia.refine.crf.backends import BackendName
from intarsia.refine.crf.inference import dense_crf, to_numpy
from intarsia.refine.crf.presets import DEFAULT, Preset, find
from intarsia.refine.filters import guided_filter, joint_bilateral
from intarsia.refine.regions import remove_small_regions

Floats = NDArray[np.float32]
Labels = NDArray[Any]

# How far labels are trusted, as in the example of the CRF's authors.
_CERTAINTY = 0.7


@dataclass(frozen=True)
class Refinement:
    """A way to refine, ready to be applied to pictures.

    Attributes:
        method: a name from `METHODS`: "crf", "guided", "bilateral" or "regions".
        options: arguments of the method: of `dense_crf` (and every number of its `Preset`), `guided_filter`,
            `joint_bilateral` or `remove_small_regions`.

    Raises:
        UsageError: an unknown method or option (the message suggests the closest), or a value out of range.
    """

    method: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise UsageError(f"no refinement is named {self.method!r}.{suggest(self.method, METHODS)}")
        known = _options(self.method)
        for name, value in self.options.items():
            if name not in known:
                raise UsageError(f"the refinement {self.method!r} has no option {name!r}.{suggest(name, known)}")
            wanted = (int, float) if known[name] is float else known[name]
            if not isinstance(value, wanted) or isinstance(value, bool):
                raise UsageError(f"the option {name!r} of {self.method!r} is a {known[name].__name__}, not {value!r}")
        # What is out of range, or not installed, is found now and not at the first picture.
        self(np.full((2, 2, 2), 0.5, np.float32), np.zeros((2, 2, 3), np.uint8))

    @classmethod
    def read(cls, value: str | Mapping[str, Any] | Refinement | None) -> Refinement | None:
        """From a method's name, or a mapping with "method" and "options"; None and "none" mean: no refinement."""
        if value is None or isinstance(value, Refinement):
            return value
        plain: dict[str, Any] = {"method": value} if isinstance(value, str) else dict(value)
        return None if plain.get("method", "none") == "none" else cls(plain["method"], plain.get("options", {}))

    def to_json(self) -> dict[str, Any]:
        """Plain form for `read`."""
        return {"method": self.method, "options": dict(self.options)}

    def __call__(self, probs: Floats, image: NDArray[np.uint8]) -> Floats:
        """Refine probabilities (C, H, W) of a picture (H, W, 3)."""
        return METHODS[self.method](probs, image, **self.options)


def refine(
    values: NDArray[Any],
    image: NDArray[np.uint8],
    method: str = "crf",
    *,
    options: Mapping[str, Any] | None = None,
    ignore_index: int = 255,
) -> NDArray[Any]:
    """Refine what a network, a tool or a person says about a picture.

    Args:
        values: probabilities (C, H, W), floating-point; or labels (H, W), integers, of which each is taken to be right
            with a probability of 0.7.
        image: the picture (H, W, 3), uint8 RGB.
        method: a name from `METHODS`.
        options: see `Refinement`.
        ignore_index: label of pixels that are not known. The method "regions" leaves them alone, the others fill them.

    Returns:
        The same kind as `values`: probabilities in float32, or labels of the same type.

    Raises:
        UsageError: an unknown method or option.
        DataError: the values are neither, or do not belong to the picture.
    """
    refinement = Refinement(method, options or {})
    given = to_numpy(values)
    if given.dtype.kind == "f":
        return refinement(given, image)
    if given.ndim != 2 or given.dtype.kind not in "iu":
        raise DataError(f"labels are an integer map (H, W), not {given.dtype} {given.shape}")
    check_image(image, given.shape)
    if method == "regions":
        return remove_small_regions(given, ignore_index=ignore_index, **refinement.options)
    known = [int(label) for label in np.unique(given) if label != ignore_index]
    if len(known) < 2:
        return np.full_like(given, known[0]) if known else given.copy()
    unsure = np.where(given == ignore_index, 1 / len(known), (1 - _CERTAINTY) / (len(known) - 1)).astype(np.float32)
    probs = np.stack([np.where(given == label, np.float32(_CERTAINTY), unsure) for label in known])
    refined: NDArray[Any] = np.asarray(known, given.dtype)[refinement(probs, image).argmax(0)]
    return refined


def _crf(
    probs: Floats,
    image: NDArray[np.uint8],
    *,
    preset: str = DEFAULT,
    prune: float = 0.01,
    backend: str = "auto",
    **changes: Any,
) -> Floats:
    settings = find(preset, **changes)
    return dense_crf(probs, image, preset=settings, prune=prune, backend=cast(BackendName, backend))


def _regions(probs: Floats, image: NDArray[np.uint8], *, pixels: int = 64) -> Floats:
    """Small regions exchange their class's probability with that of the class around them."""
    check_probabilities(probs)
    check_image(image, probs.shape[1:])
    labels = probs.argmax(0)[None]
    cleaned = remove_small_regions(labels[0], pixels=pixels, ignore_index=-1)[None]
    refined = probs.astype(np.float32)
    own, other = np.take_along_axis(refined, labels, 0), np.take_along_axis(refined, cleaned, 0)
    np.put_along_axis(refined, labels, other, 0)
    np.put_along_axis(refined, cleaned, own, 0)
    return refined


METHODS: dict[str, Callable[..., Floats]] = {
    "crf": _crf,
    "guided": guided_filter,
    "bilateral": joint_bilateral,
    "regions": _regions,
}


def _options(method: str) -> dict[str, type]:
    """The options of a method and their types."""
    parameters = inspect.signature(METHODS[method]).parameters.values()
    known = {p.name: type(p.default) for p in parameters if p.default is not inspect.Parameter.empty}
    if method == "crf":
        known |= {"iterations": int} | {one.name: float for one in fields(Preset) if one.type == "float"}
    return known
