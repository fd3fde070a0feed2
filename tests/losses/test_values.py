"""Losses over elements and regions against hand-computed numbers, identities and brute force."""

from itertools import pairwise
from math import exp, log

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from intarsia.losses import build_loss

LN2, LN3, LN4 = log(2), log(3), log(4)
HALF = [[0.5, 0.5]]
TWO = [[0.5, 0.5], [0.25, 0.75]]
TABLE = [
    ("cross_entropy", {}, HALF, [0], LN2),
    ("cross_entropy", {}, TWO, [0, 0], (LN2 + LN4) / 2),
    ("cross_entropy", {}, TWO, [0, 255], LN2),
    ("cross_entropy", {}, TWO, [255, 255], 0),
    ("cross_entropy", {"class_weights": [1, 3]}, [[0.5, 0.5], [0.75, 0.25]], [0, 1], (LN2 + 3 * LN4) / 4),
    ("cross_entropy", {"class_weights": [1, 3]}, [[0.5, 0.5], [0.75, 0.25]], [255, 1], LN4),
    ("cross_entropy", {"class_weights": [0, 3]}, HALF, [0], 0),
    ("cross_entropy", {"label_smoothing": 0.2}, [[0.25, 0.75]], [0], 0.9 * LN4 + 0.1 * log(4 / 3)),
    # .8 of the class, and .1 of each class, by that class's weight; the mass is the weight of the true class
    ("cross_entropy", {"label_smoothing": 0.2, "class_weights": [2, 4]}, [[0.25, 0.75]], [0],
     (0.8 * 2 * LN4 + 0.1 * (2 * LN4 + 4 * log(4 / 3))) / 2),
    ("focal", {}, HALF, [0], 0.25 * LN2),
    ("focal", {}, TWO, [0, 0], (0.25 * LN2 + 0.5625 * LN4) / 2),
    ("focal", {"gamma": 0.5}, TWO, [255, 1], 0.5 * log(4 / 3)),
    ("focal", {"gamma": 1, "class_weights": [1, 3]}, TWO, [0, 1], (0.5 * LN2 + 3 * 0.25 * log(4 / 3)) / 4),
    # the easy ones, p = .9 and .8, are left out
    ("ohem_cross_entropy", {"min_kept": 0}, [[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.8, 0.2]], [0, 0, 0, 0],
     -log(0.6 * 0.3) / 2),
    ("ohem_cross_entropy", {"min_kept": 0.6}, [[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.8, 0.2]], [0, 0, 0, 0],
     -log(0.6 * 0.3 * 0.8) / 3),
    # half of the three valid ones are two
    ("ohem_cross_entropy", {"min_kept": 0.5}, [[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.95, 0.05]], [0, 0, 255, 0],
     -log(0.9 * 0.8) / 2),
    ("ohem_cross_entropy", {"min_kept": 0}, [[0.9, 0.1]], [0], 0),
    ("ohem_cross_entropy", {"threshold": 1, "min_kept": 0}, TWO, [0, 0], (LN2 + LN4) / 2),
    ("ohem_cross_entropy", {"min_kept": 0, "class_weights": [1, 3]}, [[0.5, 0.5], [0.75, 0.25]], [0, 1],
     (LN2 + 3 * LN4) / 4),
    ("dice", {"smooth": 0}, [[1, 1e-9], [1e-9, 1]], [0, 1], 0),
    # class 0: overlap .5 + .25, p-sum .75, count 2; class 1 is absent and left out
    ("dice", {"smooth": 0}, TWO, [0, 0], 1 - 1.5 / 2.75),
    ("dice", {"smooth": 0}, TWO, [0, 255], 1 - 1 / 1.5),
    ("dice", {}, TWO, [0, 0], 1 - 2.5 / 3.75),
    # class 0: overlap .5, p-sum .75; class 1: overlap .75, p-sum 1.25; one element each
    ("dice", {}, TWO, [0, 1], 1 - (2 / 2.75 + 2.5 / 3.25) / 2),
    ("dice", {"smooth": 0, "squared": True}, TWO, [0, 0], 1 - 1.5 / (0.25 + 0.0625 + 2)),
    ("generalised_dice", {}, [[0.5, 0.5]] * 3, [0, 0, 1], 1 - 2 * (1 / 4 + 0.5) / (3.5 / 4 + 2.5)),
    ("generalised_dice", {}, [[0.5, 0.5]] * 3, [0, 0, 255], 1 - 2 * 1 / 3),
    # class 0: TP .5, FP .25, FN .5; class 1: TP .75, FP .5, FN .25
    ("tversky", {"smooth": 0}, TWO, [0, 1], 1 - (0.5 / (0.5 + 0.075 + 0.35) + 0.75 / (0.75 + 0.15 + 0.175)) / 2),
    ("tversky", {"alpha": 1, "beta": 0}, TWO, [0, 1], 1 - (1.5 / 1.75 + 1.75 / 2.25) / 2),
    ("focal_tversky", {"smooth": 0, "gamma": 2}, TWO, [0, 1], ((0.425 / 0.925) ** 0.5 + (0.325 / 1.075) ** 0.5) / 2),
    ("focal_tversky", {"smooth": 0}, [[1, 1e-20], [1e-20, 1]], [0, 1], 0),
    ("jaccard", {"smooth": 0}, TWO, [0, 1], 1 - (0.5 / 1.25 + 0.75 / 1.5) / 2),
    ("jaccard", {}, TWO, [0, 255], 1 - 1.5 / 2),
    # class 0: errors .5 (of the class), .25; IoU falls by 1, 0. Class 1: .5, .25 (of the class); by 1/2, 1/2
    ("lovasz", {}, TWO, [0, 1], (0.5 + (0.25 + 0.125)) / 2),
    ("lovasz", {}, TWO, [0, 255], 0.5),
    ("lovasz", {}, TWO, [255, 255], 0),
]  # fmt: skip


