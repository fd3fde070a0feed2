from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from intarsia.bundle import Bundle
from intarsia.errors import ModelError
from intarsia.labels import LabelSpace
from intarsia.models import build
from intarsia.models.restore import is_hollow, restore
from intarsia.models.shapes import shapes_only
from intarsia.preprocessing import Preprocessing

OPTIONS: dict[str, Any] = {"encoder": "test_resnet", "channels": [8, 8, 8, 8]}


def make_bundle(classes: int = 2, names: int = 2, **changes: Any) -> Bundle:
    state = build("unet", classes=classes, **OPTIONS).state_dict()
    space = LabelSpace(tuple(f"c{index}" for index in range(names)))
    values: dict[str, Any] = {"architecture": "unet", "options": OPTIONS, "state": dict(state)} | changes
    return Bundle(space=space, preprocessing=Preprocessing(), source="street.safetensors", **values)


def test_restored_model_answers_as_the_original() -> None:
    model = build("unet", classes=2, **OPTIONS).eval()
    restored = restore(make_bundle(state=model.state_dict()))
    assert not restored.training
    x = torch.randn(1, 3, 40, 56, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.equal(restored(x), model(x))


def test_class_names_that_do_not_fit_the_head() -> None:
    with pytest.raises(
        ModelError, match=r"street\.safetensors: its label space has 3 classes, but its head predicts 2"
    ):
        restore(make_bundle(classes=2, names=3))


def test_weights_of_other_options() -> None:
    with pytest.raises(
        ModelError, match=r"street\.safetensors: its weights belong to another architecture or other opt"
    ) as e:
        restore(make_bundle(options={**OPTIONS, "channels": [8, 8, 8, 16]}))
    assert "of another shape (steps.3.0.0.weight is (8, " in str(e.value) and ", ...)" in str(e.value)


def test_missing_and_unknown_tensors() -> None:
    bundle = make_bundle()
    bundle.state["extra"] = bundle.state.pop("head.bias")
    with pytest.raises(ModelError, match=r"1 missing \(head\.bias\); 1 not part of the model \(extra\)"):
        restore(bundle)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": "unett"}, "'unett' cannot be built: no architecture is named 'unett'. Did you mean 'unet'"),
        ({"options": {"enkoder": "x"}}, "has no option 'enkoder'. Did you mean 'encoder'"),
        ({"options": {"encoder": "nothing_like_it"}}, "timm has no backbone named 'nothing_like_it'"),
        ({"options": {**OPTIONS, "channels": "wide"}}, "cannot be built"),
        ({"options": {**OPTIONS, "channels": [-8, 8, 8, 8]}}, "cannot be built"),
    ],
)
def test_models_that_cannot_be_built(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=rf"street\.safetensors: its model .*{message}"):
        restore(make_bundle(**changes))


def test_models_that_keep_more_than_weights_are_seen() -> None:
    """Restored models are built without memory; what weights do not fill would be lost."""

    class Marked(nn.Linear):
        def __init__(self, *, buffer: bool = False, attribute: bool = False) -> None:
            super().__init__(1, 1)
            if buffer:
                self.register_buffer("grid", torch.arange(3.0), persistent=False)
            if attribute:
                self.table = torch.arange(3.0)

    for more, hollow in (({}, False), ({"buffer": True}, True), ({"attribute": True}, True)):
        with shapes_only():
            model = nn.Sequential(Marked(**more))
        model.load_state_dict(nn.Sequential(nn.Linear(1, 1)).state_dict(), assign=True)
        assert is_hollow(model) is hollow


def test_a_restored_model_has_weights_of_its_own() -> None:
    bundle = make_bundle()
    model = restore(bundle)
    before = {name: tensor.clone() for name, tensor in bundle.state.items()}
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    assert all(torch.equal(tensor, before[name]) for name, tensor in bundle.state.items())
    assert all(parameter.requires_grad for parameter in model.parameters())
