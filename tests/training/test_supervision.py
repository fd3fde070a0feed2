"""Losses of several outputs, and labels shrunk to them."""

import torch
from torch import nn

from intarsia.losses import Boundary, CrossEntropy, join_maps
from intarsia.models import Supervised, build
from intarsia.training.loop.optim import freeze_norms
from intarsia.training.loop.supervision import SupervisedPass, shrink_labels, supervised_loss


def test_labels_shrink_to_the_pixel_at_each_cells_centre():
    target = torch.arange(36).reshape(1, 6, 6)
    assert shrink_labels(target, (6, 6), align_corners=False) is target
    assert shrink_labels(target, (3, 2), align_corners=False).tolist() == [[[7, 10], [19, 22], [31, 34]]]
    assert shrink_labels(target, (1, 1), align_corners=False).item() == 3 * 6 + 3


def test_aligned_corners_hit_every_eighth_pixel():
    """DeepLab's sizes 8k + 1 (321 -> 41)."""
    target = torch.arange(33 * 41).reshape(1, 33, 41)
    assert torch.equal(shrink_labels(target, (5, 6), align_corners=True), target[:, ::8, ::8])
    assert shrink_labels(target, (1, 1), align_corners=True).item() == 0


def test_ignored_labels_are_never_mixed_with_others():
    target = torch.tensor([[0, 255], [255, 7]]).repeat(1, 9, 9)
    assert set(shrink_labels(target, (5, 7), align_corners=False).unique().tolist()) <= {0, 7, 255}


def test_terms_are_weighted_and_summed():
    loss = CrossEntropy(ignore_index=255)
    target = torch.tensor([[[0, 1], [2, 255]]])
    whole, small = torch.randn(1, 3, 2, 2), torch.randn(1, 3, 1, 1)
    outputs = (Supervised(whole, 1.0), Supervised(small, 0.4))
    # the one label that the small map keeps is ignored, so that its term is nothing
    assert torch.equal(supervised_loss(loss, outputs, target), loss(whole, target))
    target[0, 1, 1] = 1
    expected = loss(whole, target) + 0.4 * loss(small, torch.tensor([[[1]]]))
    assert torch.allclose(supervised_loss(loss, outputs, target), expected)


def test_maps_are_for_the_target_at_its_own_size():
    target = torch.randint(3, (2, 8, 8))
    loss = Boundary(ignore_index=255)
    whole, small = torch.randn(2, 3, 8, 8), torch.randn(2, 3, 4, 4)
    maps = join_maps([loss.maps(sample) for sample in target])
    expected = loss(whole, target) + loss(small, shrink_labels(target, (4, 4), align_corners=False))
    outputs = (Supervised(whole, 1.0), Supervised(small, 1.0))
    assert torch.allclose(supervised_loss(loss, outputs, target, maps=maps), expected)
    maps["distance"].zero_()
    assert torch.allclose(supervised_loss(loss, outputs[:1], target, maps=maps), torch.zeros(()))


def test_a_model_without_auxiliary_heads_is_supervised_by_its_output():
    model = build("unet", classes=2, encoder="test_resnet", channels=(8, 8, 8, 8)).eval()
    x = torch.rand(1, 3, 32, 48)
    (output,) = SupervisedPass(model)(x)
    assert output.weight == 1
    assert torch.equal(output.logits, model(x))


def test_frozen_norms_keep_weights_and_statistics():
    model = build("unet", classes=2, encoder="test_resnet", channels=(8, 8, 8, 8)).train()
    frozen = freeze_norms(model)
    before = [tensor.clone() for norm in frozen for tensor in norm.state_dict().values()]
    for norm in frozen:
        norm.eval()
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    nn.functional.cross_entropy(model(torch.rand(2, 3, 32, 32)), torch.ones(2, 32, 32, dtype=torch.long)).backward()
    optimizer.step()
    after = [tensor for norm in frozen for tensor in norm.state_dict().values()]
    assert len(frozen) > 8
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
