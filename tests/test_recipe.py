"""Recipes: what they refuse, and that they survive a round trip."""

from pathlib import Path

import pytest
import yaml

import intarsia
from intarsia.errors import UsageError
from intarsia.recipe import ReadOptions, Recipe


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("trainning: {epochs: 3}", r"unknown key 'trainning'. Did you mean 'training'\?"),
        ("training: {epoch: 3}", r"unknown key 'training.epoch'. Did you mean 'epochs'\?"),
        ("training: {loss: [{name: dice, wieght: 1}]}", r"unknown key 'training.loss.0.wieght'. Did you mean 'weight'"),
        (
            "training: {loss: [{name: dice, weight: -1}]}",
            r"training.loss.0.weight: input should be greater than or equal to 0 \(got -1\)$",
        ),
        (
            "training: {loss: [{name: dice, weight: [0, -2]}]}",
            r"training.loss.0.weight.1: input should be greater than or equal to 0 \(got -2\)$",
        ),
        (
            "training: {loss: [{name: dice, weight: [0, 1], ramp: [0.5, 0.2]}]}",
            "loss.0: ramp: the lower bound comes first",
        ),
        ("training: {loss: [{name: dice, ramp: [0.1, 0.2]}]}", r"ramp: needs a weight of two numbers, \[first, last\]"),
        ("training: {epochs: many}", r"training.epochs: input should be a valid integer.*got 'many'"),
        ("training: {epochs: 0}", "training.epochs: input should be greater than or equal to 1"),
        ("optimizer: {name: adan}", "optimizer.name: input should be 'adamw', 'adam' or 'sgd'"),
        ("optimizer: {eta_min: 0.1, schedule: cosine}", "eta_min: the rate falls to it, so it is at most lr"),
        ("optimizer: {eta_min: 1.0e-5}", "eta_min: only the cosine schedule ends with it; set schedule to cosine"),
        ("augment: {scale: [2, 1]}", "the lower bound comes first"),
        (
            "data: photos",
            r"r.yaml: data: a section with keys of its own \(path, layout, .*, not 'photos'; write {path: photos}$",
        ),
        (
            "model: unet",
            r"model: a section .*\(architecture, options, weights\), not 'unet'; write {architecture: unet}$",
        ),
        ("refine: crf", "not 'crf'; write {method: crf}$"),
        ("clips: 5", r"clips: a section with keys of its own \(frames, .*, not 5$"),
        ("augment: none", "augment: a section with keys of its own .*, not 'none'$"),
        ("data: [photos]", "data.sources.0: a section .*; write {path: photos}$"),
        ("training: {loss: dice}", r"training.loss: a list, not 'dice'"),
        ("epochs: 5", r"unknown key 'epochs'. It belongs into a section: training.epochs.$"),
        ("loss: [{name: dice}]", r"unknown key 'loss'. It belongs into a section: training.loss.$"),
        ("training.epochs: 5", r"unknown key 'training.epochs'. In a file, sections hold .*: training: {epochs: ...}$"),
        ("training: {epochs: true}", "training.epochs: a number, not true"),
        ("optimizer: {lr: .inf}", r"optimizer.lr: input should be a finite number \(got inf\)$"),
        (
            "training: {seed: 99999999999999999999}",
            "training.seed: input should be less than or equal to 1000000000000000000",
        ),
        ("data: {classes: [1, road]}", "data.classes.0: a text, not 1; write it in quotes, '1'$"),
        ("data: {remap: {map: {1: road}}}", "data.remap.map.1: a text, not 1; write it in quotes, '1'$"),
        ("card: {year: 2024}", "card.year: a text, not 2024; write it in quotes, '2024'$"),
        ("data: {classes: [a], palette: [[0, 0, 300]]}", "data.palette.0.2: input should be less than or equal to 255"),
        ("input: {crop: 320}", r"input.crop: a list, not 320; write \[...\]$"),
        ("training: {epochs: 3}\ntraining: {batch_size: 2}", "line 2: 'training' is there already in line 1"),
        ("data: [", "r.yaml is not valid YAML: line 1, column 8"),
        ("- 1", "r.yaml: a recipe holds keys with their values .*, not a list"),
        ("words", "r.yaml: a recipe holds keys with their values .*, not a text"),
    ],
)
def test_mistakes_are_named(text, message):
    with pytest.raises(UsageError, match=message):
        Recipe.from_text(text, origin="r.yaml")


def test_resolved_recipe_round_trips():
    recipe = Recipe.from_text("name: x\ntraining: {epochs: 3, class_weights: [1, 2.5]}\ndata: {ignore: [11]}")
    again = Recipe.from_text(recipe.to_yaml())
    assert again == recipe
    assert yaml.safe_load(recipe.to_yaml())["optimizer"]["schedule"] == "poly"


def test_a_weight_is_a_number_or_a_ramp():
    text = "training: {loss: [{name: dice, weight: 2}, {name: boundary, weight: [0.01, 1], ramp: [0.2, 0.5]}]}"
    recipe = Recipe.from_text(text)
    assert [term.weight for term in recipe.training.loss] == [2.0, (0.01, 1.0)]
    assert [term.ramp for term in recipe.training.loss] == [(0.0, 1.0), (0.2, 0.5)]
    assert Recipe.from_text(recipe.to_yaml()) == recipe


