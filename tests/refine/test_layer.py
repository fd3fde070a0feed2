"""The trainable CRF: gradients, and that it learns."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from crf_cases import picture_features, scene
from torch.nn import functional as F

from intarsia.refine import PRESETS, CRFLayer, Preset, dense_crf
from intarsia.refine.crf import tensors
from intarsia.refine.crf.kernels import Features, Grid

SMALL = Preset(1.5, 1, 2, 3, 20)


def test_forward_is_the_dense_crf():
    cases = [scene(20, 24, seed=seed) for seed in (0, 1)]
    logits = torch.log(torch.from_numpy(np.stack([case[0] for case in cases])))
    images = np.stack([case[1] for case in cases])
    layer = CRFLayer(4, preset="deeplabv2-vgg16", iterations=3)
    refined = layer(logits, images).softmax(1).detach().numpy()
    for one, (probs, image, _) in zip(refined, cases, strict=True):
        expected = dense_crf(probs, image, preset="deeplabv2-vgg16", iterations=3, prune=0, backend="torch")
        np.testing.assert_allclose(one, expected, atol=1e-3)


def test_it_starts_from_the_preset():
    layer = CRFLayer(3)
    preset = PRESETS["crf-as-rnn"]
    assert layer.weights.tolist() == [[preset.spatial_weight] * 3, [preset.bilateral_weight] * 3]
    assert layer.affinity.tolist() == np.eye(3).tolist()
    assert layer.preset.iterations == 5


@pytest.mark.parametrize("normalisation", ["symmetric", "before", "after", "none"])
def test_gradients_of_the_filters(normalisation):
    image = scene(4, 5)[1]
    values = torch.rand(20, 2, dtype=torch.float64, requires_grad=True)
    for kernel in (
        Features(picture_features(image, 3, 20).astype(np.float32), normalisation),
        Grid((4, 5), (1.0, 1.5), normalisation),
    ):
        torch.autograd.gradcheck(tensors.build(kernel, dtype=torch.float64), (values,))


def test_gradients_of_the_layer():
    image = scene(4, 5)[1][None]
    layer = CRFLayer(3, preset=SMALL, iterations=2).double()
    logits = torch.randn(1, 3, 4, 5, dtype=torch.float64, requires_grad=True)

    def refined(logits, weights, affinity):
        return torch.func.functional_call(layer, {"weights": weights, "affinity": affinity}, (logits, image))

    torch.autograd.gradcheck(refined, (logits, layer.weights, layer.affinity))


def test_it_learns_from_labels():
    torch.manual_seed(0)
    probs, image, truth = scene(32, 40, noise=3)
    logits, target = torch.log(torch.from_numpy(probs))[None], torch.from_numpy(truth)[None]
    layer = CRFLayer(4, preset=Preset(0.1, 1, 0.1, 6, 12), iterations=3)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.2)
    losses = []
    for _ in range(15):
        loss = F.cross_entropy(layer(logits, image[None]), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]
    before, after = (one.argmax(1).eq(target).float().mean() for one in (logits, layer(logits, image[None])))
    assert after > before + 0.02


def test_half_precision_is_left_to_the_network():
    probs, image, _ = scene(12, 16)
    logits = torch.log(torch.from_numpy(probs))[None]
    layer = CRFLayer(4, iterations=2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        refined = layer(logits.bfloat16(), torch.from_numpy(image[None]))
    assert refined.dtype == torch.float32
    expected = layer(logits.bfloat16().float(), image[None])
    torch.testing.assert_close(refined, expected)


def test_logits_need_not_be_normalised():
    probs, image, _ = scene(12, 16)
    logits = torch.log(torch.from_numpy(probs))[None] * 2 + 5
    refined = CRFLayer(4, iterations=1)(logits, image[None])
    shifted = CRFLayer(4, iterations=1)(logits - 5, image[None])
    torch.testing.assert_close(refined.softmax(1), shifted.softmax(1))
