"""Bundled models and recipes by name."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from intarsia.bundle import Description, Exported
from intarsia.errors import ModelError, UsageError
from intarsia.runtimes.onnx import OnnxRuntime
from intarsia.zoo import bundled_models, bundled_recipes, find_bundle, find_recipe


def test_bundles_are_found_by_name_folder_and_file(tmp_path: Path) -> None:
    for name in ("zoo/street.safetensors", "run/best.safetensors"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"x")
    models = {"street": tmp_path / "zoo/street.safetensors"}
    assert find_bundle("street", models=models) == models["street"]
    assert find_bundle(tmp_path / "run") == tmp_path / "run/best.safetensors"
    assert find_bundle(tmp_path / "zoo/street.safetensors") == tmp_path / "zoo/street.safetensors"
    with pytest.raises(UsageError, match=r"named 'stret'\. Did you mean 'street'"):
        find_bundle("stret", models=models)
    with pytest.raises(ModelError, match=r"gone\.safetensors: no such bundle"):
        find_bundle(tmp_path / "gone.safetensors")
    with pytest.raises(ModelError, match=r"is no run folder: it holds no best\.safetensors"):
        find_bundle(tmp_path)
    os.mkfifo(tmp_path / "pipe.onnx")
    with pytest.raises(UsageError, match=r"cannot read .*pipe\.onnx: it is a pipe, no file; save it first"):
        find_bundle(tmp_path / "pipe.onnx")  # where nobody writes, opening it would wait for ever


def test_what_ships_is_there() -> None:
    assert {"street", "airborne-lidar"} <= bundled_models().keys()
    assert all(path.is_file() for path in (*bundled_models().values(), *bundled_recipes().values()))
    assert {"street-camvid", "object-parts", "demo-coins"} <= bundled_recipes().keys()


def test_recipes_are_found_by_name_and_file(tmp_path: Path) -> None:
    assert find_recipe("street_camvid") == find_recipe("street-camvid") == bundled_recipes()["street-camvid"]
    (tmp_path / "mine").write_text("name: mine")
    assert find_recipe(tmp_path / "mine") == tmp_path / "mine"
    assert find_recipe("later.yaml") == Path("later.yaml")
    with pytest.raises(UsageError, match=r"no recipe is named 'demo-coin'\. Did you mean 'demo-coins'"):
        find_recipe("demo-coin")


def test_names_cost_neither_torch_nor_numpy() -> None:
    code = "import sys, intarsia.zoo; print([name for name in ('torch', 'numpy') if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_pictures_networks_are_stored_once() -> None:
    """As exported networks, which predict without PyTorch, and hold the weights that training starts from."""
    exported = {name: path for name, path in bundled_models().items() if path.suffix == ".onnx"}
    assert not [path for path in exported.values() if path.with_suffix(".safetensors").exists()]
    for name in ("street", "clothes"):
        told, description = Exported.load(exported[name]), Description.load(exported[name])
        assert told.agreement >= 0.999 and told.gflop_per_megapixel
        assert exported[name].stat().st_size < 10e6
        assert description.parameters() > 3_000_000 and not description.is_converted
        OnnxRuntime(exported[name], len(description.space))
