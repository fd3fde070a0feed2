"""Reference pages of the Python interface: what they are of, and the sources that they are read from.

Mkdocstrings reads a package whole, which takes longer than all other pages together. It is given the few modules that
the pages name, and those that what is named was made in.
"""

from __future__ import annotations

import pkgutil
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

API: dict[str, tuple[str, str, Sequence[str]]] = {
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


def api_page(title: str, about: str, names: Sequence[str]) -> str:
    """A page whose parts mkdocstrings makes of docstrings."""
    return "\n".join([f"# {title}", "", about, "", *(f"::: intarsia.{name}\n" for name in names)])


def copy_sources(root: Path, out: Path) -> None:
    """Copy the modules that the pages need to an empty folder.

    Args:
        root: of the repository.
        out: which `mkdocs.yml` names as the place of the package.
    """
    shutil.rmtree(out, ignore_errors=True)
    for name in {f"intarsia.{name}" for _, _, names in API.values() for name in names}:
        made = pkgutil.resolve_name(name)
        for place in (name, getattr(made, "__module__", name)):
            parts = place.split(".")
            for module in (".".join(parts[:end]) for end in range(1, len(parts) + 1)):
                if module in sys.modules:  # or else it is what is named in one
                    source = Path(str(sys.modules[module].__file__))
                    target = out / source.relative_to(root)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(source, target)
