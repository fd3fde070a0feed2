"""segmentation-models-pytorch's models: which one a checkpoint is, and how ours is made of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from torch import Tensor

from intarsia.errors import ModelError, UsageError, suggest
from intarsia.models.importers.foreign import Foreign
from intarsia.models.importers.reading import Checkpoint
from intarsia.models.importers.smp_decoders import DECODERS, HEAD, Config, Decoder, Strided
from intarsia.models.importers.smp_encoders import OURS, TIMM, Native, is_timm, modern, native
from intarsia.models.importers.smp_encoders import recognise as recognise_encoder

MODELS = tuple(DECODERS)
MARKS = (f"{HEAD}.weight",)
PARTS = ("encoder.", "decoder.", "segmentation_head.", "classification_head.")


def recognise(state: Mapping[str, Tensor]) -> tuple[str, str]:
    """Model and encoder whose tensors these are.

    The model is "" if it is none of `MODELS`. The encoder is "tu-" if it is one of timm's, which the tensors do not
    name, and "" if it is of a kind that is not known here.
    """
    model = next((name for name, made in DECODERS.items() if any(key in state for key in made.signatures)), "")
    found = recognise_encoder(state)
    return model, TIMM if is_timm(state) else found.name if found else ""


def describe(
    checkpoint: Checkpoint, model: str | None = None, encoder: str | None = None, output_stride: int | None = None
) -> Foreign | None:
    """How ours is made of the model, which is recognised if it is not named; None if it cannot be recognised.

    Args:
        checkpoint: the weights, and the configuration beside them if there is one.
        model: name of smp's class.
        encoder: name of the encoder; the weights of timm's ("tu-...") do not tell it.
        output_stride: of the encoder of a DeepLab or PAN; the weights do not tell it.

    Raises:
        UsageError: no such model, or an output stride that it cannot have.
        ModelError: the encoder is not known or not that of the weights, or the configuration has no counterpart.
    """
    if model is not None and model not in DECODERS:
        raise UsageError(f"no model of smp's that can be imported is named {model!r}.{suggest(model, MODELS)}")
    name = model or recognise(checkpoint.state)[0]
    if not name:
        return None
    decoder = DECODERS[name]
    config = _config(checkpoint, name, decoder, output_stride)
    chosen = _encoder(checkpoint, encoder or config.encoder_name)
    try:
        made = decoder.make(checkpoint.state, config, chosen)
    except ModelError as error:
        raise ModelError(f"{checkpoint.file}: {error}") from error
    options: dict[str, Any] = {"encoder": chosen.ours}
    assumed = made.assumed
    if isinstance(config, Strided):
        stride = config.encoder_output_stride
        options |= {"output_stride": stride, "dilate_first_block": not chosen.is_timm}
        if output_stride is None:
            assumed = (f"encoder_output_stride {stride}", *assumed)
    return Foreign(
        title=f"smp's {name} with encoder {chosen.name}",
        architecture=name.lower(),
        options=options | made.options,
        names=(*chosen.names, (r"head\.", f"{HEAD}."), *made.names),
        heads=(HEAD,),
        left_out=("classification_head.", *made.left_out, *chosen.left_out(checkpoint.state, made.deepest)),
        assumed="" if checkpoint.config else ", ".join(assumed),
        rolled=made.rolled,
    )


def _config(checkpoint: Checkpoint, name: str, decoder: Decoder, output_stride: int | None) -> Config:
    """The model's arguments: those that the user gives, those that smp saved, or else its defaults."""
    given = dict(checkpoint.config)
    written = given.pop("_model_class", name)
    if written != name:
        raise ModelError(f"{checkpoint.file}: the config.json beside it is that of smp's {written}, not of {name}")
    try:
        config = decoder.config(**given)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise ModelError(
            f"{checkpoint.file}: the config.json beside it has {key}={first['input']!r}, which has no counterpart here"
        ) from error
    if output_stride is None:
        return config
    if not isinstance(config, Strided):
        raise UsageError(f"output_stride is for smp's DeepLab models and PAN; its {name} has none")
    try:
        return decoder.config(**given | {"encoder_output_stride": output_stride})
    except ValidationError as error:
        choices = error.errors()[0]["ctx"]["expected"]
        raise UsageError(f"output_stride of smp's {name} is {choices}, not {output_stride}") from error


def _encoder(checkpoint: Checkpoint, given: str) -> Native:
    """The encoder, checked against what the weights show."""
    state, given = checkpoint.state, modern(given)
    if is_timm(state):
        if not given:
            raise ModelError(
                f"{checkpoint.file}: its encoder is one of timm's, whose name is not in the file; give the one that "
                "the model was made with: encoder='tu-...' (--encoder tu-...)"
            )
        given = given if given.startswith(TIMM) else f"{TIMM}{given}"
    known = native(given, state)
    found = known if known and known.is_timm else recognise_encoder(state)
    if found is None and given in OURS:
        raise ModelError(f"{checkpoint.file}: the tensors of its encoder are not those of smp's {given}")
    if found is None:
        close = suggest(given, OURS) if given else f" Known: {', '.join(OURS)}."
        raise ModelError(
            f"{checkpoint.file}: its encoder{f' {given}' if given else ''} cannot be imported; timm's ('tu-...') can, "
            f"and those of smp's that are the same networks here.{close}"
        )
    if given not in ("", found.name):
        raise ModelError(f"{checkpoint.file}: its encoder is smp's {found.name}, not {given}")
    return found
