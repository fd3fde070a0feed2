"""Foreign checkpoints as training scripts leave them: averaged weights, records of NumPy, no plain numbers."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.models import segmentation

from intarsia.errors import ModelError
from intarsia.models.importers import import_checkpoint

State = dict[str, Tensor]
HEAD = "head.bias"


@pytest.fixture(scope="module")
def state() -> State:
    torch.manual_seed(0)
    found: State = segmentation.lraspp_mobilenet_v3_large(
        weights=None, weights_backbone=None, num_classes=2
    ).state_dict()
    return found


def marked(state: State, value: float) -> State:
    """The same weights but for a bias that tells which of several they are."""
    return state | {"classifier.high_classifier.bias": torch.full((2,), value)}


def taken(content: Any, path: Path, **options: Any) -> tuple[float, dict[str, Any]]:
    torch.save(content, path)
    bundle = import_checkpoint(path, "torchvision", **options)
    return float(bundle.state[HEAD][0]), bundle.card


@pytest.mark.parametrize(
    "averaged",
    [lambda it: it, lambda it: {"decay": 0.9, "module": it}, lambda it: {f"module.{k}": v for k, v in it.items()}],
)
def test_averaged_weights_beside_the_model(state: State, averaged: Callable[[State], Any], tmp_path: Path) -> None:
    content = {"model": marked(state, 1.0), "model_ema": averaged(marked(state, 2.0)), "optimizer": {"state": {}}}
    value, card = taken(content, tmp_path / "a.pth")
    assert value == 1.0
    assert card["others"] == "the file holds other weights, too, which were not taken: model_ema (--prefix)"
    assert taken(content, tmp_path / "a.pth", prefix="model_ema")[0] == 2.0
    assert taken(content, tmp_path / "a.pth", prefix="model")[0] == 1.0
    assert "others" not in taken({"model": state, "optimizer": {"x": torch.zeros(1)}}, tmp_path / "b.pth")[1]


def test_records_of_either_numpy_are_no_code(state: State, tmp_path: Path) -> None:
    torch.save(
        {"state_dict": marked(state, 3.0), "best": np.float64(0.5), "history": np.zeros(3)}, tmp_path / "new.pth"
    )
    with zipfile.ZipFile(tmp_path / "new.pth") as new, zipfile.ZipFile(tmp_path / "old.pth", "w") as old:
        for name in new.namelist():
            data = new.read(name)
            old.writestr(name, data.replace(b"numpy._core", b"numpy.core") if name.endswith("data.pkl") else data)
    for file in ("new.pth", "old.pth"):
        assert float(import_checkpoint(tmp_path / file, "torchvision").state[HEAD][0]) == 3.0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda tensor: tensor * float("nan"), r"classifier\.high_classifier\.weight holds NaN: .* take an earlier"),
        (lambda tensor: tensor.to_sparse(), "high_classifier.weight is sparse; save the weights as plain numbers"),
        (lambda tensor: tensor.to("meta"), "high_classifier.weight is without values"),
    ],
)
def test_tensors_that_are_no_numbers(
    state: State, change: Callable[[Tensor], Tensor], said: str, tmp_path: Path
) -> None:
    name = "classifier.high_classifier.weight"
    torch.save(state | {name: change(state[name])}, tmp_path / "a.pth")
    with pytest.raises(ModelError, match=said):
        import_checkpoint(tmp_path / "a.pth", "torchvision")


def test_a_pickle_of_another_protocol(state: State, tmp_path: Path) -> None:
    torch.save(state, tmp_path / "a.pth", pickle_protocol=4)
    with pytest.raises(ModelError, match="a pickle of a newer protocol, which is not opened without running it"):
        import_checkpoint(tmp_path / "a.pth", "torchvision")
