"""Starting up must stay cheap: what is loaded is asserted, not how long it takes."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {"cv2", "numpy", "PIL", "pydantic", "safetensors", "timm", "torch", "torchvision", "yaml"}


def loaded_by(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter has loaded after running `code`."""
    code += "\nimport json, sys\nprint('\\n' + json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(json.loads(result.stdout.splitlines()[-1]))


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded_by("import intarsia") & (HEAVY | {"rich", "typer"}) == set()


@pytest.mark.parametrize("arguments", [["--help"], ["segment", "--help"], ["train", "--help"], ["--version"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    loaded = loaded_by(f"from intarsia.cli.main import main\nassert main({arguments!r}) == 0")
    # typer itself may bring pydantic, for its own argument types.
    assert loaded & (HEAVY - {"pydantic"}) == set()


def test_the_public_face_is_complete() -> None:
    loaded_by("import intarsia\nfor name in intarsia.__all__: getattr(intarsia, name)")
    loaded_by("from intarsia import *\nassert callable(load) and LabelSpace(('a',)).names == ('a',)")


def test_a_misspelt_public_name_is_an_attribute_error() -> None:
    loaded_by(
        "import intarsia\n"
        "try: intarsia.segmnt\n"
        "except AttributeError as error: assert \"Did you mean 'segment'?\" in str(error), error\n"
        "else: raise SystemExit(1)"
    )
