"""Notebooks run from their first cell to their last, and are stored without outputs."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from docs.shell import ROOT

# Against hangs only, as elsewhere: one of them trains and exports.
pytestmark = pytest.mark.timeout(600)

NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


def run(notebook: Path) -> list[Any]:
    """Run the cells in one process, as Jupyter would; the values that it would show."""
    names: dict[str, Any] = {"__name__": "__main__"}
    shown = []
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            tree = ast.parse("".join(cell["source"]))
            last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
            exec(compile(tree, f"{notebook.name}, {cell['id']}", "exec"), names)
            if last is not None:
                shown.append(eval(compile(ast.Expression(last.value), f"{notebook.name}, {cell['id']}", "eval"), names))
    return [value for value in shown if value is not None]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_hold_no_outputs(notebook: Path) -> None:
    told = json.loads(notebook.read_text(encoding="utf-8"))
    assert (told["nbformat"], told["nbformat_minor"]) == (4, 5)
    code = [cell for cell in told["cells"] if cell["cell_type"] == "code"]
    assert code and not any(cell["outputs"] or cell["execution_count"] for cell in code)
    assert len({cell["id"] for cell in told["cells"]}) == len(told["cells"])


def test_the_notebook_of_a_picture_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    overlay, (shape, kind, areas), said, alpha, segments = run(ROOT / "docs" / "notebooks" / "image.ipynb")
    assert overlay.size == segments.size == alpha.size == (512, 512) and alpha.mode == "RGBA"
    assert shape == (512, 512) and kind == "uint8" and 0.4 < areas["person"] < 0.7
    assert said.endswith("% of the pixels are of a person")
    assert (tmp_path / "mask.png").exists() and (tmp_path / "overlay.jpg").exists()


def test_the_notebook_of_a_video_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("timm")
    monkeypatch.chdir(tmp_path)
    frames, overlay, same = run(ROOT / "docs" / "notebooks" / "video.ipynb")
    assert frames == (7, (160, 240, 3)) and overlay.size == (240, 160)
    assert len(same) == 7 and all(same[key] > 0.9999 for key in (0, 3, 6)) and min(same) > 0.5


def test_the_notebook_of_a_cloud_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("laspy")
    monkeypatch.chdir(tmp_path)
    (shape, areas), top, heights, labels = run(ROOT / "docs" / "notebooks" / "cloud.ipynb")
    assert shape == (4000,) and sum(areas.values()) == pytest.approx(1, abs=1e-3)
    assert heights["ground"] < 1 < heights["building"] and top.width > 100 and len(labels) == 10


def test_the_notebook_of_an_export_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnx")
    monkeypatch.chdir(tmp_path)
    best, miou, size, same = run(ROOT / "docs" / "notebooks" / "export.ipynb")
    assert best.exists() and 0 < miou < 1 and size > 10_000 and same > 0.9999
