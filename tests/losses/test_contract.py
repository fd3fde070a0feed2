"""What every registered loss promises, swept over all of them."""

import pytest
import torch

from intarsia.errors import DataError, UsageError
from intarsia.losses import build_loss, loss_names

GRID = {"border_cross_entropy", "boundary", "hausdorff_cv", "hausdorff_dt", "hausdorff_er"}
SHAPES = {"points": (24,), "image": (4, 6), "volume": (2, 3, 4)}
OF_QUERIES = {"matching"}  # which looks at no logits; in test_matching
every = pytest.mark.parametrize("name", sorted(set(loss_names()) - OF_QUERIES))


def make(name, ignore_index=255, **options):
    return build_loss(name, ignore_index=ignore_index, options=options)


def batch(classes=3, shape=(6, 8), samples=2, seed=0, dtype=torch.float32):
    """Logits and labels in patches, some of them ignored."""
    torch.manual_seed(seed)
    logits = torch.randn(samples, classes, *shape, dtype=dtype)
    target = torch.randint(classes, (samples, *shape))
    target[torch.rand(target.shape) < 0.2] = 255
    return logits, target


def value_and_gradient(loss, logits, target):
    logits = logits.detach().clone(memory_format=torch.preserve_format).requires_grad_()
    value = loss(logits, target)
    value.backward()
    return value.detach(), logits.grad


def test_the_names():
    assert set(loss_names()) == GRID | OF_QUERIES | {
        "cross_entropy",
        "dice",
        "focal",
        "focal_tversky",
        "generalised_dice",
        "jaccard",
        "lovasz",
        "lovasz_hinge",
        "ohem_cross_entropy",
        "sigmoid_focal",
        "tversky",
    }


@every
def test_without_valid_elements_value_and_gradient_are_zero(name):
    logits, _ = batch()
    value, gradient = value_and_gradient(make(name), logits, torch.full((2, 6, 8), 255))
    assert value == 0
    assert torch.equal(gradient, torch.zeros_like(logits))


@every
@pytest.mark.parametrize("smooth", [0.0, 1.0])
def test_one_sample_without_valid_elements_does_no_harm(name, smooth):
    logits, target = batch()
    target[1] = 255
    options = {"smooth": smooth} if name in {"dice", "jaccard", "tversky", "focal_tversky"} else {}
    value, gradient = value_and_gradient(make(name, **options), logits, target)
    alone = make(name, **options)(logits[:1], target[:1])
    assert value.item() == pytest.approx(alone.item(), rel=1e-5)
    assert torch.isfinite(gradient).all()
    assert torch.equal(gradient[1], torch.zeros_like(gradient[1]))


@every
def test_ignored_elements_get_no_gradient_and_their_logits_do_not_matter(name):
    logits, target = batch()
    ignored = (target == 255)[:, None].expand_as(logits)
    value, gradient = value_and_gradient(make(name), logits, target)
    assert torch.equal(gradient[ignored], torch.zeros_like(gradient[ignored]))
    assert gradient[~ignored].abs().sum() > 0
    other = torch.where(ignored, 1000 * torch.randn_like(logits), logits)
    again, same = value_and_gradient(make(name), other, target)
    assert torch.equal(value, again)
    assert torch.equal(gradient, same)


@every
def test_more_ignored_elements_change_nothing(name):
    logits, target = batch()
    more_logits = torch.cat([logits, 100 * torch.randn(2, 3, 6, 5)], dim=3)
    more_target = torch.cat([target, torch.full((2, 6, 5), 255)], dim=2)
    assert torch.allclose(make(name)(more_logits, more_target), make(name)(logits, target), rtol=1e-4)


@every
@pytest.mark.parametrize("ignore_index", [-100, 1])
def test_any_label_can_be_the_ignored_one(name, ignore_index):
    logits, target = batch()
    moved = target.where(target != 255, ignore_index)
    if ignore_index == 1:
        target = target.where(target != 1, 255)
    assert torch.allclose(make(name, ignore_index)(logits, moved), make(name)(logits, target), rtol=1e-6)


@every
def test_gradients_are_right(name):
    logits, target = batch(shape=(3, 4), samples=2, seed=3, dtype=torch.float64)
    loss = make(name)
    assert torch.autograd.gradcheck(lambda x: loss(x, target), (logits.requires_grad_(),))


@every
def test_gradients_of_volumes_are_right(name):
    logits, target = batch(shape=(2, 3, 2), samples=1, seed=4, dtype=torch.float64)
    loss = make(name)
    assert torch.autograd.gradcheck(lambda x: loss(x, target), (logits.requires_grad_(),))


