"""The public data sets: what is known about each, and its official layouts."""

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

ENTRIES: dict[str, Entry] = {
    entry.name: entry
    for entry in (
        voc.ENTRY,
        voc.SBD_ENTRY,
        context.ENTRY,
        cocostuff.ENTRY,
        cocostuff.SMALL,
        cityscapes.ENTRY,
        cityscapes.KITTI_ENTRY,
        camvid.ENTRY,
        ade20k.ENTRY,
        ade20k.FULL,
        people.CCP_ENTRY,
        people.PRATHEEPAN_ENTRY,
        inria.ENTRY,
        isbi.ENTRY,
        lits.ENTRY,
        s3dis.ENTRY,
        shapenet_part.ENTRY,
    )
}
"""Every public data set by name."""

_ROOMS = (lits, context, voc, cocostuff, cityscapes, camvid, ade20k, people, inria, isbi, s3dis, shapenet_part)
LAYOUTS: dict[str, Layout] = {name: known for room in _ROOMS for name, known in room.LAYOUTS.items()}
"""Every official layout by name, in the order in which they are recognised."""

__all__ = ["ENTRIES", "LAYOUTS", "Download", "Entry"]
