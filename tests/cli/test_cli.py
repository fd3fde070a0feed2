"""The command line: exit codes, messages, and what each command prints and writes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import Cli
from PIL import Image
from tiny import TINY, TinyRun

import intarsia
from intarsia.cli import doctor
from intarsia.cli.output import seconds
from intarsia.errors import DataError
from intarsia.recipe import Recipe
from intarsia.threads import waiting

# --- how commands end ---------------------------------------------------------------------------------------------


def test_help_and_version(cli: Cli) -> None:
    assert cli("--help") == 0
    for command in ("segment", "train", "evaluate", "import", "data", "models", "recipes", "demo", "doctor"):
        assert command in cli.out
    assert cli("--version") == 0
    assert cli.out == f"intarsia {intarsia.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["segmnt"], "Did you mean 'segment'?"),
        (["data", "chek"], "Did you mean 'check'?"),
        (["segment", "x.jpg", "--overwrit"], "--overwrite"),
        (["segment"], "Missing argument"),
        (["train", "x", "--epochs", "many"], "Invalid value for '--epochs'"),
        (["annotations", "convert", "a.zip", "b.json", "--to", "coco"], "It says where the result goes: -o FILE"),
        (["annotations", "rasterize", "a.zip", "masks/"], "It says where the result goes: -o FILE"),
        (["data", "get", "pascal-voc", "data/"], "It says where the result goes: -o FILE"),
        (["recipes", "copy", "demo-coins", "mine.yaml"], "(mine.yaml). If it names the result, write -o before it."),
    ],
)
def test_wrong_usage_exits_2_and_suggests(cli: Cli, arguments: list[str], said: str) -> None:
    assert cli(*arguments) == 2
    assert said in cli.err
    assert "Traceback" not in cli.err and cli.out == ""


def test_errors_are_json_too_when_asked_for(cli: Cli) -> None:
    error = cli.json("recipes", "show", "demo-coin", code=2)["error"]
    assert error == {
        "type": "UsageError",
        "message": "no recipe is named 'demo-coin'. Did you mean 'demo-coins'?",
        "exit_code": 2,
    }
    assert cli.err == "Error: no recipe is named 'demo-coin'. Did you mean 'demo-coins'?\n"
    assert cli.json("segmnt", code=2)["error"]["message"] == "No such command 'segmnt'. Did you mean 'segment'?"


def test_data_errors_exit_3_and_model_errors_4(cli: Cli, tmp_path: Path, tiny_run: TinyRun) -> None:
    assert cli("data", "info", tmp_path) == 3
    assert str(tmp_path) in cli.err
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"")
    assert cli("evaluate", "-m", broken, tiny_run.data) == 4
    assert f"{broken}: the file is empty" in cli.err


def test_debug_shows_the_traceback_wherever_it_stands(cli: Cli, tmp_path: Path) -> None:
    with pytest.raises(DataError):
        cli("--debug", "data", "info", tmp_path)
    with pytest.raises(DataError):
        cli("data", "info", tmp_path, "--debug")


@pytest.mark.needs_torch
def test_interruption_exits_130(cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(intarsia, "train", interrupt)
    assert cli("train", tmp_path) == 130
    assert "interrupted" in cli.err and "Traceback" not in cli.err


@pytest.mark.needs_torch
def test_a_defect_says_so_without_a_traceback(cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(intarsia, "train", fail)
    assert cli("train", tmp_path) == 1
    assert cli.err == (
        "Error: ZeroDivisionError: division by zero\nThis is a defect in Intarsia; --debug shows where it happened.\n"
    )


@pytest.mark.parametrize(("value", "text"), [(0.0361, "36 ms"), (12.34, "12.3 s"), (245.2, "4 min 05 s")])
def test_durations_are_readable(value: float, text: str) -> None:
    assert seconds(value) == text


# --- segment ------------------------------------------------------------------------------------------------------


def test_segment_writes_mask_and_overlay_here_and_says_what_it_saw(
    cli: Cli, tiny_run: TinyRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(tiny_run.data / "images" / "scene_003.png", "photo.png")
    assert cli("segment", "photo.png", "-m", tiny_run.run.folder) == 0
    mask = Image.open("photo.mask.png")
    assert mask.mode == "P" and mask.size == (80, 64)
    assert Image.open("photo.overlay.jpg").size == (80, 64)
    assert "photo.png  (80x64, " in cli.out
    assert "photo.mask.png" in cli.out and "unet, 6 classes" in cli.out and "Next:" in cli.out
    # the areas printed are those of the mask
    expected = intarsia.load(tiny_run.run.folder).segment(np.asarray(Image.open("photo.png")))
    assert np.array_equal(np.asarray(mask), expected.labels)
    name, share = next(iter(expected.areas().items()))
    assert f"{name} {100 * share:.1f} %" in cli.out


def test_segment_a_folder_needs_a_place_for_the_results(cli: Cli, tiny_run: TinyRun) -> None:
    assert cli("segment", tiny_run.data / "images", "-m", tiny_run.run.folder) == 2
    assert "-o OUT" in cli.err
    assert cli("segment", tiny_run.data / "images" / "*.png", "-m", tiny_run.run.folder) == 2


def test_segment_dry_run_writes_nothing(cli: Cli, tiny_run: TinyRun, tmp_path: Path) -> None:
    out = tmp_path / "out"
    told = cli.json("segment", tiny_run.data / "images", "-o", out, "--dry-run")
    planned, (expected,) = told["planned"], told["expected"]["media"]
    assert len(planned) == 12 and not out.exists()
    assert planned[3]["outputs"]["labels"] == str(out / "scene_003.mask.png")
    assert expected["sources"] == 12 and expected["seconds"] > 0
    assert cli("segment", tiny_run.data / "images", "-o", out, "--dry-run") == 0
    assert "Memory: about " in cli.out and "12 pictures, the largest " in cli.out and "Time: about " in cli.out


def test_segment_names_what_failed_and_exits_1_when_some_worked(cli: Cli, tiny_run: TinyRun, tmp_path: Path) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    shutil.copy(tiny_run.data / "images" / "scene_000.png", photos / "good.png")
    (photos / "bad.png").write_bytes(b"not a picture")
    assert cli("segment", photos, "-o", out, "-m", tiny_run.run.folder) == 1
    assert f"failed: cannot read {photos / 'bad.png'}: " in cli.err
    assert "1 done, 1 failed" in cli.out
    assert sorted(path.name for path in out.iterdir()) == ["good.mask.png", "good.overlay.jpg", "manifest.jsonl"]
    # again: the good one was done before, the bad one fails again
    found = cli.json("segment", photos, "-o", out, "-m", tiny_run.run.folder, "--resume", code=1)
    assert found["skipped"] == [str(photos / "good.png")]
    assert [record["status"] for record in found["records"]] == ["error"]


def test_segment_exits_3_when_nothing_worked(cli: Cli, tiny_run: TinyRun, tmp_path: Path) -> None:
    assert cli("segment", tmp_path / "nope.jpg", "-o", tmp_path / "out", "-m", tiny_run.run.folder) == 3
    assert "nope.jpg" in cli.err


def test_segment_does_not_both_overwrite_and_resume(cli: Cli, tmp_path: Path) -> None:
    assert cli("segment", "x.jpg", "-o", tmp_path, "--overwrite", "--resume") == 2
    assert "choose one" in cli.err


# --- train and evaluate ---------------------------------------------------------------------------------------------


def test_train_on_a_plain_folder_writes_recipe_bundle_and_report(cli: Cli, tiny_run: TinyRun) -> None:
    folder = tiny_run.run.folder
    names = {path.name for path in folder.iterdir()}
    assert {"best.safetensors", "recipe.yaml", "log.csv", "report.html", "card.md"} <= names
    recipe = Recipe.load(folder / "recipe.yaml")
    assert (recipe.data.path, recipe.data.layout) == (str(tiny_run.data), "folder")
    assert (recipe.name, recipe.training.epochs) == ("scenes", 2)


def test_train_prints_what_it_made(cli: Cli, tiny_run: TinyRun, tmp_path: Path) -> None:
    settings = [part for change in TINY for part in ("--set", change)]
    found = cli.json("train", tiny_run.data, "-o", tmp_path / "run", *settings, "--epochs", "1")
    assert found["best"] == str(tmp_path / "run" / "best.safetensors")
    assert 0 <= found["scores"]["miou"] <= 1
    assert "recipe: unet on test_resnet (weights: none), 1 epochs" in cli.err
    # and it never trains over an earlier run
    assert cli("train", tiny_run.data, "-o", tmp_path / "run", *settings) == 2
    assert "already holds a run" in cli.err


@pytest.mark.needs_torch
def test_train_says_what_is_wrong_with_a_recipe(cli: Cli, tmp_path: Path) -> None:
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("training:\n  epoch: 3\n")
    assert cli("train", recipe) == 2
    assert "unknown key 'training.epoch'. Did you mean 'epochs'?" in cli.err
    recipe.write_text("name: mine\n")
    assert cli("train", recipe) == 2
    assert "the recipe 'mine' names no data; set data.path, or: intarsia train FOLDER --recipe" in cli.err
    assert cli("train", tmp_path / "nope") == 2
    assert "nope: no such recipe or folder" in cli.err


def test_evaluate_gives_the_numbers_of_the_python_call(cli: Cli, tiny_run: TinyRun) -> None:
    found = cli.json("evaluate", "-m", tiny_run.run.folder, tiny_run.data)
    expected = intarsia.evaluate(tiny_run.run.folder, tiny_run.data)
    assert found == json.loads(json.dumps(expected.to_json()))
    assert cli("evaluate", "-m", tiny_run.run.folder, tiny_run.data) == 0
    assert f"mIoU {expected.scores.miou:.4f}" in cli.out
    assert "building" in cli.out


def test_options_of_the_architecture_change_without_training(cli: Cli, tiny_run: TinyRun, tmp_path: Path) -> None:
    """A timm ResNet's weights fit every output stride; what is wrong is said as everywhere."""
    arguments = ("-m", tiny_run.run.folder, tiny_run.data, "--set")
    plain = cli.json("evaluate", *arguments, "output_stride=32")
    assert plain["scores"] == cli.json("evaluate", *arguments[:3])["scores"]
    assert cli("evaluate", *arguments, "encoder=test_efficientnet") == 4
    assert "another architecture or other options" in cli.err
    assert cli("evaluate", *arguments, "output_strid=8") == 4
    assert "Did you mean 'output_stride'?" in cli.err
    picture = next((tiny_run.data / "images").rglob("*.png"))
    assert cli("segment", picture, "-m", tiny_run.run.folder, "-o", tmp_path, "--set", "output_stride") == 2
    assert "not of the form key=value" in cli.err