@every
def test_an_untrained_network_gets_a_gradient(name):
    logits = torch.zeros(1, 3, 8, 8, requires_grad=True)
    target = torch.zeros(1, 8, 8, dtype=torch.long)
    target[:, 2:6, 2:6], target[:, 6:] = 1, 2
    loss = make(name)
    first = loss(logits, target)
    for _ in range(30):
        (gradient,) = torch.autograd.grad(loss(logits, target), logits)
        with torch.no_grad():
            logits -= gradient / gradient.norm().clamp(min=1e-12)
    assert loss(logits, target) < first - 0.2 * first.abs()
    right = (logits.argmax(1) == target).float().mean()
    assert right > 0.9


@every
def test_sums_are_float32_under_autocast(name):
    logits, target = batch(shape=(32, 32))
    loss = make(name)
    expected = loss(logits.bfloat16().float(), target)
    with torch.autocast("cpu", torch.bfloat16):
        found = loss(logits.bfloat16(), target)
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(expected.item(), rel=1e-6)


@every
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32])
def test_the_kind_of_integer_does_not_matter(name, dtype):
    logits, target = batch()
    assert torch.equal(make(name)(logits, target.to(dtype)), make(name)(logits, target))


@every
@pytest.mark.parametrize("classes", [1, 2, 150])
def test_any_number_of_classes(name, classes):
    logits, target = batch(classes)
    value, gradient = value_and_gradient(make(name), logits, target)
    assert torch.isfinite(value)
    assert torch.isfinite(gradient).all()
    if classes == 1 and name != "sigmoid_focal":
        assert value == pytest.approx(0, abs=1e-6)
        assert gradient.abs().max() < 1e-6
    else:
        assert gradient.abs().sum() > 0


@every
def test_more_classes_than_a_byte_holds(name):
    logits, target = batch(300, shape=(4, 5))
    target[0, 0, 0] = 299
    loss = make(name, ignore_index=65535)
    assert torch.isfinite(loss(logits, target))


@every
@pytest.mark.parametrize("kind", list(SHAPES))
def test_shapes(name, kind):
    logits, target = batch(shape=SHAPES[kind])
    loss = make(name)
    if name in GRID and kind == "points":
        with pytest.raises(
            UsageError, match=rf"'{name}' measures distances on a grid.*cannot take points.*\(2, 3, 24\)"
        ):
            loss(logits, target)
        return
    value, gradient = value_and_gradient(loss, logits, target)
    assert gradient.shape == logits.shape
    if name not in GRID:
        flat, flat_gradient = value_and_gradient(loss, logits.flatten(2), target.flatten(1))
        assert torch.allclose(value, flat, rtol=1e-6)
        assert torch.allclose(gradient.flatten(2), flat_gradient, atol=1e-7)


@pytest.mark.parametrize("name", sorted(set(loss_names()) - GRID - OF_QUERIES))
def test_one_element_a_sample_needs_no_dimension(name):
    logits, target = torch.randn(6, 3), torch.tensor([0, 1, 2, 255, 1, 0])
    assert torch.allclose(make(name)(logits, target), make(name)(logits[..., None], target[:, None]))


@pytest.mark.parametrize("name", sorted(GRID))
def test_a_volume_of_one_slice_is_a_picture(name):
    logits, target = batch()
    expected, gradient = value_and_gradient(make(name), logits, target)
    found, flat = value_and_gradient(make(name), logits[:, :, None], target[:, None])
    assert torch.allclose(found, expected, rtol=1e-5)
    assert torch.allclose(flat[:, :, 0], gradient, rtol=1e-4, atol=1e-6)


@every
def test_memory_layout_does_not_matter(name):
    logits, target = batch(4)
    value, gradient = value_and_gradient(make(name), logits, target)
    last = logits.to(memory_format=torch.channels_last)
    again, same = value_and_gradient(make(name), last, target)
    assert torch.allclose(value, again, rtol=1e-6)
    assert torch.allclose(gradient, same, atol=1e-6)


@every
def test_the_order_of_the_classes_does_not_matter(name):
    logits, target = batch(5)
    order = torch.tensor([3, 0, 4, 1, 2])
    place = order.argsort()
    moved = torch.where(target == 255, 255, place[target.where(target != 255, 0)])
    options = {"background": int(place[0])} if name == "border_cross_entropy" else {}
    assert torch.allclose(make(name, **options)(logits[:, order], moved), make(name)(logits, target), rtol=1e-5)


