"""smp's decoders: the arguments of each, how ours is made of it, and how its tensors are called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt
from torch import Tensor

from intarsia.errors import ModelError
from intarsia.models.importers.foreign import Names, aspp_names, outputs
from intarsia.models.importers.smp_encoders import Native

HEAD = "segmentation_head.0"
_UNET_CHANNELS = (256, 128, 64, 32, 16)
_DEEPLAB_CHANNELS = 256
_STEPS = 5
_Interpolation = Literal["nearest", "bilinear"]
State = Mapping[str, Tensor]


class Config(BaseModel):
    """The arguments of one of smp's models, as ``save_pretrained`` writes them; the defaults are smp's own.

    Values without a counterpart here are errors. Those that are not looked at change no logits, or are seen in the
    weights.
    """

    model_config = ConfigDict(extra="forbid")

    encoder_name: str = ""
    encoder_depth: Literal[3, 4, 5] = 5
    encoder_weights: Any = None
    decoder_channels: Any = None
    in_channels: Any = None
    classes: Any = None
    activation: Any = None
    aux_params: Any = None


class _WholeEncoder(Config):
    encoder_depth: Literal[5] = 5


class _Unet(_WholeEncoder):
    decoder_interpolation: _Interpolation = "nearest"
    decoder_use_norm: Literal["batchnorm", True] = "batchnorm"
    decoder_use_batchnorm: Literal[True] = True  # before smp 0.5
    decoder_attention_type: None = None


class _MAnet(_WholeEncoder):
    decoder_interpolation: _Interpolation = "nearest"
    decoder_use_norm: Literal["batchnorm", True] = "batchnorm"
    decoder_use_batchnorm: Literal[True] = True
    decoder_pab_channels: Any = None


class _Linknet(_WholeEncoder):
    decoder_use_norm: Literal["batchnorm", True] = "batchnorm"
    decoder_use_batchnorm: Literal[True] = True


class _FPN(_WholeEncoder):
    decoder_pyramid_channels: Any = None
    decoder_segmentation_channels: Any = None
    decoder_merge_policy: Any = None
    decoder_dropout: Annotated[float, Field(ge=0, le=1)] = 0.2
    decoder_interpolation: _Interpolation = "nearest"
    upsampling: Literal[4] = 4


class _PSPNet(Config):
    encoder_depth: Literal[3, 4, 5] = 3
    psp_out_channels: Any = None
    decoder_use_norm: Literal["batchnorm", True] = "batchnorm"
    psp_use_batchnorm: Literal[True] = True
    psp_dropout: Annotated[float, Field(ge=0, le=1)] = 0.2
    upsampling: Literal[8, 16, 32] = 8


class Strided(_WholeEncoder):
    """The arguments of a model whose encoder can be dilated."""

    encoder_output_stride: Literal[8, 16, 32] = 16


class _PAN(Strided):
    encoder_output_stride: Literal[16, 32] = 16
    decoder_interpolation: Literal["bilinear", "nearest"] = "bilinear"
    upsampling: Literal[4] = 4


class _DeepLab(Strided):
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


@dataclass(frozen=True)
class Made:
    """How one of ours is made of a decoder.

    Attributes:
        names: as those of `Foreign`.
        options: our builder's, but for the encoder's.
        assumed: arguments that the weights do not tell, as people write them.
        rolled: as that of `Foreign`.
        deepest: the stage that the encoder ends with.
        left_out: the beginnings of the decoder's tensors' names that no logit depends on.
    """

    names: Names
    options: dict[str, Any]
    assumed: tuple[str, ...] = ()
    rolled: Mapping[str, int] = field(default_factory=dict)
    deepest: int = 32
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Decoder:
    """One of smp's models.

    Attributes:
        config: its arguments.
        signatures: tensors of which only this model has one.
        make: from weights, arguments and encoder, how ours is made of it.
    """

    config: type[Config]
    signatures: tuple[str, ...]
    make: Callable[[State, Any, Native], Made]


def _step_widths(state: State, name: str) -> list[int]:
    """Channels of the last convolution of each step, whose name has the step's number in it."""
    return [outputs(state, name.format(step)) or width for step, width in enumerate(_UNET_CHANNELS)]


def _without_stride_1(encoder: Native) -> dict[str, Any]:
    """The option by which ours joins no map of the input's size, which VGG has and smp's decoders leave out."""
    return {"finest": 2} if 1 in encoder.channels else {}


def _conv_pairs(ours: str, theirs: str) -> Names:
    """Names of two convolutions in a row."""
    return (rf"{ours}0\.", f"{theirs}conv1."), (rf"{ours}1\.", f"{theirs}conv2.")