def test_an_undivided_folder_is_measured_whole_unless_its_held_out_part_is_asked_for(
    cli: Cli, tiny_run: TinyRun
) -> None:
    whole = cli.json("evaluate", "-m", tiny_run.run.folder, tiny_run.data)
    held_out = cli.json("evaluate", "-m", tiny_run.run.folder, tiny_run.data, "--split", "val")
    assert (whole["split"], len(whole["images"])) == ("all", 12)
    assert (held_out["split"], len(held_out["images"])) == ("val", 2)
    assert cli("evaluate", "-m", tiny_run.run.folder, tiny_run.data) == 0
    assert "these scores flatter it" in cli.out


def test_evaluate_suggests_a_split(cli: Cli, tiny_run: TinyRun) -> None:
    assert cli("evaluate", "-m", tiny_run.run.folder, tiny_run.data, "--split", "vall") == 2
    assert "Did you mean 'val'?" in cli.err


# --- data -------------------------------------------------------------------------------------------------------------


def test_data_list_names_the_layouts(cli: Cli) -> None:
    found = cli.json("data", "list")
    assert {"folder", "annotations", "manifest", "clouds"} <= {kind["layout"] for kind in found["own"]}
    assert {"cityscapes", "lits", "s3dis"} <= {entry["name"] for entry in found["public"]}
    assert cli("data", "list") == 0 and "camvid-32" in cli.out


