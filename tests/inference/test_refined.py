"""Refinement inside the predictor: in windows, with the bundle's recipe, and as part of the identity."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from crf_cases import scene
from torch import nn

from intarsia.errors import DataError, UsageError
from intarsia.inference.pictures import refined
from intarsia.inference.pictures.refined import refine_rows
from intarsia.media.images import open_image
from intarsia.models import ImageModel
from intarsia.recipe import Recipe
from intarsia.refine import dense_crf, guided_filter, refine


class Brightness(ImageModel):
    """Logits from the picture's brightness, at a quarter of its size."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([-1.0, 1.0, 0.2]))

    def logits(self, x):
        small = nn.functional.avg_pool2d(x.mean(1, keepdim=True) - 0.5, 4, ceil_mode=True)
        return small * self.weight[None, :, None, None] * 8


def picture(height, width):
    """Dark and bright, parted by a slanted edge that does not fall on the network's cells."""
    rows, columns = np.mgrid[:height, :width]
    bright = (columns - width / 2 + 0.4 * (rows - height / 2)) > 0
    noise = np.random.default_rng(0).normal(size=(height, width, 3)) * 3
    return (np.where(bright, 170, 90)[..., None] + noise).astype(np.uint8)


def parts(probs, image, heights):
    top = 0
    for height in heights:
        yield top, probs[:, top : top + height], image[top : top + height]
        top += height


@pytest.mark.parametrize("heights", [[500], [1] * 20 + [480], [200, 300], [64] * 7 + [52], [499, 1]])
@pytest.mark.parametrize("window", [100, 130, 499, 500, 10_000])
def test_windows_share_margins_and_give_every_row_once(monkeypatch, heights, window):
    """The refinement writes down which rows it sees."""
    monkeypatch.setattr(refined, "MARGIN", 20)
    monkeypatch.setattr(refined, "WINDOW_VALUES", window * 2 * 3)
    probs = np.arange(500, dtype=np.float32)[None, :, None].repeat(2, 0).repeat(3, 2)
    image = (np.arange(500) % 251).astype(np.uint8)[:, None, None].repeat(3, 1).repeat(3, 2)
    seen = []

    def note(values, pixels):
        assert (values[0, :, 0] % 251 == pixels[:, 0, 0]).all()
        seen.append((int(values[0, 0, 0]), int(values[0, -1, 0]) + 1))
        return values + 1000

    out = list(refine_rows(parts(probs, image, heights), (500, 3), 2, note))
    assert [row for top, values, _ in out for row in range(top, top + values.shape[1])] == list(range(500))
    np.testing.assert_array_equal(np.concatenate([values for _, values, _ in out], 1), probs + 1000)
    np.testing.assert_array_equal(np.concatenate([pixels for *_, pixels in out]), image)
    for (first, last), (top, values, _) in zip(seen, out, strict=True):
        assert last - first <= max(window, 80)
        assert first == 0 or top - first >= 20
        assert last == 500 or last - (top + values.shape[1]) >= 20


def test_windows_give_nearly_what_the_whole_picture_gives(monkeypatch):
    probs, image, _ = scene(400, 60, 3)
    whole = dense_crf(probs, image)
    monkeypatch.setattr(refined, "MARGIN", 40)
    monkeypatch.setattr(refined, "WINDOW_VALUES", 160 * 60 * 3)
    out = list(refine_rows(parts(probs, image, [50] * 8), (400, 60), 3, lambda p, i: dense_crf(p, i)))
    assert len(out) > 3
    together = np.concatenate([values for _, values, _ in out], 1)
    assert (together.argmax(0) == whole.argmax(0)).mean() > 0.995


def test_too_wide_a_picture_is_refused_before_memory_runs_out():
    with pytest.raises(DataError, match="150 classes in 50000 columns do not fit"):
        next(refine_rows(iter([]), (1000, 50_000), 150, lambda p, i: p))


def test_predictor_refines_at_the_pictures_own_size(make_predictor):
    image = picture(90, 120)
    plain, crf = (make_predictor(Brightness(), 3, refine=refine, confidence=True) for refine in ("none", "crf"))
    probs = plain.probabilities(image)
    assert probs.shape == (3, 90, 120)
    np.testing.assert_allclose(probs.sum(0), 1, atol=1e-5)
    np.testing.assert_array_equal(plain.segment(image).labels, probs.argmax(0))
    expected = dense_crf(probs, image)
    found = crf.segment(image)
    np.testing.assert_array_equal(found.labels, expected.argmax(0))
    np.testing.assert_allclose(found.confidence, expected.max(0), atol=1e-3)
    np.testing.assert_array_equal(found.image, image)
    np.testing.assert_allclose(crf.probabilities(image), expected, atol=1e-6)
    assert (found.labels != probs.argmax(0)).any()
    assert next(crf.rows(open_image(image))).probabilities is None


@pytest.mark.parametrize("method", ["guided", "bilateral", "regions"])
def test_every_method_is_available(make_predictor, method):
    image = picture(60, 70)
    probs = make_predictor(Brightness(), 3).probabilities(image)
    found = make_predictor(Brightness(), 3, refine=method).segment(image)
    np.testing.assert_array_equal(found.labels, refine(probs, image, method).argmax(0))


def test_the_bundles_recipe_decides_unless_told_otherwise(make_predictor):
    image = picture(60, 70)
    recipe = Recipe.from_dict({"refine": {"method": "guided", "options": {"radius": 3}}}).to_dict()
    probs = make_predictor(Brightness(), 3, refine="none").probabilities(image)
    kept = make_predictor(Brightness(), 3, recipe=recipe)
    np.testing.assert_allclose(kept.probabilities(image), guided_filter(probs, image, radius=3), atol=1e-6)
    off = make_predictor(Brightness(), 3, recipe=recipe, refine="none")
    np.testing.assert_array_equal(off.probabilities(image), probs)
    plain = make_predictor(Brightness(), 3, recipe=Recipe().to_dict())
    np.testing.assert_array_equal(plain.probabilities(image), probs)


def test_refinement_is_part_of_the_identity(make_predictor):
    names = [None, "none", "crf", {"method": "crf", "options": {"bilateral_xy": 30}}]
    identities = [make_predictor(Brightness(), 3, refine=name).identity().checksum() for name in names]
    assert identities[0] == identities[1]
    assert len(set(identities)) == 3


def test_a_wrong_refinement_fails_before_the_first_picture(make_predictor):
    with pytest.raises(UsageError, match="Did you mean 'guided'"):
        make_predictor(Brightness(), 3, refine="guide")
    with pytest.raises(UsageError, match="Did you mean 'epsilon'"):
        make_predictor(Brightness(), 3, refine={"method": "guided", "options": {"epsilom": 1}})
