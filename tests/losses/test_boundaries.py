"""Losses on a grid, distances and border weights against hand-computed numbers and brute force."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from intarsia.losses import border_weights, build_loss, find_instances
from intarsia.losses.distances import class_distances, distance_to


def make(name, **options):
    return build_loss(name, ignore_index=255, options=options)


def row(*probabilities):
    """Probabilities of class 0 of two, along one row -> logits (1, 2, 1, W)."""
    p = torch.tensor(probabilities)
    return torch.stack([p, 1 - p])[None, :, None].log()


@pytest.mark.parametrize(
    ("name", "options", "probabilities", "target", "expected"),
    [
        # signed distances of class 1: 2, 1, 0, -1, of class 0 the mirror image; two classes of four elements
        ("boundary", {}, [0.5, 0.5, 0.5, 0.5, 0.9], [0, 0, 1, 1, 255], (1 + 1) / 8),
        ("boundary", {}, [1, 1, 0, 0], [0, 0, 1, 1], -2 / 8),
        ("boundary", {}, [0, 0, 1, 1], [0, 0, 1, 1], 6 / 8),
        # only one class: no boundary
        ("boundary", {}, [0.3, 0.4], [0, 0], 0),
        # distances 2, 1, 1, 2 on both sides, squared errors 1/4
        ("hausdorff_dt", {"one_sided": True}, [0.5] * 4, [0, 0, 1, 1], 2 * 0.25 * (4 + 1 + 1 + 4) / 8),
        ("hausdorff_dt", {"one_sided": True, "alpha": 1}, [0.5] * 4, [0, 0, 1, 1], 2 * 0.25 * 6 / 8),
        # no class is predicted by more than a half, so the prediction has no boundary
        ("hausdorff_dt", {}, [0.5] * 4, [0, 0, 1, 1], 2 * 0.25 * (4 + 1 + 1 + 4) / 8),
        # the prediction's boundary lies one further: 3, 2, 1, 1
        ("hausdorff_dt", {}, [0.9, 0.9, 0.9, 0.1], [0, 0, 1, 1],
         2 * (0.01 * (4 + 9) + 0.01 * (1 + 4) + 0.81 * (1 + 1) + 0.01 * (4 + 1)) / 8),
        # errors of 1/4 everywhere: their mean is 1/4, eroded 1/16, then 1/256
        ("hausdorff_er", {"erosions": 2}, [0.5] * 3, [0, 0, 1], 1 / 16 + 4 / 256),
        # errors 1, 1, 0: means over what exists 1, 2/3, 1/2
        ("hausdorff_er", {"erosions": 1}, [0, 0, 1], [0, 0, 0], (1 + 4 / 9 + 1 / 4) / 3),
        # the ignored element is as if it were not there
        ("hausdorff_er", {"erosions": 1}, [0, 0, 0.5, 1], [0, 0, 255, 0], (1 + 1 + 0) / 3),
        # shares of class 1 in radius 1: 0, 1/3, 2/3, 1, so depths 0, 0, 1/3, 1 in it and 1, 1/3, 0, 0 out of it; of the
        # prediction 1/2 everywhere, so depth 0; errors 1/4, of the other side times p
        ("hausdorff_cv", {"radii": [1]}, [0.5] * 4, [0, 0, 1, 1], 2 * (0.25 * 4 / 3 + 0.125 * 4 / 3) / 8),
        ("hausdorff_cv", {"radii": [1], "alpha": 7}, [0.5] * 4, [0, 0, 1, 1], 2 * (0.25 * 4 / 3 + 0.125 * 4 / 3) / 8),
    ],
)  # fmt: skip
def test_by_hand(name, options, probabilities, target, expected):
    loss = make(name, **options)(row(*probabilities), torch.tensor([[target]]))
    assert loss.item() == pytest.approx(expected, abs=2e-6)


def nearest(places, place):
    return min((math.dist(place, other) for other in places), default=math.inf)


def oracle(name, p, target):
    """Straight from the definitions, element by element; p is (C, *S) of one sample."""
    places = [place for place in np.ndindex(target.shape) if target[place] != 255]
    classes = sorted({int(target[place]) for place in places})
    total = 0.0
    for index in classes:
        inside = [place for place in places if target[place] == index]
        outside = [place for place in places if target[place] != index]
        likeliest = np.argmax(np.asarray(p), axis=0)
        guess = [place for place in places if likeliest[place] == index]
        unguess = [place for place in places if likeliest[place] != index]
        error = {place: (p[index][place] - (target[place] == index)) ** 2 for place in places}
        eroded, depth = dict(error), {}
        for step in range(1, 11):
            mean = {}
            for place in places:
                around = [other for other in places if sum(abs(a - b) for a, b in zip(place, other, strict=True)) <= 1]
                mean[place] = sum(eroded[other] for other in around) / len(around)
            eroded = {place: value**2 for place, value in mean.items()}
            for place in places:
                depth[place] = depth.get(place, 0) + step**2 * eroded[place]
        for place in places:
            own = place in inside
            if name == "boundary" and inside and outside:
                distance = 1 - nearest(outside, place) if own else nearest(inside, place)
                total += p[index][place] * distance
            if name.startswith("hausdorff_dt"):
                weight = (nearest(outside if own else inside, place) if inside and outside else 0) ** 2
                if name == "hausdorff_dt":
                    weight += (nearest(unguess if place in guess else guess, place) if guess and unguess else 0) ** 2
                total += error[place] * weight
            if name == "hausdorff_er":
                total += depth[place]
            if name == "hausdorff_cv":
                for radius in (3, 6, 9, 12, 15, 18):
                    disc = [other for other in places if math.dist(place, other) <= radius]
                    t = sum(other in inside for other in disc) / len(disc)
                    q = sum(p[index][other] for other in disc) / len(disc)
                    missed = (max(2 * t - 1, 0) + max(1 - 2 * q, 0)) * error[place] * own
                    false = (max(2 * q - 1, 0) + max(1 - 2 * t, 0)) * error[place] * p[index][place]
                    total += radius**2 * (missed + false)
    return total, len(classes) * len(places)


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**16), shape=st.sampled_from([(5, 6), (1, 7), (2, 3, 4)]))
@pytest.mark.parametrize("name", ["boundary", "hausdorff_cv", "hausdorff_dt", "hausdorff_dt one-sided", "hausdorff_er"])
def test_equals_brute_force(name, seed, shape):
    torch.manual_seed(seed)
    logits = 2 * torch.randn(2, 3, *shape, dtype=torch.float64)
    target = torch.randint(3, (2, *shape))
    target[torch.rand(target.shape) < 0.3] = 255
    target[0].flatten()[0] = 1
    parts = [oracle(name, p, t) for p, t in zip(logits.softmax(1).numpy(), target.numpy(), strict=True)]
    expected = sum(total for total, _ in parts) / sum(count for _, count in parts)
    options = {"one_sided": True} if "one-sided" in name else {}
    assert make(name.split()[0], **options)(logits, target).item() == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_boundary_loss_is_negative_for_good_predictions_and_grows_with_the_distance_of_errors():
    target = torch.zeros(1, 12, 40, dtype=torch.long)
    target[:, 4:8, 4:8] = 1

    def loss(column):
        guess = target.clone()
        guess[:, 5:7, column : column + 2] = 1
        logits = 50 * torch.nn.functional.one_hot(guess, 2).movedim(-1, 1).float()
        return [make(name)(logits, target).item() for name in ("boundary", "hausdorff_dt", "hausdorff_cv")]

    perfect, near, far = loss(5), loss(12), loss(30)
    assert perfect[0] < 0
    assert perfect[1:] == pytest.approx([0, 0], abs=1e-6)
    assert all(a < b < c for a, b, c in zip(perfect, near, far, strict=True))


def test_erosion_asks_for_the_thickness_of_errors():
    """As many wrong pixels in a block cost more than in thin lines, and isolated ones hardly anything."""
    target = torch.zeros(1, 24, 24, dtype=torch.long)
    block, lines, dust = (torch.zeros(24, 24) for _ in range(3))
    block[4:12, 4:12] = 1
    lines[[2, 10, 18]] = 1
    dust[::3, ::3] = 1
    cost = [
        make("hausdorff_er")(50 * torch.stack([1 - wrong, wrong])[None], target).item()
        for wrong in (block, lines, dust)
    ]
    assert block.sum() == dust.sum() == 64
    assert lines.sum() == 72
    assert cost[0] > 10 * cost[1] > 10 * cost[2]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**16), shape=st.sampled_from([(6, 7), (1, 9), (9, 1), (1, 1), (3, 4, 5)]))
def test_distance_to_the_nearest_true_element(seed, shape):
    mask = np.random.default_rng(seed).random(shape) < 0.2
    places = list(zip(*np.nonzero(mask), strict=True))
    expected = np.array([nearest(places, place) for place in np.ndindex(shape)], np.float32).reshape(shape)
    assert np.allclose(distance_to(mask), expected, atol=1e-5)


def test_distances_are_the_same_wherever_arrays_lie_in_memory():
    """OpenCV's own differ in the last digit from call to call; resumed trainings would drift apart."""
    from scipy.ndimage import distance_transform_edt

    random = np.random.default_rng(0)
    for _ in range(20):
        mask = random.random((random.integers(20, 400), random.integers(20, 400))) < 0.005
        mask[0, 0] = True
        expected = distance_transform_edt(~mask).astype(np.float32)
        assert all(np.array_equal(distance_to(mask), expected) for _ in range(3))