def test_data_info_shows_classes_and_splits(cli: Cli, tiny_run: TinyRun) -> None:
    found = cli.json("data", "info", tiny_run.data)
    assert found["label_space"]["names"][:2] == ["sky", "building"]
    assert sum(split["images"] for split in found["splits"].values()) == 12
    assert cli("data", "info", tiny_run.data) == 0
    assert "12 labelled images, layout folder" in cli.out and "80x64" in cli.out


def test_data_check_passes_good_data_and_names_bad_files(cli: Cli, tiny_run: TinyRun, tmp_path: Path) -> None:
    assert cli.json("data", "check", tiny_run.data)["errors"] == []
    bad = tmp_path / "bad"
    shutil.copytree(tiny_run.data, bad)
    (bad / "images" / "scene_004.png").write_bytes(b"")
    assert cli("data", "check", bad) == 3
    assert "scene_004.png" in cli.out


def test_data_show_writes_one_picture(cli: Cli, tiny_run: TinyRun, tmp_path: Path) -> None:
    picture = tmp_path / "sheet.png"
    assert cli.json("data", "show", tiny_run.data, "-o", picture, "--count", "2")["samples"] == 2
    assert Image.open(picture).width > 300
    assert cli("data", "show", tiny_run.data, "-o", picture) == 2
    assert "--overwrite" in cli.err


# --- models, recipes, doctor ------------------------------------------------------------------------------------------


