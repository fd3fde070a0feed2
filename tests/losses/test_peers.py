"""Agreement with other libraries where they compute the same, and how they differ where they do not."""

import warnings
from importlib import import_module

import pytest
import segmentation_models_pytorch.losses as smp
import torch
from torch.nn import functional as F

from intarsia.losses import build_loss

WEIGHTS = [0.5, 1.0, 2.0, 4.0]


def make(name, **options):
    return build_loss(name, ignore_index=255, options=options)


def batch(*, ignored=True, classes=4):
    """All classes occur in every sample."""
    torch.manual_seed(0)
    logits = 2 * torch.randn(2, classes, 16, 20)
    target = torch.randint(classes, (2, 4, 5)).repeat_interleave(4, 1).repeat_interleave(4, 2)
    if ignored:
        target[:, :3] = 255
    return logits, target


def of(library, name, *arguments, **options):
    """A loss of a library that takes seconds to import: where the loss is called, not in every worker that collects."""

    def peer(logits, target):
        loss = getattr(import_module(f"{library}.losses"), name)(*arguments, **options)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return loss(logits, target[:, None] if library == "monai" else target)

    return peer


MONAI = {"softmax": True, "to_onehot_y": True}


@pytest.mark.parametrize(
    ("name", "options", "peer"),
    [
        ("cross_entropy", {}, lambda x, t: F.cross_entropy(x, t, ignore_index=255)),
        (
            "cross_entropy",
            {"class_weights": WEIGHTS},
            lambda x, t: F.cross_entropy(x, t, torch.tensor(WEIGHTS), ignore_index=255),
        ),
        (
            "cross_entropy",
            {"class_weights": WEIGHTS, "label_smoothing": 0.1},
            lambda x, t: F.cross_entropy(x, t, torch.tensor(WEIGHTS), ignore_index=255, label_smoothing=0.1),
        ),
        ("dice", {"smooth": 0}, smp.DiceLoss("multiclass", ignore_index=255)),
        # smp adds `smooth` to half of our numerator and denominator
        ("dice", {"smooth": 6}, smp.DiceLoss("multiclass", ignore_index=255, smooth=3.0)),
        ("tversky", {"smooth": 1}, smp.TverskyLoss("multiclass", ignore_index=255, alpha=0.3, beta=0.7, smooth=1.0)),
        ("lovasz", {}, smp.LovaszLoss("multiclass", ignore_index=255)),
        ("sigmoid_focal", {"alpha": None}, smp.FocalLoss("multiclass", ignore_index=255)),
    ],
)
def test_with_ignored_elements(name, options, peer):
    logits, target = batch()
    assert make(name, **options)(logits, target).item() == pytest.approx(peer(logits, target).item(), rel=2e-5)


@pytest.mark.parametrize(
    ("name", "options", "peer"),
    [
        ("jaccard", {"smooth": 2}, smp.JaccardLoss("multiclass", smooth=2.0)),
        ("dice", {"smooth": 3}, of("monai", "DiceLoss", **MONAI, batch=True, smooth_nr=3, smooth_dr=3)),
        ("dice", {"smooth": 3, "per_sample": True}, of("monai", "DiceLoss", **MONAI, smooth_nr=3, smooth_dr=3)),
        ("dice", {"smooth": 0, "squared": True}, of("monai", "DiceLoss", **MONAI, batch=True, squared_pred=True)),
        # MONAI's Jaccard is 2 I / (2 U), so that its smoothing counts half
        (
            "jaccard",
            {"smooth": 3},
            of("monai", "DiceLoss", **MONAI, batch=True, jaccard=True, smooth_nr=6, smooth_dr=6),
        ),
        ("generalised_dice", {}, of("monai", "GeneralizedDiceLoss", **MONAI, batch=True, smooth_nr=0, smooth_dr=0)),
        ("tversky", {}, of("monai", "TverskyLoss", **MONAI, batch=True, alpha=0.3, beta=0.7, smooth_nr=1, smooth_dr=1)),
        ("boundary", {}, of("monai", "BoundaryLoss", **MONAI)),
        ("hausdorff_dt", {"threshold": 0.5}, of("monai", "HausdorffDTLoss", **MONAI, include_background=True)),
        ("lovasz", {"per_sample": True}, of("kornia", "LovaszSoftmaxLoss")),
        (
            "dice",
            {"smooth": 3, "classes": [1, 2, 3]},
            of("monai", "DiceLoss", **MONAI, batch=True, include_background=False, smooth_nr=3, smooth_dr=3),
        ),
        (
            "tversky",
            {"classes": [1, 2, 3]},
            of(
                "monai",
                "TverskyLoss",
                **MONAI,
                batch=True,
                include_background=False,
                alpha=0.3,
                beta=0.7,
                smooth_nr=1,
                smooth_dr=1,
            ),
        ),
        ("tversky", {"per_sample": True, "smooth": 0}, of("kornia", "TverskyLoss", alpha=0.3, beta=0.7, eps=0)),
        ("jaccard", {"classes": [0, 2], "smooth": 2}, smp.JaccardLoss("multiclass", classes=[0, 2], smooth=2.0)),
        (
            "dice",
            {"average": "micro", "smooth": 0},
            lambda x, t: of("kornia", "DiceLoss", average="micro", eps=0)(
                x.transpose(0, 1).flatten(1)[None, :, None], t.reshape(1, 1, -1)
            ),
        ),
    ],
)
def test_without_ignored_elements(name, options, peer):
    logits, target = batch(ignored=False)
    expected = peer(logits, target)
    assert make(name, **options)(logits, target).item() == pytest.approx(expected.item(), rel=1e-4)


