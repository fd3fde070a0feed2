"""What the predictors of all media share: a model on a runtime, and what decides its labels."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Self

from intarsia.bundle import Bundle, Description
from intarsia.errors import UsageError
from intarsia.inference.identity import Identity
from intarsia.runtimes import find_runtime
from intarsia.runtimes.contract import Precision, Runtime, identity


class Ready:
    """A model made ready.

    Args:
        bundle: the trained model; with a runtime of your own, its description is enough.
        made: the arguments that the predictor was made with, "runtime", "precision" and "device" among them.

    Attributes:
        runtime: what computes.
        settings: what besides the weights decides the labels, as plain JSON.

    Raises:
        UsageError: there is no such runtime, or a description without weights was given to one.
        ModelError: the weights do not fit.
    """

    settings: dict[str, Any]

    def __init__(self, bundle: Bundle | Description, made: Mapping[str, Any]) -> None:
        self.bundle, self.space = bundle, bundle.space
        self._made = dict(made)
        self.runtime = _open(bundle, made["runtime"], made["precision"], made["device"])

    @classmethod
    def with_options(cls, bundle: Bundle | Description, options: Mapping[str, Any]) -> Self:
        """Make one with the options that users give for whatever model they name.

        Raises:
            UsageError: one means nothing to this kind of model.
        """
        return cls(bundle, **options)

    def identity(self) -> Identity:
        """Tell what decides the labels: equal identities give equal ones."""
        return Identity(self._checksum, self.settings, identity(self.runtime))

    @cached_property
    def _checksum(self) -> str:
        return self.bundle.checksum()

    def at(self, precision: Precision) -> Self:
        """Make the same predictor in another precision, for instance the one in which a job was begun."""
        return type(self)(self.bundle, **self._made | {"precision": precision})

    @property
    def is_free(self) -> bool:
        """Whether the precision was left open."""
        return self._made["precision"] == "auto" and isinstance(self._made["runtime"], str)


def _open(bundle: Bundle | Description, runtime: Runtime | str, precision: Precision, device: str) -> Runtime:
    if not isinstance(runtime, str):
        return runtime
    kind = find_runtime(runtime)
    if not isinstance(bundle, Bundle):
        raise UsageError(f"{bundle.title} is a description without weights; name a bundle, or give a runtime")
    return kind.open(bundle, precision, device)