def logits_of(pixels):
    """Rows of class probabilities -> logits (1, C, 1, pixels)."""
    return torch.tensor(pixels, dtype=torch.float32).T[None, :, None].log()


@pytest.mark.parametrize(("name", "options", "probabilities", "target", "expected"), TABLE)
def test_by_hand(name, options, probabilities, target, expected):
    loss = build_loss(name, ignore_index=255, options=options)
    assert loss(logits_of(probabilities), torch.tensor([[target]])).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        # sigmoids of .75 and .5, class 0: the own class misses by 1/4, the other by 1/2
        ({}, (0.25 * 0.0625 * log(4 / 3) + 0.75 * 0.25 * LN2) / 2),
        ({"alpha": None}, (0.0625 * log(4 / 3) + 0.25 * LN2) / 2),
        ({"alpha": None, "gamma": 0}, (log(4 / 3) + LN2) / 2),
    ],
)
def test_sigmoid_focal_by_hand(options, expected):
    loss = build_loss("sigmoid_focal", ignore_index=255, options=options)
    logits = torch.tensor([[[LN3, 5.0], [0.0, -7.0]]])
    assert loss(logits, torch.tensor([[0, 255]])).item() == pytest.approx(expected, abs=1e-6)


BY_CLASS = ["dice", "focal_tversky", "generalised_dice", "jaccard", "lovasz", "lovasz_hinge", "tversky"]


@pytest.mark.parametrize("name", BY_CLASS)
def test_per_sample_is_the_mean_over_samples_with_labels(name):
    torch.manual_seed(0)
    logits, target = torch.randn(3, 4, 5, 6), torch.randint(4, (3, 5, 6))
    target[0], target[1] = 255, torch.randint(2, (5, 6))
    loss = build_loss(name, ignore_index=255, options={"per_sample": True})
    each = build_loss(name, ignore_index=255, options={})
    alone = [each(logits[n : n + 1], target[n : n + 1]).item() for n in (1, 2)]
    assert loss(logits, target).item() == pytest.approx(sum(alone) / 2, rel=1e-5)
    assert loss(logits, target).item() != pytest.approx(each(logits, target).item(), rel=1e-4)


def test_per_sample_when_samples_hold_different_classes():
    """The mean of two losses, of which the second is a mean of two classes: not the mean of three."""
    torch.manual_seed(0)
    logits = torch.randn(2, 3, 1, 3)
    target = torch.tensor([[[0, 0, 0]], [[0, 1, 0]]])
    p = logits.softmax(1)[:, :, 0]

    def dice(sample, index):
        own = target[sample, 0] == index
        return 1 - (2 * p[sample, index][own].sum() + 1) / (p[sample, index].sum() + own.sum() + 1)

    expected = (dice(0, 0) + (dice(1, 0) + dice(1, 1)) / 2) / 2
    loss = build_loss("dice", ignore_index=255, options={"per_sample": True})
    assert loss(logits, target).item() == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize("per_sample", [False, True])
