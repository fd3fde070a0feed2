"""What the predictors of all media share: a model on a runtime, and what decides its labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from intarsia.bundle import Bundle, Description
from intarsia.errors import DataError, UsageError
from intarsia.inference.identity import Identity
from intarsia.runtimes import AUTO, open_runtime
from intarsia.runtimes.contract import Precision, Runtime, identity


class Ready:
    """A model made ready.

    Args:
        bundle: the model: a trained one, or the description in a model's file, whose weights its runtime reads; with a
            runtime of your own, a description is enough.
        made: the arguments that the predictor was made with, "runtime", "precision" and "device" among them.

    Attributes:
        things: what it is for, in words.
        runtime: what computes.
        settings: what besides the weights decides the labels, as plain JSON.

    Raises:
        UsageError: there is no such runtime, it is not installed, or a description without weights was given to one.
        ModelError: the weights do not fit.
    """

    things: ClassVar[str]
    settings: dict[str, Any]

    def __init__(self, bundle: Description, made: Mapping[str, Any]) -> None:
        self.bundle, self.space = bundle, bundle.space
        self._made = dict(made)
        self.runtime = _open(bundle, made["runtime"], made["precision"], made["device"])

    @classmethod
    def with_options(cls, bundle: Description, options: Mapping[str, Any]) -> Self:
        """Make one with the options that users give for whatever model they name.

        Raises:
            UsageError: one means nothing to this kind of model.
        """
        return cls(bundle, **options)

    def of_pictures(self, name: str) -> Any:
        """Give it where a model of pictures is needed; those of pictures give themselves.

        Args:
            name: how the user calls it.

        Raises:
            UsageError: it is for something else.
        """
        raise UsageError(f"{name} is a model of {self.things}; this needs one of pictures")

    def of_clouds(self, name: str) -> Any:
        """Give it where a model of point clouds is needed; see `of_pictures`."""
        raise UsageError(f"{name} is a model of {self.things}; this needs one of point clouds")

    def filming(self, **schedule: Any) -> Any:
        """Make it ready for a video; see `VideoPredictor`.

        Raises:
            DataError: it is for something else.
        """
        raise DataError(f"{self.bundle.title} is a model of {self.things}, and segments no videos")

    def warm_up(self, pictures: Iterable[NDArray[np.uint8]]) -> None:
        """Compute once what the first of its sources would wait for: nothing, where no picture tells what that is."""

    def identity(self) -> Identity:
        """Tell what decides the labels: equal identities give equal ones."""
        return Identity(self._checksum, self.settings, identity(self.runtime))

    @cached_property
    def _checksum(self) -> str:
        return self.bundle.checksum()

    def at(self, runtime: Mapping[str, Any]) -> Self:
        """Make the same predictor in the precision that a record tells of, and on its runtime if that was left open."""
        said = {"runtime": runtime["name"]} if self._made["runtime"] == AUTO else {}
        return type(self)(self.bundle, **self._made | said | {"precision": runtime["precision"]})

    @property
    def is_free(self) -> bool:
        """Whether the precision, and perhaps the runtime, was left open."""
        return self._made["precision"] == "auto" and isinstance(self._made["runtime"], str)


def _open(bundle: Description, runtime: Runtime | str, precision: Precision, device: str) -> Runtime:
    if not isinstance(runtime, str):
        return runtime
    if not isinstance(bundle, Bundle) and not bundle.source:
        raise UsageError(f"{bundle.title} is a description without weights; name a bundle, or give a runtime")
    if bundle.is_converted:
        from intarsia.inference.pipelines import open_steps

        steps = open_steps(bundle, runtime, precision, device)
        if steps is not None:
            return steps
    return open_runtime(runtime, bundle, precision, device)