def _unet(state: State, config: _Unet, encoder: Native) -> Made:
    options = {
        "channels": _step_widths(state, "decoder.blocks.{}.conv2.0"),
        "up": config.decoder_interpolation,
        "head_kernel": 3,
    }
    names = _conv_pairs(r"steps\.(\d)\.", r"decoder.blocks.\1.")
    if "decoder.center.0.0.weight" in state:  # over VGG
        options["center"] = True
        names += ((r"center\.(\d)\.", r"decoder.center.\1."),)
    return Made(names, options, (f"decoder_interpolation {config.decoder_interpolation}",))


def _unetplusplus(state: State, config: _Unet, encoder: Native) -> Made:
    skips = sum(stride > 1 for stride in encoder.channels) - 1
    names = _conv_pairs(r"levels\.(\d)\.(\d)\.", r"decoder.blocks.x_\2_\1.")
    for step in range(_STEPS - skips):
        names += _conv_pairs(rf"steps\.{step}\.", f"decoder.blocks.x_0_{skips + step}.")
    options = {"channels": _step_widths(state, "decoder.blocks.x_0_{}.conv2.0"), "up": config.decoder_interpolation}
    # Over VGG smp makes a block for the middle, as in its U-Net, and then never runs it.
    assumed = (f"decoder_interpolation {config.decoder_interpolation}",)
    return Made(names, options | _without_stride_1(encoder), assumed, left_out=("decoder.center.",))


def _manet(state: State, config: _MAnet, encoder: Native) -> Made:
    ours, theirs = r"steps\.(\d)\.", r"decoder.blocks.\1."
    names: Names = (
        (r"center\.keys\.", "decoder.center.top_conv."),
        (r"center\.queries\.", "decoder.center.center_conv."),
        (r"center\.values\.", "decoder.center.bottom_conv."),
        (r"center\.out\.", "decoder.center.out_conv."),
        (rf"{ours}reduce\.", f"{theirs}hl_conv."),
        (rf"{ours}low_gate\.", f"{theirs}SE_ll."),
        (rf"{ours}high_gate\.", f"{theirs}SE_hl."),
        *_conv_pairs(rf"{ours}join\.", theirs),
        *_conv_pairs(ours, theirs),
    )
    options = {
        "channels": _step_widths(state, "decoder.blocks.{}.conv2.0"),
        "attention": outputs(state, "decoder.center.top_conv"),
        "up": config.decoder_interpolation,
    }
    return Made(names, options | _without_stride_1(encoder), (f"decoder_interpolation {config.decoder_interpolation}",))


def _linknet(state: State, config: _Linknet, encoder: Native) -> Made:
    ours, theirs = r"steps\.(\d)\.", r"decoder.blocks.\1.block."
    names = (
        (rf"{ours}1\.", f"{theirs}1.0."),
        (rf"{ours}2\.", f"{theirs}1.1."),
        (rf"{ours}4\.", f"{theirs}2."),
        (ours, theirs),
    )
    return Made(names, {"channels": outputs(state, f"decoder.blocks.{_STEPS - 1}.block.2.0")})


def _fpn(state: State, config: _FPN, encoder: Native) -> Made:
    first, branch = "decoder.p5", "decoder.seg_blocks.0.block.0.block.0"
    names: Names = (
        (r"laterals\.0\.", f"{first}."),
        *((rf"laterals\.{level}\.", f"decoder.p{5 - level}.skip_conv.") for level in (1, 2, 3)),
        (r"branches\.(\d)\.(\d)\.(\d)\.", r"decoder.seg_blocks.\1.block.\2.block.\3."),
    )
    width, joined = outputs(state, branch), state.get(f"{HEAD}.weight")
    options = {
        "channels": outputs(state, first),
        "branch_channels": width,
        "merge": "cat" if joined is not None and joined.shape[1] != width else "add",
        "up": config.decoder_interpolation,
        "dropout": config.decoder_dropout,
        "align_corners": True,
    }
    return Made(names, options, (f"decoder_interpolation {config.decoder_interpolation}",))


def _pspnet(state: State, config: _PSPNet, encoder: Native) -> Made:
    join = "decoder.conv.0"
    names = (
        (r"pyramid\.branches\.(\d)\.1\.", r"decoder.psp.blocks.\1.pool.1.0."),
        (r"pyramid\.branches\.(\d)\.2\.", r"decoder.psp.blocks.\1.pool.1.1."),
        (r"pyramid\.project\.", "decoder.conv."),
    )
    kernel = state.get(f"{join}.weight")
    inputs = 0 if kernel is None else kernel.shape[1] // 2
    depth = config.encoder_depth
    if encoder.channels.get(2**depth) != inputs:  # the pyramid's inputs tell which map they are, if nobody else does
        depth = next((other for other in (3, 4, 5) if encoder.channels.get(2**other) == inputs), depth)
    deepest: int = 2**depth
    options = {
        "output_stride": 32,
        "deepest": deepest,
        "channels": outputs(state, join),
        "join_kernel": 1,
        "head_kernel": 3,
        "global_norm": False,
        "auxiliary": 0,
        "dropout": config.psp_dropout,
        "align_corners": True,
    }
    return Made(names, options, (f"encoder_depth {depth}",), {f"{join}.weight": inputs}, deepest)


