"""Starting up must stay cheap: what is loaded is asserted, not how long it takes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

PACKAGE = Path(__file__).parents[1] / "intarsia"
TORCH_FREE = (
    "media annotations result inference jobs labels files stopping threads zoo bundle preprocessing recipe datasets "
    "evaluation metrics instances apps serving benchmarking runtimes.contract runtimes.upsampling runtimes.choice "
    "runtimes.onnx runtimes.openvino refine.filters "
    "refine.crf.compiled"
)
IMPORTED = re.compile(r"^ *from (intarsia[\w.]*) import (?:\(([^)]*)\)|(.*))$", re.MULTILINE)
HEAVY = {"cv2", "numpy", "PIL", "pydantic", "safetensors", "timm", "torch", "torchvision", "yaml"}


def loaded_by(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter has loaded after running `code`."""
    code += "\nimport json, sys\nprint('\\n' + json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(json.loads(result.stdout.splitlines()[-1]))


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded_by("import intarsia") & (HEAVY | {"rich", "typer"}) == set()


def test_each_command_loads_only_what_it_needs(tmp_path: Path) -> None:
    """One process runs one command after the other, so that what the last one does not load, none before it did."""
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    outline = {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[1, 1, 6, 1, 6, 6]], "bbox": [1, 1, 5, 5]}
    export = {
        "images": [{"id": 1, "file_name": "a.png", "width": 8, "height": 8}],
        "categories": [{"id": 1, "name": "car"}],
        "annotations": [outline | {"area": 12, "iscrowd": 0}],
    }
    (tmp_path / "coco.json").write_text(json.dumps(export), encoding="utf-8")
    for side in ("prediction", "truth"):
        (tmp_path / side).mkdir()
        Image.fromarray(np.eye(8, dtype=np.uint8)).save(tmp_path / side / "a.png")
    convert = ["annotations", "convert", "coco.json", "-o", "out.xml", "--to", "cvat"]
    # Each command, and what is still not loaded after it. Typer brings pydantic for its own argument types.
    steps: list[tuple[list[str], set[str]]] = [
        (["--version"], HEAVY | {"rich", "http", "importlib.metadata", "intarsia.cli.annotations"}),
        (convert, HEAVY - {"pydantic", "numpy", "PIL"} | {"rich", "http", "intarsia.recipe.sections", "scipy"}),
        (["--help"], HEAVY - {"pydantic", "numpy", "PIL"} | {"http", "intarsia.recipe.sections"}),
        (["segment", "--help"], HEAVY - {"pydantic", "numpy", "PIL"} | {"intarsia.inference", "intarsia.jobs"}),
        (["train", "--help"], HEAVY - {"pydantic", "numpy", "PIL"} | {"intarsia.training", "intarsia.datasets"}),
        (
            ["metrics", "prediction", "truth"],
            HEAVY - {"pydantic", "numpy", "PIL", "cv2"}
            | {"intarsia.recipe.sections", "intarsia.datasets.public", "intarsia.reports", "rich.progress", "scipy"},
        ),
        (["count", "prediction"], HEAVY - {"pydantic", "numpy", "PIL", "cv2"} | {"intarsia.reports", "rich.progress"}),
    ]
    code = (
        f"import os, sys\nos.chdir({str(tmp_path)!r})\nfrom intarsia.cli.main import main\n"
        f"for arguments, absent in {steps!r}:\n"
        "    assert main(arguments) == 0, arguments\n"
        "    assert not absent & set(sys.modules), (arguments, absent & set(sys.modules))\n"
    )
    loaded_by(code)


def test_the_public_face_is_complete() -> None:
    loaded_by("import intarsia\nfor name in intarsia.__all__: getattr(intarsia, name)")
    loaded_by("from intarsia import *\nassert callable(load) and LabelSpace(('a',)).names == ('a',)")


@pytest.mark.parametrize("room", ["datasets", "evaluation", "metrics", "recipe"])
def test_rooms_that_load_late_give_what_they_promise(room: str) -> None:
    found = import_module(f"intarsia.{room}")
    assert all(callable(getattr(found, name)) for name in found.__all__)
    with pytest.raises(AttributeError, match=f"module 'intarsia.{room}' has no attribute 'nothing'"):
        found.nothing  # noqa: B018


def test_a_misspelt_public_name_is_an_attribute_error() -> None:
    loaded_by(
        "import intarsia\n"
        "try: intarsia.segmnt\n"
        "except AttributeError as error: assert \"Did you mean 'segment'?\" in str(error), error\n"
        "else: raise SystemExit(1)"
    )


def test_rooms_that_do_not_train_load_no_torch() -> None:
    """What does not train imports without PyTorch; only making a runtime of torch loads it."""
    loaded = loaded_by(
        "import importlib, pkgutil, intarsia\n"
        f"rooms = {TORCH_FREE!r}.split()\n"
        "for room in rooms:\n"
        "    found = importlib.import_module(f'intarsia.{room}')\n"
        "    for module in pkgutil.walk_packages(getattr(found, '__path__', []), f'intarsia.{room}.'):\n"
        "        importlib.import_module(module.name)\n"
    )
    assert loaded & {"torch", "torchvision", "timm"} == set()


def test_timm_and_torchvision_are_loaded_where_they_are_used() -> None:
    """They take longer to load than torch, and many networks need neither."""
    at_once = re.compile(r"^(?:from|import) (?:timm|torchvision)\b|^from intarsia\.models\.normact\b", re.MULTILINE)
    found = [file.name for file in PACKAGE.rglob("*.py") if at_once.search(file.read_text(encoding="utf-8"))]
    assert found == ["normact.py"]


def test_imports_have_no_circles() -> None:
    """Not even inside functions or for type checkers."""
    modules = {}
    for file in PACKAGE.rglob("*.py"):
        parts = ("intarsia", *file.relative_to(PACKAGE).with_suffix("").parts)
        modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    order: TopologicalSorter[str] = TopologicalSorter()
    for name, file in modules.items():
        for module, *named in IMPORTED.findall(file.read_text(encoding="utf-8")):
            imported = re.sub("#.*", "", "".join(named))
            wanted = {f"{module}.{one}" for one in re.findall(r"(\w+)(?: as \w+)?", imported)}
            found = {one if one in modules else module for one in wanted}
            order.add(name, *(found - {name}))
    order.prepare()  # raises CycleError, which names the circle
