"""Names of operations that say nothing of the process in which they were made."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any


def number_names(network: Any) -> Any:
    """Number the operations of OpenVINO's network that nobody has named, each kind by itself in the order of computing.

    OpenVINO numbers them by all operations that its process has made so far, those of other threads among them, so that
    the same network would be another file each time.

    Args:
        network: OpenVINO's model, which is changed.

    Returns:
        The same model.
    """
    unnamed = [operation for operation in network.get_ordered_ops() if _is_unnamed(operation)]
    kept = {operation.get_friendly_name() for operation in network.get_ops()}
    kept -= {operation.get_friendly_name() for operation in unnamed}
    counts: Counter[str] = Counter()
    for operation in unnamed:
        kind = operation.get_type_name()
        while f"{kind}_{counts[kind]}" in kept:
            counts[kind] += 1
        operation.set_friendly_name(f"{kind}_{counts[kind]}")
        counts[kind] += 1
    return network


def _is_unnamed(operation: Any) -> bool:
    kind = re.escape(operation.get_type_name())
    return re.fullmatch(rf"{kind}_\d+", operation.get_friendly_name()) is not None
