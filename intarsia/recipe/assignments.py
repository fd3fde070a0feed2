"""``key=value`` of a command line. This module loads no section: commands that read a few options need none."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from intarsia.errors import UsageError


def read_assignments(assignments: Iterable[str]) -> dict[str, Any]:
    """``key=value`` texts as a dictionary, the values read as YAML.

    Raises:
        UsageError: a text is not of this form.
    """
    values: dict[str, Any] = {}
    for assignment in assignments:
        from intarsia.yamltext import read_yaml  # not before there is something to read

        key, separator, text = assignment.partition("=")
        if not separator or not key:
            raise UsageError(f"{assignment!r} is not of the form key=value, for instance training.epochs=5")
        try:
            values[key] = read_yaml(text)
        except ValueError as error:
            raise UsageError(f"{assignment!r}: the value is not valid YAML: {error}") from error
    return values
