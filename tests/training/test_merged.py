"""Training on several data sets: how often each is drawn, and that resuming stays exact."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from intarsia.bundle import Bundle
from intarsia.datasets.of_recipe import open_data
from intarsia.datasets.synthetic import write_scenes
from intarsia.errors import UsageError
from intarsia.recipe import Recipe
from intarsia.training import train
from intarsia.training.feeds.batches import StepBatches
from intarsia.training.plan.planning import plan

WEIGHTS = ((12, 1.0), (4, 3.0))


def addresses(samples=16, batch=4, *, start=0, stop=16, rank=0, processes=1, weights=WEIGHTS, seed=3):
    order = StepBatches(samples, batch, seed, start=start, stop=stop, rank=rank, processes=processes, weights=weights)
    return list(order)


def test_each_source_gets_its_share_and_all_of_its_samples_in_turn():
    steps = addresses(stop=16)  # 4 epochs of 4 steps; 12 x 1 against 4 x 3: half of the draws each
    for epoch in range(4):
        drawn = [index for batch in steps[4 * epoch : 4 * epoch + 4] for _, index in batch]
        assert sum(index >= 12 for index in drawn) == 8
        assert sorted(Counter(index for index in drawn if index >= 12).values()) == [2, 2, 2, 2]
    first = [index for batch in steps for _, index in batch if index < 12]
    assert sorted(Counter(first).values()) == [2] * 4 + [3] * 8, "32 draws of 12"


def test_no_crop_comes_twice():
    every = [address for batch in addresses(stop=64) for address in batch]
    assert len(set(every)) == len(every)


def test_starting_later_and_sharing_change_nothing():
    whole = addresses(stop=30)
    assert addresses(start=11, stop=30) == whole[11:]
    shares = [addresses(stop=30, rank=rank, processes=2) for rank in (0, 1)]
    for batch, one, other in zip(whole, *shares, strict=True):
        assert sorted(one + other) == sorted(batch)


def test_without_weights_the_order_is_the_plain_one():
    assert addresses(weights=()) == list(StepBatches(16, 4, 3, start=0, stop=16, rank=0, processes=1))


@given(
    sources=st.lists(st.tuples(st.integers(1, 40), st.floats(0.01, 100)), min_size=2, max_size=5),
    batch=st.integers(1, 20),
    seed=st.integers(0, 5),
)
def test_any_weights_fill_every_epoch(sources, batch, seed):
    samples = sum(count for count, _ in sources)
    order = StepBatches(samples, batch, seed, start=0, stop=6, rank=0, processes=1, weights=sources)
    for addressed in order:
        assert len(addressed) == batch
        assert all(0 <= index < samples for _, index in addressed)
    assert sum(order._draws) == max(samples, batch)
    assert min(order._draws) >= 1 or max(samples, batch) < len(sources)
    mass = sum(count * weight for count, weight in sources)
    for (count, weight), draws in zip(sources, order._draws, strict=True):
        assert abs(draws - count * weight / mass * max(samples, batch)) < len(sources)


LISTED = """
data:
  - {path: a, weight: 2.0}
  - path: b
    remap: {map: {sky: sky, car: vehicle}, rest: ignore}
training: {epochs: 1}
"""


def test_a_list_of_data_sets_is_a_recipe(tmp_path):
    recipe = Recipe.from_text(LISTED)
    assert [source.path for source in recipe.data.sources] == ["a", "b"]
    assert [source.weight for source in recipe.data.sources] == [2.0, 1.0]
    assert recipe.data.sources[1].remap.map == {"sky": "sky", "car": "vehicle"}
    assert Recipe.from_text(recipe.to_yaml()) == recipe


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("data: [{paht: a}]", "unknown key 'data.sources.0.paht'. Did you mean 'path'"),
        ("data: [{path: a, weight: 0}]", "data.sources.0.weight: input should be greater than 0"),
        ("data: [{path: a, remap: {mapp: {}}}]", r"unknown key 'data.sources.0.remap.mapp'. Did you mean 'map'"),
        ("data: {path: a, sources: [{path: b}]}", "the other keys of data belong into each source"),
    ],
)
def test_wrong_recipes(text, message):
    with pytest.raises(UsageError, match=message):
        Recipe.from_text(text)


def test_paths_are_taken_from_the_recipes_folder(tmp_path):
    write_scenes(tmp_path / "a", 2, (16, 16))
    write_scenes(tmp_path / "b", 2, (16, 16), seed=1)
    (tmp_path / "classes.yaml").write_text("map: {person: car}\nrest: keep\n")
    text = "data: [{path: a, remap: classes.yaml}, {path: b, remap: classes.yaml, weight: 3}]\n"
    (tmp_path / "recipe.yaml").write_text(text)
    recipe = Recipe.load(tmp_path / "recipe.yaml")
    assert [Path(source.path) for source in recipe.data.sources] == [tmp_path / "a", tmp_path / "b"]
    data = open_data(recipe)
    assert data.space.names == ("sky", "building", "tree", "road", "car")
    assert data.split("train").weights == ((1, 1.0), (1, 3.0))


def test_no_data_and_one_source_only():
    with pytest.raises(UsageError, match="names no data"):
        open_data(Recipe.from_text("data: {}"))
    with pytest.raises(UsageError, match="names no data"):
        open_data(Recipe.from_text("data: [{weight: 2}, {path: x}]"))


@pytest.fixture
def merged(tmp_path, recipe) -> Path:
    """A recipe on two folders of scenes, the smaller one drawn three times as often."""
    for name, count in (("large", 9), ("small", 5)):
        write_scenes(tmp_path / name, count, (40, 56), seed=count)
    sources = [{"path": str(tmp_path / "large")}, {"path": str(tmp_path / "small"), "weight": 3.0}]
    recipe.override({"data": {"sources": sources}, "training.epochs": 2}).save(tmp_path / "recipe.yaml")
    return tmp_path / "recipe.yaml"


def test_an_interrupted_merged_run_ends_like_a_whole_one(merged, tmp_path):
    planned = plan(merged)
    assert planned.dataset.split("train").weights == ((7, 1.0), (4, 3.0))
    whole = train(planned.recipe, planned.dataset, tmp_path / "whole")
    polls = iter(range(1, 100))
    frequent = planned.recipe.override({"training.checkpoint_every": 1})
    with pytest.raises(KeyboardInterrupt):
        train(frequent, planned.dataset, tmp_path / "cut", stop=lambda: next(polls) == 3)
    resumed = train(frequent, planned.dataset, tmp_path / "cut", resume=True)
    states = [Bundle.load(run.folder / "last.safetensors").state for run in (whole, resumed)]
    assert all(torch.equal(value, states[1][key]) for key, value in states[0].items())
    bundle = Bundle.load(whole.best)
    paths = [source["path"] for source in bundle.recipe["data"]["sources"]]
    assert paths == ["large", "small"], "where the data lay is nobody's business"
