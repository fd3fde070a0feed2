"""Which changes keep a training from being resumed, and which do not."""

import pytest

from intarsia.recipe import Recipe
from intarsia.training.loop.identity import differences, identity

READ = {"classes": ["road", "car"], "samples": ["a", "b"], "weights": ((2, 1.0),), "validation": ["c"]}
PLAIN = Recipe.from_dict(
    {
        "data": {"sources": [{"path": "one"}, {"path": "two", "weight": 2.0, "remap": {"classes": ["road", "car"]}}]},
        "training": {"loss": [{"name": "cross_entropy"}, {"name": "dice", "weight": 0.5}]},
    }
)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"clips": {}}, "clips"),
        ({"data.foreground": 0.1}, "data.foreground"),
        ({"data.sources": [{"path": "one"}]}, "data.sources"),
        ({"model.options.dropout": 0.3}, "model.options.dropout"),
        ({"augment.flip": 0.1}, "augment.flip"),
        ({"cloud.points": 77}, "cloud.points"),
        ({"optimizer.lr": 0.5}, "optimizer.lr"),
        ({"training.seed": 3}, "training.seed"),
        ({"training.loss": [{"name": "lovasz"}]}, "training.loss"),
    ],
)
def test_what_decides_the_weights_is_named(change, key):
    assert differences(identity(PLAIN, **READ), identity(PLAIN.override(change), **READ)) == [key]


def test_parts_of_lists_are_named():
    value = PLAIN.to_dict()
    value["data"]["sources"][1]["weight"] = 5.0
    value["data"]["sources"][1]["remap"]["classes"] = ["car", "road"]
    value["training"]["loss"][1]["weight"] = 0.25
    assert differences(identity(PLAIN, **READ), identity(Recipe.from_dict(value), **READ)) == [
        "data.sources.1.remap.classes", "data.sources.1.weight", "training.loss.1.weight",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("key", "value"), [("classes", ["car", "road"]), ("samples", ["a"]), ("weights", ()), ("validation", ["d"])]
)
def test_what_was_read_is_named(key, value):
    assert differences(identity(PLAIN, **READ), identity(PLAIN, **READ | {key: value})) == [key]


def test_clips_may_not_change_or_go():
    filmed = PLAIN.override({"clips": {"frames": 3}})
    assert differences(identity(filmed, **READ), identity(filmed.override({"clips.frames": 5}), **READ)) == [
        "clips.frames"
    ]
    assert differences(identity(filmed, **READ), identity(PLAIN, **READ)) == ["clips"]


def test_free_settings_and_paths_may_change():
    moved = PLAIN.override(
        {
            "name": "other", "description": "later", "card": {"data": "ours"}, "refine.method": "crf",
            "training.workers": 3, "training.cache": False, "training.samples": 0, "training.tensorboard": True,
            "training.precision": "bf16", "training.checkpoint_every": 7, "training.max_bad_samples": 0.5,
            "training.max_skipped_steps": 2,
        }
    )  # fmt: skip
    value = moved.to_dict()
    value["data"]["sources"][0]["path"] = "elsewhere"
    assert differences(identity(PLAIN, **READ), identity(Recipe.from_dict(value), **READ)) == []
    readers = [Recipe.from_dict({"data": {"path": x, "reader": {"images": x, "tool": "cvat"}}}) for x in ("a", "b")]
    assert differences(*(identity(recipe, **READ) for recipe in readers)) == []
    readers[1] = readers[1].override({"data.reader.tool": "via"})
    assert differences(*(identity(recipe, **READ) for recipe in readers)) == ["data.reader.tool"]


def test_checkpoints_of_earlier_versions_are_compared_by_what_they_hold():
    """They lack whole sections, and keys that came later and then had the value that is now the default."""
    now = identity(PLAIN.override({"clips": {}, "data.foreground": 0.1}), **READ)
    kept = ("model", "input", "augment", "cloud", "optimizer", "training", "classes", "samples")
    old = {key: now[key] for key in kept}
    assert differences(old, now) == []
    old["training"] = {key: value for key, value in old["training"].items() if key != "freeze_norms"}
    assert differences(old, now) == []
    frozen = identity(PLAIN.override({"training.freeze_norms": True}), **READ)
    assert differences(old, frozen) == ["training.freeze_norms"]
