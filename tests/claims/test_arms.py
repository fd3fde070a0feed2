"""What the arms of the claims change is what they say they change."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from benchmarks.claims.fitting import Budget, fit, network  # noqa: E402
from benchmarks.claims.metrics.disagreement import SCORES  # noqa: E402
from benchmarks.claims.pictures.gcn import start_at_zero  # noqa: E402
from benchmarks.claims.pictures.imbalance import LOSSES, loss_of  # noqa: E402
from benchmarks.claims.pictures.median_frequency import class_weights  # noqa: E402
from benchmarks.claims.pictures.unet_skips import without_skips  # noqa: E402
from benchmarks.claims.scenes import IGNORE, Scenes, crops  # noqa: E402
from intarsia.datasets.counts import ClassCounts  # noqa: E402
from intarsia.labels import LabelSpace  # noqa: E402
from intarsia.losses import WeightedSum  # noqa: E402
from intarsia.models.layers import BoundaryRefinement  # noqa: E402

pytestmark = pytest.mark.needs_torch


def scenes(count: int = 3) -> Scenes:
    random = np.random.default_rng(0)
    images = [random.integers(0, 256, (40, 48, 3), dtype=np.uint8) for _ in range(count)]
    labels = [random.integers(0, 2 + (index == 0), (40, 48), dtype=np.uint8) for index in range(count)]
    labels[1][:10] = IGNORE
    return Scenes(images, labels, labels, 3)


def test_runs_of_a_seed_see_the_same_crops() -> None:
    one, other = (list(crops(scenes(), (16, 24), 2, 3, seed=5)) for _ in range(2))
    torch.rand(3)  # whatever else an arm draws
    for first, second in zip(one, other, strict=True):
        assert torch.equal(first.images, second.images) and torch.equal(first.labels, second.labels)
    assert first.images.shape == (2, 3, 16, 24) and 0 <= first.images.min() <= first.images.max() <= 1


def test_training_is_the_same_twice() -> None:
    budget = Budget(steps=2, batch=2, crop=(16, 24))

    def weights() -> torch.Tensor:
        model = network("fcn8s", seed=1, classes=3, padding=1, base=4, width=8)
        fit(model, crops(scenes(), budget.crop, budget.batch, budget.steps, 1), budget, seed=1)
        return model.score["8"].weight

    assert torch.equal(weights(), weights())
    assert weights().abs().max() > 0  # scores start at zero


@pytest.mark.parametrize("name", LOSSES)
def test_losses_know_how_far_the_training_is(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []
    plain = WeightedSum.forward

    def watched(loss: WeightedSum, *given: object, progress: float) -> torch.Tensor:
        seen.append(progress)
        return plain(loss, *given, progress=progress)

    monkeypatch.setattr(WeightedSum, "forward", watched)
    budget = Budget(steps=2, batch=2, crop=(16, 24))
    model = network("fcn32s", seed=1, classes=2, padding=1, base=4, width=8)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    two = [np.minimum(labels, 1) for labels in scenes().labels]
    batches = crops(Scenes(scenes().images, two, two, 2), budget.crop, budget.batch, budget.steps, 1)
    fit(model, batches, budget, loss=loss_of(name, 0.2), seed=1)
    assert seen == [0, 0.5]
    assert any(not torch.equal(value, before[key]) for key, value in model.named_parameters())


def test_median_frequency_counts_pictures_that_hold_a_class() -> None:
    given, counts = scenes(), ClassCounts(LabelSpace(("a", "b", "c")))
    for labels in given.labels:
        counts.add(np.bincount(labels[labels != IGNORE], minlength=5))
    assert class_weights(given, "median") == pytest.approx(counts.median_frequency_weights())
    assert class_weights(given, "root") == pytest.approx(counts.median_frequency_weights(0.5))
    assert class_weights(given, "all")[2] > class_weights(given, "median")[2]  # in one picture alone


def test_refinement_from_zero_begins_as_the_identity() -> None:
    block = BoundaryRefinement(4)
    start_at_zero(torch.nn.Sequential(block))
    x = torch.rand(1, 4, 5, 5)
    assert torch.equal(block(x), x)


def test_without_skips_the_deepest_map_alone_decides() -> None:
    model = network("unet", seed=0, classes=2, encoder="efficientnet_lite0", channels=[8, 8, 8, 8])
    model.encoder.register_forward_hook(without_skips)
    maps = model.encoder(torch.rand(1, 3, 32, 32))
    assert [stage for stage, one in maps.items() if one.any()] == [max(maps)]


@pytest.mark.parametrize("name", ["intarsia", "mmseg", "sklearn", "torchmetrics"])
def test_one_matrix_over_the_whole_set(name: str) -> None:
    """Two pictures: IoUs of all pixels together are 2/4 and 4/6, another mean than that of the pictures."""
    truth = np.array([[[0, 0, 1, 1]], [[0, 1, 1, 1]]], np.uint8)
    predicted = np.array([[[0, 1, 1, 1]], [[0, 0, 1, 1]]], np.uint8)
    assert SCORES[name](predicted, truth) == pytest.approx((2 / 4 + 4 / 6) / 2)