def test_distances_do_not_end_at_ignored_elements():
    labels = torch.tensor([[0, 0, 255, 255, 1, 1]])
    maps = class_distances(labels, torch.tensor([0, 1]), 255, signed=True)
    assert maps["classes"].tolist() == [0, 1]
    assert maps["distance"][1].tolist() == [[4, 3, 0, 0, -2, -3]]
    maps = class_distances(labels, torch.tensor([0, 1]), 255, signed=False)
    assert maps["distance"].tolist() == [[[4, 3, 0, 0, 3, 4]]] * 2


def test_a_label_map_without_labels_has_no_distances():
    maps = class_distances(torch.full((3, 4), 255), torch.tensor([], dtype=torch.long), 255, signed=True)
    assert (maps["count"].tolist(), maps["distance"].shape) == ([0], (0, 3, 4))


def test_instances_are_connected_components_of_each_class():
    labels = np.array(
        [
            [1, 1, 0, 2],
            [0, 1, 2, 2],
            [1, 0, 255, 0],
            [1, 0, 3, 3],
        ]
    )
    found = find_instances(labels)
    groups = {frozenset(zip(*np.nonzero(found == number), strict=True)) for number in np.unique(found[found > 0])}
    assert groups == {
        frozenset({(0, 0), (0, 1), (1, 1)}),
        frozenset({(2, 0), (3, 0)}),
        frozenset({(0, 3), (1, 2), (1, 3)}),
        frozenset({(3, 2), (3, 3)}),
    }
    assert not found[(labels == 0) | (labels == 255)].any()
    other = find_instances(labels, background=3)
    assert (other == 0).tolist() == ((labels == 3) | (labels == 255)).tolist()