@pytest.mark.parametrize("name", [*BY_CLASS, "boundary", "hausdorff_cv", "hausdorff_dt", "hausdorff_er"])
def test_classes_that_take_part(name, per_sample):
    """The mean over some classes is that of the losses of each alone, where every sample holds every class."""
    logits, target = random_batch(3)
    mixed = name == "generalised_dice"  # one number for all classes
    options = {"per_sample": per_sample} if name in BY_CLASS else {}

    def value(classes):
        return build_loss(name, ignore_index=255, options={**options, "classes": classes})(logits, target).item()

    whole = build_loss(name, ignore_index=255, options=options)(logits, target).item()
    assert value([3, 0, 1, 2]) == value(None) == pytest.approx(whole, rel=1e-6)
    if not mixed:
        assert value([1, 3]) == pytest.approx((value([1]) + value([3])) / 2, rel=1e-4)
    assert value([1, 3]) != pytest.approx(whole, rel=1e-3)


@pytest.mark.parametrize("name", [*BY_CLASS, "boundary", "hausdorff_cv", "hausdorff_dt", "hausdorff_er"])
def test_a_foreground_that_is_nowhere_costs_nothing(name):
    """Of a binary problem's foreground alone, a batch without any says nothing, whatever is predicted."""
    logits = torch.tensor([-3.0, 3.0])[None, :, None, None].repeat(1, 1, 3, 4).requires_grad_()
    target = torch.zeros(1, 3, 4, dtype=torch.long)
    loss = build_loss(name, ignore_index=255, options={"classes": [1]})(logits, target)
    loss.backward()
    assert loss == 0 and not logits.grad.any()


def test_weights_of_classes_in_the_mean():
    logits, target = random_batch(3)
    each = [build_loss("dice", ignore_index=255, options={"classes": [c]})(logits, target) for c in range(4)]
    found = build_loss("dice", ignore_index=255, options={"weights": [1, 0, 2, 5]})(logits, target)
    assert found.item() == pytest.approx(((each[0] + 2 * each[2] + 5 * each[3]) / 8).item(), rel=1e-5)
    target[target == 3] = 255
    found = build_loss("dice", ignore_index=255, options={"weights": [1, 5], "classes": [2, 3]})(logits, target)
    alone = build_loss("dice", ignore_index=255, options={"classes": [2]})(logits, target)
    assert found.item() == pytest.approx(alone.item(), rel=1e-5)


@pytest.mark.parametrize("name", ["dice", "jaccard", "tversky", "focal_tversky"])
def test_micro_takes_all_classes_as_one(name):
    """Of hard predictions, the loss of one class of all hits, misses and false alarms."""
    _, target = random_batch(1)
    predicted = torch.randint(4, target.shape)
    valid = target != 255
    hits, count = ((predicted == target) & valid).sum().item(), valid.sum().item()
    wrong = count - hits
    expected = {
        "dice": 1 - 2 * hits / (2 * count),
        "jaccard": 1 - hits / (count + wrong),
        "tversky": 1 - hits / (hits + 0.3 * wrong + 0.7 * wrong),
        "focal_tversky": (1 - hits / (hits + wrong)) ** 0.75,
    }[name]
    loss = build_loss(name, ignore_index=255, options={"average": "micro", "smooth": 0})
    assert loss(hard(predicted, 4), target).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", ["cross_entropy", "focal", "ohem_cross_entropy"])
def test_the_mean_by_number_of_elements(name):
    """Weights then change how much an element counts, and how large the loss is."""
    logits, target = random_batch(2)

    def value(factor, **options):
        return build_loss(name, ignore_index=255, options={"class_weights": [factor] * 4, **options})(logits, target)

    assert value(1.0).item() == pytest.approx(value(3.0).item(), rel=1e-6)
    assert value(1.0, divide_by="elements").item() == pytest.approx(value(1.0).item(), rel=1e-6)
    assert value(3.0, divide_by="elements").item() == pytest.approx(3 * value(1.0).item(), rel=1e-6)


def test_lovasz_hinge_by_hand():
    """Margins 2, -1, 0.5 of the foreground: errors 0, 2 and 1.5; IoU falls by 1/2, 1/2 with the first two errors."""
    logits = torch.tensor([[0.0, 0.0, 0.0], [2.0, -1.0, 0.5]])[None, :, None]
    loss = build_loss("lovasz_hinge", ignore_index=255, options={"classes": [1]})
    # a miss (2), a false alarm (1.5): the union is 2, then 3, and one hit is left
    assert loss(logits, torch.tensor([[[1, 1, 0]]])).item() == pytest.approx(2 * 1 / 2 + 1.5 * (1 / 2 - 1 / 3))


