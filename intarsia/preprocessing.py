"""Preprocessing: what happens to a source before the network sees it, and what the network is for."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from intarsia.errors import DataError, UsageError

_Positive = Annotated[float, Field(gt=0)]


class Blocks(NamedTuple):
    """The blocks of points that a network sees.

    Attributes:
        points: most of one.
        width: of one, in the unit of the coordinates.
    """

    points: int
    width: float


class _Seen(BaseModel):
    """What every preprocessing answers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @property
    def medium(self) -> str:
        """What the model was made for."""
        raise NotImplementedError

    @property
    def made_for(self) -> str:
        """What to give it, in words."""
        raise NotImplementedError

    @property
    def blocks(self) -> Blocks | None:
        """The blocks of points that the network sees; None where it sees pixels."""
        return None

    def is_for(self, medium: str) -> bool:
        """Tell whether the model was made for a medium, or for what can be shown to it in the same way."""
        return medium not in _FOREIGN[self.medium]

    def check_medium(self, medium: str, name: str) -> None:
        """Refuse what the model was not made for: numbers would come out, but they would mean nothing.

        Args:
            medium: what the source is: a picture, video, raster, volume or cloud; of others their reader tells what
                their pixels are.
            name: the source's, for the message.

        Raises:
            DataError: a picture for a model of volumes, for instance.
        """
        if not self.is_for(medium):
            raise DataError(f"cannot segment {name}: this model is for {self.made_for}; or name a model of {medium}s")