def test_every_mistake_is_reported_at_once():
    with pytest.raises(UsageError) as caught:
        Recipe.from_text("nmae: x\ntraining: {epoch: 1}")
    assert len(str(caught.value).splitlines()) == 2


def test_overrides_take_yaml_values():
    recipe = Recipe().override_text(["training.epochs=5", "model.options={channels: 64}", "augment.scale=[0.8, 1.2]"])
    assert recipe.training.epochs == 5
    assert recipe.model.options == {"channels": 64}
    assert recipe.augment.scale == (0.8, 1.2)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("training.epochs", "not of the form key=value"),
        ("training.epoks=5", "Did you mean 'epochs'"),
        ("training.epochs=[", "the value is not valid YAML"),
        ("name.first=x", "name has no keys of its own"),
    ],
)
def test_bad_overrides(assignment, message):
    with pytest.raises(UsageError, match=message):
        Recipe().override_text([assignment])


def test_load_names_the_file_and_finds_data_beside_it(tmp_path):
    with pytest.raises(UsageError, match=r"cannot read recipe .*missing\.yaml"):
        Recipe.load(tmp_path / "missing.yaml")
    (tmp_path / "photos").mkdir()
    (tmp_path / "r.yaml").write_text("data: {path: photos}")
    assert Recipe.load(tmp_path / "r.yaml").data.path == str(tmp_path / "photos")
    (tmp_path / "bad.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match=r"cannot read recipe .*bad.yaml"):
        Recipe.load(tmp_path / "bad.yaml")


@pytest.mark.parametrize("text", ["", "\n\n", "# training:\n#   epochs: 3\n", "{}\n"])
def test_a_file_without_a_key_is_no_recipe(tmp_path, text):
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(UsageError, match=r"r\.yaml: a recipe without a key"):
        Recipe.load(tmp_path / "r.yaml")


def test_recipes_in_other_encodings(tmp_path):
    for encoding in ("utf-8-sig", "utf-16", "cp1252"):
        (tmp_path / "r.yaml").write_bytes("name: Straße\n".encode(encoding))
        assert Recipe.load(tmp_path / "r.yaml").name == "Straße"


def test_columns_and_label_of_clouds_were_in_the_section_cloud_before() -> None:
    """Bundles and run folders hold such recipes."""
    old = {"data": {"path": "tiles"}, "cloud": {"points": 64, "columns": "x y z _ label", "label": None}}
    recipe = Recipe.from_dict(old)
    assert (recipe.data.path, recipe.data.columns, recipe.data.label) == ("tiles", "x y z _ label", None)
    assert recipe.cloud.points == 64 and not {"columns", "label"} & recipe.to_dict()["cloud"].keys()
    assert recipe.override_text(["cloud.label=kind"]).data.label == "kind"
    several = Recipe.from_dict({"data": [{"path": "a"}, {"path": "b"}], "cloud": {"label": "kind"}})
    assert [one.label for one in several.data.sources] == ["kind", "kind"]


def test_options_of_reading_are_those_of_the_section_data() -> None:
    assert Recipe.from_dict({"data": {"ignore": [7], "label": "kind"}}).data.given() == ["ignore", "label"]
    with pytest.raises(UsageError, match=r"options: unknown key 'resize_mask'\. Did you mean 'resize_masks'"):
        ReadOptions.from_dict({"resize_mask": True})
    with pytest.raises(UsageError, match="options: classes: a list, not 'road'"):
        ReadOptions.from_dict({"classes": "road"})


def test_a_picture_is_no_recipe(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    with pytest.raises(UsageError, match=r"a\.png: neither a recipe \(a text file, YAML\) nor a folder of labelled"):
        Recipe.load(tmp_path / "a.png")
    (tmp_path / "a.yaml").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    with pytest.raises(UsageError, match=r"cannot read recipe .*; save it as UTF-8"):
        Recipe.load(tmp_path / "a.yaml")


def test_words_of_yaml_1_1_are_names() -> None:
    text = (
        "name: 2024-01-01\ndata: {classes: [no, yes], remap: {map: {no: off, yes: null}}}\ntraining: {tensorboard: yes}"
    )
    recipe = Recipe.from_text(text)
    assert (recipe.name, recipe.data.classes, recipe.training.tensorboard) == ("2024-01-01", ["no", "yes"], True)
    assert recipe.data.remap.map == {"no": "off", "yes": None}
    assert Recipe.from_text(recipe.to_yaml()) == recipe


def test_an_empty_section_is_as_by_default() -> None:
    assert Recipe.from_text("training:\n  # epochs: 3\ndata: {path: x}").training == Recipe().training


def test_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "r.yaml").write_text("data: {path: ~/photos}")
    assert Recipe.load(tmp_path / "r.yaml").data.path == str(tmp_path / "photos")


def test_bundled_recipes_say_each_key_once() -> None:
    recipes = sorted((Path(intarsia.__file__).parent / "recipes").glob("*.yaml"))
    assert recipes
    for file in recipes:
        assert Recipe.load(file).model_fields_set
    assert Recipe.load(next(file for file in recipes if file.stem == "object-parts")).data.path == "data/objects"
