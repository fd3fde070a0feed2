"""Every layout in which labelled data lie on disk, in one table."""

from __future__ import annotations

from intarsia.datasets.layouts import (
    clouds,
    exports,
    folder,
    lists,
    manifest,
    nnunet,
    parquet,
    pieces,
    shards,
    voc,
    volumesets,
)
from intarsia.datasets.layouts.contract import Layout
from intarsia.datasets.public import LAYOUTS as OFFICIAL

LAYOUTS: dict[str, Layout] = {
    **OFFICIAL,
    **volumesets.LAYOUTS,
    **manifest.LAYOUTS,
    **parquet.LAYOUTS,
    **shards.LAYOUTS,
    **nnunet.LAYOUTS,
    **voc.LAYOUTS,
    **exports.LAYOUTS,
    **lists.LAYOUTS,
    **pieces.LAYOUTS,
    **clouds.LAYOUTS,
    **folder.LAYOUTS,
}
"""Every layout by name; "auto" takes the first that recognises the folder."""