def test_lovasz_hinge_measures_margins_far_from_the_border():
    """Probabilities of 1 - 1e-30 are 1 in float32; margins are still right."""
    logits = torch.tensor([[[70.0, 0.0], [0.0, 70.0], [1.0, -2.0]]]).requires_grad_()
    loss = build_loss("lovasz_hinge", ignore_index=255, options={"classes": [0]})
    value = loss(logits, torch.tensor([[1, 0]]))
    value.backward()
    # two errors of 71 (rounded): the false alarm, then the miss, after which IoU has fallen to 0
    assert value.item() == pytest.approx(71, rel=1e-4)
    assert torch.isfinite(logits.grad).all() and logits.grad.abs().sum() > 0


def random_batch(seed=0, classes=4, shape=(6, 7)):
    torch.manual_seed(seed)
    logits = 2 * torch.randn(2, classes, *shape)
    target = torch.randint(classes, (2, *shape))
    target[torch.rand(target.shape) < 0.3] = 255
    return logits, target


@pytest.mark.parametrize(
    ("name", "options", "other", "other_options"),
    [
        ("focal", {"gamma": 0}, "cross_entropy", {}),
        ("focal", {"gamma": 0, "class_weights": [1, 2, 3, 4]}, "cross_entropy", {"class_weights": [1, 2, 3, 4]}),
        ("ohem_cross_entropy", {"min_kept": 1}, "cross_entropy", {}),
        ("ohem_cross_entropy", {"threshold": 1}, "cross_entropy", {}),
        ("border_cross_entropy", {"w0": 0}, "cross_entropy", {}),
        ("tversky", {"alpha": 0.5, "beta": 0.5, "smooth": 0}, "dice", {"smooth": 0}),
        ("tversky", {"alpha": 0.5, "beta": 0.5, "smooth": 1.5}, "dice", {"smooth": 3}),
        ("tversky", {"alpha": 1, "beta": 1}, "jaccard", {}),
        ("focal_tversky", {"gamma": 1}, "tversky", {}),
        ("cross_entropy", {"class_weights": [2, 2, 2, 2]}, "cross_entropy", {}),
    ],
)
def test_identities(name, options, other, other_options):
    logits, target = random_batch()
    found = build_loss(name, ignore_index=255, options=options)(logits, target)
    expected = build_loss(other, ignore_index=255, options=other_options)(logits, target)
    assert torch.allclose(found, expected, rtol=1e-6)


def hard(target, classes):
    """Logits that predict a label map with certainty."""
    return 200 * F.one_hot(target.where(target != 255, 0), classes).movedim(-1, 1).float()


@pytest.mark.parametrize(
    "name",
    ["cross_entropy", "dice", "focal", "focal_tversky", "generalised_dice", "hausdorff_cv", "hausdorff_dt",
     "hausdorff_er", "jaccard", "lovasz", "ohem_cross_entropy", "sigmoid_focal", "tversky"],
)  # fmt: skip
def test_a_perfect_prediction_costs_nothing_and_has_a_finite_gradient(name):
    _, target = random_batch()
    logits = (hard(target, 4) - 100).requires_grad_()
    loss = build_loss(name, ignore_index=255, options={})(logits, target)
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-6)
    assert logits.grad.abs().max() < 1e-6


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**16), per_sample=st.booleans())
def test_lovasz_of_hard_predictions_is_one_minus_iou(seed, per_sample):
    _, target = random_batch(seed)
    predicted = torch.randint(4, target.shape)
    loss = build_loss("lovasz", ignore_index=255, options={"per_sample": per_sample})(hard(predicted, 4), target)
    parts = [slice(0, 1), slice(1, 2)] if per_sample else [slice(0, 2)]
    means = []
    for part in parts:
        distances = []
        for index in range(4):
            valid = target[part] != 255
            truth, guess = (target[part] == index) & valid, (predicted[part] == index) & valid
            if truth.any():
                distances.append(1 - ((truth & guess).sum() / (truth | guess).sum()).item())
        means.append(sum(distances) / len(distances))
    assert loss.item() == pytest.approx(sum(means) / len(means), abs=1e-6)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**16))