class Preprocessing(_Seen):
    """What happens to a picture, a raster or a volume before the network sees it.

    Attributes:
        mean: subtracted per channel, of values in 0..1; a single value turns colour pictures to grey first.
        std: divided by per channel, as many values as `mean`.
        long_side: images are resized so that their longer side has this many pixels; None keeps their own size.
        size: (height, width) to which images are stretched, whatever their own sides; instead of `long_side`.
        window: (low, high) stored values (Hounsfield units, reflectances) that become 0 and 1, once or for each
            channel; None takes 8-bit values as they are, and each volume's own 0.5th and 99.5th percentile.
        slices: of a model for volumes, how many neighbouring slices are its channels; None for pictures and rasters.
        axis: the planes into which volumes are cut.
        bands: of a model for rasters, which bands (from 1) are its channels; None for three colours.
    """

    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[_Positive, ...] = (0.229, 0.224, 0.225)
    long_side: int | None = Field(default=None, ge=1)
    size: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] | None = None
    window: tuple[float, float] | tuple[tuple[float, float], ...] | None = None
    slices: int | None = Field(default=None, ge=1)
    axis: Literal["axial", "coronal", "sagittal"] = "axial"
    bands: tuple[Annotated[int, Field(ge=1)], ...] | None = None

    @property
    def windows(self) -> tuple[tuple[float, float], ...] | None:
        """The window of each channel, or one for all of them."""
        if self.window is None:
            return None
        return self.window if isinstance(self.window[0], tuple) else (self.window,)

    @property
    def medium(self) -> Literal["picture", "raster", "volume"]:
        """What the model was made for."""
        return "volume" if self.slices is not None else "raster" if self.bands is not None else "picture"

    @property
    def channels(self) -> int:
        """How many channels the network sees."""
        return len(self.mean)

    def describe(self) -> str:
        """Say in words what the network sees."""
        size = "native size" if self.long_side is None else f"longer side resized to {self.long_side} pixels"
        if self.size is not None:
            size = f"stretched to {self.size[1]}x{self.size[0]} pixels"
        if self.slices is not None:
            many = f"{self.slices} neighbouring {self.axis} slices" if self.slices > 1 else f"single {self.axis} slices"
            window = "each volume's own range" if self.windows is None else f"values {_range(self.windows[0])}"
            return f"{size}, {many} of volumes, {window}"
        if self.bands is not None:
            return f"{size}, {_listed('band', self.bands)} of rasters{self._ranges()}"
        return f"{size}, {'grey' if self.channels == 1 else 'RGB'}{self._ranges()}"

    def _ranges(self) -> str:
        return "" if self.windows is None else f", values {', '.join(_range(window) for window in self.windows)}"

    @property
    def made_for(self) -> str:
        """What to give it, in words."""
        return {
            "picture": "pictures: give it photos, videos, or rasters with red, green and blue",
            "raster": f"rasters with the bands {self.bands}: give it GeoTIFF files",
            "volume": "volumes: give it a NIfTI file (.nii.gz) or the folder of a DICOM series",
        }[self.medium]

    def changed(self, **changes: Any) -> Preprocessing:
        """Take a user's changes; None changes nothing.

        Args:
            changes: `long_side` (0 for each picture's own size), `bands` and `window`.

        Raises:
            UsageError: they do not fit the model.
        """
        wanted = {name: value for name, value in changes.items() if value is not None}
        if wanted.get("long_side", 0) < 0:
            raise UsageError(
                f"long_side is a number of pixels, or 0 for each picture's own size, not {wanted['long_side']}"
            )
        if "long_side" in wanted and self.size is not None:
            raise UsageError(
                f"long_side: this model sees every picture {self.describe()}; leave the working size to it"
            )
        if "long_side" in wanted:
            wanted["long_side"] = wanted["long_side"] or None
        try:
            return Preprocessing.model_validate(self.model_dump() | wanted)
        except ValidationError as error:
            reason = error.errors()[0]["msg"].removeprefix("Value error, ")
            raise UsageError(f"bands and window do not fit this model: {reason}") from None

    @model_validator(mode="after")
    def _check(self) -> Preprocessing:
        if self.slices is not None and self.bands is not None:
            raise ValueError("slices are of volumes and bands of rasters; a model takes one of them")
        if self.size is not None and (self.long_side is not None or self.slices is not None):
            raise ValueError("size is of pictures and rasters, and says all of their working size: long_side is none")
        if self.slices is not None and self.slices % 2 == 0:
            raise ValueError(f"slices is an odd number, the slice itself in the middle, not {self.slices}")
        channels = self.slices or (self.bands and len(self.bands))
        if channels and not len(self.mean) == len(self.std) == channels:
            raise ValueError(
                f"mean and std have a value for each of {channels} channels, not {len(self.mean)} and {len(self.std)}"
            )
        if not channels and (len(self.mean) not in (1, 3) or len(self.std) != len(self.mean)):
            raise ValueError(
                "mean and std have three values each, or one for grey pictures, "
                f"not {len(self.mean)} and {len(self.std)}"
            )
        windows = self.windows or ()
        if len(windows) not in (0, 1, len(self.mean)) or (self.slices and len(windows) > 1):
            raise ValueError(f"window is one pair (low, high), or one for each band, not {len(windows)}")
        if any(not math.isfinite(high - low) or low >= high for low, high in windows):
            raise ValueError("window: the lower bound comes first, and both are finite")
        return self

    @model_serializer(mode="wrap")
    def _plain(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without what only rasters and volumes have: bundles for pictures stay readable by earlier versions."""
        plain: dict[str, Any] = serialise(self)
        unused = {"size": None, "window": None, "slices": None, "axis": "axial", "bands": None}
        return {name: value for name, value in plain.items() if name not in unused or value != unused[name]}


class CloudPreprocessing(_Seen):
    """What happens to a point cloud before the network sees it.

    Attributes:
        features: names of what the network is told besides the coordinates, in the order of its channels.
        optional: those of them that a cloud may lack, because the network was trained without them, too.
        block: side in metres of the square columns that it sees.
        points: number of points of a block.
        voxel: the cloud is thinned to one point per cube of this side in metres; 0 keeps all.
        neighbours: points that make a neighbourhood of normals and shapes.
        whole: each cloud is one object, seen at once and scaled into the unit sphere; lengths are then in its radii.
        density: points per square metre of the thinned clouds that it was trained on; None where that is not known.
    """

    features: tuple[str, ...]
    optional: tuple[str, ...] = ()
    block: _Positive
    points: int = Field(ge=1)
    voxel: float = Field(default=0.0, ge=0)
    neighbours: int = Field(default=16, ge=3)
    whole: bool = False
    density: _Positive | None = None

    @property
    def medium(self) -> Literal["cloud"]:
        """What the model was made for."""
        return "cloud"

    @property
    def blocks(self) -> Blocks:
        """The blocks of points that the network sees."""
        return Blocks(self.points, 2.0 if self.whole else self.block)

    def describe(self) -> str:
        """Say in words what the network sees."""
        unit = "radii" if self.whole else "m"
        thinned = f"one point per {self.voxel:g} {unit}" if self.voxel else "all points"
        seen = "of a whole object in the unit sphere" if self.whole else f"in a column of {self.block:g} m"
        return f"points with {', '.join(('x, y, z', *self.features))}; {thinned}, {self.points} {seen}"

    @property
    def made_for(self) -> str:
        """What to give it, in words."""
        return "point clouds: give it LAS, LAZ or PLY files"


# The media that a model for one is not made for.
_FOREIGN = {
    "picture": ("volume", "cloud"),
    "raster": ("picture", "video", "volume", "cloud"),
    "volume": ("picture", "video", "raster", "cloud"),
    "cloud": ("picture", "video", "raster", "volume"),
}

AnyPreprocessing: TypeAlias = Preprocessing | CloudPreprocessing
_Kind = TypeVar("_Kind", Preprocessing, CloudPreprocessing)


def read_preprocessing(document: dict[str, Any]) -> AnyPreprocessing:
    """Read what ``model_dump`` of either kind gave; told apart by form, so that an error speaks of what is meant.

    Raises:
        ValidationError: a key is missing, unknown or out of range.
    """
    kind = CloudPreprocessing if "features" in document else Preprocessing
    return kind.model_validate(document)


def expect(found: AnyPreprocessing, kind: type[_Kind], refusal: Exception) -> _Kind:
    """Give `found` as the kind that it has to be, or raise `refusal`."""
    if not isinstance(found, kind):
        raise refusal
    return found


def _range(window: tuple[float, float]) -> str:
    return f"{window[0]:g} to {window[1]:g}"


def _listed(what: str, numbers: tuple[int, ...]) -> str:
    return f"{what}{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"
