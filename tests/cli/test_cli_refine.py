"""`--refine`, `--refine-set` and `--decide` of `segment` and `evaluate`, and the recipe's `refine`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny import TinyRun

import intarsia
from intarsia.cli.main import main
from intarsia.errors import UsageError
from intarsia.recipe import Recipe


@pytest.fixture
def photo(tiny_run: TinyRun) -> Path:
    return sorted((tiny_run.data / "images").rglob("*.*"))[0]


def test_segment_refines(tiny_run, photo, tmp_path):
    arguments = ["segment", str(photo), "-m", str(tiny_run.run.folder), "-o", str(tmp_path)]
    assert main([*arguments, "--refine", "crf", "--refine-set", "bilateral_xy=20", "--refine-set", "iterations=4"]) == 0
    found = np.asarray(Image.open(tmp_path / f"{photo.stem}.mask.png"))
    refine = {"method": "crf", "options": {"bilateral_xy": 20, "iterations": 4}}
    expected = intarsia.load(tiny_run.run.folder, refine=refine).segment(photo).labels
    np.testing.assert_array_equal(found, expected)
    # A finished picture is done again when the refinement changes.
    assert main([*arguments, "--refine", "guided"]) == 2
    assert main([*arguments, "--refine", "guided", "--overwrite"]) == 0


def test_evaluate_refines(tiny_run, capsys):
    arguments = ["evaluate", str(tiny_run.data), "-m", str(tiny_run.run.folder), "--json"]
    scores = {}
    for method in ("none", "regions"):
        assert main([*arguments, "--refine", method]) == 0
        scores[method] = json.loads(capsys.readouterr().out)["confusion"]
    assert scores["none"] != scores["regions"]
    assert np.sum(scores["none"]) == np.sum(scores["regions"])


def test_labels_decided_by_rankseg(tiny_run, photo, tmp_path, capsys):
    arguments = ["segment", str(photo), "-m", str(tiny_run.run.folder), "-o", str(tmp_path)]
    assert main([*arguments, "--decide", "rankseg"]) == 0
    found = np.asarray(Image.open(tmp_path / f"{photo.stem}.mask.png"))
    expected = intarsia.load(tiny_run.run.folder, decide="rankseg").segment(photo).labels
    np.testing.assert_array_equal(found, expected)
    assert (found != intarsia.load(tiny_run.run.folder).segment(photo).labels).any()
    assert main(arguments) == 2
    assert "made with decide rankseg" in capsys.readouterr().err
    assert main(["evaluate", str(tiny_run.data), "-m", str(tiny_run.run.folder), "--decide", "rankseg", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["image_miou"] > 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--refine", "crv"], "Did you mean 'crf'?"),
        (["--refine", "crf", "--refine-set", "preset=deeplabv2"], "Did you mean 'deeplabv2-"),
        (["--refine", "crf", "--refine-set", "bilateral_xy=-1"], "positive number"),
        (["--refine", "guided", "--refine-set", "radius"], "key=value"),
        (["--refine", "guided", "--decide", "rankseg"], "which refine changes: choose one"),
        (["--decide", "rankdice"], "not one of 'argmax', 'rankseg'"),
        (["--refine-set", "radius=3"], "--refine-set changes a refinement that --refine names"),
    ],
)
def test_wrong_usage(tiny_run, photo, tmp_path, capsys, options, said):
    arguments = ["segment", str(photo), "-m", str(tiny_run.run.folder), "-o", str(tmp_path)]
    assert main([*arguments, *options]) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_recipe_names_a_refinement():
    recipe = Recipe.from_text("refine: {method: crf, options: {preset: crf-as-rnn}}")
    assert recipe.to_dict()["refine"] == {"method": "crf", "options": {"preset": "crf-as-rnn"}}
    assert Recipe().refine.method == "none"
    with pytest.raises(UsageError, match=r"refine\.method"):
        Recipe.from_text("refine: {method: crv}")
    with pytest.raises(UsageError, match="Did you mean 'options'"):
        Recipe.from_text("refine: {method: crf, option: {}}")


def test_a_wrong_refinement_fails_before_the_training(tiny_run, tmp_path):
    changes = ["refine.method=crf", "refine.options={preset: deeplab}"]
    with pytest.raises(UsageError, match="no CRF preset is named 'deeplab'"):
        intarsia.train(tiny_run.data, tmp_path / "run", changes=changes, progress=False)
