"""Logits to labels at the image's own size, against torch's interpolation in one call."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from intarsia.runtimes.axis import Axis
from intarsia.runtimes.blocks import decide_blocks
from intarsia.runtimes.upsampling import Upsampling, decide, resized_logits, upsampled_labels

UINT8 = np.dtype(np.uint8)


def smooth(classes: int, cells: tuple[int, int], seed: int = 0) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    rough = torch.randn(1, classes, max(2, cells[0] // 4), max(2, cells[1] // 4), generator=random)
    detail = torch.randn(1, classes, *cells, generator=random)
    return 3 * F.interpolate(rough, size=cells, mode="bicubic") + 0.3 * detail


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize(
    ("cells", "size"),
    [
        ((7, 9), (28, 36)),
        ((25, 13), (97, 50)),
        ((30, 30), (11, 17)),
        ((1, 1), (5, 3)),
        ((6, 8), (6, 8)),
        ((6, 8), (6, 9)),
    ],
)
def test_band_by_band_equals_one_call(
    cells: tuple[int, int], size: tuple[int, int], align_corners: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("intarsia.runtimes.upsampling.SCORED_PIXELS", 1)  # so that a band holds a single row
    logits = torch.randn(1, 3, *cells, generator=torch.Generator().manual_seed(0))
    whole = F.interpolate(logits, size=size, mode="bilinear", align_corners=align_corners)
    upsampling = Upsampling(cells, size, align_corners=align_corners)
    chunks = [cells[0] // 2, cells[0] - cells[0] // 2]
    plan = upsampling.bands(chunks, scored=True)
    rows, first, arrived = [], 0, 0
    for count, bands in zip(chunks, plan, strict=True):
        arrived += count
        for band in bands:
            planes = upsampling.planes(logits[:, :, first:arrived].numpy(), first, band)
            rows.append(torch.from_numpy(np.stack(list(planes))))
        first = upsampling.first_cell(bands[-1][1]) if bands else first
    assert sum(len(bands) for bands in plan) == size[0]
    assert torch.allclose(torch.cat(rows, dim=1), whole[0], atol=1e-5)


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("size", [(21, 33), (5, 40), (7, 9)])
def test_whole_logits_at_another_size(size: tuple[int, int], align_corners: bool) -> None:
    logits = torch.randn(1, 4, 7, 9, generator=torch.Generator().manual_seed(2))
    expected = F.interpolate(logits, size=size, mode="bilinear", align_corners=align_corners).numpy()
    assert np.allclose(resized_logits(logits.numpy(), size, align_corners=align_corners), expected, atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**16), classes=st.integers(1, 20), height=st.integers(1, 9), width=st.integers(1, 9))
def test_labels_are_exactly_those_of_interpolation_and_argmax(seed: int, classes: int, height: int, width: int) -> None:
    # Small whole numbers at stride 4 are interpolated without any rounding, so ties are exact and must fall alike.
    random = torch.Generator().manual_seed(seed)
    logits = torch.randint(-3, 4, (1, classes, height, width), generator=random).float()
    expected = F.interpolate(logits, size=(4 * height, 4 * width), mode="bilinear").argmax(1)[0].numpy()
    found = upsampled_labels(logits.numpy(), (4 * height, 4 * width), align_corners=False, dtype=UINT8)
    assert found.dtype == np.uint8 and np.array_equal(found, expected)


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("size", [(240, 320), (201, 333), (60, 80)])
def test_labels_differ_only_where_two_classes_tie(size: tuple[int, int], align_corners: bool) -> None:
    logits = smooth(19, (60, 80))
    whole = F.interpolate(logits, size=size, mode="bilinear", align_corners=align_corners)
    found = upsampled_labels(logits.numpy(), size, align_corners=align_corners, dtype=UINT8)
    chosen = whole.gather(1, torch.from_numpy(found).long()[None, None])[0, 0]
    assert (whole.amax(1)[0] - chosen).max() < 1e-5
    assert np.mean(found != whole.argmax(1)[0].numpy()) < 1e-4


def test_labels_do_not_depend_on_the_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    logits = smooth(5, (40, 50))
    found = []
    for pixels in (1, 3000, 10**9):
        monkeypatch.setattr("intarsia.runtimes.upsampling._BAND_PIXELS", pixels)
        found.append(upsampled_labels(logits.numpy(), (171, 203), align_corners=False, dtype=UINT8))
    assert np.array_equal(found[0], found[2]) and np.array_equal(found[1], found[2])


def test_labels_do_not_depend_on_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    logits, found = smooth(7, (40, 50)), []
    monkeypatch.setattr("intarsia.runtimes.upsampling._BAND_PIXELS", 2000)
    for threads in ("1", "2", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        found.append(upsampled_labels(logits.numpy(), (333, 401), align_corners=False, dtype=UINT8))
    assert np.array_equal(found[0], found[1]) and np.array_equal(found[0], found[2])


def test_decide_gives_labels_and_softmax_of_the_winner() -> None:
    logits = torch.tensor([[0.0, 3.0, -50.0], [1.0, 2.0, 40.0], [0.5, 3.0, 39.0]])
    labels, scores = decide(logits.numpy()[:, None], UINT8, confidence=True)
    assert labels.tolist() == [[1, 0, 1]] and labels.dtype == np.uint8
    assert scores is not None and scores.dtype == np.float16
    assert scores.ravel().tolist() == pytest.approx(logits.softmax(0).amax(0).tolist(), abs=1e-3)
    labels, none = decide(logits.numpy()[:, None], np.dtype(np.uint16), confidence=False)
    assert labels.dtype == np.uint16 and none is None


def test_more_classes_than_a_byte_holds() -> None:
    logits = torch.zeros(1, 300, 2, 2)
    logits[0, 299, 1, 1] = 1
    found = upsampled_labels(logits.numpy(), (4, 4), align_corners=False, dtype=np.dtype(np.uint16))
    assert found[3, 3] == 299 and found[0, 0] == 0


def interpolated(logits: np.ndarray, size: tuple[int, int], *, align_corners: bool) -> np.ndarray:
    """The labels by interpolating everything."""
    upsampling = Upsampling(logits.shape[2:], size, align_corners=align_corners)
    return decide(upsampling.planes(logits, 0, (0, size[0])), UINT8, confidence=False)[0]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    classes=st.integers(1, 12),
    cells=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    size=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    align_corners=st.booleans(),
    steps=st.sampled_from((0, 1, 3)),
)
def test_what_is_not_interpolated_is_the_same(
    seed: int, classes: int, cells: tuple[int, int], size: tuple[int, int], align_corners: bool, steps: int
) -> None:
    """Regions with noise, or in whole steps, of which many tie; and two classes that are the same everywhere."""
    random = np.random.default_rng(seed)
    owner = np.kron(random.integers(classes, size=(3, 3)), np.ones((4, 4), np.int64))[: cells[0], : cells[1]]
    logits = 3 * (owner == np.arange(classes)[:, None, None]) + random.normal(size=(classes, *cells))
    logits[-1] = logits[0]
    logits = (logits if steps == 0 else np.round(logits * steps))[None].astype(np.float32)
    found = upsampled_labels(logits, size, align_corners=align_corners, dtype=UINT8)
    assert np.array_equal(found, interpolated(logits, size, align_corners=align_corners))


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("size", [(97, 130), (480, 640), (50, 61)])
def test_most_of_a_picture_is_not_interpolated(size: tuple[int, int], align_corners: bool) -> None:
    logits = 4 * smooth(7, (24, 32)).numpy()
    rows, columns = (Axis.of(c, s, align_corners=align_corners) for c, s in zip((24, 32), size, strict=True))
    known = decide_blocks(logits[0], rows, columns, UINT8)
    assert known is not None
    labels, ties = known
    expected = interpolated(logits, size, align_corners=align_corners)
    assert len(ties.pixels) < 0.01 * labels.size
    assert np.array_equal(np.delete(labels, ties.pixels), np.delete(expected, ties.pixels))
    assert set(expected.flat[ties.pixels]) <= set(ties.classes.tolist())
    assert np.array_equal(upsampled_labels(logits, size, align_corners=align_corners, dtype=UINT8), expected)


@pytest.mark.parametrize("align_corners", [False, True])
def test_ties_are_found_however_many_classes_are_in_them(align_corners: bool) -> None:
    """In a part of the picture each class has a twin, so that two of them, four or six are equal at many pixels."""
    rough = 4 * smooth(6, (16, 24), seed=1)
    logits = F.interpolate(rough, size=(40, 50), mode="bicubic").numpy()
    logits[:, 3:, :, 20:28] = logits[:, :3, :, 20:28] + np.float32(1e-7)
    size = (233, 391)
    axes = (Axis.of(cells, side, align_corners=align_corners) for cells, side in zip((40, 50), size, strict=True))
    known = decide_blocks(logits[0], *axes, UINT8)
    assert known is not None and len(known[1].pixels) > 1000 and len(known[1].classes) == 6
    expected = interpolated(logits, size, align_corners=align_corners)
    assert np.array_equal(upsampled_labels(logits, size, align_corners=align_corners, dtype=UINT8), expected)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_logits_that_are_no_numbers_are_interpolated(value: float) -> None:
    logits = smooth(3, (6, 8)).numpy()
    logits[0, 1, 2, 3] = value
    axes = Axis.of(6, 24, align_corners=False), Axis.of(8, 32, align_corners=False)
    assert decide_blocks(logits[0], *axes, UINT8) is None
    with np.errstate(invalid="ignore"):
        found = upsampled_labels(logits, (24, 32), align_corners=False, dtype=UINT8)
        assert np.array_equal(found, interpolated(logits, (24, 32), align_corners=False))


def test_noise_is_interpolated() -> None:
    """Where no two cells agree, looking for those that do is wasted."""
    logits = np.random.default_rng(0).normal(size=(9, 12, 12)).astype(np.float32)
    axis = Axis.of(12, 48, align_corners=False)
    assert decide_blocks(logits, axis, axis, UINT8) is None
