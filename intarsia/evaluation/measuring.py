"""From a model and a place with labelled data to scores."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from intarsia.datasets import Dataset, open_dataset
from intarsia.datasets.layouts.clouds import CloudDataset, open_clouds
from intarsia.datasets.public.protocol import EvaluationProtocol
from intarsia.datasets.remap import Remap, remapped
from intarsia.errors import UsageError
from intarsia.evaluation.measures.contract import Measure
from intarsia.evaluation.predictions import AnyPredictor, AnySplit, evaluate
from intarsia.evaluation.scoring import Evaluation
from intarsia.inference import Predictor
from intarsia.inference.clouds import CloudPredictor

StrPath: TypeAlias = str | os.PathLike[str]


def measure(
    predictor: AnyPredictor,
    data: StrPath,
    *,
    split: str | None = None,
    layout: str = "auto",
    classes: Sequence[str] | None = None,
    ignore: Sequence[int] = (),
    resize_masks: bool = False,
    tolerant: bool = False,
    reader: Mapping[str, Any] | None = None,
    remap: Mapping[str, Any] | StrPath | None = None,
    protocol: str | EvaluationProtocol | None = None,
    measures: Iterable[Measure] = (),
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Evaluation, AnySplit]:
    """Open labelled data and measure a model on them; see `intarsia.evaluate`.

    Returns:
        The scores, and the split that was measured.
    """
    # Asked for a split, an undivided folder is divided as a training on it does.
    how: dict[str, Any] = {
        "layout": layout, "classes": classes, "ignore": ignore, "val_fraction": 0.0 if split is None else 0.2,
    }  # fmt: skip
    of_pictures = {"resize_masks": resize_masks, "tolerant": tolerant, "reader": reader}
    opened = next(how_opened for kind, how_opened in _OPENERS.items() if isinstance(predictor, kind))
    dataset = opened(predictor, data, how, of_pictures)
    if remap is not None:
        dataset = remapped(dataset, Remap.from_dict(remap) if isinstance(remap, Mapping) else Remap.load(Path(remap)))
    usual = next((name for name in ("val", "test", "all") if name in dataset.splits), "val")
    chosen = dataset.split(split or usual)
    return evaluate(predictor, chosen, measures=measures, protocol=protocol, progress=progress), chosen


def _open_pictures(predictor: Any, data: StrPath, how: dict[str, Any], of_pictures: dict[str, Any]) -> Dataset:
    return open_dataset(data, **how, **of_pictures)


def _open_clouds(predictor: Any, data: StrPath, how: dict[str, Any], of_pictures: dict[str, Any]) -> CloudDataset:
    """Clouds, as the model's own recipe reads them."""
    if any(of_pictures.values()):
        raise UsageError("reader, resize_masks and tolerant are about pictures, and the model labels clouds")
    recipe = predictor.bundle.recipe or {}
    fields = recipe.get("cloud", {})
    how["classes"] = how["classes"] or recipe.get("data", {}).get("classes")
    return open_clouds(data, **how, columns=fields.get("columns"), label=fields.get("label"))


_OPENERS: dict[type[AnyPredictor], Callable[..., Any]] = {Predictor: _open_pictures, CloudPredictor: _open_clouds}
"""How the data for each kind of model are opened."""
