"""Instances of a mask: components, least size, splitting of things that touch."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from intarsia.errors import DataError, UsageError
from intarsia.instances import countable_classes, measure_instances, number_instances


def discs(*middles: tuple[int, int], radius: int = 8, size: tuple[int, int] = (40, 60)) -> np.ndarray:
    rows, columns = np.indices(size)
    return np.any([(rows - y) ** 2 + (columns - x) ** 2 <= radius**2 for y, x in middles], axis=0).astype(np.uint8)


def test_neighbours_by_side_and_by_corner() -> None:
    labels = np.array([[1, 0, 1], [0, 1, 0], [1, 0, 2]])
    assert number_instances(labels, [1]).max() == number_instances(labels, [1], neighbours=8).max() == 1
    assert number_instances(labels, [1], neighbours=4).max() == 4
    both = number_instances(labels, [1, 2])
    assert both[2, 2] == 2 and both[1, 1] == 1 and both[0, 1] == 0
    volume = np.zeros((2, 2, 2), bool)
    volume[0, 0, 0] = volume[1, 1, 1] = True
    assert number_instances(volume, [1]).max() == 1 and number_instances(volume, [1], neighbours=6).max() == 2


@pytest.mark.parametrize("shape", [(20, 30), (5, 9, 8)])
def test_components_equal_scipys(shape: tuple[int, ...]) -> None:
    labels = np.random.default_rng(0).integers(0, 3, shape)
    for corners, structure in ((False, None), (True, np.ones((3,) * len(shape)))):
        neighbours = {2: (4, 8), 3: (6, 26)}[len(shape)][corners]
        expected, counts = zip(*(ndimage.label(labels == index, structure) for index in (1, 2)), strict=True)
        found = number_instances(labels, [1, 2], neighbours=neighbours)
        assert found.max() == sum(counts) and found.dtype == np.int32
        for part, offset in zip(expected, (0, counts[0]), strict=True):
            pairs = np.unique(np.stack([part[part > 0], found[part > 0]]), axis=1)
            assert len(np.unique(pairs[0])) == len(np.unique(pairs[1])) == pairs.shape[1]
            assert pairs[1].min() == offset + 1


def test_least_size_renumbers_what_is_left() -> None:
    labels = np.array([[1, 1, 0, 1, 0, 1, 1, 1]])
    assert number_instances(labels, [1], least=2).tolist() == [[1, 1, 0, 0, 0, 2, 2, 2]]
    assert not number_instances(labels, [1], least=4).any()
    assert not number_instances(np.zeros((3, 3), int), [1]).any()


@pytest.mark.parametrize("neighbours", [4, 8])
def test_touching_things_are_split(neighbours: int) -> None:
    labels = discs((12, 14), (12, 28), (28, 45))
    assert number_instances(labels, [1], neighbours=neighbours).max() == 2
    found = number_instances(labels, [1], neighbours=neighbours, distance=8)
    assert found.max() == 3 and ((found > 0) == (labels > 0)).all()
    assert len({found[12, 14], found[12, 28], found[28, 45]}) == 3
    sizes = np.bincount(found.ravel())[1:]
    assert sizes.min() > 0.8 * sizes.max()
    # middles that must be farther apart than they are: one thing again
    assert number_instances(labels, [1], neighbours=neighbours, distance=20).max() == 2


def test_long_and_thin_things_stay_whole() -> None:
    labels = np.zeros((30, 80), int)
    labels[4:12, 3:77] = 1
    labels[20, 5:70] = 1
    labels[25, 3] = 1
    assert number_instances(labels, [1], distance=3).max() == 3


def test_balls_that_touch_are_split() -> None:
    planes, rows, columns = np.indices((12, 14, 24))
    balls = [(planes - 6) ** 2 + (rows - 7) ** 2 + (columns - x) ** 2 <= 25 for x in (7, 16)]
    labels = np.any(balls, axis=0)
    assert number_instances(labels, [1]).max() == 1
    found = number_instances(labels, [1], distance=5)
    assert found.max() == 2 and found[6, 7, 7] != found[6, 7, 16]


def test_measurements() -> None:
    labels = np.zeros((6, 9), int)
    labels[1:3, 2:6] = 3
    labels[5, 8] = 1
    one, other = measure_instances(number_instances(labels, [1, 3]), labels)
    assert (one.number, one.label, one.size, one.centre, one.box) == (1, 1, 1, (5, 8), ((5, 6), (8, 9)))
    assert (other.number, other.label, other.size, other.centre, other.box) == (2, 3, 8, (1.5, 3.5), ((1, 3), (2, 6)))
    assert measure_instances(np.zeros((2, 2), np.int32), np.zeros((2, 2), int)) == ()


@pytest.mark.parametrize(
    ("labels", "options", "error", "said"),
    [
        (np.zeros(4, int), {}, DataError, r"labels \(H, W\) or \(D, H, W\), integers, not \(4,\)"),
        (np.zeros((4, 4)), {}, DataError, "integers, not .* float64"),
        (np.zeros((4, 4), int), {"neighbours": 6}, UsageError, "2 axes has 4 or 8 neighbours, not 6"),
        (np.zeros((4, 4, 4), int), {"neighbours": 8}, UsageError, "3 axes has 6 or 26 neighbours, not 8"),
        (np.zeros((4, 4), int), {"least": 0}, UsageError, "at least 1 element, not 0"),
        (np.zeros((4, 4), int), {"distance": 0.0}, UsageError, "above 0, not 0"),
    ],
)
def test_bad_input_is_explained(labels, options, error, said) -> None:
    with pytest.raises(error, match=said):
        number_instances(labels, [1], **options)


def peanut(left: float, right: float, apart: int, scale: int = 1) -> np.ndarray:
    """Two discs that touch."""
    rows, columns = np.indices((40 * scale, 80 * scale))
    return np.any(
        [
            (rows - 20 * scale) ** 2 + (columns - place * scale) ** 2 <= (radius * scale) ** 2
            for place, radius in ((25, left), (25 + apart, right))
        ],
        axis=0,
    ).astype(np.uint8)


@pytest.mark.parametrize("scale", [1, 3])
@pytest.mark.parametrize("neighbours", [4, 8])
def test_a_neck_parts_things_of_any_size(scale: int, neighbours: int) -> None:
    labels = peanut(12, 9, 20, scale)  # the way between is about half as deep as the smaller one
    assert number_instances(labels, [1], neighbours=neighbours).max() == 1
    found = number_instances(labels, [1], neighbours=neighbours, neck=0.7)
    assert found.max() == 2 and ((found > 0) == (labels > 0)).all()
    assert found[20 * scale, 25 * scale] != found[20 * scale, 45 * scale]
    assert number_instances(labels, [1], neighbours=neighbours, neck=0.1).max() == 1
    turned = number_instances(np.ascontiguousarray(labels.T), [1], neighbours=neighbours, neck=0.7)
    assert (np.bincount(turned.ravel()) == np.bincount(found.ravel())).all()


@pytest.mark.parametrize("shape", [(30, 40), (7, 12, 11)])
def test_cutting_keeps_every_element_and_refines_the_components(shape: tuple[int, ...]) -> None:
    pytest.importorskip("scipy")
    noise = ndimage.gaussian_filter(np.random.default_rng(1).random(shape), 1.5)
    labels = (noise > np.median(noise)).astype(np.uint8)
    whole, cut = number_instances(labels, [1]), number_instances(labels, [1], neck=0.6)
    assert ((cut > 0) == (labels > 0)).all() and cut.max() >= whole.max()
    for number in range(1, cut.max() + 1):
        assert len(np.unique(whole[cut == number])) == 1
        assert number_instances((cut == number).astype(np.uint8), [1]).max() == 1  # in one piece
    assert np.array_equal(cut, number_instances(labels, [1], neck=0.6))


def test_necks_are_checked() -> None:
    labels = np.ones((4, 4), int)
    for wrong in (0, 1, -0.5):
        with pytest.raises(UsageError, match="share between 0 and 1"):
            number_instances(labels, [1], neck=wrong)
    with pytest.raises(UsageError, match="instead of a distance"):
        number_instances(labels, [1], neck=0.5, distance=3)


def test_what_has_things() -> None:
    names = ("Sky", "Road", "Car", "Pedestrian")
    assert countable_classes(names) == [2, 3] and countable_classes(names, ["Road"]) == [1]
    assert countable_classes(("background", "cell")) == [1] == countable_classes(("dark", "bright"))
    assert countable_classes(("Car", "Road")) == [0]
    with pytest.raises(UsageError, match="Did you mean 'Car'"):
        countable_classes(names, ["Cars"])
    with pytest.raises(UsageError, match="known to have things"):
        countable_classes(("Sky", "Road"))