def _pan(state: State, config: _PAN, encoder: Native) -> Made:
    def conv_norm(ours: str, theirs: str, first: int = 0) -> Names:
        return (rf"{ours}{first}\.", f"{theirs}.conv."), (rf"{ours}{first + 1}\.", f"{theirs}.bn.")

    attention = "decoder.fpa"
    names = (
        *conv_norm(r"attention\.overall\.", f"{attention}.branch1.1", 1),
        *conv_norm(r"attention\.point\.", f"{attention}.mid.0"),
        *(
            name
            for level in range(3)
            for name in conv_norm(rf"attention\.down\.{level}\.", f"{attention}.down{level + 1}.1")
        ),
        *conv_norm(r"attention\.across\.0\.", f"{attention}.conv1"),
        *conv_norm(r"attention\.across\.1\.", f"{attention}.conv2"),
        *conv_norm(r"attention\.across\.2\.", f"{attention}.down3.2"),
    )
    for step in range(3):
        gate = f"decoder.gau{3 - step}"
        names += conv_norm(rf"steps\.{step}\.gate\.", f"{gate}.conv1.1", 1)
        names += conv_norm(rf"steps\.{step}\.low\.", f"{gate}.conv2")
    options = {"channels": outputs(state, f"{attention}.mid.0.conv"), "up": config.decoder_interpolation}
    return Made(names, options, (f"decoder_interpolation {config.decoder_interpolation}",))


def _deeplab_options(config: _DeepLab) -> tuple[dict[str, Any], tuple[str, ...]]:
    stride, rates = config.encoder_output_stride, config.decoder_atrous_rates
    if any(rate * stride % 16 for rate in rates):
        raise ModelError(
            f"atrous rates {', '.join(map(str, rates))} have no counterpart here: at output stride 8 they must be even"
        )
    options = {
        "align_corners": True,
        "rates": [rate * stride // 16 for rate in rates],  # ours are those at output stride 16
        "post_conv": True,
        "dropout": config.decoder_aspp_dropout,
    }
    return options, (f"decoder_atrous_rates {', '.join(map(str, rates))}",)


def _deeplabv3(state: State, config: _DeepLabV3, encoder: Native) -> Made:
    options, assumed = _deeplab_options(config)
    is_old = any(key.startswith("decoder.0.") for key in state)
    aspp, conv, norm = (f"decoder.{part}" for part in ("012" if is_old else ("aspp", "conv", "bn")))
    names = (*aspp_names(aspp), (r"post_conv\.0\.", f"{conv}."), (r"post_conv\.1\.", f"{norm}."))
    return Made(names, options | {"channels": outputs(state, norm) or _DEEPLAB_CHANNELS}, assumed)


def _deeplabv3plus(state: State, config: _DeepLabV3Plus, encoder: Native) -> Made:
    options, assumed = _deeplab_options(config)
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
    channels = outputs(state, "decoder.aspp.2") or _DEEPLAB_CHANNELS
    return Made(names, options | {"channels": channels, "depthwise_norm": False, "decoder_convs": 1}, assumed)


DECODERS = {
    "UnetPlusPlus": Decoder(_Unet, ("decoder.blocks.x_0_0.conv1.0.weight",), _unetplusplus),
    "MAnet": Decoder(_MAnet, ("decoder.center.top_conv.weight",), _manet),
    # whose tensor MAnet has as well
    "Unet": Decoder(_Unet, ("decoder.blocks.0.conv1.0.weight",), _unet),
    "Linknet": Decoder(_Linknet, ("decoder.blocks.0.block.0.0.weight",), _linknet),
    "FPN": Decoder(_FPN, ("decoder.seg_blocks.0.block.0.block.0.weight",), _fpn),
    "PSPNet": Decoder(_PSPNet, ("decoder.psp.blocks.0.pool.1.0.weight",), _pspnet),
    "PAN": Decoder(_PAN, ("decoder.fpa.mid.0.conv.weight",), _pan),
    # the latter before smp 0.4
    "DeepLabV3": Decoder(_DeepLabV3, ("decoder.aspp.convs.0.0.weight", "decoder.0.convs.0.0.weight"), _deeplabv3),
    "DeepLabV3Plus": Decoder(_DeepLabV3Plus, ("decoder.aspp.0.convs.0.0.weight",), _deeplabv3plus),
}
