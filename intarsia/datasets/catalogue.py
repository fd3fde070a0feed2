"""Looking data sets and layouts up by name, for `intarsia data list` and `info`."""

from __future__ import annotations

from intarsia.datasets.layouts.contract import Layout
from intarsia.datasets.layouts.table import LAYOUTS
from intarsia.datasets.public import ENTRIES, PROTOCOLS, Entry, EvaluationProtocol
from intarsia.errors import UsageError, suggest


def entry(name: str) -> Entry:
    """Find what is known about a public data set.

    Raises:
        UsageError: no such data set; the message suggests the closest name.
    """
    if name not in ENTRIES:
        raise UsageError(f"no data set is named {name!r}.{suggest(name, ENTRIES)}")
    return ENTRIES[name]


def find_protocol(name: str) -> EvaluationProtocol:
    """Look up the official evaluation of a public data set.

    Raises:
        UsageError: no such protocol; the message suggests the closest name.
    """
    if name not in PROTOCOLS:
        raise UsageError(f"no evaluation protocol is named {name!r}.{suggest(name, PROTOCOLS)}")
    return PROTOCOLS[name]


def layouts_of(name: str) -> dict[str, str]:
    """The layouts that read a public data set, with a line on each; the first is the one found by itself."""
    return {layout: known.about for layout, known in LAYOUTS.items() if known.dataset == name}


def own_layouts() -> dict[str, Layout]:
    """The layouts for data of your own, the plainest first."""
    return {name: known for name, known in reversed(LAYOUTS.items()) if not known.dataset}
