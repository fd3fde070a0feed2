"""segmentation-models-pytorch's Unet, DeepLabV3 and DeepLabV3Plus."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError
from torch import Tensor

from intarsia.errors import ModelError, UsageError, suggest
from intarsia.models.importers.foreign import RESNETS, Foreign, Names, aspp_names, outputs, resnet_name
from intarsia.models.importers.reading import Checkpoint

_HEAD = "segmentation_head.0"
TIMM = "tu-"
MARKS = (f"{_HEAD}.weight",)
PARTS = ("encoder.", "decoder.", "segmentation_head.", "classification_head.")
_UNET_CHANNELS = (256, 128, 64, 32, 16)
_CHANNELS = 256


class _Config(BaseModel):
    """The arguments of one of smp's models, as ``save_pretrained`` writes them; the defaults are smp's own.

    Values without a counterpart here are errors. Those that are not looked at change no logits, or are seen in the
    weights.
    """

    model_config = ConfigDict(extra="forbid")

    encoder_name: str = ""
    encoder_depth: Literal[5] = 5
    encoder_weights: Any = None
    decoder_channels: Any = None
    in_channels: Any = None
    classes: Any = None
    activation: Any = None
    aux_params: Any = None


class _Unet(_Config):
    decoder_interpolation: Literal["nearest", "bilinear"] = "nearest"
    decoder_use_norm: Literal["batchnorm", True] = "batchnorm"
    decoder_attention_type: None = None


class _DeepLab(_Config):
    encoder_output_stride: Literal[8, 16]
    decoder_atrous_rates: tuple[PositiveInt, PositiveInt, PositiveInt] = (12, 24, 36)
    decoder_aspp_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5


class _DeepLabV3(_DeepLab):
    encoder_output_stride: Literal[8, 16] = 8
    decoder_aspp_separable: Literal[False] = False
    upsampling: Literal[None, 8, 16] = None


class _DeepLabV3Plus(_DeepLab):
    encoder_output_stride: Literal[8, 16] = 16
    decoder_aspp_separable: Literal[True] = True
    upsampling: Literal[4] = 4


_CONFIGS: dict[str, type[_Unet] | type[_DeepLabV3] | type[_DeepLabV3Plus]] = {
    "Unet": _Unet,
    "DeepLabV3": _DeepLabV3,
    "DeepLabV3Plus": _DeepLabV3Plus,
}
MODELS = tuple(_CONFIGS)
_SIGNATURES = {
    "Unet": ("decoder.blocks.0.conv1.0.weight",),
    "DeepLabV3": ("decoder.aspp.convs.0.0.weight", "decoder.0.convs.0.0.weight"),  # the latter before smp 0.4
    "DeepLabV3Plus": ("decoder.aspp.0.convs.0.0.weight",),
}


def recognise(state: Mapping[str, Tensor]) -> tuple[str, str]:
    """Model and encoder whose tensors these are.

    The model is "" if it is none of `MODELS`. The encoder is "tu-" if it is one of timm's, which the tensors do not
    name, and "" if it is of a kind that is not known here.
    """
    model = next((model for model, tensors in _SIGNATURES.items() if any(name in state for name in tensors)), "")
    is_timm = any(name.startswith("encoder.model.") for name in state)
    return model, TIMM if is_timm else resnet_name(state, "encoder.")


def describe(
    checkpoint: Checkpoint, model: str | None = None, encoder: str | None = None, output_stride: int | None = None
) -> Foreign | None:
    """How ours is made of the model, which is recognised if it is not named; None if it cannot be recognised.

    Args:
        checkpoint: the weights, and the configuration beside them if there is one.
        model: name of smp's class.
        encoder: name of the encoder; the weights of timm's ("tu-...") do not tell it.
        output_stride: of a DeepLab's encoder; the weights do not tell it.

    Raises:
        UsageError: no such model, or an output stride for a model that has none.
        ModelError: the encoder is not known or not that of the weights, or the configuration has no counterpart.
    """
    if model is not None and model not in MODELS:
        raise UsageError(f"no model of smp's that can be imported is named {model!r}.{suggest(model, MODELS)}")
    recognised, kind = recognise(checkpoint.state)
    name = model or recognised
    if not name:
        return None
    config = _config(checkpoint, name)
    chosen = _encoder(checkpoint, kind, encoder or config.encoder_name)
    options: dict[str, Any] = {"encoder": chosen.removeprefix(TIMM)}
    names: Names = (
        (r"encoder\.backbone\.", "encoder.model." if kind == TIMM else "encoder."),
        (r"head\.", f"{_HEAD}."),
    )
    if isinstance(config, _Unet):
        if output_stride is not None:
            raise UsageError("output_stride is for smp's DeepLab models; its Unet has none")
        more, options_of_model = _unet(checkpoint.state, config)
        assumed = f"decoder_interpolation {config.decoder_interpolation}"
    else:
        if output_stride not in (None, 8, 16):
            raise UsageError(f"output_stride of smp's DeepLab models is 8 or 16, not {output_stride}")
        stride = output_stride or config.encoder_output_stride
        options |= {"output_stride": stride, "dilate_first_block": kind != TIMM, "align_corners": True}
        more, options_of_model = _deeplab(checkpoint, config, stride)
        assumed = f"decoder_atrous_rates {', '.join(map(str, config.decoder_atrous_rates))}"
        if output_stride is None:
            assumed = f"encoder_output_stride {stride}, {assumed}"
    return Foreign(
        title=f"smp's {name} with encoder {chosen}",
        architecture=name.lower(),
        options=options | options_of_model,
        names=names + more,
        heads=(_HEAD,),
        left_out=("classification_head.",),
        assumed="" if checkpoint.config else assumed,
    )


def _config(checkpoint: Checkpoint, name: str) -> _Unet | _DeepLabV3 | _DeepLabV3Plus:
    """The model's arguments: those that smp saved, or else its defaults."""
    given = dict(checkpoint.config)
    written = given.pop("_model_class", name)
    if written != name:
        raise ModelError(f"{checkpoint.file}: the config.json beside it is that of smp's {written}, not of {name}")
    try:
        return _CONFIGS[name](**given)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise ModelError(
            f"{checkpoint.file}: the config.json beside it has {key}={first['input']!r}, which has no counterpart here"
        ) from error


