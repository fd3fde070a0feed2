"""Stretches of a picture: the very rows that the whole picture has."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from intarsia.bundle import Description
from intarsia.inference import Predictor
from intarsia.labels import LabelSpace
from intarsia.media.source import ArraySource
from intarsia.preprocessing import Preprocessing

SPACE = LabelSpace(("a", "b", "c"))


class Uneven:
    """A runtime whose logits depend on the place in the tile, so that tiles disagree where they overlap."""

    name, precision, processor = "uneven", "exact", "any"
    in_channels = 3

    def __init__(self, stride: int, align_corners: bool) -> None:
        self.stride, self.align_corners, self.margin = stride, align_corners, 0

    def logits(self, x: Any, place: Any = None) -> Any:
        small = x[:, :, :: self.stride, :: self.stride]
        height, width = small.shape[2:]
        down = np.linspace(-1, 1, height, dtype=np.float32)[:, None] + np.zeros(width, np.float32)
        return np.stack([small[:, 0] + down, small[:, 1] - down, small[:, 2] + 0.1], axis=1)


def predictor(stride: int, align_corners: bool, **options: Any) -> Predictor:
    preprocessing = Preprocessing(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    description = Description("uneven", {}, SPACE, preprocessing)
    return Predictor(description, runtime=Uneven(stride, align_corners), **options)


def picture(height: int, width: int) -> ArraySource:
    samples = np.random.default_rng(0).integers(0, 256, (height // 4, width // 4, 3), dtype=np.uint8)
    return ArraySource(np.kron(samples, np.ones((4, 4, 1), np.uint8)), "noise", "picture")


@pytest.mark.parametrize("stride", [1, 4, 32])
@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("overlap", [0, 32, 64])
def test_stretches_have_the_rows_of_the_whole(
    stride: int, align_corners: bool, overlap: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("intarsia.inference.pictures.predictor.WHOLE_PIXELS", 0)
    maker = predictor(stride, align_corners, tile=128, overlap=overlap, confidence=stride == 4)
    reader = picture(2304 if overlap < 64 else 1344, 132)
    whole = list(maker.rows(reader))
    extent = maker.extent(reader)
    assert extent is not None and extent[1] >= 16
    stretches = [(0, 7), (7, 8), (8, extent[1])]
    parts = [list(maker.rows(reader, stretch=stretch)) for stretch in stretches]
    assert all(parts)
    found = [rows for part in parts for rows in part]
    assert [rows.top for rows in found] == [rows.top for rows in whole]
    for one, other in zip(found, whole, strict=True):
        assert np.array_equal(one.labels, other.labels) and np.array_equal(one.image, other.image)
        assert (one.confidence is None) == (stride != 4)
        if one.confidence is not None:
            assert np.array_equal(one.confidence, other.confidence)


def test_what_is_not_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("intarsia.inference.pictures.predictor.WHOLE_PIXELS", 0)
    assert predictor(4, False, tile=128, overlap=32).extent(picture(1024, 64)) == (0, 11)
    assert predictor(4, False, tile=128, overlap=32, decide="rankseg").extent(picture(4096, 64)) is None
    assert predictor(4, False, tile=128, overlap=32, refine="guided").extent(picture(4096, 64)) is None
    assert predictor(4, False, tile=128, overlap=32, long_side=2048).extent(picture(4096, 64)) is None
