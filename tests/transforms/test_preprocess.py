from __future__ import annotations

import numpy as np
import pytest

from intarsia.preprocessing import Preprocessing
from intarsia.transforms.preprocess import normalise, prepare, resize_image, working_size

PLAIN = Preprocessing(mean=(0.5, 0.0, 0.25), std=(0.5, 1.0, 0.25))


@pytest.mark.parametrize(
    ("long_side", "size", "expected"),
    [
        (None, (37, 91), (37, 91)),
        (480, (720, 960), (360, 480)),
        (480, (960, 720), (480, 360)),
        (100, (10, 20), (50, 100)),
        (10, (1, 5000), (1, 10)),
    ],
)
def test_working_size(long_side: int | None, size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert working_size(*size, Preprocessing(long_side=long_side)) == expected


def test_normalise_values_and_memory() -> None:
    image = np.zeros((2, 3, 3), np.uint8)
    image[0, 0] = (255, 51, 255)
    found = normalise(image, PLAIN)
    assert found.shape == (1, 3, 2, 3) and found.dtype == np.float32
    assert found.transpose(0, 2, 3, 1).flags.c_contiguous
    assert found[0, :, 0, 0].tolist() == pytest.approx([1, 0.2, 3])
    assert found[0, :, 1, 2].tolist() == pytest.approx([-1, 0, -1])
    batch = normalise(np.stack([image, image]), PLAIN)
    assert np.array_equal(batch, np.concatenate([found, found]))
    assert image[0, 0, 0] == 255


def test_resize_averages_when_it_shrinks() -> None:
    stripes = np.zeros((8, 8, 3), np.uint8)
    stripes[:, ::2] = 200
    assert (resize_image(stripes, 4, 4) == 100).all()
    assert resize_image(stripes, 8, 8) is stripes
    grown = resize_image(np.array([[[0] * 3, [100] * 3]], np.uint8), 1, 4)
    assert grown[0, :, 0].tolist() == [0, 25, 75, 100]


def test_prepare_resizes_then_normalises() -> None:
    image = np.full((30, 40, 3), 51, np.uint8)
    image.flags.writeable = False
    found = prepare(image, PLAIN.model_copy(update={"long_side": 20}))
    assert found.shape == (1, 3, 15, 20)
    assert np.unique(found[0, 1]).tolist() == pytest.approx([0.2])


def test_a_single_mean_turns_pictures_to_grey() -> None:
    grey = Preprocessing(mean=(0.5,), std=(0.25,))
    image = np.zeros((2, 3, 3), np.uint8)
    image[0, 0], image[0, 1], image[0, 2] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    found = normalise(image, grey)
    assert found.shape == (1, 1, 2, 3) and found.transpose(0, 2, 3, 1).flags.c_contiguous
    assert found[0, 0, 0].tolist() == pytest.approx([(share - 0.5) / 0.25 for share in (0.299, 0.587, 0.114)])
    assert found[0, 0, 1].tolist() == [-2, -2, -2]


def test_a_grey_picture_stays_exactly_itself() -> None:
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    colour = Preprocessing(mean=(0.4,) * 3, std=(0.3,) * 3)
    expected = normalise(values[..., None].repeat(3, axis=2), colour)[:, :1]
    found = normalise(values[..., None].repeat(3, axis=2), Preprocessing(mean=(0.4,), std=(0.3,)))
    assert np.array_equal(found, expected)


@pytest.mark.parametrize(("mean", "std"), [((0.5,), (0.5,) * 3), ((0.5,) * 3, (0.5,)), ((0.5,) * 2, (0.5,) * 2)])
def test_other_numbers_of_values_are_refused(mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=f"or one for grey pictures, not {len(mean)} and {len(std)}"):
        Preprocessing(mean=mean, std=std)
