"""Camera: where a picture's pixels lie on a flat road."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import Field, PositiveInt, ValidationError

from intarsia.errors import UsageError
from intarsia.files import reason, require_file
from intarsia.recipe.sections import Section, explain
from intarsia.yamltext import read_yaml


class Camera(Section):
    """A camera behind a windscreen, as its calibration file says.

    A picture of another size is taken for the whole of this one, scaled.
    """

    height: float = Field(gt=0, le=10, description="metres above the road")
    focal: float = Field(gt=0, description="focal length in pixels of a picture of `size`")
    size: tuple[PositiveInt, PositiveInt] = Field(
        description="width and height of the pictures that it was measured with"
    )
    pitch: float = Field(0.0, gt=-45, lt=45, description="degrees by which it looks down")
    centre: tuple[float, float] | None = Field(None, description="principal point; none: the middle of the picture")
    offset: float = Field(0.0, gt=-5, lt=5, description="metres by which it sits right of the vehicle's middle")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Camera:
        """Read a calibration file (YAML).

        Raises:
            UsageError: there is no such file, it is no YAML, or a key is unknown, missing or out of range.
        """
        require_file(path, "save it first")
        try:
            value = read_yaml(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise UsageError(f"cannot read the camera file {path}: {reason(error)}") from error
        except ValueError as error:
            raise UsageError(f"the camera file {path} is no YAML: {error}") from error
        if not isinstance(value, dict):
            raise UsageError(f"the camera file {path} holds keys and values: height, focal, size, pitch, ...")
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            raise UsageError("\n".join(f"{path}: {explain(one, cls)}" for one in error.errors())) from None

    def ground(self, width: int, height: int) -> Ground:
        """Where the pixels of a picture of this size lie."""
        scale = (width / self.size[0], height / self.size[1])
        centre = self.centre or (self.size[0] / 2, self.size[1] / 2)
        pitch = math.radians(self.pitch)
        horizon = centre[1] - self.focal * math.tan(pitch)
        return Ground(
            centre[0] * scale[0], horizon * scale[1], centre[0] * scale[0], self.height, self.focal * scale[1],
            pitch, self.offset,
        )  # fmt: skip


@dataclass(frozen=True)
class Ground:
    """A flat road as a picture shows it: a row below the horizon is a distance, a column divided by it a place across.

    A point `d` rows below the horizon is `focal * height / d` ahead, and one pixel across is `height / d` wide there.
    Without a camera the height is the unit of length.

    Attributes:
        x: column of the vanishing point.
        y: row of the horizon.
        ahead: column that the vehicle's middle drives at, where that is the camera's.
        height: metres of the camera above the road; None if it is not known.
        focal: focal length in pixels; None if it is not known.
        pitch: radians by which the camera looks down.
        offset: metres by which the camera sits right of the vehicle's middle.
    """

    x: float
    y: float
    ahead: float
    height: float | None = None
    focal: float | None = None
    pitch: float = 0.0
    offset: float = 0.0

    def at(self, x: float, y: float) -> Ground:
        """The same ground with another vanishing point."""
        return replace(self, x=x, y=y)

    def scaled(self, factor: float) -> Ground:
        """The same ground in a picture that is larger by a factor."""
        focal = None if self.focal is None else self.focal * factor
        return replace(self, x=self.x * factor, y=self.y * factor, ahead=self.ahead * factor, focal=focal)

    def across(self, pixels: float, row: float) -> float | None:
        """Metres of some pixels across in a row below the horizon; None without a camera."""
        if self.height is None or row <= self.y:
            return None
        return pixels * self.height / (math.cos(self.pitch) * (row - self.y))

    def distance(self, row: float) -> float | None:
        """Metres along the road to a row below the horizon; None without a camera."""
        if self.height is None or self.focal is None or row <= self.y:
            return None
        down = (row - self.y) / self.focal - math.tan(self.pitch)  # of the ray, seen from the camera's axis
        return (
            self.height * (math.cos(self.pitch) - down * math.sin(self.pitch))
            / (down * math.cos(self.pitch) + math.sin(self.pitch))
        )  # fmt: skip