def test_lovasz_is_the_mean_jaccard_loss_over_all_thresholds(seed):
    """The Lovász extension of a set function is its integral over the level sets {error > threshold}."""
    logits, target = random_batch(seed)
    p, valid = logits.double().softmax(1), target != 255
    expected = []
    for index in range(4):
        own = target[valid] == index
        if not own.any():
            continue
        error = (own.double() - p[:, index][valid]).abs()
        levels = torch.cat([error.sort(descending=True).values, torch.zeros(1)])
        total = 0.0
        for high, low in pairwise(levels):
            wrong = error >= high
            total += (high - low) * (1 - (own & ~wrong).sum().double() / (own | wrong).sum())
        expected.append(float(total))
    loss = build_loss("lovasz", ignore_index=255, options={})
    mean = sum(expected) / len(expected)
    assert loss(logits, target).item() == pytest.approx(mean, abs=1e-5)
    assert loss(logits.double(), target).item() == pytest.approx(mean, abs=1e-12)


def test_lovasz_sorts_the_same_in_both_precisions():
    """float32 on the CPU goes through packed integers; with equal errors the order is free, the value is not."""
    logits, target = random_batch()
    logits = logits.round()
    loss = build_loss("lovasz", ignore_index=255, options={})
    assert loss(logits, target).item() == pytest.approx(loss(logits.double(), target).item(), abs=1e-6)


def overlap_oracle(name, logits, target):
    """Straight from the formulas, class by class and element by element."""
    p = logits.softmax(1).double()
    values = []
    for index in range(logits.shape[1]):
        overlap = mass = squares = count = 0.0
        for n in range(len(target)):
            for place, label in enumerate(target[n].reshape(-1).tolist()):
                if label != 255:
                    chance = p[n, index].reshape(-1)[place].item()
                    mass, squares = mass + chance, squares + chance**2
                    overlap, count = overlap + chance * (label == index), count + (label == index)
        fp, fn = mass - overlap, count - overlap
        value = {
            "dice": 1 - (2 * overlap + 1) / (mass + count + 1),
            "squared": 1 - (2 * overlap + 1) / (squares + count + 1),
            "jaccard": 1 - (overlap + 1) / (mass + count - overlap + 1),
            "tversky": 1 - (overlap + 1) / (overlap + 0.3 * fp + 0.7 * fn + 1),
            "focal_tversky": (1 - (overlap + 1) / (overlap + 0.3 * fp + 0.7 * fn + 1)) ** 0.75,
        }[name]
        if count:
            values.append(value)
    return sum(values) / len(values) if values else 0.0


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**16), classes=st.integers(1, 5), shape=st.sampled_from([(4,), (3, 4), (2, 2, 3)]))
@pytest.mark.parametrize("name", ["dice", "squared", "jaccard", "tversky", "focal_tversky"])
def test_overlaps_equal_brute_force_in_any_dimension(name, seed, classes, shape):
    logits, target = random_batch(seed, classes, shape)
    options = {"squared": True} if name == "squared" else {}
    loss = build_loss("dice" if name == "squared" else name, ignore_index=255, options=options)
    assert loss(logits, target).item() == pytest.approx(overlap_oracle(name, logits, target), abs=1e-5)


def test_sums_of_many_elements_stay_exact():
    """Added one by one in float32, a sum of ones stops at 2^24."""
    from intarsia.losses.sums import region_sums

    elements = 2**24 + 2**12
    logits = torch.zeros(1, 1, elements)
    overlap, mass, count = region_sums(logits, torch.zeros(1, elements, dtype=torch.uint8).long(), 255)
    assert overlap.item() == mass.item() == count.item() == elements


def test_focal_has_a_finite_gradient_where_roots_have_none():
    logits = torch.tensor([[100.0, 0.0], [0.3, -0.2]], requires_grad=True)
    build_loss("focal", ignore_index=255, options={"gamma": 0.3})(logits, torch.tensor([0, 1])).backward()
    assert torch.isfinite(logits.grad).all()
    assert logits.grad[1].abs().min() > 0


def test_border_weights_in_a_cross_entropy_by_hand():
    """Two instances of class 1 with one background pixel between them, which is 1 away from both."""
    loss = build_loss("border_cross_entropy", ignore_index=255, options={"w0": 4, "sigma": 2})
    logits = logits_of([[0.25, 0.75], [0.5, 0.5], [0.25, 0.75], [0.9, 0.1]])
    gap = 1 + 4 * exp(-((1 + 1) ** 2) / (2 * 2**2))
    expected = (2 * log(4 / 3) + gap * LN2) / (2 + gap)
    assert loss(logits, torch.tensor([[[1, 0, 1, 255]]])).item() == pytest.approx(expected, rel=1e-6)