def test_instances_of_a_volume():
    labels = np.zeros((3, 3, 3), np.int64)
    labels[0, 0, 0] = labels[1, 0, 0] = labels[2, 1, 0] = 1
    assert len(np.unique(find_instances(labels))) == 3


def border_oracle(instances, w0, sigma):
    numbers = np.unique(instances[instances > 0])
    each = [distance_to(instances == number).astype(float) for number in numbers]
    first, second = np.sort([*each, *[np.full(instances.shape, np.inf)] * 2], axis=0)[:2]
    return np.where(instances > 0, 0, w0 * np.exp(-((first + second) ** 2) / (2 * sigma**2)))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**16), sigma=st.sampled_from([0.6, 1.5, 5.0]), count=st.integers(0, 9))
def test_border_weights_equal_one_distance_map_an_instance(seed, sigma, count):
    random = np.random.default_rng(seed)
    instances = np.zeros((40, 50), np.int64)
    for _ in range(count):
        top, left = random.integers(0, 40), random.integers(0, 50)
        # numbers need not be in order
        instances[top : top + random.integers(1, 9), left : left + random.integers(1, 9)] = random.integers(1, 1000)
    found = border_weights(instances, w0=10, sigma=sigma)
    assert np.abs(found - border_oracle(instances, 10, sigma)).max() < 10 / 200_000


def test_border_weights_of_a_volume():
    instances = np.zeros((5, 6, 7), np.int64)
    instances[:2, :2, :2], instances[3:, 4:, 5:], instances[4, 0, 0] = 1, 2, 3
    assert np.abs(border_weights(instances, sigma=2) - border_oracle(instances, 10, 2)).max() < 1e-4


def test_border_weights_by_hand():
    weights = border_weights(np.array([[7, 0, 0, 3, 0]]), w0=2, sigma=3)
    assert weights.tolist()[0] == pytest.approx(
        [0, 2 * math.exp(-9 / 18), 2 * math.exp(-9 / 18), 0, 2 * math.exp(-25 / 18)], rel=1e-6
    )
    assert not border_weights(np.array([[0, 1, 0]])).any()
    assert not border_weights(np.zeros((3, 4), np.int64)).any()


def test_instances_that_touch_can_be_given():
    target = torch.tensor([[[1, 1, 0, 0]]])
    logits = row(0.5, 0.5, 0.25, 0.5)
    loss = make("border_cross_entropy", w0=4, sigma=2)
    assert loss(logits, target).item() == pytest.approx((3 * math.log(2) + math.log(4)) / 4, rel=1e-6)
    border = torch.from_numpy(border_weights(np.array([[1, 2, 0, 0]]), w0=4, sigma=2))
    gap, away = 1 + 4 * math.exp(-9 / 8), 1 + 4 * math.exp(-25 / 8)
    expected = ((2 + away) * math.log(2) + gap * math.log(4)) / (2 + gap + away)
    assert loss(logits, target, {"border": border[None]}).item() == pytest.approx(expected, rel=1e-6)


def test_volumes_need_an_extra(monkeypatch):
    import sys

    from intarsia.errors import UsageError

    monkeypatch.setitem(sys.modules, "scipy.ndimage", None)
    with pytest.raises(UsageError, match=r"pip install 'intarsia\[volumes\]'"):
        make("boundary")(torch.randn(1, 2, 2, 3, 3), torch.randint(2, (1, 2, 3, 3)))
