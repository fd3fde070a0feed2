"""Models that are fitted in one step, without gradients: data in, bundle out."""

from __future__ import annotations

from pathlib import Path

import torch
from rich.console import Console

from intarsia.bundle import Bundle
from intarsia.datasets.clouds import CloudDataset, CloudSplit
from intarsia.errors import UsageError
from intarsia.files import write_json
from intarsia.models import build
from intarsia.models.cloud.forest import PointForest
from intarsia.recipe import Recipe
from intarsia.training.clouds import CloudFeed
from intarsia.training.distributed import World
from intarsia.training.log import RunLog
from intarsia.training.progress import Progress
from intarsia.training.setup import find_split, flat_scores


def fit_forest(
    recipe: Recipe, dataset: CloudDataset, folder: Path, console: Console | None = None
) -> tuple[Path, dict[str, float]]:
    """Fit a forest on all points of the training clouds, and score it on the validation clouds.

    Args:
        recipe: its architecture is `point_forest`.
        dataset: labelled clouds.
        folder: run folder; gets ``recipe.yaml``, the logs, ``best.safetensors`` and ``last.safetensors``.
        console: where progress goes.

    Returns:
        The bundle and its scores.

    Raises:
        UsageError: the folder already holds a run.
    """
    if (folder / "log.csv").exists():
        raise UsageError(f"{folder} already holds a run; choose another folder")
    world = World(0, 1, torch.device("cpu"))

    def say(text: str) -> None:
        if console is not None:
            console.print(text, highlight=False, markup=False)

    train, val = find_split(dataset, recipe.data.train), find_split(dataset, recipe.data.val)
    model = build(recipe.model.architecture, classes=len(dataset.space), **recipe.model.options)
    if not isinstance(model, PointForest) or not isinstance(train, CloudSplit) or not isinstance(val, CloudSplit):
        raise UsageError(f"{recipe.model.architecture} is not fitted in one step")
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "labels.json", dataset.space.to_json())
    feed = CloudFeed(recipe, model, train, val, world, folder / "samples", say)
    features, target = feed.table()
    options = model.fit(features, target, seed=recipe.training.seed)
    resolved = recipe.override({f"model.options.{name}": value for name, value in options.items()})
    resolved.save(folder / "recipe.yaml")
    scores = feed.validator.score(model.eval(), 1, "fp32", Progress(None, 1, 0, 1))
    flat = flat_scores(scores, dataset.space)
    validated = {f"val_{name}": value for name, value in flat.items()}
    RunLog(folder, tensorboard=False).add({"epoch": 1, "step": 1, **validated})
    bundle = Bundle(
        architecture=resolved.model.architecture,
        options=dict(resolved.model.options),
        space=dataset.space,
        preprocessing=feed.preprocessing,
        state=model.state_dict(),
        recipe=resolved.override({"data.path": Path(recipe.data.path).name}).to_dict(),
        metrics={"split": val.name, "epoch": 1, **validated},
        card=dict(recipe.card),
    )
    for name in ("last", "best"):
        bundle.save(folder / f"{name}.safetensors")
    return folder / "best.safetensors", flat
