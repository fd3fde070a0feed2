"""OpenVINO itself, which would tell its makers over the network of every process that imports it."""

from __future__ import annotations

import sys
from typing import Any

from intarsia.errors import require

_TELLS = "openvino_telemetry"


def library() -> Any:
    """Import OpenVINO, without the package that sends what it is used for; it does without, as where it is not there.

    Raises:
        UsageError: it is not installed.
    """
    sys.modules.setdefault(_TELLS, None)  # type: ignore[arg-type]  # None: it cannot be imported
    return require("openvino", "openvino")
