"""torchvision's segmentation models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from intarsia.errors import UsageError, suggest
from intarsia.models.importers.foreign import Foreign, Names, aspp_names, outputs, resnet_name

_MOBILENET = "mobilenet_v3_large"
MARKS = ("backbone.conv1.weight", "backbone.0.0.weight")  # of the ResNets and of MobileNetV3
PARTS = ("backbone.", "classifier.", "aux_classifier.")
MODELS = (
    "fcn_resnet50",
    "fcn_resnet101",
    "deeplabv3_resnet50",
    "deeplabv3_resnet101",
    f"deeplabv3_{_MOBILENET}",
    f"lraspp_{_MOBILENET}",
)


def recognise(state: Mapping[str, Tensor]) -> str:
    """Name of the model whose tensors these are; "" if none."""
    head = next((head for head, tensor in _SIGNATURES.items() if tensor in state), "")
    backbone = _MOBILENET if "backbone.16.0.weight" in state else resnet_name(state, "backbone.")
    name = f"{head}_{backbone}"
    return name if name in MODELS else ""


_SIGNATURES = {
    "deeplabv3": "classifier.0.convs.0.0.weight",
    "lraspp": "classifier.low_classifier.weight",
    "fcn": "classifier.0.weight",
}


def describe(state: Mapping[str, Tensor], model: str | None = None) -> Foreign | None:
    """How ours is made of the model, which is recognised if it is not named; None if it cannot be recognised.

    Raises:
        UsageError: torchvision has no such segmentation model; the message suggests the closest.
    """
    if model is not None and model not in MODELS:
        raise UsageError(f"no model of torchvision's that can be imported is named {model!r}.{suggest(model, MODELS)}")
    name = model or recognise(state)
    if not name:
        return None
    architecture, _, backbone = name.partition("_")
    mobile = backbone == _MOBILENET
    options: dict[str, Any] = {
        "encoder": f"torchvision_{_MOBILENET}" if mobile else backbone,
        "output_stride": 16 if mobile else 8,
    }
    names: Names = (
        (r"encoder\.(backbone|features)\.", "backbone."),
        (r"auxiliary_head\.", "aux_classifier."),
    )
    heads: tuple[str, ...] = ("classifier.4",)
    left_out: tuple[str, ...] = ()
    if architecture == "lraspp":
        names += (
            (r"project\.", "classifier.cbr."),
            (r"gate\.", "classifier.scale.1."),
            (r"low_head\.", "classifier.low_classifier."),
            (r"head\.", "classifier.high_classifier."),
        )
        heads = ("classifier.low_classifier", "classifier.high_classifier")
    else:
        # A replaced classifier often leaves the auxiliary one at the classes of the original training.
        if 0 < outputs(state, "aux_classifier.4") == outputs(state, "classifier.4"):
            heads += ("aux_classifier.4",)
            options["auxiliary"] = 8 if mobile else 16
        else:
            left_out = ("aux_classifier.",)
            options["auxiliary"] = 0
        if architecture == "deeplabv3":
            # Always 12, 24 and 36 pixels of the deepest map; the option is for output stride 16.
            options |= {"rates": [12, 24, 36] if mobile else [6, 12, 18], "post_conv": True, "dropout": 0.5}
            names += (
                *aspp_names("classifier.0"),
                (r"post_conv\.0\.", "classifier.1."),
                (r"post_conv\.1\.", "classifier.2."),
                (r"head\.", "classifier.4."),
            )
        else:
            names += ((r"head\.", "classifier."),)
    return Foreign(f"torchvision's {name}", architecture, options, names, heads, left_out)