def _unet(state: Mapping[str, Tensor], config: _Unet) -> tuple[Names, dict[str, Any]]:
    names = (
        (r"steps\.(\d)\.0\.", r"decoder.blocks.\1.conv1."),
        (r"steps\.(\d)\.1\.", r"decoder.blocks.\1.conv2."),
    )
    widths = [outputs(state, f"decoder.blocks.{step}.conv2.0") or width for step, width in enumerate(_UNET_CHANNELS)]
    return names, {"channels": widths, "up": config.decoder_interpolation, "head_kernel": 3}


def _deeplab(checkpoint: Checkpoint, config: _DeepLabV3 | _DeepLabV3Plus, stride: int) -> tuple[Names, dict[str, Any]]:
    state, rates = checkpoint.state, config.decoder_atrous_rates
    if any(rate * stride % 16 for rate in rates):
        raise ModelError(
            f"{checkpoint.file}: atrous rates {', '.join(map(str, rates))} have no counterpart here: at output stride "
            "8 they must be even"
        )
    options: dict[str, Any] = {
        "rates": [rate * stride // 16 for rate in rates],  # ours are those at output stride 16
        "post_conv": True,
        "dropout": config.decoder_aspp_dropout,
    }
    if isinstance(config, _DeepLabV3):
        is_old = any(key.startswith("decoder.0.") for key in state)
        aspp, conv, norm = (f"decoder.{part}" for part in ("012" if is_old else ("aspp", "conv", "bn")))
        names = (*aspp_names(aspp), (r"post_conv\.0\.", f"{conv}."), (r"post_conv\.1\.", f"{norm}."))
        return names, options | {"channels": outputs(state, norm) or _CHANNELS}
    names = (
        # A separable convolution is a pair inside the pair with its batch-norm.
        (r"aspp\.branches\.([123])\.([01])\.", r"decoder.aspp.0.convs.\1.0.\2."),
        (r"aspp\.branches\.([123])\.2\.", r"decoder.aspp.0.convs.\1.1."),
        *aspp_names("decoder.aspp.0"),
        (r"post_conv\.([01])\.", r"decoder.aspp.1.\1."),
        (r"post_conv\.2\.", "decoder.aspp.2."),
        (r"low\.", "decoder.block1."),
        (r"decoder\.0\.([01])\.", r"decoder.block2.0.\1."),
        (r"decoder\.0\.2\.", "decoder.block2.1."),
    )
    channels = outputs(state, "decoder.aspp.2") or _CHANNELS
    return names, options | {"channels": channels, "depthwise_norm": False, "decoder_convs": 1}


def _encoder(checkpoint: Checkpoint, kind: str, given: str) -> str:
    """The encoder's name, checked against what the weights show."""
    if kind == TIMM and not given:
        raise ModelError(
            f"{checkpoint.file}: its encoder is one of timm's, whose name is not in the file; give the one that the "
            "model was made with: encoder='tu-...' (--encoder tu-...)"
        )
    if kind == TIMM:
        return given if given.startswith(TIMM) else f"{TIMM}{given}"
    if not kind:
        if given in RESNETS:
            raise ModelError(f"{checkpoint.file}: the tensors of its encoder are not those of smp's {given}")
        raise ModelError(
            f"{checkpoint.file}: its encoder{f' {given}' if given else ''} cannot be imported; resnet18, 34, 50, 101 "
            "and 152 can, and timm's ('tu-...')"
        )
    if given not in ("", kind):
        raise ModelError(f"{checkpoint.file}: its encoder is smp's {kind}, not {given}")
    return kind
