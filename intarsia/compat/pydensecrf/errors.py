"""Errors that scripts written for pydensecrf catch: Intarsia's own, and ValueErrors too."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from intarsia.errors import DataError, UsageError

P = ParamSpec("P")
T = TypeVar("T")


class BadArray(DataError, ValueError):
    """An array cannot be used."""


class BadArgument(UsageError, ValueError):
    """An argument is out of range."""


def value_errors(function: Callable[P, T]) -> Callable[P, T]:
    """Let a function's errors be ValueErrors too, as pydensecrf's are."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except DataError as error:
            raise BadArray(str(error)) from error
        except UsageError as error:
            raise BadArgument(str(error)) from error

    return call
