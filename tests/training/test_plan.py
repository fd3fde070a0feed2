"""From what a user names to what is trained."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

import intarsia
from intarsia.datasets.synthetic import write_scenes
from intarsia.errors import DataError, UsageError
from intarsia.recipe import Recipe, Remapping
from intarsia.training.plan.planning import plan

POINTNET = ["model.architecture=pointnet", "model.options={}", "cloud.features=[height]", "data.columns=null"]


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    return write_scenes(tmp_path / "scenes", 8, (32, 48))


def test_a_plain_folder_is_detected_checked_and_given_a_recipe(scenes: Path) -> None:
    (scenes / "images" / "scene_002.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"^1 of 8 images cannot be used \(1 x image that cannot be read\)\. The"):
        plan(scenes)
    planned = plan(scenes, changes=["training.max_bad_samples=0.2"])
    assert planned.recipe.data.path == str(scenes)
    assert planned.recipe.data.layout == planned.dataset.layout == "folder"
    assert planned.folder == Path("runs/scenes")
    assert planned.report is not None
    assert [Path(problem.file).name for problem in planned.report.errors] == ["scene_002.png"]
    summary = "\n".join(planned.summary())
    assert "train 6, val 2" in summary
    assert "scene_002.png" in summary
    assert "written to runs/scenes/recipe.yaml" in summary


def test_changes_reach_the_recipe_and_the_data(scenes: Path, tmp_path: Path) -> None:
    planned = plan(scenes, tmp_path / "run", changes=["training.epochs=3", "data.val_fraction=0.5", "name=mine"])
    assert planned.recipe.training.epochs == 3
    assert {name: len(split) for name, split in planned.dataset.splits.items()} == {"train": 4, "val": 4}
    assert planned.folder == tmp_path / "run"
    assert plan(scenes, changes=["name=mine"]).folder == Path("runs/mine")


def test_a_given_recipe_is_used_on_the_folder_without_a_check(scenes: Path) -> None:
    given = Recipe.from_dict({"name": "given", "model": {"architecture": "fcn"}, "training": {"epochs": 7}})
    planned = plan(scenes, recipe=given)
    assert (planned.recipe.name, planned.recipe.training.epochs, planned.report) == ("given", 7, None)
    assert planned.recipe.data.path == str(scenes)


def test_a_recipe_file_names_its_own_data(scenes: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("name: mine\ndata:\n  path: scenes\n")
    planned = plan(file)
    assert len(planned.dataset) == 8 and planned.folder == Path("runs/mine")
    with pytest.raises(UsageError, match=r"mine\.yaml is a recipe already"):
        plan(file, recipe=Recipe.from_dict({}))


def test_a_recipe_without_an_architecture_changes_the_one_for_a_plain_folder(scenes: Path, tmp_path: Path) -> None:
    plain = plan(scenes).recipe
    file = tmp_path / "mine.yaml"
    file.write_text("data: {path: scenes}\ntraining: {epochs: 7}\noptimizer: {name: adam}\n")
    planned = plan(file, changes=["model.options.channels=[32, 16, 16, 16]"])
    assert planned.report is not None and planned.folder == Path("runs/scenes")
    said = {
        "data.path": str(scenes), "training.epochs": 7, "optimizer.name": "adam",
        "model.options.channels": [32, 16, 16, 16],
    }  # fmt: skip
    expected = plain.override(said)
    assert planned.recipe.to_dict() | {"description": ""} == expected.to_dict() | {"description": ""}
    assert plan(scenes, recipe=Recipe()).recipe == plain


def test_masks_of_another_size_are_refused_with_the_flag_that_cures_them(scenes: Path) -> None:
    for mask in sorted((scenes / "masks").iterdir())[:3]:
        with Image.open(mask) as image:
            small = image.resize((24, 16), Image.Resampling.NEAREST)
        small.save(mask)
    with pytest.raises(DataError) as caught:
        plan(scenes)
    message = str(caught.value)
    assert message.startswith("3 of 8 images cannot be used (3 x mask of another size than its image). The first: ")
    assert "--set data.resize_masks=true" in message and "training.max_bad_samples=1" in message
    assert plan(scenes, changes=["data.resize_masks=true"]).report is not None


def test_what_is_on_by_default_is_announced(scenes: Path) -> None:
    said = plan(scenes, changes=["model.weights=none", "optimizer.encoder_lr=null"]).summary()
    assert said[-1] == (
        "steps: adamw at rate 0.002, poly; warm-up of 3 % (optimizer.warmup); weight decay 0.02 "
        "(optimizer.weight_decay); averaged weights (training.ema=0.995); gradients clipped to 5 (training.clip_norm); "
        "--set KEY=0 switches one off"
    )
    assert said[-2].startswith("the encoder starts from random weights; ")
    quiet = ["optimizer.warmup=0", "optimizer.weight_decay=0", "training.ema=0", "training.clip_norm=0"]
    assert plan(scenes, changes=quiet).summary()[-1].endswith("poly; --set KEY=0 switches one off")


def test_a_resumed_run_keeps_the_recipe_that_was_chosen_for_it(scenes: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    chosen = plan(scenes, run).recipe.override({"training.epochs": 11})
    chosen.save(run / "recipe.yaml")
    assert plan(scenes, run, resume=True).recipe == chosen
    assert plan(scenes, run).recipe.training.epochs != 11


def test_what_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nope: no such recipe or folder"):
        plan(tmp_path / "nope")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DataError, match="empty"):
        plan(empty)


def test_a_file_of_a_remapping_is_written_into_the_recipe(scenes: Path, tmp_path: Path) -> None:
    names = plan(scenes).dataset.space.names
    rule = {"map": {names[1]: "thing", names[2]: "ignore"}, "rest": "keep"}
    (tmp_path / "remap.json").write_text(json.dumps(rule))
    planned = plan(scenes, changes=[f"data.remap={tmp_path / 'remap.json'}"])
    (tmp_path / "remap.json").unlink()
    assert planned.dataset.space.names == (names[0], "thing", *names[3:])
    planned.recipe.save(tmp_path / "saved.yaml")
    assert plan(tmp_path / "saved.yaml").dataset.space == planned.dataset.space
    (tmp_path / "remap.json").write_text(json.dumps(rule))
    source = f"{{path: '{scenes}', remap: '{tmp_path / 'remap.json'}'}}"
    (tmp_path / "merged.yaml").write_text(f"data: [{source}, {source}]")
    written = plan(tmp_path / "merged.yaml").recipe.data.sources[1].remap
    assert isinstance(written, Remapping) and written.map == rule["map"] and written.rest == "keep"


def test_options_of_a_tools_reader_are_in_the_recipe(tmp_path: Path) -> None:
    (tmp_path / "set/downloads").mkdir(parents=True)
    (tmp_path / "set/recipe.yaml").write_text("data: {path: '.', reader: {masks: downloads, missing_masks: skip}}")
    recipe = Recipe.load(tmp_path / "set/recipe.yaml")
    assert recipe.data.reader == {"masks": str(tmp_path / "set/downloads"), "missing_masks": "skip"}
    assert recipe.override_text(["data.reader.missing_masks=error"]).data.reader["missing_masks"] == "error"


def test_a_recipe_for_a_folder_may_be_a_bundled_name(scenes: Path) -> None:
    with pytest.raises(UsageError, match=r"no recipe is named 'street-camvit'\. Did you mean 'street-camvid'"):
        intarsia.train(scenes, recipe="street-camvit")
    with pytest.raises(UsageError, match=r"pointnet takes point clouds, but the data in .* are pictures"):
        intarsia.train(scenes, scenes / "run", recipe="object-parts", changes=POINTNET, progress=False)


def test_what_the_check_knows_to_fail_is_refused_at_once(scenes: Path) -> None:
    for mask in sorted((scenes / "masks").rglob("*.png"))[:6]:
        with Image.open(mask) as image:
            small = image.resize((image.width // 2, image.height // 2), Image.Resampling.NEAREST)
        small.save(mask)
    message = r"6 of 8 images cannot be used \(6 x mask of another size than its image\).*data\.resize_masks=true"
    with pytest.raises(DataError, match=message):
        plan(scenes)
    assert plan(scenes, changes=["data.resize_masks=true"]).recipe.data.resize_masks
    assert plan(scenes, changes=["training.max_bad_samples=1"]).report


def test_no_train_split_is_told_with_what_there_is(tmp_path: Path) -> None:
    data = write_scenes(tmp_path / "scenes", 4, (16, 16))
    (data / "test").mkdir()
    for folder in ("images", "masks"):
        (data / folder).rename(data / "test" / folder)
    with pytest.raises(DataError, match=r"no train and val splits to work with, only: test \(4\)"):
        plan(data)


@pytest.mark.parametrize(
    ("name", "options", "weights"),
    [("random_forest", {}, "none"), ("deeplabv3plus", {"encoder": "efficientnet_lite0"}, "pypi")],
)
def test_another_architecture_takes_none_of_the_automatic_ones_options(
    name: str, options: dict[str, str], weights: str, scenes: Path
) -> None:
    automatic = plan(scenes).recipe
    assert automatic.model.architecture != name and automatic.model.options.keys() > {"encoder"}
    planned = plan(scenes, changes=[f"model.architecture={name}"])
    assert planned.recipe.model.architecture == name
    assert planned.recipe.model.options == options and planned.recipe.model.weights == weights
    assert planned.recipe.input == automatic.input


def test_left_and_right_change_places_in_mirrored_pictures(scenes: Path) -> None:
    names = (scenes / "classes.txt").read_text().split()
    (scenes / "classes.txt").write_text("\n".join([*names[:-2], "left_bank", "right_bank"]))
    planned = plan(scenes)
    assert planned.recipe.augment.sides == [("left_bank", "right_bank")]
    assert planned.recipe.augment.flip > 0
    assert "change places" not in "\n".join(planned.summary())
    forgot = "\n".join(plan(scenes, changes=["augment.sides=[]"]).summary())
    assert (
        'left_bank and right_bank do not change places: name such classes in augment.sides, here [["left_bank"'
        in forgot
    )
    unmirrored = plan(scenes, changes=["augment.sides=[]", "augment.flip=0"]).summary()
    assert "change places" not in "\n".join(unmirrored)