@every
def test_nan_is_not_hidden(name):
    logits, target = batch()
    target[0, 2, 3] = 1
    logits[0, 1, 2, 3] = torch.nan
    assert torch.isnan(make(name)(logits, target))


@every
def test_it_can_be_evaluated_and_derived_twice(name):
    logits, target = batch()
    loss = make(name)
    expected, gradient = value_and_gradient(loss, logits, target)
    with torch.no_grad():
        assert torch.equal(loss(logits, target), expected)
    logits.requires_grad_()
    value = 3 * loss(logits, target)
    (once,) = torch.autograd.grad(value, logits, retain_graph=True)
    (twice,) = torch.autograd.grad(value, logits)
    assert torch.equal(once, twice)
    assert torch.allclose(once, 3 * gradient, rtol=1e-4, atol=1e-6 * gradient.abs().max().item())


@every
def test_maps_computed_beforehand_give_the_same_loss(name):
    from intarsia.losses import join_maps

    logits, target = batch()
    loss = make(name)
    maps = join_maps([loss.maps(sample) for sample in target])
    assert bool(maps) == (name in GRID)
    assert torch.equal(loss(logits, target, maps), loss(logits, target))


@every
def test_targets_that_are_no_labels_are_refused(name):
    logits, target = batch()
    loss = make(name)
    with pytest.raises(DataError, match=r"integer labels \(N, \*S\), not torch.float32; take the argmax"):
        loss(logits, target.float())
    with pytest.raises(DataError, match=r"neither a class \(0\.\.2\) nor ignore_index 255: -1, 3, 7"):
        loss(logits, target.flatten().index_fill(0, torch.tensor([0]), -1).index_fill(0, torch.tensor([5]), 3)
             .index_fill(0, torch.tensor([9]), 7).reshape(target.shape))  # fmt: skip
    with pytest.raises(DataError, match=r"\(2, 6, 7\) does not fit logits of shape \(2, 3, 6, 8\)"):
        loss(logits, target[:, :, 1:])
    with pytest.raises(DataError, match="does not fit"):
        loss(logits, torch.nn.functional.one_hot(target.clamp(max=2), 3).permute(0, 3, 1, 2))


def test_a_label_beyond_the_bytes_range_is_not_wrapped():
    """256 + 1 as uint8 would be 1."""
    logits, target = batch()
    target[0, 0, 0] = 257
    with pytest.raises(DataError, match="257"):
        make("cross_entropy")(logits, target)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("dise", {}, r"no loss is named 'dise'. Did you mean 'dice'"),
        ("dice", {"smoth": 1}, r"has no option 'smoth'. Did you mean 'smooth'"),
        ("dice", {"classes": []}, "classes must be a list of class indices, at least one, not"),
        ("lovasz", {"classes": [-1]}, "classes must be a list of class indices"),
        ("boundary", {"classes": "all"}, "classes must be a list of class indices"),
        ("dice", {"classes": 1}, "classes must be a list of class indices, at least one, not 1"),
        ("dice", {"weights": 3}, "weights must be a list of numbers, not 3"),
        ("focal", {"class_weights": 3}, "class_weights must be a list of numbers, not 3"),
        ("focal", {"class_weights": "12"}, "class_weights must be a list of numbers, not '12'"),
        ("hausdorff_cv", {"radii": 3}, "radii must be a list of numbers, not 3"),
        ("dice", {"average": "mean"}, "average must be macro or micro, not 'mean'"),
        ("dice", {"average": "micro", "weights": [1, 2]}, "weights belongs to the mean of classes"),
        ("dice", {"weights": [1, -2]}, "weights must be a number at least 0, not -2"),
        ("focal", {"divide_by": "pixels"}, "divide_by must be weights or elements, not 'pixels'"),
        ("hausdorff_dt", {"threshold": 2}, "threshold must be a number at least 0 and at most 1, not 2"),
        ("generalised_dice", {"average": "micro"}, "has no option 'average'"),
        ("dice", {"smooth": -1}, "smooth must be a number at least 0, not -1"),
        ("dice", {"smooth": "much"}, "smooth must be a number at least 0, not 'much'"),
        ("dice", {"smooth": True}, "smooth must be a number at least 0, not True"),
        ("focal", {"gamma": float("nan")}, "gamma must be a number at least 0, not nan"),
        ("focal_tversky", {"gamma": 0}, "gamma must be a number greater than 0, not 0"),
        ("sigmoid_focal", {"alpha": 1.5}, "alpha must be a number at least 0 and at most 1, not 1.5"),
        ("ohem_cross_entropy", {"min_kept": 100_000}, "min_kept must be a number at least 0 and at most 1, not 100000"),
        ("ohem_cross_entropy", {"threshold": 0}, "threshold must be a number greater than 0 and at most 1, not 0"),
        ("cross_entropy", {"label_smoothing": 2}, "label_smoothing must be a number at least 0 and at most 1"),
        ("cross_entropy", {"class_weights": [1, -1]}, "class_weights must be a number at least 0, not -1"),
        ("hausdorff_er", {"erosions": 0}, "erosions must be a number at least 1, not 0"),
        ("hausdorff_cv", {"radii": []}, "radii must name at least one radius"),
        ("hausdorff_cv", {"radii": [3, 0]}, "radii must be a number greater than 0, not 0"),
        ("border_cross_entropy", {"sigma": 0}, "sigma must be a number greater than 0, not 0"),
    ],
)
def test_wrong_options_are_named(name, options, message):
    with pytest.raises(UsageError, match=message):
        make(name, **options)


