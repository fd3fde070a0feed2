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
from intarsia.datasets.public.entry import Download, Entry, PublicSet
from intarsia.datasets.public.protocol import EvaluationProtocol

SETS = (
    PublicSet((lits.ENTRY,), lits.LAYOUTS),
    PublicSet((context.ENTRY,), context.LAYOUTS),
    PublicSet((voc.ENTRY, voc.SBD_ENTRY), voc.LAYOUTS),
    PublicSet((cocostuff.ENTRY, cocostuff.SMALL), cocostuff.LAYOUTS),
    PublicSet((cityscapes.ENTRY, cityscapes.KITTI_ENTRY), cityscapes.LAYOUTS),
    PublicSet((camvid.ENTRY,), camvid.LAYOUTS),
    PublicSet((ade20k.ENTRY, ade20k.FULL), ade20k.LAYOUTS),
    PublicSet((people.CCP_ENTRY, people.PRATHEEPAN_ENTRY), people.LAYOUTS),
    PublicSet((inria.ENTRY,), inria.LAYOUTS),
    PublicSet((isbi.ENTRY,), isbi.LAYOUTS),
    PublicSet((s3dis.ENTRY,), s3dis.LAYOUTS),
    PublicSet((shapenet_part.ENTRY,), shapenet_part.LAYOUTS),
)
"""Every public data set, in the order in which their layouts are recognised. All that follows is made of this table."""

ENTRIES: dict[str, Entry] = dict(sorted((entry.name, entry) for known in SETS for entry in known.entries))
"""Every public data set by name."""
LAYOUTS: dict[str, Layout] = {name: layout for known in SETS for name, layout in known.layouts.items()}
"""Every official layout by name, in the order in which they are recognised."""
PROTOCOLS: dict[str, EvaluationProtocol] = {entry.protocol.name: entry.protocol for entry in ENTRIES.values()}
"""Every official evaluation by name."""

__all__ = ["ENTRIES", "LAYOUTS", "PROTOCOLS", "SETS", "Download", "Entry", "EvaluationProtocol", "PublicSet"]
