"""From a bundle back to the model it was made of."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from intarsia.bundle import Bundle
from intarsia.errors import IntarsiaError, ModelError
from intarsia.models.contract import SegmentationModel
from intarsia.models.registry import build
from intarsia.models.shapes import shapes_only

_SHOWN = 4


def restore(bundle: Bundle) -> SegmentationModel:
    """Build the bundle's model and give it the bundle's weights.

    Returns:
        The model in evaluation mode, float32, on the CPU.

    Raises:
        ModelError: this version does not know the architecture or an option, or the weights belong to another
            model; the message lists the tensors that differ.
    """
    source = bundle.source or "this bundle"
    try:
        with shapes_only():
            model = _built(bundle)
    except IntarsiaError:
        model = _built(bundle)  # one that computes while it is built, or that cannot be built at all
    expected = model.state_dict()
    state = _counted(expected) | bundle.state
    found = differences(expected, state)
    if found:
        other = f"its weights belong to another architecture or other options: {found}"
        raise ModelError(f"{source}: {_head_problem(expected, bundle) or other}")
    model.load_state_dict({name: tensor.clone() for name, tensor in state.items()}, assign=True)
    if is_hollow(model):
        model = _built(bundle)
        model.load_state_dict(state)
    return model.eval()


def _counted(expected: dict[str, Tensor]) -> dict[str, Tensor]:
    """What exported networks do not hold and nothing is computed with: how many batches a norm has seen."""
    return {name: torch.zeros((), dtype=torch.int64) for name in expected if name.endswith(".num_batches_tracked")}


def is_hollow(model: nn.Module) -> bool:
    """Whether a model that was built on the meta device has tensors that no weights fill, in buffers or elsewhere."""
    held = (value for module in model.modules() for value in vars(module).values())
    return any(isinstance(value, Tensor) and value.is_meta for value in (*held, *model.parameters(), *model.buffers()))


def _built(bundle: Bundle) -> SegmentationModel:
    """The bundle's model; on the meta device, where nothing is drawn at random, this takes a small part of the time.

    Raises:
        ModelError: it cannot be built.
    """
    try:
        return build(bundle.architecture, classes=len(bundle.space), **bundle.options)
    except IntarsiaError as error:
        source = bundle.source or "this bundle"
        raise ModelError(f"{source}: its model {bundle.architecture!r} cannot be built: {error}") from error


def differences(expected: dict[str, Tensor], stored: dict[str, Tensor]) -> str:
    """What keeps weights from being loaded: the number of tensors of each kind, a few by name; "" if all fit."""
    missing = [name for name in expected if name not in stored]
    unknown = [name for name in stored if name not in expected]
    reshaped = [
        f"{name} is {tuple(stored[name].shape)}, not {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in stored and stored[name].shape != tensor.shape
    ]
    kinds = (("missing", missing), ("not part of the model", unknown), ("of another shape", reshaped))
    return "; ".join(f"{len(names)} {what} ({some(names)})" for what, names in kinds if names)


def _head_problem(expected: dict[str, Tensor], bundle: Bundle) -> str:
    """What to say when the class count is all that is wrong."""
    stored, classes = bundle.state, len(bundle.space)
    wrong = {name for name in expected | stored if name not in stored or name not in expected}
    wrong |= {name for name in expected if name not in wrong and stored[name].shape != expected[name].shape}
    counts = {stored[name].shape[0] for name in wrong if name in stored and stored[name].ndim}
    if len(counts) != 1 or not all(name.startswith("head.") and name in stored for name in wrong):
        return ""
    return (
        f"its label space has {classes} classes, but its head predicts {counts.pop()}; "
        "the class names do not belong to these weights"
    )


def some(names: Sequence[str]) -> str:
    """The first few of many names."""
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
