"""The list of all keys of a recipe, and its page."""

from __future__ import annotations

import re
from pathlib import Path

from commands import Cli

from intarsia.cli.keys import keys_as_markdown, recipe_keys

PAGE = Path(__file__).parents[2] / "docs" / "recipes.md"


def test_every_key_is_listed_with_form_default_and_meaning() -> None:
    keys = {key.name: key for key in recipe_keys()}
    rate = keys["optimizer.lr"]
    assert (rate.form, rate.default, rate.about) == ("number above 0", "0.002", "peak rate of the decoder and head")
    assert keys["input.crop"].form == "[whole number from 16, whole number from 16]"
    assert keys["input.crop"].default == "[320, 416]"
    assert keys["training.precision"].form == "`auto` or `fp32` or `bf16`"
    assert keys["training.loss"].form == "list of sections" and keys["training.loss[].ramp"].default == "[0.0, 1.0]"
    assert keys["clips.frames"].form == "whole number from 2 to 32"
    assert {"data.sources[].weight", "cloud.augment.jitter", "data.remap.map"} <= keys.keys()
    assert [name for name, key in keys.items() if not key.about] == []


def test_the_page_is_current() -> None:
    """After a change of the schema: put the output of `keys_as_markdown` between the two marks."""
    found = re.search(r"<!-- keys -->\n(.*)<!-- end of keys -->", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None and found[1] == keys_as_markdown()


def test_keys_are_searched_by_name_and_meaning(cli: Cli) -> None:
    found = cli.json("recipes", "keys", "warmup")
    assert [key["name"] for key in found] == ["optimizer.warmup"]
    assert cli("recipes", "keys", "ETA_MIN") == 0
    assert "optimizer.eta_min" in cli.out and "cosine" in cli.out