def test_models_list_and_info(cli: Cli, tiny_run: TinyRun) -> None:
    architectures = {entry["name"]: entry for entry in cli.json("models", "list")["architectures"]}
    assert {"unet", "deeplabv3plus"} <= set(architectures)
    shown = cli.json("models", "info", "unet")
    assert shown.items() >= architectures["unet"].items()
    assert (shown["classes"], shown["size"]) == (21, 512)
    found = cli.json("models", "info", tiny_run.run.folder)
    assert found["architecture"] == "unet" and found["options"]["encoder"] == "test_resnet"
    assert len(found["label_space"]["names"]) == 6
    assert cli("models", "info", tiny_run.run.folder) == 0
    assert cli.out.startswith("# scenes\n") and "## Recipe" in cli.out
    assert cli("models", "list") == 0 and "deeplabv3plus" in cli.out


@pytest.mark.needs_torch
def test_models_info_tells_what_an_architecture_costs_with_other_options(cli: Cli) -> None:
    options = ("--set", "encoder=test_resnet", "--set", "channels=[8, 8, 8, 8]")
    small = cli.json("models", "info", "unet", *options, "--classes", "2", "--size", "64")
    large = cli.json("models", "info", "unet", *options, "--classes", "2", "--size", "128")
    assert small["options"]["encoder"] == "test_resnet" and small["options"]["channels"] == [8, 8, 8, 8]
    assert small["parameters"] == large["parameters"] < 1_000_000
    assert large["gmacs"] == 4 * small["gmacs"]
    assert cli("models", "info", "fcn8s", "--size", "64") == 0
    assert "134,362,751 parameters with 21 classes, " in cli.out and "GMAC for an image of 64x64 pixels" in cli.out
    assert cli("models", "info", "unet", "--set", "encodr=x") == 2
    assert "unet has no option 'encodr'. Did you mean 'encoder'?" in cli.err
    assert cli("models", "info", "street", "--set", "encoder=x") == 2
    assert "--set changes the options of an architecture, and 'street' is not one" in cli.err


def test_every_bundled_recipe_loads_and_is_described(cli: Cli) -> None:
    found = cli.json("recipes", "list")
    assert "demo-coins" in {entry["name"] for entry in found}
    assert all(entry["description"] for entry in found)
    assert cli("recipes", "show", "demo-coins") == 0
    assert cli.out.startswith("# What `intarsia demo` trains")
    assert cli.json("recipes", "show", "demo-coins")["model"]["architecture"] == "unet"


def test_a_recipe_is_copied_with_its_comments_and_never_over_a_file(cli: Cli, tmp_path: Path) -> None:
    assert cli("recipes", "copy", "demo-coins", "-o", tmp_path) == 0
    target = tmp_path / "demo-coins.yaml"
    assert f"intarsia train {target}" in cli.out
    assert "# from scratch" in target.read_text()
    target.write_text("mine")
    assert cli("recipes", "copy", "demo-coins", "-o", target) == 2
    assert target.read_text() == "mine" and "--overwrite" in cli.err
    assert cli("recipes", "copy", "demo-coins", "-o", target, "--overwrite") == 0
    assert Recipe.load(target).name == "demo-coins"


def test_doctor_reports_and_fails_on_a_damaged_bundled_model(
    cli: Cli, tiny_run: TinyRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "bundled_models", lambda: {"best": tiny_run.run.best})
    found = cli.json("doctor")
    megabytes = found["models"][0]["megabytes"]
    expected = {"name": "best", "ok": True, "classes": 6, "megabytes": megabytes, "runtimes": ["torch"]}
    assert found["models"] == [expected]
    assert found["versions"]["intarsia"] == intarsia.__version__
    optional = {
        "train",
        "weights",
        "tensorboard",
        "large",
        "classical",
        "crf",
        "volumes",
        "geo",
        "mat",
        "parquet",
        "video",
        "clouds",
        "e57",
        "export",
        "openvino",
        "quantize",
        "scale",
        "search-large",
        "demo",
    }
    assert set(found["extras"]) == optional
    assert found["machine"]["waiting"] == waiting()
    assert found["machine"]["threads"] >= 1
    damaged = tmp_path / "street.safetensors"
    damaged.write_bytes(tiny_run.run.best.read_bytes()[:-100])
    monkeypatch.setattr(doctor, "bundled_models", lambda: {"street": damaged})
    assert cli("doctor") == 4
    assert "DAMAGED" in cli.out and "truncated" in cli.out


def test_a_file_that_is_named_like_an_option_is_told(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "-dash.png").touch()
    monkeypatch.chdir(tmp_path)
    assert cli("segment", "-dash.png") == 2
    assert "If -dash.png is a file, write ./-dash.png." in cli.err
    assert cli("segment", "--dash", "x.png") == 2
    assert "is a file" not in cli.err
