"""The matching of queries with segments: against every assignment there is, by hand, and as transformers has it."""

import os
from itertools import permutations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

os.environ["HF_HUB_OFFLINE"] = "1"
from intarsia.errors import DataError, UsageError
from intarsia.losses import CrossEntropy, Matching, WeightedSum


def batch(queries: int = 5, classes: int = 4, seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[Tensor, ...]:
    """Scores, masks, labels in patches of which some are ignored, and logits, which matter by their shape alone."""
    torch.manual_seed(seed)
    labels = torch.randint(classes, (2, 3, 4)).repeat_interleave(2, 1).repeat_interleave(2, 2)
    labels[torch.rand(labels.shape) < 0.2] = 255
    scores, masks = torch.randn(2, queries, classes + 1, dtype=dtype), 2 * torch.randn(2, queries, 6, 8, dtype=dtype)
    return scores, masks, labels, torch.zeros(2, classes, 6, 8, dtype=dtype)


def pair_cost(loss: Matching, scores: Tensor, mask: Tensor, inside: Tensor, label: int, focal: bool) -> float:
    """Of one query and one segment, pixel by pixel."""
    pixels, overlap, area = 0.0, 0.0, 0.0
    for logit, there in zip(mask.tolist(), inside.tolist(), strict=True):
        p = 1 / (1 + torch.tensor(-logit, dtype=torch.float64).exp().item())
        right = p if there else 1 - p
        weight = (0.25 if there else 0.75) * (1 - right) ** 2 if focal else 1.0
        pixels -= weight * torch.tensor(right, dtype=torch.float64).log().item() / len(mask)
        overlap, area = overlap + p * there, area + p + there
    probability = scores.softmax(0)[label].item()
    return loss.mask_weight * pixels + 1 - (2 * overlap + 1) / (area + 1) - probability


@pytest.mark.parametrize("kind", ["focal", "cross_entropy"])
@pytest.mark.parametrize(("queries", "seed"), [(5, 0), (4, 1), (3, 2), (6, 3)])
def test_no_assignment_costs_less(kind: str, queries: int, seed: int) -> None:
    """All of them are tried; of three queries for four classes, one class is left without."""
    scores, masks, labels, _ = batch(queries, seed=seed)
    loss = Matching(mask=kind, mask_weight=3.0)
    valid = labels[0].flatten() != 255
    kept, seen = masks[0].flatten(1)[:, valid], labels[0].flatten()[valid]
    found = seen.unique()
    costs = torch.tensor(
        [[pair_cost(loss, scores[0, q], kept[q], seen == k, int(k), kind == "focal") for k in found]
         for q in range(queries)], dtype=torch.float64,
    )  # fmt: skip
    assert torch.allclose(loss.cost(scores[0], kept, seen, found), costs, atol=1e-10)
    several = min(queries, len(found))
    totals = {
        (chosen, order): sum(costs[q, k].item() for q, k in zip(chosen, order, strict=True))
        for chosen in permutations(range(queries), several)
        for order in permutations(range(len(found)), several)
        if list(chosen) == sorted(chosen)
    }
    query, label = loss.match(scores[0], masks[0].flatten(1), labels[0].flatten())
    best = min(totals, key=totals.__getitem__)
    assert [(q, int(found[k])) for q, k in zip(*best, strict=True)] == list(
        zip(query.tolist(), label.tolist(), strict=True)
    )


def test_one_segment_by_hand() -> None:
    """Two queries, two classes of which one is there, two pixels: cross-entropy of 1/2 and 3/4, Dice of .5 + .75."""
    masks = torch.tensor([[[0.0, 3.0**0.5], [-9.0, -9.0]]], dtype=torch.float64)
    masks[0, 0, 1] = torch.tensor(3.0).log()
    scores = torch.zeros(1, 2, 3, dtype=torch.float64)
    labels, logits = torch.zeros(1, 2, dtype=torch.long), torch.zeros(1, 2, 2, dtype=torch.float64)
    loss = Matching(mask="cross_entropy", mask_weight=5, dice_weight=2, class_weight=3, no_object=0.5)
    pixels = -(torch.tensor(0.5).log() + torch.tensor(0.75).log()) / 2
    dice = 1 - (2 * 1.25 + 1) / (1.25 + 2 + 1)
    expected = 5 * pixels + 2 * dice + 3 * torch.tensor(3.0).log()  # both queries say 1/3, whatever their weight
    assert loss(logits, labels, None, (scores, masks)).item() == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_loss_equals_the_reference(seed: int) -> None:
    from transformers.models.maskformer.modeling_maskformer import MaskFormerHungarianMatcher, MaskFormerLoss

    scores, masks, labels, logits = batch(seed=seed)
    labels[labels == 255] = 0  # which the reference does not know
    present = [sample.unique() for sample in labels]
    targets = [
        (sample[None] == found[:, None, None]).to(masks.dtype) for sample, found in zip(labels, present, strict=True)
    ]
    matcher = MaskFormerHungarianMatcher(cost_class=1.0, cost_mask=20.0, cost_dice=1.0)
    reference = MaskFormerLoss(4, matcher, {}, 0.1).double()
    parts = reference(masks, scores, targets, present)
    expected = parts["loss_cross_entropy"] + 20 * parts["loss_mask"] + parts["loss_dice"]
    assert torch.allclose(Matching()(logits, labels, None, (scores, masks)), expected, rtol=1e-6)


def test_ignored_elements_change_nothing_and_get_no_gradient() -> None:
    scores, masks, labels, logits = batch()
    ignored = (labels == 255)[:, None].expand_as(masks)
    values = []
    for given in (masks, torch.where(ignored, 50 * torch.randn_like(masks), masks)):
        given = given.clone().requires_grad_()
        value = Matching()(logits, labels, None, (scores, given))
        value.backward()
        values.append(value.item())
        assert (given.grad[ignored] == 0).all() and given.grad.abs().sum() > 0
    assert values[0] == values[1]
    labels[1] = 255
    alone = Matching()(logits[:1], labels[:1], None, (scores[:1], masks[:1]))
    assert torch.allclose(Matching()(logits, labels, None, (scores, masks)), alone)
    scores.requires_grad_()
    nothing = Matching()(logits, torch.full_like(labels, 255), None, (scores, masks))
    nothing.backward()
    assert nothing == 0 and (scores.grad == 0).all()


def test_gradients_are_right() -> None:
    scores, masks, labels, logits = batch(queries=3, classes=2)
    loss = Matching(mask_weight=2.0)
    assert torch.autograd.gradcheck(
        lambda s, m: loss(logits, labels, None, (s, m)), (scores.requires_grad_(), masks.requires_grad_())
    )


def test_queries_learn_their_segments() -> None:
    scores, masks, labels, logits = batch(queries=6, dtype=torch.float32)
    scores.requires_grad_(), masks.requires_grad_()
    optimizer = torch.optim.Adam([scores, masks], lr=0.1)
    for _ in range(120):
        optimizer.zero_grad()
        Matching()(logits, labels, None, (scores, masks)).backward()
        optimizer.step()
    semantic = torch.einsum("nqc,nqhw->nchw", scores.softmax(2)[..., :-1], masks.sigmoid())
    right = semantic.argmax(1) == labels
    assert right[labels != 255].float().mean() > 0.98


def test_sums_are_float32_under_autocast() -> None:
    scores, masks, labels, logits = batch(dtype=torch.float32)
    expected = Matching()(logits, labels, None, (scores.bfloat16().float(), masks.bfloat16().float()))
    with torch.autocast("cpu", torch.bfloat16):
        found = Matching()(logits, labels, None, (scores.bfloat16(), masks.bfloat16()))
    assert found.dtype == torch.float32 and torch.allclose(found, expected)


def test_a_loss_that_diverged_stays_so() -> None:
    scores, masks, labels, logits = batch()
    masks[0, :, 0, 0], labels[0, 0, 0] = torch.nan, 1
    assert Matching()(logits, labels, None, (scores, masks)).isnan()


def test_beside_losses_of_pixels() -> None:
    scores, masks, labels, logits = batch()
    logits = torch.randn_like(logits)
    both = WeightedSum([(0.5, CrossEntropy()), (2.0, Matching())])
    expected = 0.5 * CrossEntropy()(logits, labels) + 2 * Matching()(logits, labels, None, (scores, masks))
    assert torch.allclose(both(logits, labels, None, (scores, masks)), expected)
    assert F.cross_entropy(logits, labels, ignore_index=255).item() == pytest.approx(
        CrossEntropy()(logits, labels, None, (scores, masks)).item()
    )


def test_what_cannot_be_says_why() -> None:
    scores, masks, labels, logits = batch()
    with pytest.raises(UsageError, match=r"'matching' compares queries with segments, and this model has none: take"):
        Matching()(logits, labels)
    with pytest.raises(DataError, match="does not fit logits"):
        Matching()(logits[..., :-1], labels, None, (scores, masks))
    with pytest.raises(UsageError, match="mask must be focal or cross_entropy, not 'dice'"):
        Matching(mask="dice")
    with pytest.raises(UsageError, match="no_object must be a number at least 0"):
        Matching(no_object=-1)
