"""Changes of light and colour: one matrix does what the single steps do, and slices and bands are changed alike."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional as F

from intarsia.errors import UsageError
from intarsia.recipe import Augment
from intarsia.transforms.augment import TrainingTransform
from intarsia.transforms.color import RandomColor, motion

NONE = Augment(scale=(1, 1), flip=0, brightness=0, contrast=0, saturation=0)


def photo(channels: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(40, 200, (30, 40, channels), dtype=np.uint8)


class Fixed:
    """A generator that draws the upper bound, and steps in the order in which they are given."""

    def uniform(self, low: float, high: float, size: int | None = None) -> object:
        return high if size is None else np.full(size, high)

    def permutation(self, names: list[str]) -> list[str]:
        return names

    def random(self) -> float:
        return 0.0


@pytest.mark.parametrize(
    ("name", "oracle"),
    [("brightness", F.adjust_brightness), ("contrast", F.adjust_contrast), ("saturation", F.adjust_saturation)],
)
@pytest.mark.parametrize("strength", [0.0001, 0.2, 0.5])
def test_each_step_is_torchvisions(name, oracle, strength) -> None:
    image = photo()
    found = RandomColor(NONE.model_copy(update={name: strength}))(image, Fixed())
    expected = oracle(torch.from_numpy(image).permute(2, 0, 1), 1 + strength).permute(1, 2, 0).numpy()
    assert np.abs(found.astype(int) - expected).max() <= 1  # which cuts off where this rounds


def test_several_steps_are_rounded_and_clipped_once() -> None:
    augment = NONE.model_copy(update={"brightness": 0.3, "contrast": 0.2, "saturation": 0.4})
    image = photo()
    exact = image.astype(float)
    luma = np.array([0.299, 0.587, 0.114])
    exact = exact * 1.3
    exact = 1.2 * exact - 0.2 * (exact @ luma).mean()
    exact = 1.4 * exact - 0.4 * (exact @ luma)[..., None]
    found = RandomColor(augment)(image, Fixed())
    assert np.abs(found - np.clip(exact, 0, 255)).max() <= 1


def test_hue_turns_the_circle() -> None:
    image = np.full((4, 4, 3), (200, 40, 40), np.uint8)
    third = RandomColor(NONE.model_copy(update={"hue": 1 / 3}))(image, Fixed())
    assert np.abs(third[0, 0].astype(int) - (40, 200, 40)).max() <= 4
    assert np.array_equal(image[0, 0], (200, 40, 40)), "the given pixels are left as they are"


def test_gamma_tint_blur_and_noise() -> None:
    image = photo()
    gamma = RandomColor(NONE.model_copy(update={"gamma": np.log(2)}))(image, Fixed())
    assert np.array_equal(gamma, np.rint(255 * (image / 255) ** 2).astype(np.uint8))
    tint = RandomColor(NONE.model_copy(update={"tint": 0.1}))(image, Fixed())
    assert np.abs(tint - image * 1.1).max() <= 0.51
    blurred = RandomColor(NONE.model_copy(update={"blur": 1.0}))(image, Fixed())
    assert blurred.std() < 0.6 * image.std() and abs(blurred.mean() - image.mean()) < 1
    noisy = RandomColor(NONE.model_copy(update={"noise": 1.0}))(image, np.random.default_rng(3))
    assert 0 < np.abs(noisy.astype(int) - image).mean() < 20


@pytest.mark.parametrize("channels", [1, 2, 4, 7])
def test_slices_and_bands_are_changed_alike(channels: int) -> None:
    """Brightness and contrast are one table for all of them, about the mean of all."""
    image = photo(channels)
    found = RandomColor(NONE.model_copy(update={"brightness": 0.2, "contrast": 0.5}))(image, Fixed())
    exact = 1.5 * 1.2 * image - 0.5 * 1.2 * image.mean()
    assert found.shape == image.shape
    assert np.abs(found - np.clip(exact, 0, 255)).max() <= 0.51
    everything = Augment(
        scale=(0.5, 2.0), vertical_flip=0.5, rotate=20, elastic=3, saturation=0, gamma=0.3, blur=0.5, noise=0.5
    )
    labels = np.zeros((30, 40), np.uint8)
    for seed in range(6):
        crop, target = TrainingTransform(everything, (16, 24), ignore_index=255)(image, labels, seed)
        assert crop.shape == (16, 24, channels) and target.shape == (16, 24)
    with pytest.raises(UsageError, match=f"the {channels} channels of slices or bands are none: set them to 0"):
        TrainingTransform(Augment(), (16, 24), ignore_index=255)(image, labels, 0)


def test_all_channels_turn_and_zoom_together() -> None:
    """A picture of seven equal channels stays one."""
    image = np.repeat(photo(1), 7, axis=2)
    moving = Augment(scale=(0.4, 2.5), rotate=30, elastic=4, saturation=0, flip=0.5, vertical_flip=0.5)
    for seed in range(8):
        crop, _ = TrainingTransform(moving, (24, 24), ignore_index=255)(image, np.zeros((30, 40), np.uint8), seed)
        assert (crop == crop[..., :1]).all()


@pytest.mark.parametrize(
    ("changes", "reach"),
    [
        ({"scale": (0.5, 2.0)}, (64, 96)),
        ({"scale": (1.0, 1.0)}, (32, 48)),
        ({"scale": (1.0, 1.0), "rotate": 30}, (32 + 24, 48 + 16)),
        ({"scale": (0.5, 2.0), "elastic": 3}, (64 + 12, 96 + 12)),
    ],
)
def test_a_part_from_which_any_crop_can_be_cut(changes: dict, reach: tuple[int, int]) -> None:
    transform = TrainingTransform(NONE.model_copy(update=changes), (32, 48), ignore_index=255)
    assert transform.reach == reach
    image = np.zeros((*reach, 3), np.uint8)
    if "rotate" not in changes:  # nothing has to be filled
        for seed in range(20):
            assert (transform(image, np.zeros(reach, np.uint8), seed)[1] == 0).all()


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_sharpness_is_torchvisions(channels) -> None:
    image = photo(channels)
    found = RandomColor(NONE.model_copy(update={"sharpen": 1.0}))(image, Fixed())  # draws the upper bound, 3
    planes = torch.from_numpy(image).permute(2, 0, 1)[:, None]  # one by one: torchvision takes one or three channels
    expected = F.adjust_sharpness(planes, 3.0)[:, 0].permute(1, 2, 0).numpy()
    assert np.abs(found.astype(int) - expected)[1:-1, 1:-1].max() <= 1  # the outermost pixels stay as they are there


@pytest.mark.parametrize(
    ("angle", "expected"),
    [
        (0.0, [[0, 0, 0], [1, 1, 1], [0, 0, 0]]),
        (np.pi / 2, [[0, 1, 0], [0, 1, 0], [0, 1, 0]]),
        (np.pi / 4, [[1, 0, 0], [0, 1, 0], [0, 0, 1]]),
    ],
)
def test_motion_smears_along_a_line(angle, expected) -> None:
    assert motion(1, angle) == pytest.approx(np.array(expected) / 3)
    assert motion(3, angle).sum() == pytest.approx(1)


def test_motion_blur_of_a_point() -> None:
    image = np.zeros((9, 9, 3), np.uint8)
    image[4, 4] = 70
    found = RandomColor(NONE.model_copy(update={"motion_blur": 1.0}))(image, Fixed())  # seven pixels, at half a turn
    assert (found[4, 1:8] == 10).all() and found.sum() == 3 * 70


def test_equalisation_spreads_dark_pictures_and_keeps_hues() -> None:
    image = (photo(seed=3) // 8 + 20).astype(np.uint8)
    augment = NONE.model_copy(update={"equalise": 1.0})
    found = RandomColor(augment)(image, Fixed())
    assert found.std() > 1.5 * image.std()
    grey = np.repeat(image[..., :1], 3, axis=2)
    assert np.ptp(RandomColor(augment)(grey, Fixed()).astype(int), axis=2).max() <= 1, "grey stays grey"
    single = RandomColor(augment)(image[..., :1], Fixed())
    assert single.shape == (30, 40, 1) and single.std() > 1.5 * image[..., 0].std()
