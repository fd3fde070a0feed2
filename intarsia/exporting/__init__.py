"""From a bundle to files that other runtimes compute, and what it costs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from intarsia.bundle import Description
from intarsia.datasets import Split, open_dataset
from intarsia.errors import UsageError
from intarsia.exporting.exporting import Export, Exporter
from intarsia.exporting.request import check_request
from intarsia.exporting.telling import Stage
from intarsia.recipe import ReadOptions
from intarsia.zoo import find_bundle

__all__ = ["Export", "export"]

StrPath = str | os.PathLike[str]


def export(
    model: StrPath,
    file: StrPath,
    *,
    precision: str,
    calibrate: StrPath | None,
    verify: StrPath | None,
    options: ReadOptions,
    max_drop: float,
    overwrite: bool,
    stage: Stage,
) -> Export:
    """Export a model; see `intarsia.export`."""
    target = Path(file)
    check_request(target, precision, calibrated=calibrate is not None, max_drop=max_drop, overwrite=overwrite)
    exporter = Exporter(Description.load(find_bundle(model)), target, max_drop, stage)
    if calibrate is not None:
        splits = open_dataset(calibrate, options).splits
        exporter.calibration = _seen(exporter.bundle, splits, ("train",))
        exporter.verification = _seen(exporter.bundle, splits, ("val", "test"))
    if verify is not None:
        splits = open_dataset(verify, options, val_fraction=0.0).splits
        exporter.verification = _seen(exporter.bundle, splits, ("val", "test", "all"))
    return exporter.run(precision)


def _seen(bundle: Description, splits: Mapping[str, Split], usual: Sequence[str]) -> Split:
    """The first of the usual splits, as the model sees it."""
    name = next((name for name in usual if name in splits and len(splits[name])), None)
    if name is None:
        there = ", ".join(splits)
        raise UsageError(f"the data have no {' or '.join(usual)} split that could be used here, only {there}")
    return splits[name].for_input(bundle.preprocessing)
