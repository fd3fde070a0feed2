"""RankSEG: against every possible decision on a few pixels, and the same in pieces as at once."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from intarsia.bundle import Description
from intarsia.errors import UsageError
from intarsia.inference import Predictor, VideoPredictor
from intarsia.inference.pictures.ranking import Histograms, Ranking
from intarsia.inference.volumes import sliced
from intarsia.labels import LabelSpace
from intarsia.media.source import ArraySource
from intarsia.preprocessing import Preprocessing

Values = NDArray[np.float64]
NAMES = ("ground", "wall", "roof", "tree")


class Given:
    """A runtime whose probabilities stand in the picture, one class a channel."""

    name, precision, processor = "given", "exact", "any"
    stride, align_corners, margin = 1, False, 0

    def __init__(self, classes: int = 3) -> None:
        self.in_channels = classes
        self.seen = 0

    def logits(self, x: Any, place: Any = None) -> Any:
        self.seen += 1
        return np.log(np.maximum(x, 1e-6))


def predictor(runtime: Given, *, preprocessing: dict[str, Any] | None = None, **options: Any) -> Predictor:
    count = runtime.in_channels
    settings = Preprocessing(mean=(0.0,) * count, std=(1.0,) * count, **(preprocessing or {}))
    description = Description("given", {}, LabelSpace(NAMES[:count]), settings)
    return Predictor(description, runtime=runtime, **options)


def picture(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """A wide ground, less wall, and a roof that is likely at a few places only."""
    shares = np.random.default_rng(seed).dirichlet((2.0, 1.0, 0.1), (height, width))
    return (shares * 255).astype(np.uint8)


def ranking_of(probabilities: NDArray[Any]) -> Ranking:
    found = Histograms(len(probabilities))
    logits = np.log(np.maximum(probabilities, 1e-6)).astype(np.float32)
    found.add(logits.reshape(1, len(probabilities), 1, -1), lambda top, bottom: None)
    return found.ranking()


def decided(probabilities: NDArray[Any]) -> NDArray[np.intp]:
    gains = ranking_of(probabilities).gains(probabilities.astype(np.float32))
    return np.stack(list(gains)).argmax(axis=0)


def expected(masks: Values, chances: Values, score: str) -> Values:
    """The expected score of each mask (M, n), over truths of these chances; empty pairs count nothing."""
    shared, sizes = masks @ masks.T, masks.sum(axis=1)
    both = sizes[:, None] + sizes
    values = 2 * shared / np.maximum(both, 1) if score == "dice" else shared / np.maximum(both - shared, 1)
    return values @ chances


@pytest.mark.parametrize("score", ["dice", "iou"])
@pytest.mark.parametrize("count", [5, 8])
def test_no_decision_about_a_few_pixels_is_much_better(score: str, count: int) -> None:
    """One class and the rest: all 2^n masks, and all 2^n truths of independent pixels."""
    rng = np.random.default_rng(count)
    masks = np.array(list(product((0.0, 1.0), repeat=count)))
    lost, by_half = [], []
    for _ in range(40):
        p = rng.beta(*rng.choice((0.3, 1.0, 3.0), 2), count)
        p[0] = max(p[0], 1 - p[0])  # or the class is taken to be absent
        values = expected(masks, np.prod(np.where(masks > 0, p, 1 - p), axis=1), score)
        # What the papers prove: the best mask is the most likely pixels, as many as it has.
        best = masks[values.argmax()] > 0
        assert p[best].min() >= p[~best].max(initial=0)
        taken = p > ranking_of(np.stack((p, 1 - p))).thresholds[0]
        lost.append(values.max() - values[(masks == taken).all(axis=1)][0])
        by_half.append(values.max() - values[(masks == (p > 0.5)).all(axis=1)][0])
    assert max(lost) < 0.08
    assert np.mean(lost) < 0.006
    assert np.mean(lost) < np.mean(by_half) / 2


def test_of_many_pixels_the_best_mask_is_found() -> None:
    """How much of the truth is in the mask, and how much outside, is Poisson binomial: the expected Dice is exact."""

    def sizes(p: Values) -> Values:
        chances = np.ones(1)
        for one in p:
            chances = np.convolve(chances, (1 - one, one))
        return chances

    p = np.sort(np.random.default_rng(0).beta(0.3, 1.0, 120))[::-1]
    values = []
    for count in range(1, len(p) + 1):
        inside, outside = sizes(p[:count]), sizes(p[count:])
        hit, size = np.arange(len(inside))[:, None], np.arange(len(outside))
        values.append((inside[:, None] * outside * 2 * hit / (count + hit + size)).sum())
    taken = int((p > ranking_of(np.stack((p, 1 - p))).thresholds[0]).sum())
    assert taken > (p > 0.5).sum()
    assert max(values) - values[taken - 1] < 2e-4
    assert max(values) - values[int((p > 0.5).sum()) - 1] > 0.01


def test_of_classes_that_exclude_one_another_the_mean_is_nearly_the_best() -> None:
    """Three classes, five pixels: all 3^5 label maps, and all 3^5 truths."""
    rng = np.random.default_rng(1)
    maps = np.array(list(product(range(3), repeat=5)))
    lost, by_argmax = [], []
    for _ in range(30):
        p = rng.dirichlet(rng.choice((0.5, 1.0, 3.0), 3), 5).T
        p[:, :3] = 0.2 + 0.4 * np.eye(3)  # each class is somewhere the likeliest
        chances = np.prod(p[maps, np.arange(5)], axis=1)
        values = sum(expected((maps == index).astype(float), chances, "dice") for index in range(3)) / 3
        lost.append(values.max() - values[(maps == decided(p)).all(axis=1)][0])
        by_argmax.append(values.max() - values[(maps == p.argmax(axis=0)).all(axis=1)][0])
    assert np.mean(lost) < 0.015
    assert np.mean(lost) < np.mean(by_argmax) / 2


def test_a_pixel_that_one_class_takes_stays_with_it() -> None:
    p = np.random.default_rng(0).dirichlet((3.0, 1.0, 1.0, 0.2), 4000).T
    taken = p > ranking_of(p).thresholds[:, None]
    alone = taken.sum(axis=0) == 1
    assert 0.2 < alone.mean() < 1
    assert (decided(p)[alone] == taken.argmax(axis=0)[alone]).all()


def test_a_class_that_is_nowhere_the_likeliest_gets_nothing() -> None:
    p = np.random.default_rng(0).dirichlet((3.0, 1.0), 500).T * 0.95
    p = np.concatenate((p, np.full((1, 500), 0.05)))
    assert np.isinf(ranking_of(p).thresholds[2]) and np.isfinite(ranking_of(p).thresholds[:2]).all()
    assert set(decided(p)) == {0, 1}
    found = Histograms(2)
    found.add(np.array([[300.0, 200.0], [0.0, 0.0]], np.float32)[None, :, None], lambda top, bottom: None)
    assert found.ranking().thresholds.tolist() == [0.5, np.inf]  # a probability of exactly 0


def test_a_picture_is_decided_by_its_own_probabilities() -> None:
    image = picture(50, 70)
    found = predictor(Given(), decide="rankseg", confidence=True).segment(image)
    p = np.moveaxis(image / image.sum(axis=2, keepdims=True), 2, 0)
    assert (found.labels == decided(p)).mean() > 0.999  # but for ties
    share = [(labels == 2).mean() for labels in (found.labels, predictor(Given()).segment(image).labels)]
    assert share[0] > 1.2 * share[1]
    chosen = np.take_along_axis(p, found.labels[None].astype(np.intp), axis=0)[0]
    assert found.confidence is not None
    assert np.abs(found.confidence - chosen).max() < 0.002


@pytest.mark.usefixtures("tiled")
def test_tiles_are_decided_as_one_picture() -> None:
    """The network runs twice over each tile: once to learn the whole, once to decide."""
    image = np.concatenate((picture(150, 200), picture(60, 200)[..., ::-1]))
    runtime = Given()
    found = predictor(runtime, tile=64, overlap=0, decide="rankseg").segment(image)
    tiles = runtime.seen
    expected = decided(np.moveaxis(image / image.sum(axis=2, keepdims=True), 2, 0))
    assert (found.labels == expected).mean() > 0.999
    predictor(runtime, tile=64, overlap=0).segment(image)
    assert tiles == 2 * (runtime.seen - tiles) > 2


class Torn(ArraySource):
    """A picture whose right half has no data, whatever is stored there."""

    def holes(self, top: int, left: int, height: int, width: int) -> NDArray[np.bool_] | None:
        return np.broadcast_to(np.arange(left, left + width) >= self.width // 2, (height, width))


@pytest.mark.parametrize("stored", [0, 255])
def test_what_has_no_data_decides_nothing(stored: int) -> None:
    known = picture(40, 30)
    torn = np.concatenate((known, np.full_like(known, 1)), axis=1)
    torn[:, 30:, 2] = stored
    one = predictor(Given(), decide="rankseg")
    (rows,) = one.rows(Torn(torn, "torn", "picture"))
    assert np.array_equal(rows.labels[:, :30], one.segment(known).labels)
    assert (rows.labels[:, 30:] == one.space.ignore_index).all()


def test_a_picture_without_any_data() -> None:
    class Lost(ArraySource):
        def holes(self, top: int, left: int, height: int, width: int) -> NDArray[np.bool_] | None:
            return np.ones((height, width), dtype=np.bool_)

    one = predictor(Given(), decide="rankseg")
    (rows,) = one.rows(Lost(picture(8, 8), "lost", "picture"))
    assert (rows.labels == one.space.ignore_index).all()


def test_a_volume_is_decided_whole() -> None:
    """Its slices, side by side, are one picture with the same histograms."""
    voxels = np.random.default_rng(0).beta(1, 4, (3, 20, 25))
    voxels[0] *= 0.6
    stored = (voxels * 255).astype(np.uint8)

    class Two(Given):
        def logits(self, x: Any, place: Any = None) -> Any:
            return np.concatenate((np.log(np.maximum(1 - x, 1e-6)), np.log(np.maximum(x, 1e-6))), axis=1)

    settings = Preprocessing(mean=(0.0,), std=(1.0,), slices=1, window=(0.0, 1.0))
    one = Predictor(Description("two", {}, LabelSpace(NAMES[:2]), settings), runtime=Two(1), decide="rankseg")
    labels = np.stack([np.concatenate([part.labels for part in rows]) for rows in sliced(one, stored, "volume")])
    side_by_side = np.moveaxis(stored, 0, 1).reshape(20, -1, 1)
    (whole,) = one.rows(ArraySource(side_by_side, "whole", "volume"))
    assert np.array_equal(labels, np.moveaxis(whole.labels.reshape(20, 3, 25), 1, 0))
    (alone,) = one.rows(ArraySource(stored[0][..., None], "alone", "volume"))
    assert alone.labels.sum() == 0 < labels[0].sum()  # by itself, the first slice would have none of the class


def test_it_is_a_setting_that_is_told_only_where_it_is_used(tmp_path: Path) -> None:
    plain, ranked = predictor(Given()), predictor(Given(), decide="rankseg")
    assert "decide" not in plain.settings and "decide" not in plain.given
    assert ranked.settings == plain.settings | {"decide": "rankseg"}
    assert "decide" in ranked.given
    with pytest.raises(UsageError, match="decide is for pictures and stacks and rasters and volumes, not for videos"):
        VideoPredictor(ranked)
    with pytest.raises(UsageError, match=r"no decision 'rankdice'\. Did you mean 'rankseg'\?"):
        predictor(Given(), decide="rankdice")
    with pytest.raises(UsageError, match=r"which refine changes: choose one \(refine none\)"):
        predictor(Given(), decide="rankseg", refine="guided")
