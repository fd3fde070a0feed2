"""Generate the reference: from the program, the registries, the docstrings and the application."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from handbook.commands import commands_page
from handbook.routes import routes_page
from handbook.tables import (
    architectures_page,
    data_page,
    exit_codes_page,
    losses_page,
    metrics_page,
    models_page,
    tools_page,
)

_API: dict[str, tuple[str, str, Sequence[str]]] = {
    "python.md": (
        "Python: the main road",
        "`import intarsia` costs little; what is heavy is loaded by the first call.",
        ("load", "segment", "train", "evaluate", "export", "cluster"),
    ),
    "python-results.md": (
        "Python: results, labels and errors",
        "What predictions return, and what goes wrong.",
        (
            "result.Segmentation", "result.CloudSegmentation", "inference.Predictor", "labels.LabelSpace",
            "training.Run", "evaluation.Evaluation", "errors",
        ),
    ),
    "python-rooms.md": (
        "Python: data, annotations, jobs and uses",
        "What the commands are made of.",
        (
            "datasets.open_dataset", "datasets.synthetic.write_scenes", "recipe.ReadOptions",
            "annotations.open_annotations", "annotations.write_annotations", "annotations.rasterize",
            "annotations.DrawingRules", "annotations.vectors.mask_polygons", "jobs.plan", "jobs.run_all",
            "result.renders.Render", "apps.portrait.portrait", "losses.build_loss", "models.build",
        ),
    ),
}  # fmt: skip

PAGES: dict[str, Callable[[], str]] = {
    "commands.md": commands_page,
    "exit-codes.md": exit_codes_page,
    "http.md": routes_page,
    "architectures.md": architectures_page,
    "losses.md": losses_page,
    "metrics.md": metrics_page,
    "tools.md": tools_page,
    "data.md": data_page,
    "models.md": models_page,
}


def generate(folder: Path) -> list[Path]:
    """Write all generated pages.

    Args:
        folder: `reference/` of the staged pages.

    Returns:
        The pages that were written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    texts = {name: page() for name, page in PAGES.items()} | {name: _api(*said) for name, said in _API.items()}
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in texts]


def _api(title: str, about: str, names: Sequence[str]) -> str:
    return "\n".join([f"# {title}", "", about, "", *(f"::: intarsia.{name}\n" for name in names)])
