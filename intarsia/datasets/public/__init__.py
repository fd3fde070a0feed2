"""The public data sets: what is known about each, its official layouts, and its official evaluation."""

from intarsia.datasets.layouts.contract import Layout
from intarsia.datasets.public import (
    ade20k,
    camvid,
    cityscapes,
    cocostuff,
    context,
    inria,
    isbi,
    lits,
    people,
    s3dis,
    shapenet_part,
    voc,
)
from intarsia.datasets.public.entry import Download, Entry
from intarsia.datasets.public.protocol import EvaluationProtocol

SETS = (context, voc, cocostuff, cityscapes, camvid, ade20k, people, inria, isbi, lits, s3dis, shapenet_part)
"""Every public data set, in the order in which layouts are recognised: modules with `ENTRIES` and `LAYOUTS`."""

ENTRIES: dict[str, Entry] = dict(sorted((entry.name, entry) for known in SETS for entry in known.ENTRIES))
"""Every public data set by name."""
LAYOUTS: dict[str, Layout] = {name: layout for known in SETS for name, layout in known.LAYOUTS.items()}
"""Every official layout by name, in the order in which they are recognised."""
PROTOCOLS: dict[str, EvaluationProtocol] = {entry.protocol.name: entry.protocol for entry in ENTRIES.values()}
"""Every official evaluation by name."""

__all__ = ["ENTRIES", "LAYOUTS", "PROTOCOLS", "SETS", "Download", "Entry", "EvaluationProtocol"]