@pytest.mark.parametrize("peer", [of("kornia", "LovaszHingeLoss"), smp.LovaszLoss("binary", per_image=True)])
def test_the_lovasz_hinge_of_a_binary_problem(peer):
    logits, target = batch(ignored=False, classes=2)
    margin = logits[:, 1:] - logits[:, :1]
    ours = make("lovasz_hinge", per_sample=True, classes=[1])(logits, target)
    expected = peer(margin, target[:, None] if "smp" in type(peer).__module__ else target)
    assert ours.item() == pytest.approx(expected.item(), rel=1e-5)


def test_monai_multiplies_by_class_weights_and_divides_by_the_number_of_classes():
    logits, target = batch(ignored=False)
    peer = of("monai", "DiceLoss", **MONAI, batch=True, weight=torch.tensor(WEIGHTS), smooth_nr=3, smooth_dr=3)
    ours = make("dice", smooth=3, weights=WEIGHTS)(logits, target)
    assert peer(logits, target).item() == pytest.approx(ours.item() * sum(WEIGHTS) / 4, rel=1e-5)


def test_smp_gives_0_for_a_binary_foreground_that_is_nowhere():
    logits, target = batch(ignored=False, classes=2)
    target[:] = 0
    peer = smp.DiceLoss("binary")(logits[:, 1:] - logits[:, :1], target[:, None])
    assert peer == make("dice", classes=[1])(logits, target) == 0
    assert make("dice")(logits, target) > 0.2  # of the background, of which every false alarm takes away


def test_mmsegmentation_divides_a_weighted_cross_entropy_by_the_number_of_elements():
    logits, target = batch()
    summed = F.cross_entropy(logits, target, torch.tensor(WEIGHTS), ignore_index=255, reduction="sum")
    ours = make("cross_entropy", class_weights=WEIGHTS, divide_by="elements")(logits, target)
    assert ours.item() == pytest.approx((summed / (target != 255).sum()).item(), rel=1e-5)


@pytest.mark.parametrize(
    "peer",
    [
        of("monai", "FocalLoss", use_softmax=True, to_onehot_y=True),
        of("kornia", "FocalLoss", None, 2.0, "mean"),
    ],
)
def test_others_divide_the_focal_loss_by_the_number_of_classes(peer):
    """They average over a one-hot target, all of whose entries but one are 0, so gamma 0 is not cross-entropy."""
    logits, target = batch(ignored=False)
    assert make("focal")(logits, target).item() == pytest.approx(4 * peer(logits, target).item(), rel=1e-5)


def test_smp_has_the_sigmoid_focal_loss_under_the_name_of_the_softmax_one():
    logits, target = batch()
    peer = smp.FocalLoss("multiclass", ignore_index=255)(logits, target)
    assert make("focal")(logits, target) > 2 * peer


@pytest.mark.parametrize(
    ("name", "peer"),
    [
        ("dice", smp.DiceLoss("multiclass", ignore_index=255)),
        ("tversky", smp.TverskyLoss("multiclass", ignore_index=255, alpha=0.3, beta=0.7)),
    ],
)
def test_smp_rewards_absent_classes(name, peer):
    """It averages their zeros in; the loss falls with the number of classes that a batch does not show."""
    logits, target = batch()
    target[target == 3] = 255
    ours = make(name, smooth=0)(logits, target)
    assert peer(logits, target).item() == pytest.approx(3 / 4 * ours.item(), rel=1e-5)


def test_smp_smooths_labels_but_averages_over_ignored_elements():
    logits, target = batch()
    peer = smp.SoftCrossEntropyLoss(smooth_factor=0.1, ignore_index=255)(logits, target)
    share = (target != 255).float().mean()
    ours = make("cross_entropy", label_smoothing=0.1)(logits, target)
    assert peer.item() == pytest.approx((share * ours).item(), rel=1e-5)


def test_kornia_counts_absent_classes_in_the_lovasz_loss():
    """Of a class that is not there, any probability is an error of its own size: the largest one is added."""
    logits, target = batch(ignored=False)
    target[target == 3] = 2
    peer = of("kornia", "LovaszSoftmaxLoss")(logits, target)
    largest = logits.softmax(1)[:, 3].flatten(1).amax(1).mean()
    ours = make("lovasz", per_sample=True)(logits, target)
    assert peer.item() == pytest.approx((3 * ours + largest).item() / 4, rel=1e-4)


def gradient_at_uniform_softmax(loss, target):
    logits = torch.zeros(1, 3, 12, 12, requires_grad=True)
    loss(logits, target).backward()
    return logits.grad.abs().max()


def test_kornias_erosion_cannot_start_from_an_untrained_network():
    """The threshold at 0.5 of the paper leaves nothing of errors (1/3)^2 and (2/3)^2, and so no gradient."""
    target = torch.zeros(1, 12, 12, dtype=torch.long)
    target[:, 3:9, 3:9] = 1
    kornias = of("kornia", "HausdorffERLoss")
    assert gradient_at_uniform_softmax(lambda x, t: kornias(x.softmax(1), t[:, None]), target) == 0
    assert gradient_at_uniform_softmax(make("hausdorff_er"), target) > 0


def test_torch_gives_nan_for_a_batch_without_labels():
    logits, target = batch()
    target[:] = 255
    assert torch.isnan(F.cross_entropy(logits, target, ignore_index=255))
    assert make("cross_entropy")(logits, target) == 0