@pytest.mark.parametrize("name", ["dice", "generalised_dice", "lovasz", "hausdorff_er"])
def test_classes_must_exist(name):
    with pytest.raises(UsageError, match=rf"{name}: classes names 3, and the classes are 0\.\.2"):
        make(name, classes=[0, 3])(*batch())


def test_weights_must_be_as_many_as_classes():
    with pytest.raises(UsageError, match="dice: 3 weights for 2 classes"):
        make("dice", classes=[0, 2], weights=[1, 1, 1])(*batch())


def test_options_of_a_loss_are_its_own_and_those_of_its_bases():
    from intarsia.losses import loss_options

    assert set(loss_options("focal_tversky")) == {
        "gamma", "alpha", "beta", "smooth", "average", "weights", "per_sample", "classes",
    }  # fmt: skip
    assert set(loss_options("cross_entropy")) == {"label_smoothing", "class_weights", "divide_by"}
    assert loss_options("boundary") == ["classes"]


def test_class_weights_must_be_as_many_as_classes():
    logits, target = batch()
    with pytest.raises(UsageError, match="focal: 2 class_weights for 3 classes"):
        make("focal", class_weights=[1, 2])(logits, target)


@every
def test_an_empty_batch_is_0_with_a_zero_gradient(name):
    value, gradient = value_and_gradient(make(name), torch.randn(0, 3, 6, 8), torch.zeros(0, 6, 8, dtype=torch.long))
    assert value == 0 and gradient.shape == (0, 3, 6, 8)


@pytest.mark.parametrize(
    ("logits", "target", "said"),
    [
        (torch.zeros(1, 2, 4, 4).numpy(), torch.zeros(1, 4, 4, dtype=torch.long), r"ndarray and Tensor.*from_numpy"),
        (torch.zeros(1, 2, 4, 4), torch.zeros(1, 4, 4, dtype=torch.long).numpy(), r"Tensor and ndarray.*from_numpy"),
        (torch.zeros(1, 2, 4, 4, dtype=torch.long), torch.zeros(1, 4, 4, dtype=torch.long), "not torch.int64"),
        (torch.zeros(1, 2, 4, 4, dtype=torch.cfloat), torch.zeros(1, 4, 4, dtype=torch.long), "not torch.complex64"),
    ],
)
def test_what_is_no_tensor_of_scores_is_said(logits, target, said):
    with pytest.raises(DataError, match=said):
        make("dice")(logits, target)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("dice", {"per_sample": "no"}, "per_sample must be true or false, not 'no'"),
        ("dice", {"squared": 1}, "squared must be true or false, not 1"),
        ("lovasz", {"per_sample": "false"}, "per_sample must be true or false"),
        ("hausdorff_dt", {"one_sided": "false"}, "one_sided must be true or false"),
        ("hausdorff_er", {"erosions": 2.5}, "erosions must be a whole number, not 2.5"),
        ("focal", {"gamma": float("inf")}, "gamma must be a number at least 0, not inf"),
        ("cross_entropy", {"class_weights": [0, 0]}, "class_weights must hold a number above 0"),
        ("dice", {"weights": [0.0, 0.0]}, "weights must hold a number above 0"),
    ],
)
def test_options_that_would_be_bent(name, options, said):
    with pytest.raises(UsageError, match=said):
        make(name, **options)
