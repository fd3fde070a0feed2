"""Several data sets as one."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trees
from PIL import Image

from intarsia.datasets import Dataset, open_dataset
from intarsia.datasets.merging import Source, merge
from intarsia.datasets.remap import Remap, remapped
from intarsia.errors import UsageError

STREET = ("road", "sky", "car")


@pytest.fixture
def street(tmp_path: Path) -> Dataset:
    """CamVid in three classes, in another order than `city`'s."""
    rule = Remap({"Road": "road", "Sky": "sky", "Car": "car"}, classes=("car", "sky", "road"), rest="ignore")
    return remapped(open_dataset(trees.camvid(tmp_path / "street")), rule)


@pytest.fixture
def city(tmp_path: Path) -> Dataset:
    rule = Remap(classes=STREET, rest="ignore")
    return remapped(open_dataset(trees.cityscapes(tmp_path / "city")), rule)


def test_targets_are_those_of_the_parts(street: Dataset, city: Dataset) -> None:
    both = merge([Source(city), Source(street)])
    assert both.space.names == STREET and both.layout == "cityscapes+camvid"
    assert [item.id for item in both.split("train").items] == [
        "city/train/aachen/aachen_000000_000019",
        "street/train/0001TP_train",
    ]
    assert np.array_equal(both.split("train").read(0)[1], city.split("train").read(0)[1])
    theirs, ours = street.split("val").read(0)[1], both.split("val").read(1)[1]
    for index, name in enumerate(street.space.names):
        assert np.array_equal(ours == STREET.index(name), theirs == index)
    assert np.array_equal(ours == 255, theirs == 255)
    assert len(both.split("val")) == 2 and both.split("train").weights == ()
    assert pickle.loads(pickle.dumps(both)).split("train").read(1)[1].shape == trees.SIZE


def test_it_can_be_checked_and_counted(street: Dataset, city: Dataset) -> None:
    both = merge([Source(city), Source(street)])
    assert not both.check().errors
    counted = both.split("train").count()
    parts = city.split("train").count().pixels + street.split("train").count().pixels[[2, 1, 0]]
    assert counted.pixels.tolist() == parts.tolist()


def test_notes_tell_the_sources_apart(street: Dataset, city: Dataset) -> None:
    notes = merge([Source(city, 2.0), Source(street)]).notes
    assert notes[0].startswith("city: ") and notes[0].endswith("layout cityscapes, 1 for training, weight 2.")
    assert any(note.startswith("street: Remapped from 11 classes to 3") for note in notes)


def test_annotation_exports_take_part(tmp_path: Path) -> None:
    for name in "ab":
        folder = tmp_path / name / "x"
        folder.mkdir(parents=True)
        Image.new("RGB", (12, 8)).save(folder / "1.png")
        (folder / "1.json").write_text(
            '{"imagePath": "1.png", "shapes": '
            '[{"label": "dog", "shape_type": "rectangle", "points": [[0, 0], [5, 7]]}]}'
        )
    sources = [Source(open_dataset(tmp_path / f"{name}/x", val_fraction=0), train="all") for name in "ab"]
    both = merge(sources)
    assert [item.id.split("/")[0] for item in both.split("train").items] == ["x-1", "x-2"], "two folders of one name"
    assert both.split("train").read(1)[1][0].tolist() == [1] * 6 + [0] * 6


def test_weights(street: Dataset, city: Dataset) -> None:
    assert merge([Source(city, 3.0), Source(street, 0.5)]).split("train").weights == ((1, 3.0), (1, 0.5))
    assert merge([Source(city, 3.0), Source(street, 3.0)]).split("train").weights == ()


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan")])
def test_wrong_weights(weight: float, street: Dataset, city: Dataset) -> None:
    with pytest.raises(UsageError, match="must be above 0"):
        merge([Source(city, weight), Source(street)])


def test_what_does_not_fit(street: Dataset, city: Dataset) -> None:
    with pytest.raises(UsageError, match="at least two"):
        merge([Source(city)])
    with pytest.raises(UsageError, match=r"differ from those of .*: it lacks road and also has Road; .* with remap"):
        other = replace(street.space, names=("car", "sky", "Road"))
        merge([Source(city), Source(replace(street, space=other))])
    with pytest.raises(UsageError, match=r"has no split 'trian'\. Did you mean 'train'"):
        merge([Source(city, train="trian"), Source(street)])
